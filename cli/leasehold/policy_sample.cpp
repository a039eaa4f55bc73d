#include "cli/leasehold/policy_sample.h"

#include <fmt/core.h>

#include "vault/base/json.h"
#include "vault/base/url_path.h"
#include "vault/policy/sudo_paths.h"

namespace leasehold::cli {
namespace {

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
                     policy::needs_sudo(clean) ? R"(, "sudo")" : "");
}

}  // namespace leasehold::cli
