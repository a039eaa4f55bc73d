#pragma once
// The password policies that are stored: sys/policies/password/:name writes them, and engines make
// passwords by them. Functions, from any thread.

#include "vault/commit/txn.h"
#include "vault/policy/password_policy.h"

namespace leasehold::core {

inline constexpr std::size_t kPasswordPolicyNameMax = 512;  // bytes

// Where one is, in the core's space: a JSON record with the text as `policy`. All of them are in
// kPasswordPolicies, by the name in hex.
inline constexpr std::string_view kPasswordPolicies = "password-policies/";
std::string password_policy_record(std::string_view name);

// Whether there is one of this name; `txn` may be in any space.
Result<bool> has_password_policy(commit::ReadTxn& txn, std::string_view name);

// Code::not_found when there is none. `txn` may be in any space.
Result<policy::PasswordPolicy> password_policy(commit::ReadTxn& txn, std::string_view name);

// A password by the policy of that name. Code::invalid says which one is missing, and what to do.
Result<SecretBytes> password_by_policy(commit::ReadTxn& txn, std::string_view name, Random& random);

}  // namespace leasehold::core
