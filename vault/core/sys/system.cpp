#include "vault/core/sys/system.h"

#include "vault/base/encoding.h"
#include "vault/core/sys/areas.h"
#include "vault/core/sys/config_state.h"
#include "vault/core/sys/metrics.h"
#include "vault/core/sys/version_history.h"

namespace leasehold::core {

namespace {

class TableEngine : public Engine {
 public:
  explicit TableEngine(std::vector<Route> routes) : routes_(std::move(routes)) {}
  std::span<const Route> routes() const override { return routes_; }

 private:
  const std::vector<Route> routes_;
};

class SystemEngine final : public TableEngine {
 public:
  using TableEngine::TableEngine;
  std::optional<Seconds> due_every() const override { return Seconds{3600}; }
  Result<DueSlice> due(WriteTxn& txn, const std::string&, WallTime now) override {
    return erase_old_remounts(txn, now);
  }
};

std::unique_ptr<EngineKind> system_kind(std::string_view type, bool is_auth,
                                        std::unique_ptr<Engine> engine) {
  auto kind = std::make_unique<EngineKind>();
  kind->wire_type = type;
  kind->is_auth = is_auth;
  kind->is_system = true;
  kind->engine = std::move(engine);
  kind->routes = std::make_unique<RouteTrie>(kind->engine->routes());
  return kind;
}

}  // namespace

Route tidy_route(std::string pattern, std::string what, LogSink& log) {
  const auto started = [what = std::move(what), &log](Call&, ReadTxn&) -> Result<Response> {
    log.info("tidy of {}: nothing to do, they are tidied all the time", what);
    Response response;
    response.status = 202;
    response.warnings.push_back(
        "Tidy operation successfully started. Any information from the operation will be printed "
        "to Leasehold's server logs.");
    return response;
  };
  return route(std::move(pattern), {}, {asks(started)},
               "Nothing is left behind here that needs tidying");
}

namespace {

// Of an entity that is disabled, or gone, nothing may be done.
Result<Acl> acl_of(Unsealed& live, ReadTxn& txn, const std::vector<std::string>& policies,
                   const std::string& entity_id, WallTime now) {
  const auto authority = std::make_shared<Authority>();
  VAULT_TRY(live.mounts.at(txn, authority.get()));
  if (!entity_id.empty()) {
    ReadTxn core(txn.snapshot(), txn.barrier(), barrier::kCoreSpace);
    VAULT_TRY_ASSIGN(auto who, live.identities.at(core, entity_id, Making::allowed));
    if (who.value == nullptr || who.value->entity.disabled || who.value->too_many)
      return Acl({}, false, now);
    authority->identity = std::move(who.value);
  }
  VAULT_TRY(live.mounts.policies().resolve(txn, policies, Making::allowed, *authority));
  const bool root = policies.size() == 1 && policies[0] == "root";
  return Acl(authority->policies->found, root, now, authority);
}

}  // namespace

Result<Acl> acl_of(Unsealed& live, ReadTxn& txn, const Caller& caller, WallTime now) {
  return acl_of(live, txn, caller.policies, caller.entity_id, now);
}
Result<Acl> acl_of(Unsealed& live, ReadTxn& txn, const Token& token, WallTime now) {
  return acl_of(live, txn, token.policies, token.entity_id, now);
}

std::unique_ptr<Engine> make_system_engine(Unsealed& live) {
  std::vector<Route> routes;
  add_mount_routes(routes, live);
  add_ui_mount_routes(routes, live);
  add_remount_routes(routes, live);
  add_policy_routes(routes, live);
  add_capability_routes(routes, live);
  add_explain_routes(routes, live);
  add_password_policy_routes(routes);
  add_tool_routes(routes);
  add_lease_routes(routes, live);
  add_job_routes(routes, live);
  add_reconcile_route(routes, live);
  add_locked_user_routes(routes, live);
  add_quota_routes(routes, live);
  add_audit_routes(routes, live);
  add_request_header_routes(routes, live);
  add_wrapping_routes(routes, live);
  add_backup_routes(routes, live);
  add_restored_routes(routes, live);
  add_openapi_route(routes, live);
  add_version_history_route(routes);
  add_ha_routes(routes, live);
  add_seal_routes(routes, live);
  add_rekey_routes(routes, live);
  add_generate_root_routes(routes, live);
  add_rotate_routes(routes, live);
  add_metrics_routes(routes, live);
  add_host_info_route(routes);
  add_in_flight_route(routes);
  add_logger_routes(routes, live);
  add_ui_header_routes(routes);
  add_ui_fact_routes(routes);
  add_activity_routes(routes, live);
  add_plugin_routes(routes, live);
  add_refused_routes(routes);
  add_decode_token_route(routes);
  add_config_state_route(routes);
  return std::make_unique<SystemEngine>(std::move(routes));
}

std::vector<std::unique_ptr<EngineKind>> all_engine_kinds(Unsealed& live) {
  auto kinds = live.environment.engine_kinds();
  kinds.push_back(system_kind("system", false, make_system_engine(live)));
  kinds.push_back(system_kind("token", true, make_token_engine(live)));
  kinds.push_back(
      system_kind("cubbyhole", false, std::make_unique<TableEngine>(cubbyhole_routes(live))));
  kinds.push_back(system_kind("identity", false, make_identity_engine(live)));
  return kinds;
}

}  // namespace leasehold::core
