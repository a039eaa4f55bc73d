#pragma once
// What `operator unseal`, `operator rekey` and `operator generate-root` have in common: several
// people give a key each; the latter two are begun once and named by a nonce. Thread safety: as
// Session.

#include "cli/leasehold/session.h"

namespace leasehold::cli {

// Sets `key` in the call's body: the argument, or asked for without echo.
Status add_key(const Session& session, std::string_view prompt, Call& call);

// PUT `{"key": …, "nonce": …}` to `path`. The key: the argument, or asked for without echo. Where
// no nonce is given, `question` says which operation is in progress, and its nonce is taken and
// shown.
Result<Call> share_for(Session& session, const std::string& path, std::string_view question,
                       std::string_view prompt);

}  // namespace leasehold::cli
