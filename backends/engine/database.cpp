// Short-lived database accounts: the engine's routes, its records and creds/:name. An account is
// made by the lane of its target under a lease; this file only says what should happen.

#include "backends/engine/database.h"

#include "vault/base/encoding.h"
#include "vault/core/contract/password_policies.h"
#include "vault/core/contract/routes.h"
#include "vault/target/name_template.h"

namespace leasehold::engine {
namespace database {

using core::Call;
using core::Intent;
using core::Operation;
using core::ReadTxn;
using core::Response;
using core::WriteTxn;

Result<std::optional<Json>> load(ReadTxn& txn, std::string_view directory, std::string_view name) {
  return core::load_json(txn, std::string(directory) + std::string(name));
}

Result<Json> connection_named(ReadTxn& txn, const std::string& name) {
  VAULT_TRY_ASSIGN(auto config, load(txn, kConfigs, name));
  if (config) return std::move(*config);
  return failure(Code::invalid, "failed to find entry for connection with name: \"" + name + "\"");
}

Status save(WriteTxn& txn, std::string_view directory, std::string_view name, const Json& record) {
  return core::save_json(txn, std::string(directory) + std::string(name), record);
}

Result<core::TargetId> target_id_of(const Json& config) {
  if (const auto id = array_from_hex<core::TargetId>(config.string_at("target"))) return *id;
  return failure(Code::internal, "internal error", "a database configuration names no target");
}

Result<std::unique_ptr<target::Target>> open_target(const core::EngineContext& context,
                                                    const Json& record) {
  const auto* row = target::find_row(context.targets, record.string_at("plugin_name"));
  const Json* settings = record.find("settings");
  if (row == nullptr || settings == nullptr)
    return failure(Code::unavailable, "this build has no \"" + record.string_at("plugin_name") +
                                          "\"; run one that has it, or configure another");
  return row->make(*settings, context.clock, context.random);
}

Result<std::unique_ptr<target::Target>> open_target(const core::EngineContext& context,
                                                    ReadTxn& txn, const core::TargetId& id,
                                                    Json record) {
  VAULT_TRY_ASSIGN(const auto rotation, load(txn, kRotations, hex(id)));
  const Json* settings = record.find("settings");
  // Of another manager than the rotation's: the configuration was written since.
  if (rotation && settings != nullptr &&
      settings->string_at("username") == rotation->string_at("username")) {
    Json both = *settings;
    record.set("settings", both.set("next_password", rotation->string_at("password")));
  }
  return open_target(context, record);
}

bool is_allowed(const Json& config, std::string_view role) {
  for (const std::string& entry : config.strings_at("allowed_roles")) {
    std::string_view part = entry;
    const bool any_start = !part.empty() && part.front() == '*';
    if (any_start) part.remove_prefix(1);
    const bool any_end = !part.empty() && part.back() == '*';
    if (any_end) part.remove_suffix(1);
    if (any_start && part.empty()) return true;
    const auto at = any_start && !any_end ? role.rfind(part) : role.find(part);
    if (at == std::string_view::npos) continue;
    if ((any_start || at == 0) && (any_end || at + part.size() == role.size())) return true;
  }
  return false;
}

Error unsupported(std::string_view what) {
  return failure(Code::invalid, std::string(what) + " is not supported by this version");
}

std::string template_of(const Json& config) {
  const Json* details = config.find("connection_details");
  return details != nullptr ? details->string_at("username_template") : std::string();
}

Result<SecretBytes> new_password(Call& call, ReadTxn& txn, const std::string& policy) {
  if (policy.empty()) return target::generate_password(call.random);
  return core::password_by_policy(txn, policy, call.random);
}

Result<bool> knows_policy(Call& call, ReadTxn& txn, const std::string& policy) {
  if (policy.empty()) return true;
  VAULT_TRY_ASSIGN(const bool known, core::has_password_policy(txn, policy));
  if (!known)
    call.quiet_warnings.push_back("there is no password policy \"" + policy +
                                  "\": until sys/policies/password/" + policy +
                                  " is written, no password is made");
  return known;
}

std::string password_policy_of(const Json& role, const Json& config) {
  const Json* own = role.find("credential_config");
  std::string name = own != nullptr ? own->string_at("password_policy") : std::string();
  return name.empty() ? config.string_at("password_policy") : name;
}

Result<core::intent::Account> account_of(Call& call, ReadTxn& txn, const Json& role,
                                         const Json& config) {
  core::intent::Account account;
  VAULT_TRY_ASSIGN(account.target, target_id_of(config));
  account.role = call.fields.text("name");
  VAULT_TRY_ASSIGN(account.create.password,
                   new_password(call, txn, password_policy_of(role, config)));
  account.create.statements = statements_of(role, "creation_statements");
  account.create.rollback_statements = statements_of(role, "rollback_statements");
  account.revocation_statements = statements_of(role, "revocation_statements");
  if (const std::string names = template_of(config); !names.empty()) {
    VAULT_TRY_ASSIGN(account.create.account,
                     target::name_from_template(names, {call.caller.display_name, account.role},
                                                call.now, call.random));
  }
  account.terms.ttl = Seconds(role.integer_at("default_ttl"));
  account.terms.max_ttl = Seconds(role.integer_at("max_ttl"));
  return account;
}

namespace {

Result<Intent> plan_creds(Call& call, ReadTxn& txn) {
  const std::string name = call.fields.text("name");
  VAULT_TRY_ASSIGN(const auto role, load(txn, kRoles, name));
  if (!role) return failure(Code::invalid, "unknown role: " + name);
  const std::string database = role->string_at("db_name");
  VAULT_TRY_ASSIGN(const Json config, connection_named(txn, database));
  if (!is_allowed(config, name))
    return failure(Code::internal, "\"" + name + "\" is not an allowed role");
  if (statements_of(*role, "creation_statements").empty())
    return failure(Code::invalid, "the role \"" + name + "\" has no creation_statements");
  VAULT_TRY_ASSIGN(auto account, account_of(call, txn, *role, config));
  const auto renew = statements_of(*role, "renew_statements");
  return Intent(core::intent::Issue{std::move(account), renew.empty() ? "" : Json(renew).dump()});
}

Result<Response> settle_creds(Call&, WriteTxn&, const Intent& intent) {
  const auto& create = core::only<core::intent::Issue>(intent).create;
  Json data = Json::object();
  data.set("username", create.account);
  data.set("password", as_text(create.password.reveal()));
  return Response::of(data);
}

// The database refused: no fault of the caller's token, so it must not read as 403.
Error explain_creds(const Error& error) {
  if (error.code != Code::denied) return error;
  return failure(Code::internal, error.message, error.detail);
}

}  // namespace

core::Route creds_route() {
  core::Route route;
  route.pattern = "creds/:name";
  route.actions = {
      {Operation::read, core::Effect{plan_creds, nullptr, settle_creds, explain_creds}}};
  route.synopsis = "Request credentials of a role.";
  route.description =
      "Creates an account in the role's database and returns it under a lease. When the lease ends "
      "the account's sessions are ended, the account is removed, and seen to be gone.";
  return route;
}

}  // namespace database

namespace {

using core::Operation;

class Database final : public core::Engine {
 public:
  explicit Database(const core::EngineContext& context) : context_(context) {
    routes_.push_back(database::config_route(context_));
    routes_.push_back(list_route("config", database::kConfigs, "List the databases configured."));
    routes_.push_back(database::reset_route());
    routes_.push_back(database::role_route(context_));
    routes_.push_back(list_route("roles", database::kRoles, "List the roles."));
    routes_.push_back(database::creds_route());
    routes_.push_back(database::rotate_root_route(context_));
    add_static_routes();
  }
  std::span<const core::Route> routes() const override { return routes_; }

