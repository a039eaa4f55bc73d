#pragma once
// The token that `login` leaves for the next command: kept by the token helper where one is
// configured, in the token file otherwise. Thread safety: functions without state.

#include "vault/base/bytes.h"
#include "vault/base/result.h"

namespace leasehold::cli {

Result<SecretBytes> stored_token();  // empty when there is none
Status store_token(const SecretBytes& token);

}  // namespace leasehold::cli
