// sys/plugins: what could be mounted. Everything is part of the server, so nothing is registered,
// and nothing reloaded.

#include <algorithm>

#include "vault/core/contract/routes.h"
#include "vault/core/contract/version.h"
#include "vault/core/sys/areas.h"

namespace leasehold::core {

namespace {

constexpr const char* kTypes[] = {"auth", "database", "secret"};
constexpr const char* kBuiltIn =
    "no plugin is loaded: engines and auth methods are part of the server, and come with its "
    "version";

struct Entry {
  std::string type, name;
};
bool operator<(const Entry& a, const Entry& b) {
  return a.type != b.type ? a.type < b.type : a.name < b.name;
}
bool operator==(const Entry& a, const Entry& b) { return a.type == b.type && a.name == b.name; }

using Catalog = std::vector<Entry>;

// Those of the build, each once whatever versions it has.
Catalog catalog_of(const Unsealed& live) {
  Catalog all;
  for (const auto& kind : live.environment.engine_kinds())
    all.push_back({kind->is_auth ? "auth" : "secret", kind->wire_type});
  std::sort(all.begin(), all.end());
  all.erase(std::unique(all.begin(), all.end()), all.end());
  return all;
}

std::string built_in_version() { return "v" + std::string(kApiVersion) + "+builtin.leasehold"; }

Json names_of(const Catalog& catalog, std::string_view type) {
  Json names = Json::array();
  for (const Entry& entry : catalog)
    if (entry.type == type) names.push(entry.name);
  return names;
}

Json shown(const Entry& entry) {
  Json one = Json::object();
  one.set("name", entry.name).set("version", built_in_version());
  one.set("builtin", true).set("deprecation_status", "supported");
  return one;
}

Result<Response> show_all(const Catalog& catalog) {
  Json data = Json::object(), detailed = Json::array();
  for (const Entry& entry : catalog) detailed.push(std::move(shown(entry).set("type", entry.type)));
  data.set("detailed", std::move(detailed));
  for (const char* type : kTypes) data.set(type, names_of(catalog, type));
  return Response::of(data);
}

Status check_type(const std::string& type) {
  if (std::find(std::begin(kTypes), std::end(kTypes), type) != std::end(kTypes)) return {};
  return failure(Code::invalid, "\"" + type +
                                    "\" is not a supported plugin type: it is auth, "
                                    "database or secret");
}

Result<Response> list_type(const Catalog& catalog, Call& call) {
  const std::string type = call.fields.text("type");
  VAULT_TRY(check_type(type));
  std::vector<std::string> names;
  for (const Entry& entry : catalog)
    if (entry.type == type) names.push_back(entry.name);
  VAULT_TRY_ASSIGN(const Page page, page_of(call.request.body));
  return Response::keys(part_of(std::move(names), page));
}

Result<Response> show_one(const Catalog& catalog, Call& call) {
  const Entry wanted{call.fields.text("type"), call.fields.text("name")};
  VAULT_TRY(check_type(wanted.type));
  if (!std::binary_search(catalog.begin(), catalog.end(), wanted))
    return Response::refused(404, "");
  Json data = shown(wanted);
  data.set("command", "").set("args", Json()).set("sha256", "");
  data.set("oci", false).set("declarative", false);
  return Response::of(data);
}

Result<Response> refuse(Call&, WriteTxn&) { return failure(Code::invalid, kBuiltIn); }

std::vector<Field> of_plugin() {
  std::vector<Field> fields;
  for (const char* name : {"sha256", "command", "args", "env", "version", "oci"})
    fields.push_back({name, FieldType::any, {}, "Of a plugin; none is loaded."});
  return fields;
}

}  // namespace

void add_plugin_routes(std::vector<Route>& routes, Unsealed& live) {
  const auto catalog = std::make_shared<const Catalog>(catalog_of(live));
  const auto all = [catalog](Call&, ReadTxn&) { return show_all(*catalog); };
  const auto of_type = [catalog](Call& call, ReadTxn&) { return list_type(*catalog, call); };
  const auto one = [catalog](Call& call, ReadTxn&) { return show_one(*catalog, call); };
  routes.push_back(route("plugins/catalog", {}, {reads(all), lists(all)},
                         "What engines and auth methods there are"));
  Route typed = route("plugins/catalog/:type", page_fields(), {lists(of_type), reads(of_type)},
                      "What there is of a type");
  typed.sudo = true;
  routes.push_back(std::move(typed));
  Route named = route("plugins/catalog/:type/:name", of_plugin(),
                      {reads(one), writes(refuse), removes(refuse)},
                      "Shows what is there; nothing is registered");
  named.sudo = true;
  routes.push_back(std::move(named));
  for (const char* pattern : {"plugins/reload/backend", "plugins/reload/:type/:name"})
    routes.push_back(route(pattern,
                           {{"plugin", FieldType::text, {}, "Which plugin."},
                            {"mounts", FieldType::comma_list, {}, "Or those at which mounts."},
                            {"scope", FieldType::text, {}, "Here, or in the whole cluster."}},
                           {writes(refuse)}, "Refused: nothing is loaded that could be reloaded"));
}

}  // namespace leasehold::core
