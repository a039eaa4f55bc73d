#include "vault/core/sys/token_policies.h"

#include <algorithm>

#include "vault/core/contract/policy_names.h"

namespace leasehold::core {

namespace {

constexpr std::size_t kQuotedMax = 1024;  // of a list in an error; it goes into the audit log, too

using Names = std::vector<std::string>;

bool contains(const Names& list, std::string_view wanted) {
  return std::find(list.begin(), list.end(), wanted) != list.end();
}

// As Go prints a list: ["a" "b"].
std::string quoted(const Names& names) {
  std::string out = "[";
  for (const std::string& name : names) {
    if (out.size() > 1) out += ' ';
    if (out.size() > kQuotedMax) return out + "...]";
    out += '"';
    for (const char c : name) {
      if (c == '"' || c == '\\') out += '\\';
      out += static_cast<unsigned char>(c) < ' ' ? '?' : c;
    }
    out += '"';
  }
  return out + "]";
}

Names with_default(Names names, bool added) {
  if (added && !contains(names, "root")) names.emplace_back("default");
  return canonical_policies(names);
}

// A role that names policies gives them to whoever may use it, whatever the caller's own are.
Result<Names> by_role(const Call& call, const TokenRole& role, const Names& asked) {
  const bool adds_default = !call.fields.boolean("no_default_policy") && !role.no_default_policy &&
                            !is_listed(role.disallowed, role.disallowed_globs, "default");
  Names wanted = asked.empty() ? Names() : with_default(asked, adds_default);
  if (role.allowed.empty() && role.allowed_globs.empty()) {
    if (wanted.empty()) wanted = with_default(call.caller.policies, adds_default);
  } else {
    const Names allowed = with_default(role.allowed, adds_default);
    if (wanted.empty()) wanted = allowed;
    for (const std::string& name : wanted)
      if (!is_listed(allowed, role.allowed_globs, name))
        return failure(Code::invalid, "token policies (" + quoted(wanted) +
                                          ") must be subset of the role's allowed policies (" +
                                          quoted(allowed) + ") or glob policies (" +
                                          quoted(role.allowed_globs) + ")");
  }
  for (const std::string& name : wanted)
    if (is_listed(role.disallowed, role.disallowed_globs, name)) {
      const std::string one = quoted({name});
      return failure(Code::invalid, "token policy " + one.substr(1, one.size() - 2) +
                                        " is disallowed by this role");
    }
  return wanted;
}

Result<Names> by_caller(const Call& call, const TokenRole* role, Names wanted) {
  const Names& own = call.caller.policies;
  if (wanted.empty()) return own;
  if (contains(wanted, "root") && !call.caller.is_root)
    return failure(Code::invalid, "root tokens may not be created without parent token being root");
  if (!call.caller.has_sudo)
    for (const std::string& name : wanted)
      if (!contains(own, name))
        return failure(Code::invalid, "child policies must be subset of parent");
  const bool leaves_out = role != nullptr && role->no_default_policy;
  const bool adds_default = !leaves_out && (call.caller.has_sudo || contains(own, "default"));
  return with_default(std::move(wanted), adds_default);
}

}  // namespace

Status set_policies(const Call& call, const TokenRole* role, Token& token) {
  Names wanted = canonical_policies(call.fields.list("policies"));
  const auto too_long = [](const std::string& name) { return name.size() > kPolicyNameMax; };
  if (wanted.size() > kPoliciesMax || std::any_of(wanted.begin(), wanted.end(), too_long))
    return failure(Code::invalid, "a token has at most 1000 policies, with names of 512 bytes");
  if (role != nullptr && role->names_policies()) {
    VAULT_TRY_ASSIGN(wanted, by_role(call, *role, wanted));
  } else {
    VAULT_TRY_ASSIGN(wanted, by_caller(call, role, std::move(wanted)));
  }
  wanted = canonical_policies(wanted);
  VAULT_TRY(check_assignable(wanted));  // also one that the caller has
  if (call.fields.boolean("no_default_policy")) std::erase(wanted, "default");
  token.policies = std::move(wanted);
  // Of a role that allows it, too: who may use the role need not be root.
  if (token.is_root() && !call.caller.is_root)
    return failure(Code::invalid, "root tokens may not be created without parent token being root");
  return {};
}

}  // namespace leasehold::core
