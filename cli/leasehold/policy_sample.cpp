#include "cli/leasehold/policy_sample.h"

#include <fmt/core.h>

#include "vault/base/json.h"
#include "vault/base/url_path.h"

namespace leasehold::cli {
namespace {

// Where Vault asks for `sudo` besides the capability of the operation; `*` at the end is any rest.
constexpr std::string_view kSudoPaths[] = {
    "auth/token/accessors",
    "auth/token/revoke-orphan",
    "sys/audit",
    "sys/audit/*",
    "sys/auth/*",
    "sys/config/auditing/*",
    "sys/config/cors",
    "sys/config/ui/headers/*",
    "sys/internal/inspect/*",
    "sys/leases",
    "sys/leases/lookup/*",
    "sys/leases/revoke-force/*",
    "sys/leases/revoke-prefix/*",
    "sys/plugins/catalog/*",
    "sys/raw",
    "sys/raw/*",
    "sys/remount",
    "sys/revoke-force/*",
    "sys/revoke-prefix/*",
    "sys/rotate",
    "sys/rotate/*",
    "sys/seal",
    "sys/step-down",
};

bool matches(std::string_view pattern, std::string_view path) {
  if (pattern.back() != '*') return path == pattern;
  pattern.remove_suffix(1);
  return path.size() > pattern.size() && path.substr(0, pattern.size()) == pattern;
}

bool needs_sudo(std::string_view path) {
  for (const std::string_view pattern : kSudoPaths)
    if (matches(pattern, path)) return true;
  return false;
}

std::string_view capabilities_of(std::string_view method) {
  if (method == "GET") return R"("read")";
  if (method == "LIST") return R"("list")";
  if (method == "PATCH") return R"("patch")";
  if (method == "DELETE") return R"("delete")";
  return R"("create", "update")";  // whether it is there already, only the server knows
}

}  // namespace

std::string policy_for(const client::Call& call) {
  const std::string clean = clean_path(call.path);
  std::string path;
  write_json_string(path, clean);
  return fmt::format("path {} {{\n  capabilities = [{}{}]\n}}", path, capabilities_of(call.method),
                     needs_sudo(clean) ? R"(, "sudo")" : "");
}

}  // namespace leasehold::cli
