// sys/internal/counters: how many tokens and entities there are. Who is active in a month is not
// counted, and said not to be.

#include "vault/core/contract/routes.h"
#include "vault/core/sys/areas.h"
#include "vault/core/sys/usage.h"

namespace leasehold::core {

namespace {

constexpr const char* kNotCounted =
    "who is active in a month is not counted by this version: sys/metrics and the audit log tell "
    "of requests";

Response counters(const char* name, std::int64_t total) {
  Json of_one = Json::object(), all = Json::object();
  of_one.set("total", total);
  all.set(name, std::move(of_one));
  return Response::of(Json::object().set("counters", std::move(all)));
}

Result<Response> nothing(Call& call, ReadTxn&) {
  call.quiet_warnings.emplace_back(kNotCounted);
  return Response::none();
}

// Vault's own counts of requests ended with version 1.3; its endpoint shows none since.
Result<Response> requests(Call&, ReadTxn&) {
  return Response::of(Json::object().set("counters", Json()));
}

Result<Response> config(Call&, ReadTxn&) {
  Json data = Json::object();
  data.set("enabled", "disable").set("queries_available", false).set("retention_months", 0);
  data.set("default_report_months", 12).set("reporting_enabled", false);
  return Response::of(data);
}

Result<Response> configure(Call& call, WriteTxn&) {
  const std::string enabled = call.fields.text("enabled");
  if (enabled == "enable" || enabled == "default") {
    return failure(Code::invalid, kNotCounted);
  }
  return Response::none();
}

}  // namespace

void add_activity_routes(std::vector<Route>& routes, Unsealed& live) {
  const auto tokens = [&live](Call&, ReadTxn&) -> Result<Response> {
    VAULT_TRY_ASSIGN(const auto counted, usage_of(live));
    return counters("service_tokens", counted->tokens);
  };
  const auto entities = [&live](Call&, ReadTxn&) -> Result<Response> {
    VAULT_TRY_ASSIGN(const auto counted, usage_of(live));
    return counters("entities", counted->entities);
  };
  const std::string base = "internal/counters/";
  routes.push_back(
      route(base + "tokens", {}, {reads(tokens, Place::lists)}, "How many tokens there are"));
  routes.push_back(
      route(base + "entities", {}, {reads(entities, Place::lists)}, "How many entities there are"));
  routes.push_back(
      route(base + "requests", {}, {reads(requests)}, "Requests by month, which are not counted"));
  for (const char* name : {"activity", "activity/monthly"})
    routes.push_back(
        route(base + name, {}, {reads(nothing)}, "Who was active, which is not counted"));
  routes.push_back(route(base + "config",
                         {{"enabled", FieldType::text, {}, "enable, disable or default."},
                          {"retention_months", FieldType::integer, {}, "Has no effect."},
                          {"default_report_months", FieldType::integer, {}, "Has no effect."}},
                         {reads(config), writes(configure)},
                         "Whether activity is counted: it is not"));
}

}  // namespace leasehold::core
