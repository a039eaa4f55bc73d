// delete/, undelete/ and destroy/ of kv version 2: what becomes of the versions a request names.

#include "backends/engine/kv_v2.h"
#include "vault/base/nothing_done.h"

namespace leasehold::engine::kv_v2 {
namespace {

using core::Call;
using core::FieldType;
using core::Operation;
using core::Response;
using core::WriteTxn;

constexpr std::size_t kNamedMax = 256;

Result<std::vector<std::uint64_t>> named_versions(const Call& call) {
  const auto& given = call.fields.json("versions").items();
  if (given.empty()) return failure(Code::invalid, "No version number provided");
  if (given.size() > kNamedMax)
    return failure(Code::invalid, "at most 256 versions can be named at once");
  std::vector<std::uint64_t> numbers;
  for (const Json& item : given) {
    const auto number = whole_number(item);
    if (!number) return failure(Code::invalid, "versions must be whole numbers");
    if (*number > 0) numbers.push_back(static_cast<std::uint64_t>(*number));
  }
  return numbers;
}

// Changes each version that was named and is there; true of `change`: it did something.
template <class Change>
Result<Response> change_named(Call& call, WriteTxn& txn, const Change& change) {
  const std::string path = call.fields.text("path");
  VAULT_TRY_ASSIGN(const auto numbers, named_versions(call));
  VAULT_TRY_ASSIGN(auto key, load_key(txn, path));
  if (!key) {
    call.quiet_warnings.push_back(nothing_done("no secret has this name"));
    return Response::none();
  }
  bool is_changed = false, any = false;
  for (const std::uint64_t number : numbers) {
    Version* version = key->version(number);
    any = any || version != nullptr;
    if (version == nullptr || version->destroyed) continue;
    VAULT_TRY_ASSIGN(const bool did, change(path, number, *version));
    is_changed = is_changed || did;
  }
  if (!any) call.quiet_warnings.push_back(nothing_done("the secret has none of these versions"));
  if (is_changed) VAULT_TRY(save_key(txn, path, *key));
  return Response::none();
}

Result<Response> remove(Call& call, WriteTxn& txn) {
  return change_named(call, txn,
                      [&](const std::string&, std::uint64_t, Version& version) -> Result<bool> {
                        if (version.is_gone(call.now)) return false;
                        version.deleted = call.now;
                        return true;
                      });
}

Result<Response> undelete(Call& call, WriteTxn& txn) {
  return change_named(call, txn,
                      [](const std::string&, std::uint64_t, Version& version) -> Result<bool> {
                        if (!version.deleted) return false;
                        version.deleted.reset();
                        return true;
                      });
}

Result<Response> destroy(Call& call, WriteTxn& txn) {
  std::vector<std::uint64_t> numbers;
  VAULT_TRY_ASSIGN(Response response, change_named(call, txn,
                                                   [&](const std::string&, std::uint64_t number,
                                                       Version& version) -> Result<bool> {
                                                     version.destroyed = true;
                                                     numbers.push_back(number);
                                                     return true;
                                                   }));
  VAULT_TRY_ASSIGN(response.orders.due_work,
                   erase_versions(txn, call.fields.text("path"), numbers));
  return response;
}

core::Route versions_route(std::string pattern, core::WriteHandler handler) {
  core::Route route;
  route.pattern = std::move(pattern);
  route.slash = core::Slash::names_a_folder;
  route.fields = {{"versions", FieldType::comma_list, {}, "Numbers of versions."}};
  route.actions = {{Operation::update, std::move(handler)}};
  return route;
}

}  // namespace

core::Route delete_route() {
  core::Route route = versions_route("delete/:path*", remove);
  route.synopsis = "Delete versions of a secret.";
  route.description = "What was deleted is no longer read, and undelete/ brings it back.";
  return route;
}

core::Route undelete_route() {
  core::Route route = versions_route("undelete/:path*", undelete);
  route.synopsis = "Bring deleted versions of a secret back.";
  route.description = "Also those that delete_version_after has ended; not those destroyed.";
  return route;
}

core::Route destroy_route() {
  core::Route route = versions_route("destroy/:path*", destroy);
  route.synopsis = "Destroy versions of a secret for good.";
  route.description = "Their data is erased; the metadata keeps that they were there.";
  return route;
}

}  // namespace leasehold::engine::kv_v2
