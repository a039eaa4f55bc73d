#pragma once
// Shared by the routes where holders of shares approve something (rekey, generate-root): the share
// in a request, shares in an answer, and whether callers need a token. Thread safety: functions
// without state.

#include "vault/core/sys/system.h"

namespace leasehold::core {

// A share as text: hex, or base64. Nothing when it is neither.
std::optional<SecretBytes> parse_share(ByteView text);
// The field `key` of a request. Code::invalid with Vault's words.
Result<SecretBytes> share_of(const Call& call);
Json shares_as_text(const std::vector<SecretBytes>& shares, bool as_hex);
// A number from 0 to 255; Code::invalid else.
Result<unsigned> share_count(std::int64_t count);
// Code::invalid when the request asks for keys encrypted with PGP, which nothing here does.
Status refuse_pgp(const Call& call);
// Shares approve something while their slot is the one that is stored, of this generation. Else
// Code::invalid with `otherwise`; the batch conflicts when the slot is replaced meanwhile.
Status guard_slot(WriteTxn& txn, const seal::SlotId& id, std::uint32_t generation,
                  const char* otherwise);

// With a token: `sudo` on the path. Without: where the listener lets strangers; null: never.
Route ceremony_route(std::string pattern, std::vector<Field> fields, std::vector<Action> actions,
                     bool ListenerTraits::*open_by, std::string synopsis);
// A ceremony's answer under its newer name: in the envelope, where the older one's is bare.
Result<Response> enveloped(Result<Response> answer);

}  // namespace leasehold::core