  Result<std::unique_ptr<target::Target>> target(const core::TargetId& id,
                                                 core::ReadTxn& txn) override {
    VAULT_TRY_ASSIGN(const auto record, database::load(txn, database::kTargets, hex(id)));
    if (!record)
      return failure(Code::unavailable,
                     "the settings of this database are gone; its leases "
                     "cannot be revoked until they are restored");
    return database::open_target(context_, txn, id, *record);
  }
  Result<bool> moved(const core::TargetId& id, const std::string& server,
                     core::WriteTxn& txn) override {
    return database::moved(txn, id, server, context_.random);
  }
  Result<std::optional<core::Event>> recover(const core::TargetId& id,
                                             const core::Recovery& recovery,
                                             core::WriteTxn& txn) override {
    return database::recover(txn, id, recovery);
  }
  bool has_targets() const override { return true; }

  std::string target_name(const core::TargetId& id, core::ReadTxn& txn) override {
    const auto record = database::load(txn, database::kTargets, hex(id));
    const std::string name = record.ok() && *record ? (*record)->string_at("name") : std::string();
    return name.empty() ? hex(id) : name + " (" + hex(id) + ")";
  }

 private:
  static core::Route list_route(std::string pattern, std::string_view directory,
                                std::string synopsis) {
    core::Route route;
    route.pattern = std::move(pattern);
    route.fields = core::page_fields();
    route.actions = {core::lists([directory](core::Call& call, core::ReadTxn& txn) {
      return core::list_names(call, txn, directory);
    })};
    route.synopsis = std::move(synopsis);
    return route;
  }

  // Static roles are not in this version: reading one is 404, deleting one 204, and whoever asks
  // for one is told so.
  void add_static_routes() {
    const core::ReadHandler none = [](core::Call&, core::ReadTxn&) -> Result<core::Response> {
      return core::Response::refused(404, "");
    };
    const core::WriteHandler nothing = [](core::Call&, core::WriteTxn&) -> Result<core::Response> {
      return core::Response::none();
    };
    const core::ReadHandler refuses = [](core::Call&, core::ReadTxn&) -> Result<core::Response> {
      return database::unsupported(
          "a static role (an account that stays and whose password is rotated)");
    };
    add_static_route("static-roles", {core::lists(none)});
    add_static_route("static-roles/:name",
                     {core::reads(none), core::asks(refuses), core::removes(nothing)});
    add_static_route("static-creds/:name", {core::reads(refuses)});
    add_static_route("rotate-role/:name", {core::asks(refuses)});
  }
  void add_static_route(std::string pattern, std::vector<core::Action> actions) {
    core::Route route;
    route.pattern = std::move(pattern);
    route.actions = std::move(actions);
    route.synopsis = "Static roles are not in this version.";
    routes_.push_back(std::move(route));
  }

  const core::EngineContext context_;
  std::vector<core::Route> routes_;
};

}  // namespace

std::unique_ptr<core::Engine> make_database(const core::EngineContext& context) {
  return std::make_unique<Database>(context);
}

}  // namespace leasehold::engine
