// sys/capabilities*, sys/internal/ui/resultant-acl: what a token may do.

#include <algorithm>
#include <iterator>

#include "vault/base/encoding.h"
#include "vault/core/sys/system.h"

namespace leasehold::core {
namespace {

constexpr std::size_t kAskedMax = 1000;  // paths of one question about capabilities

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
    return live.valid_token(txn, call.request.token, call.now);
  };
  routes.push_back(
      capabilities_route(live, "capabilities-self", caller, "What the caller may do on a path"));
  const auto named = [&live](Call& call, ReadTxn& txn) -> Result<TokenRef> {
    const std::string token = call.fields.json("token").text();
    if (token.empty()) return failure(Code::invalid, multierror("no token found"));
    return live.valid_token(txn, token, call.now);
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

void add_capability_routes(std::vector<Route>& routes, Unsealed& live) {
  add_capabilities(routes, live);
  const auto rights = [&live](Call& call, ReadTxn& txn) -> Result<Response> {
    VAULT_TRY_ASSIGN(const Acl acl, acl_of(live, txn, call.caller, call.now));
    return Response::of(acl.resultant());
  };
  routes.push_back(route("internal/ui/resultant-acl", {}, {reads(rights, Place::lists)},
                         "The caller's rights in one table"));
}

}  // namespace leasehold::core
