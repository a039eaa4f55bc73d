#include "cli/leasehold/token_store.h"

#include "cli/leasehold/token_file.h"
#include "cli/leasehold/token_helper.h"

namespace leasehold::cli {

Result<SecretBytes> stored_token() {
  VAULT_TRY_ASSIGN(const std::string helper, token_helper());
  return helper.empty() ? read_token_file() : get_from_helper(helper);
}

Status store_token(const SecretBytes& token) {
  VAULT_TRY_ASSIGN(const std::string helper, token_helper());
  return helper.empty() ? write_token_file(token) : store_with_helper(helper, token);
}

}  // namespace leasehold::cli
