#include "vault/core/sys/version_history.h"

#include "vault/core/contract/records.h"
#include "vault/core/contract/routes.h"

namespace leasehold::core {

namespace {

constexpr std::string_view kRecord = "versions";
constexpr std::string_view kInstalled = "timestamp_installed";

Result<Json> versions(ReadTxn& txn) {
  VAULT_TRY_ASSIGN(auto stored, load_json(txn, kRecord));
  return stored && stored->is_object() ? *std::move(stored) : Json::object();
}

// The one that came last; null: none.
Json newest(const Json& all) {
  Json name;
  WallTime since;
  for (const auto& one : all.members()) {
    const auto installed = parse_rfc3339(one.second.string_at(kInstalled));
    if (!installed.ok() || *installed < since) continue;
    name = Json(one.first);
    since = *installed;
  }
  return name;
}

Result<Response> history(Call& call, ReadTxn& txn) {
  VAULT_TRY_ASSIGN(const Page page, page_of(call.request.body));
  ReadTxn core = txn.in(barrier::kCoreSpace);
  VAULT_TRY_ASSIGN(const Json all, versions(core));
  std::vector<std::string> names;
  for (const auto& one : all.members()) names.push_back(one.first);
  names = part_of(std::move(names), page);
  if (names.empty()) return Response::keys(names);
  Json info = Json::object();
  for (const std::string& name : names) info.set(name, *all.find(name));
  Json data = Json::object();
  data.set("keys", Json(names)).set("key_info", std::move(info));
  return Response::of(data);
}

}  // namespace

Status note_version(WriteTxn& txn, std::string_view version, std::string_view build_date,
                    WallTime now) {
  VAULT_TRY_ASSIGN(Json all, versions(txn));
  if (all.find(version) != nullptr) return {};
  // Vault calls the date one thing, OpenBao the other.
  Json entry = Json::object();
  entry.set(kInstalled, rfc3339(now)).set("previous_version", newest(all));
  entry.set("build_date", build_date).set("commit_date", build_date);
  all.set(version, std::move(entry));
  return save_json(txn, kRecord, all);
}

void add_version_history_route(std::vector<Route>& routes) {
  routes.push_back(route("version-history", page_fields(), {lists(history)},
                         "Which versions of the server have run this store, and since when"));
}

}  // namespace leasehold::core
