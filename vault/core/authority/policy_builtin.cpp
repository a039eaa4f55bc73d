#include <array>

#include "vault/core/authority/policy.h"

namespace leasehold::core {
namespace {

// White space as Unicode has it beyond ASCII, in UTF-8.
constexpr std::array<std::string_view, 17> kWideSpaces{
    "\xc2\x85",     "\xc2\xa0",     "\xe1\x9a\x80", "\xe2\x80\x80", "\xe2\x80\x81", "\xe2\x80\x82",
    "\xe2\x80\x83", "\xe2\x80\x84", "\xe2\x80\x85", "\xe2\x80\x86", "\xe2\x80\x87", "\xe2\x80\x88",
    "\xe2\x80\x89", "\xe2\x80\x8a", "\xe2\x80\xa8", "\xe2\x80\xa9", "\xe3\x80\x80"};
constexpr std::string_view kSpaces = " \t\n\v\f\r";

std::size_t leading_space(std::string_view text) {
  if (kSpaces.find(text.front()) != kSpaces.npos) return 1;
  for (const std::string_view wide : kWideSpaces)
    if (text.starts_with(wide)) return wide.size();
  return 0;
}

std::size_t trailing_space(std::string_view text) {
  if (kSpaces.find(text.back()) != kSpaces.npos) return 1;
  for (const std::string_view wide : kWideSpaces)
    if (text.ends_with(wide)) return wide.size();
  return 0;
}

}  // namespace

std::string canonical_policy_name(std::string_view name) {
  while (!name.empty() && leading_space(name) > 0) name.remove_prefix(leading_space(name));
  while (!name.empty() && trailing_space(name) > 0) name.remove_suffix(trailing_space(name));
  std::string canonical(name);
  for (char& c : canonical)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return canonical;
}

std::string_view default_policy_text() {
  return R"(# Every token gets this policy unless it was created without it. It may be edited.

# A token may look at itself, stay alive, and end itself.
path "auth/token/lookup-self" { capabilities = ["read"] }
path "auth/token/renew-self" { capabilities = ["update"] }
path "auth/token/revoke-self" { capabilities = ["update"] }

# It may ask what it is permitted to do.
path "sys/capabilities-self" { capabilities = ["update"] }
path "sys/internal/ui/resultant-acl" { capabilities = ["read"] }

# Whoever is behind it may read about themselves.
path "identity/entity/id/{{identity.entity.id}}" { capabilities = ["read"] }
path "identity/entity/name/{{identity.entity.name}}" { capabilities = ["read"] }

# Who knows a lease may extend it or look at it.
path "sys/renew" { capabilities = ["update"] }
path "sys/leases/renew" { capabilities = ["update"] }
path "sys/leases/lookup" { capabilities = ["update"] }

# Each token has a cubbyhole that no other token can open.
path "cubbyhole/*" { capabilities = ["create", "read", "update", "delete", "list"] }

# Wrapping answers for somebody else, and opening what was wrapped.
path "sys/wrapping/wrap" { capabilities = ["update"] }
path "sys/wrapping/lookup" { capabilities = ["update"] }
path "sys/wrapping/unwrap" { capabilities = ["update"] }

# Small tools that reveal nothing.
path "sys/tools/hash" { capabilities = ["update"] }
path "sys/tools/hash/*" { capabilities = ["update"] }

# Signing in elsewhere with the identity held here.
path "identity/oidc/provider/+/authorize" { capabilities = ["read", "update"] }
)";
}

std::string_view response_wrapping_policy_text() {
  return R"(# What a wrapping token may do: open itself, once.
path "cubbyhole/response" { capabilities = ["create", "read"] }
path "sys/wrapping/unwrap" { capabilities = ["update"] }
)";
}

}  // namespace leasehold::core
