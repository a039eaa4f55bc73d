#include "vault/core/contract/password_policies.h"

#include "vault/base/encoding.h"
#include "vault/core/contract/records.h"

namespace leasehold::core {

std::string password_policy_record(std::string_view name) {
  return std::string(kPasswordPolicies) + hex(as_bytes(name));
}

Result<bool> has_password_policy(commit::ReadTxn& txn, std::string_view name) {
  VAULT_TRY_ASSIGN(const std::uint64_t version,
                   txn.in(barrier::kCoreSpace).version(password_policy_record(name)));
  return version != 0;
}

Result<policy::PasswordPolicy> password_policy(commit::ReadTxn& txn, std::string_view name) {
  commit::ReadTxn core = txn.in(barrier::kCoreSpace);
  VAULT_TRY_ASSIGN(const auto record, load_json(core, password_policy_record(name)));
  if (!record) return failure(Code::not_found, "policy does not exist");
  auto parsed = policy::parse_password_policy(record->string_at("policy"));
  if (parsed.ok()) return parsed;
  return failure(Code::internal, "stored password policy configuration failed to parse",
                 parsed.error().message);
}

Result<SecretBytes> password_by_policy(commit::ReadTxn& txn, std::string_view name,
                                       Random& random) {
  const auto found = password_policy(txn, name);
  if (found.is(Code::not_found))
    return failure(Code::invalid, "there is no password policy \"" + std::string(name) +
                                      "\": write sys/policies/password/" + std::string(name) +
                                      ", or name another one");
  if (!found.ok()) return found.error();
  return found->generate(random);
}

}  // namespace leasehold::core
