// config/:name of the database engine. A write is merged with what is stored, tried against the
// database unless verify_connection=false, and saved as two records: what reads show, and what the
// target needs. reset/:name makes the vault open new connections.

#include <algorithm>

#include "backends/engine/database.h"
#include "backends/engine/database_twin.h"
#include "vault/base/encoding.h"
#include "vault/base/nearest.h"
#include "vault/core/contract/routes.h"
#include "vault/target/name_template.h"

namespace leasehold::engine::database {
namespace {

using core::Call;
using core::Field;
using core::Intent;
using core::Operation;
using core::ReadTxn;
using core::Response;
using core::WriteTxn;

struct Draft {
  std::string name;
  core::TargetId id{};
  bool verify = true;
  Json config, target;
};

void take(Json& into, const core::Fields& fields, std::string_view field,
          std::string_view as = {}) {
  if (fields.given(field)) into.set(as.empty() ? field : as, fields.json(field));
}

// Without the keys that are no setting: they are not kept, they may be a misspelt "password".
Json settings_of(const target::TargetRow& row, const Json& record) {
  Json settings = Json::object();
  for (const Field& field : fields_of(row))
    if (const Json* value = record.find(field.name)) settings.set(field.name, *value);
  return settings;
}

// The stored settings with what the request gives.
Json merged_settings(const target::TargetRow& row, Call& call, const Json& before) {
  Json settings = settings_of(row, before);
  for (const Field& field : fields_of(row))
    if (call.fields.given(field.name)) settings.set(field.name, call.fields.json(field.name));
  return settings;
}

Json shown_settings(const target::TargetRow& row, Json settings,
                    std::vector<std::string>& warnings) {
  settings.erase("password");
  return row.shown(settings, warnings);
}

void warn_of_settings(const Json& settings, std::vector<std::string>& warnings) {
  if (!settings.string_at("username_template").empty())
    warnings.emplace_back(
        "accounts named by username_template do not begin with v-<cluster>-: leases end them as "
        "any other, but a sweep for accounts without a lease cannot tell that they are ours");
}

// The name that was meant: misspelt, or short for one.
std::string nearest_plugin(const core::EngineContext& context, const std::string& plugin) {
  const std::string typed = lower_case(plugin);
  Nearest nearest(typed);
  for (const target::TargetRow& row : context.targets) {
    if (!typed.empty() && row.plugin.starts_with(typed)) return std::string(row.plugin);
    nearest.consider(row.plugin);
  }
  return nearest.name();
}

// Those of Vault and OpenBao that this version lacks.
constexpr std::string_view kLater[] = {
    "cassandra",    "couchbase",    "elasticsearch", "hana",  "influxdb",
    "mongodb",      "mongodbatlas", "mssql",         "mysql", "mysql-aurora",
    "mysql-legacy", "mysql-rds",    "oracle",        "redis", "redis-elasticache",
    "redshift",     "snowflake",    "valkey"};

bool is_later(const std::string& plugin) {
  constexpr std::string_view kEnd = "-database-plugin";
  std::string_view name = plugin;
  if (name.ends_with(kEnd)) name.remove_suffix(kEnd.size());
  return std::find(std::begin(kLater), std::end(kLater), name) != std::end(kLater);
}

std::string hint_for(const std::string& plugin, const std::string& nearest) {
  if (is_later(lower_case(plugin))) return plugin + " is not in this version of Leasehold";
  return nearest.empty() ? "" : "did you mean \"" + nearest + "\"?";
}

Error no_plugin(const std::string& plugin, const std::string& nearest) {
  const std::string missing = "\t* plugin not found in the catalog: " + plugin + "\n";
  return failure(Code::invalid,
                 "error creating database object: invalid database version: 2 errors occurred:\n" +
                     missing + missing + "\n" + hint_for(plugin, nearest));
}

Result<Draft> draft_of(const core::EngineContext& context, Call& call, ReadTxn& txn) {
  Draft draft;
  draft.name = call.fields.text("name");
  draft.verify = call.fields.boolean("verify_connection");
  VAULT_TRY(refuse_rotation(call.fields));
  VAULT_TRY_ASSIGN(const auto before, load(txn, kConfigs, draft.name));
  Stored stored;
  draft.config = Json::object();
  if (before) {
    draft.config = *before;
    VAULT_TRY_ASSIGN(draft.id, target_id_of(*before));
    VAULT_TRY_ASSIGN(const auto target, load(txn, kTargets, hex(draft.id)));
    if (target && target->find("settings") != nullptr)
      stored = {target->string_at("plugin_name"), *target->find("settings")};
  } else {
    draft.id = call.random.take<sizeof(core::TargetId)>();
  }
  for (const Field& field : own_fields())
    if (field.name != "same_server") take(draft.config, call.fields, field.name);
  draft.config.set("verify_connection", draft.verify);  // of this write: what roles are taken by
  const std::string plugin = draft.config.string_at("plugin_name");
  if (plugin.empty()) return failure(Code::invalid, "empty plugin name");
  const target::TargetRow* row = target::find_row(context.targets, plugin);
  if (row == nullptr) return no_plugin(plugin, nearest_plugin(context, plugin));
  if (row->takes != nullptr) VAULT_TRY(row->takes(merged_settings(*row, call, Json::object())));
  Json settings = merged_settings(*row, call, stored.settings);
  VAULT_TRY(may_keep_secret(*row, call, stored, settings));
  warn_of_settings(settings, call.quiet_warnings);
  VAULT_TRY(knows_policy(call, txn, draft.config.string_at("password_policy")));
  draft.config.set("target", hex(draft.id));
  draft.config.set("connection_details", shown_settings(*row, settings, call.warnings));
  draft.target = Json::object();
  draft.target.set("name", draft.name).set("plugin_name", plugin);
  draft.target.set("settings", std::move(settings));
  return draft;
}

Error not_created(const Error& error) {
  return failure(Code::invalid, "error creating database object: " + error.message, error.detail);
}

Result<Response> read_config(const core::EngineContext& context, Call& call, ReadTxn& txn) {
  VAULT_TRY_ASSIGN(const auto config, load(txn, kConfigs, call.fields.text("name")));
  if (!config) return Response::refused(404, "");
  Json data = Json::object();
  for (const char* key : {"plugin_name", "plugin_version", "password_policy"})
    data.set(key, config->string_at(key));
  data.set("allowed_roles", config->strings_at("allowed_roles"));
  data.set("root_credentials_rotate_statements", config->strings_at("root_rotation_statements"));
  if (!config->bool_at("verify_roles", true)) data.set("verify_roles", false);
  const Json* kept = config->find("connection_details");
  const auto* row = target::find_row(context.targets, config->string_at("plugin_name"));
  // Told from what may be shown once more: an earlier version, which kept this, may have seen less.
  Json details = Json::object();
  std::vector<std::string> known;
  if (kept != nullptr && row != nullptr)
    details = shown_settings(*row, settings_of(*row, *kept), known);
  data.set("connection_details", details);
  return Response::of(data);
}

// Of a configuration that cannot be read: every target that says it is its own.
Status retire_by_name(WriteTxn& txn, const std::string& name) {
  VAULT_TRY(txn.version(std::string(kConfigs) + name));     // is it damaged, or did storage fail?
  ReadTxn all(txn.snapshot(), txn.barrier(), txn.space());  // most are none of ours: unguarded
  VAULT_TRY_ASSIGN(const auto targets, all.list(kTargets));
  for (const std::string& target : targets) {
    const auto settings = load(all, kTargets, target);
    if (!settings.ok() || !*settings || (*settings)->string_at("name") != name) continue;
    VAULT_TRY_ASSIGN(const std::uint64_t known, all.version(std::string(kRetired) + target));
    if (known == 0) VAULT_TRY(save(txn, kRetired, target, Json::object()));
  }
  return {};
}

// The target's own record stays while there are leases that end through it, and no longer.
Result<Response> remove_config(Call& call, WriteTxn& txn) {
  const std::string name = call.fields.text("name");
  const auto config = load(txn, kConfigs, name);
  if (!config.ok()) {
    VAULT_TRY(retire_by_name(txn, name));
  } else if (*config) {
    const auto id = target_id_of(**config);
    VAULT_TRY(id.ok() ? save(txn, kRetired, hex(*id), Json::object()) : retire_by_name(txn, name));
  }
  VAULT_TRY(txn.erase(std::string(kConfigs) + name));
  return Response::none();
}

Status try_template(Call& call, const std::string& text, const target::Target& target) {
  if (text.empty()) return {};
  VAULT_TRY_ASSIGN(
      const std::string name,
      target::name_from_template(text, {"display-name", "role-name"}, call.now, call.random));
  return target.takes_name(name);
}

// With the password of a rotation that has not ended, unless the request brings one.
Result<std::unique_ptr<target::Target>> open_draft(const core::EngineContext& context, Call& call,
                                                   ReadTxn& txn, const Draft& draft) {
  if (call.fields.given("password")) return open_target(context, draft.target);
  return open_target(context, txn, draft.id, draft.target);
}

// At another address than before, the server from before is looked for, too.
Result<std::unique_ptr<target::Target>> open_candidate(const core::EngineContext& context,
                                                       Call& call, ReadTxn& txn,
                                                       const Draft& draft) {
  VAULT_TRY_ASSIGN(auto next, open_draft(context, call, txn, draft));
  VAULT_TRY_ASSIGN(const auto had, load(txn, kTargets, hex(draft.id)));
  VAULT_TRY_ASSIGN(const auto server, load(txn, kServers, hex(draft.id)));
  const Json* const from = had ? had->find("settings") : nullptr;
  const Json* const to = draft.target.find("settings");
  if (from == nullptr || to == nullptr || !server || call.fields.boolean("same_server") ||
      same_address(*from, *to))
    return next;
  auto before = open_target(context, txn, draft.id, *had);
  if (!before.ok()) return next;
  return beside(std::move(next), std::move(*before), server->string_at("server"), context.clock);
}

// Ends a rotation that is not settled when the write brings a password or names another manager.
// Any other write keeps it: its password may be the one that works.
Status end_rotation(Call& call, WriteTxn& txn, const std::string& target, const Json& record) {
  VAULT_TRY_ASSIGN(const auto rotation, load(txn, kRotations, target));
  if (!rotation) return {};
  const Json* settings = record.find("settings");
  const bool same_manager =
      settings != nullptr && settings->string_at("username") == rotation->string_at("username");
  if (same_manager && !call.fields.given("password")) return {};
  return txn.erase(std::string(kRotations) + target);
}

core::Effect write_config(const core::EngineContext& context) {
  core::Effect effect;
  effect.plan = [&context](Call& call, ReadTxn& txn) -> Result<Intent> {
    VAULT_TRY_ASSIGN(const Draft draft, draft_of(context, call, txn));
    if (call.fields.boolean("same_server") && !draft.verify)
      return failure(Code::invalid, "same_server needs verify_connection: the server is asked");
    const auto opened = open_draft(context, call, txn, draft);
    if (!opened.ok()) return not_created(opened.error());
    VAULT_TRY(try_template(call, template_of(draft.config), **opened));
    for (std::string& note : (*opened)->notes()) call.quiet_warnings.push_back(std::move(note));
    return Intent(core::intent::Check{draft.id, {}});
  };
  // Without verification there is nothing to try: no candidate.
  effect.candidate = [&context](Call& call,
                                ReadTxn& txn) -> Result<std::unique_ptr<target::Target>> {
    if (!call.fields.boolean("verify_connection")) return std::unique_ptr<target::Target>();
    VAULT_TRY_ASSIGN(const Draft draft, draft_of(context, call, txn));
    return open_candidate(context, call, txn, draft);
  };
  effect.settle = [&context](Call& call, WriteTxn& txn, const Intent& intent) -> Result<Response> {
    VAULT_TRY_ASSIGN(Draft draft, draft_of(context, call, txn));
    // Of the target that was planned: a new one was drawn at random.
    const auto& check = core::only<core::intent::Check>(intent);
    VAULT_TRY_ASSIGN(const Move move, move_to(call, txn, check.target, check.server, draft.target));
    VAULT_TRY(lead_to(txn, move.target, draft.target, std::move(draft.config)));
    VAULT_TRY(end_rotation(call, txn, hex(move.target), draft.target));
    if (move.earlier) VAULT_TRY(end_rotation(call, txn, hex(*move.earlier), draft.target));
    if (!move.warning.empty()) call.quiet_warnings.push_back(move.warning);
    return Response::none();
  };
  effect.explain = [](const Error& error) {
    const bool of_database = error.code == Code::denied || error.code == Code::unavailable ||
                             error.code == Code::deadline;
    if (!of_database) return error;
    return not_created({error.code, "error verifying connection: " + error.message, error.detail});
  };
  return effect;
}

// A new version of the target's record makes its lane open new connections.
Result<Response> reset(Call& call, WriteTxn& txn) {
  const std::string name = call.fields.text("name");
  VAULT_TRY_ASSIGN(const Json config, connection_named(txn, name));
  VAULT_TRY_ASSIGN(const core::TargetId id, target_id_of(config));
  VAULT_TRY_ASSIGN(const auto target, load(txn, kTargets, hex(id)));
  if (target) VAULT_TRY(save(txn, kTargets, hex(id), *target));
  return Response::none();
}

}  // namespace

core::Route config_route(const core::EngineContext& context) {
  core::Route route;
  route.pattern = "config/:name";
  route.fields = fields_of_all(context);
  route.actions = {{Operation::read, core::ReadHandler([&context](Call& call, ReadTxn& txn) {
                      return read_config(context, call, txn);
                    })},
                   {Operation::update, write_config(context)},
                   {Operation::remove, core::WriteHandler(remove_config)}};
  route.exists = [](Call& call, ReadTxn& txn) -> Result<bool> {
    VAULT_TRY_ASSIGN(const auto config, load(txn, kConfigs, call.fields.text("name")));
    return config.has_value();
  };
  route.synopsis = "Configure a connection to a database.";
  route.description =
      "A write is merged with what is stored; the database is asked first unless "
      "verify_connection=false. Leases keep working after a config was removed. When another "
      "server "
      "answers than before, new leases go there and earlier ones stay with the settings they had; "
      "same_server=true says that it is the one from before, with its accounts. A write that "
      "changes where the manager's password is sent must bring the password, unless the token has "
      "sudo on this path.";
  return route;
}

core::Route reset_route() {
  core::Route route;
  route.pattern = "reset/:name";
  route.actions = {{Operation::update, core::WriteHandler(reset)}};
  route.synopsis = "Close the connections to a database and open new ones.";
  return route;
}

}  // namespace leasehold::engine::database
