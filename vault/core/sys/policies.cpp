// sys/policy, sys/policies/acl, sys/capabilities*, sys/internal/ui/resultant-acl.

#include <algorithm>
#include <iterator>

#include "vault/base/encoding.h"
#include "vault/base/nothing_done.h"
#include "vault/core/contract/policy_names.h"
#include "vault/core/sys/system.h"

namespace leasehold::core {

namespace {

constexpr std::size_t kAskedMax = 1000;  // paths of one question about capabilities
// What a template may put into a path.
constexpr std::string_view kTemplateFlags[] = {kSlashesFlag, kWildcardsFlag};
// Of a policy, in later versions: what may be given as false, and what may not be given.
constexpr const char* kLaterFlags[] = {"cas_required"};
constexpr const char* kLaterTimes[] = {"ttl", "expiration"};

Result<std::vector<std::string>> names_of(ReadTxn& txn) {
  ReadTxn core = txn.in(barrier::kCoreSpace);
  VAULT_TRY_ASSIGN(const auto stored, core.list("policies/"));
  std::vector<std::string> names;
  for (const std::string& name : stored)
    if (const auto bytes = from_hex(name)) names.emplace_back(as_text(*bytes));
  std::sort(names.begin(), names.end());
  names.emplace_back("root");
  return names;
}

Result<Response> list(Call& call, ReadTxn& txn, bool old_form) {
  VAULT_TRY_ASSIGN(auto names, names_of(txn));
  VAULT_TRY_ASSIGN(const Page page, page_of(call.request.body));
  if (!page.after.empty() || page.limit > 0) {
    std::sort(names.begin(), names.end());
    names = part_of(std::move(names), page);
    if (names.empty()) return Response::keys(names);
  }
  Json data = Json::object();
  data.set("keys", Json(names));
  if (old_form) data.set("policies", Json(names));
  Response response = Response::of(data);
  if (old_form) response.form = Response::Form::injected;
  return response;
}

// The stored (lower-case) name. The caller needs the right for that spelling as well as for the one
// it used.
Result<std::string> name_in(Unsealed& live, const Call& call, ReadTxn& txn) {
  const std::string given = call.fields.text("name");
  const std::string name = canonical_policy_name(given);
  if (name == given) return name;
  const std::string& path = call.request.path;
  VAULT_TRY_ASSIGN(const Acl acl, acl_of(live, txn, call.caller, call.now));
  const std::string meant =
      path.substr(0, path.size() - std::min(path.size(), given.size())) + name;
  if (acl.decide(call.request.operation, meant, call.request.body, false, std::nullopt).allowed)
    return name;
  return failure(Code::denied, multierror("permission denied"));
}

Result<Response> read(Unsealed& live, Call& call, ReadTxn& txn, bool old_form) {
  VAULT_TRY_ASSIGN(const std::string name, name_in(live, call, txn));
  Json record = Json::object();  // of "root", which no store holds: no text, version 0
  if (name != "root") {
    VAULT_TRY_ASSIGN(const auto stored, txn.in(barrier::kCoreSpace).get(policy_record(name)));
    if (!stored) return Response::refused(404, "");
    VAULT_TRY_ASSIGN(record, parse_json(as_text(stored->value.reveal())));
  }
  Json data = Json::object();
  data.set("name", name).set(old_form ? "rules" : "policy", record.string_at("policy"));
  data.set("version", record.integer_at("version")).set("cas_required", false);
  for (const std::string_view flag : kTemplateFlags) data.set(flag, record.bool_at(flag));
  if (const Json* modified = record.find("modified")) data.set("modified", *modified);
  Response response = Response::of(data);
  if (old_form) response.form = Response::Form::injected;
  return response;
}

// Whether the text comes under the name that sys/policy had for it first; sys/policies/acl never
// had.
bool uses_rules(const Fields& fields) {
  return fields.text("policy").empty() && fields.given("rules");
}

// HCL, JSON, or base64 of either; what is stored is the text as it was meant.
std::string text_of(const Fields& fields) {
  const std::string given = fields.text(uses_rules(fields) ? "rules" : "policy");
  if (const auto bytes = from_base64(given); bytes && !bytes->empty())
    if (const std::string_view text = as_text(*bytes); text.find("path") != text.npos)
      return std::string(text);
  return given;
}

// Check-and-set, as key/value version 2 has it: -1 for a policy that must not exist.
Status check_version(const Call& call, ReadTxn& txn, const std::string& name) {
  const auto unsupported = [](const char* field) {
    return failure(Code::invalid,
                   std::string(field) + " of a policy is not supported by this version");
  };
  for (const char* flag : kLaterFlags)
    if (call.fields.boolean(flag)) return unsupported(flag);
  for (const char* time : kLaterTimes)
    if (!call.fields.text(time).empty()) return unsupported(time);
  if (!call.fields.given("cas")) return {};
  VAULT_TRY_ASSIGN(const auto stored, txn.in(barrier::kCoreSpace).get(policy_record(name)));
  std::int64_t version = -1;
  if (stored) {
    VAULT_TRY_ASSIGN(const Json record, parse_json(as_text(stored->value.reveal())));
    version = record.integer_at("version");
  }
  if (call.fields.integer("cas") == version) return {};
  return failure(Code::invalid, "check-and-set parameter did not match the current version");
}

Result<Response> write(Unsealed& live, Call& call, WriteTxn& txn) {
  VAULT_TRY_ASSIGN(const std::string name, name_in(live, call, txn));
  if (name.empty() || name.size() > kPolicyNameMax)
    return failure(Code::invalid, "a policy name has 1 to 512 characters");
  if (name == "root" || name == kWrappingPolicy)
    return failure(Code::invalid, "cannot update \"" + name + "\" policy");
  const std::string text = text_of(call.fields);
  if (text.empty()) return failure(Code::invalid, "'policy' parameter not supplied or empty");
  VAULT_TRY_ASSIGN(const Policy parsed, parse_new_policy(name, text));
  VAULT_TRY(check_version(call, txn, name));
  VAULT_TRY(put_policy(txn, name, text, call.now,
                       {call.fields.boolean(kWildcardsFlag), call.fields.boolean(kSlashesFlag)}));
  Response response;
  if (call.fields.text("name") != name)
    response.warnings.push_back("policy name was converted to " + name);
  if (uses_rules(call.fields))
    response.warnings.emplace_back("'rules' is deprecated, please use 'policy' instead");
  for (std::string& warning : doubts_about(parsed, call.now))
    call.quiet_warnings.push_back(std::move(warning));
  return response;
}

Result<Response> remove(Unsealed& live, Call& call, WriteTxn& txn) {
  VAULT_TRY_ASSIGN(const std::string name, name_in(live, call, txn));
  if (name == "root" || name == kWrappingPolicy)
    return failure(Code::invalid, "cannot delete \"" + name + "\" policy");
  if (name == "default") return failure(Code::invalid, "cannot delete default policy");
  VAULT_TRY_ASSIGN(const auto there, txn.in(barrier::kCoreSpace).version(policy_record(name)));
  if (there == 0) call.quiet_warnings.push_back(nothing_done("no policy has this name"));
  VAULT_TRY(erase_policy(txn, name));
  return Response::none();
}

// As the road judges: where a name means the same in any case, both of its spellings count.
std::vector<std::string> capabilities_on(const Acl& acl, const MountTable& mounts,
                                         std::string_view path) {
  const Mount* mount = mounts.find(path);
  if (mount == nullptr || mount->kind == nullptr) return acl.capabilities(path);
  const std::size_t behind = std::min(path.size(), mount->info.path.size());
  Captures captures;
  const Route* served = mount->kind->routes->find(path.substr(behind), Operation::read, captures);
  const Slash slash = slash_of(served, captures);
  std::vector<std::string> as_spelled = acl.capabilities(path, slash);
  const Operation asked = path.ends_with('/') ? Operation::list : Operation::read;
  const Route* route = mount->kind->routes->find(path.substr(behind), asked, captures);
  if (route == nullptr || !route->folds_case) return as_spelled;
  const std::string meant = std::string(path.substr(0, behind)) + lower_case(path.substr(behind));
  const std::vector<std::string> as_meant = acl.capabilities(meant, slash);
  std::vector<std::string> both;
  std::set_intersection(as_spelled.begin(), as_spelled.end(), as_meant.begin(), as_meant.end(),
                        std::back_inserter(both));
  return both.empty() ? std::vector<std::string>{"deny"} : both;
}

Result<Response> capabilities(Unsealed& live, Call& call, ReadTxn& txn, const TokenRef& token) {
  if (!token) return failure(Code::invalid, multierror("invalid token"));
  std::vector<std::string> paths = call.fields.list("paths");
  if (paths.empty()) paths = call.fields.list("path");
  if (paths.empty()) return failure(Code::invalid, "paths must be supplied");
  if (paths.size() > kAskedMax)
    return failure(Code::invalid, "at most 1000 paths can be asked for at once");
  VAULT_TRY_ASSIGN(const Acl acl, acl_of(live, txn, *token, call.now));
  VAULT_TRY_ASSIGN(const auto compiled, live.mounts.at(txn));
  std::vector<Json::Member> answers;
  for (const std::string& path : paths) {
    const std::string_view bare = path.starts_with('/') ? std::string_view(path).substr(1) : path;
    answers.emplace_back(path, Json(capabilities_on(acl, compiled->mounts, bare)));
  }
  Json data = Json::object_of(std::move(answers));
  if (paths.size() == 1) data.set("capabilities", *data.find(paths.front()));
  Response response = Response::of(data);
  response.form = Response::Form::injected;
  return response;
}

// sys/policy is the older form, sys/policies/acl the newer; both hold the same policies.
void add_stored(std::vector<Route>& routes, Unsealed& live, bool old_form) {
  const std::string base = old_form ? "policy" : "policies/acl";
  const auto lister = [old_form](Call& call, ReadTxn& txn) { return list(call, txn, old_form); };
  Route all = route(base, page_fields(), {lists(lister)}, "Lists the policies");
  if (old_form) all.actions.push_back(reads(lister, Place::lists));
  routes.push_back(std::move(all));
  const auto shows = [&live, old_form](Call& call, ReadTxn& txn) {
    return read(live, call, txn, old_form);
  };
  const auto changes = [&live](Call& call, WriteTxn& txn) { return write(live, call, txn); };
  const auto deletes = [&live](Call& call, WriteTxn& txn) { return remove(live, call, txn); };
  std::vector<Field> fields = {{"policy"}, {"cas", FieldType::integer}};
  if (old_form) fields.push_back({"rules"});
  for (const char* flag : kLaterFlags) fields.push_back({flag, FieldType::boolean});
  for (const std::string_view flag : kTemplateFlags)
    fields.push_back({std::string(flag), FieldType::boolean});
  for (const char* time : kLaterTimes) fields.push_back({time});
  routes.push_back(route(base + "/:name*", std::move(fields),
                         {reads(shows), writes(changes, Place::lists),  // a policy may be long
                          removes(deletes)},
                         "Reads, writes and deletes a policy"));
}

// The token that a route is about; Place::lists, since its policies may have to be compiled, and
// many paths are held against many rules.
using Subject = std::function<Result<TokenRef>(Call&, ReadTxn&)>;
Route capabilities_route(Unsealed& live, std::string pattern, Subject subject,
                         std::string synopsis) {
  const auto tells = [&live, subject = std::move(subject)](Call& call,
                                                           ReadTxn& txn) -> Result<Response> {
    VAULT_TRY_ASSIGN(const auto token, subject(call, txn));
    return capabilities(live, call, txn, token);
  };
  return route(std::move(pattern),
               {sensitive({"token"}),
                {"accessor"},
                {"paths", FieldType::comma_list},
                {"path", FieldType::comma_list}},
               {asks(tells, Place::lists)}, std::move(synopsis));
}

void add_capabilities(std::vector<Route>& routes, Unsealed& live) {
  const auto caller = [&live](Call& call, ReadTxn& txn) {
    return live.valid_token(txn, call.caller.token_id, call.now);
  };
  routes.push_back(
      capabilities_route(live, "capabilities-self", caller, "What the caller may do on a path"));
  const auto named = [&live](Call& call, ReadTxn& txn) -> Result<TokenRef> {
    const std::string token = call.fields.json("token").text();
    if (token.empty()) return failure(Code::invalid, multierror("no token found"));
    const auto id = live.tokens.id_of(token);
    return live.valid_token(txn, id, call.now);
  };
  routes.push_back(
      capabilities_route(live, "capabilities", named, "What a token may do on a path"));
  const auto by_accessor = [&live](Call& call, ReadTxn& txn) -> Result<TokenRef> {
    if (call.fields.text("accessor").empty()) return failure(Code::invalid, "missing accessor");
    const auto id = live.tokens.id_of_accessor(call.fields.text("accessor"));
    if (!id) return failure(Code::invalid, multierror("invalid accessor"));
    return live.valid_token(txn, *id, call.now);
  };
  routes.push_back(capabilities_route(live, "capabilities-accessor", by_accessor,
                                      "What a token may do on a path, by its accessor"));
}

}  // namespace

void add_policy_routes(std::vector<Route>& routes, Unsealed& live) {
  add_stored(routes, live, true);
  add_stored(routes, live, false);
  add_capabilities(routes, live);
  const auto rights = [&live](Call& call, ReadTxn& txn) -> Result<Response> {
    VAULT_TRY_ASSIGN(const Acl acl, acl_of(live, txn, call.caller, call.now));
    return Response::of(acl.resultant());
  };
  routes.push_back(route("internal/ui/resultant-acl", {}, {reads(rights, Place::lists)},
                         "The caller's rights in one table"));
}

}  // namespace leasehold::core
