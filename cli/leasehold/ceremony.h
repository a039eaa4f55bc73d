#pragma once
// What `operator rekey` and `operator generate-root` have in common: a ceremony that is begun once,
// to which several people give a key each, naming it by its nonce. Thread safety: as Session.

#include "cli/leasehold/session.h"

namespace leasehold::cli {

// The key: the argument, or asked for without echo. `{"key": …, "nonce": …}`. Where no nonce is
// given, `question` says which operation is in progress, and its nonce is taken and shown.
Result<Json> share_for(Session& session, std::string_view question, std::string_view prompt);

}  // namespace leasehold::cli
