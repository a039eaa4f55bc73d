// config/:name of the database engine. A write is merged with what is stored, tried against the
// database unless verify_connection=false, and saved as two records: what reads show, and what the
// target needs. reset/:name makes the vault open new connections.

#include "backends/engine/database.h"
#include "backends/engine/database_url.h"
#include "vault/base/encoding.h"
#include "vault/core/contract/routes.h"
#include "vault/target/name_template.h"

namespace leasehold::engine::database {
namespace {

using core::Call;
using core::Field;
using core::FieldType;
using core::Intent;
using core::Operation;
using core::ReadTxn;
using core::Response;
using core::WriteTxn;

// Of the engine; plugin_fields() are the settings of the plugin.
std::vector<Field> own_fields() {
  return {{"plugin_name", FieldType::text, {}, "Which kind of database this is."},
          {"plugin_version", FieldType::text, {}, "Kept for clients that send it."},
          {"verify_connection", FieldType::boolean, Json(true),
           "Whether to connect before the settings are accepted."},
          {"allowed_roles",
           FieldType::comma_list,
           {},
           "The roles that may use it; '*' at either end stands for anything."},
          {"root_rotation_statements",
           FieldType::text_list,
           {},
           "The statements that change the manager's password."},
          {"password_policy",
           FieldType::text,
           {},
           "Kept, and not used before there are password policies."},
          {"verify_roles",
           FieldType::boolean,
           {},
           "Default true. False: roles are accepted without a trial, where its login cannot work."},
          {"same_server", FieldType::boolean, Json(false),
           "The database is another server than before, with the same accounts: it was upgraded, "
           "moved, or failed over. Not kept."}};
}

// Other ways to prove who the manager is; a write that counts on one is told.
constexpr const char* kNotUsed[] = {"tls_certificate", "private_key", "auth_type",
                                    "service_account_json", "self_managed"};

bool is_secret(std::string_view setting) {
  return setting == "password" || setting == "private_key" || setting == "service_account_json";
}

std::vector<Field> plugin_fields() {
  std::vector<Field> fields{
      core::sensitive(
          {"connection_url", FieldType::text, {}, "With {{username}} and {{password}}."}),
      {"username", FieldType::text, {}, "The manager's name."},
      core::sensitive({"password", FieldType::text, {}, "The manager's password; never returned."}),
      {"max_open_connections",
       FieldType::integer,
       {},
       "Default 4. At least two are used: one is kept for issuing, one for revoking."},
      {"max_idle_connections", FieldType::integer, {}, "Kept for clients that send it."},
      {"disable_escaping",
       FieldType::boolean,
       {},
       "Whether username and password go into the URL "
       "as they are."},
      {"password_authentication", FieldType::text, {}, "\"password\" or \"scram-sha-256\"."},
      {"username_template",
       FieldType::text,
       {},
       "How accounts are named, with .DisplayName, .RoleName, random, truncate and the like."}};
  fields.push_back({"max_connection_lifetime", FieldType::any, {}, "0: as long as it works."});
  fields.push_back({"tls_ca", FieldType::text, {}, "Who signs the database's certificate, PEM."});
  for (const char* name : kNotUsed)
    fields.push_back({name, FieldType::any, {}, "Kept for clients that send it.", is_secret(name)});
  return fields;
}

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
Json settings_of(const Json& record) {
  Json settings = Json::object();
  for (const Field& field : plugin_fields())
    if (const Json* value = record.find(field.name)) settings.set(field.name, *value);
  return settings;
}

// The stored settings with what the request gives.
Json merged_settings(const Call& call, const Json& before) {
  Json settings = settings_of(before);
  for (const Field& field : plugin_fields())
    if (call.request.body.find(field.name) != nullptr)
      settings.set(field.name, call.fields.json(field.name));
  return settings;
}

Json shown_settings(Call& call, const Json& settings) {
  Json shown = Json::object();
  for (const auto& member : settings.members())
    if (!is_secret(member.first)) shown.set(member.first, member.second);
  const std::string url = settings.string_at("connection_url"), harmless = shown_url(url);
  if (harmless != url) {
    shown.set("connection_url", harmless);
    call.warnings.push_back(
        "Password found in connection_url; reads show it as xxxxx. Write connection_url with "
        "{{username}} and {{password}} and give both as fields of their own: then a new password "
        "is one field");
  }
  for (const char* name : kNotUsed)
    if (const Json* given = settings.find(name);
        given != nullptr && (given->is_string() ? !given->text().empty() : given->dump() == "true"))
      call.warnings.push_back(std::string(name) + " is not supported and is not used");
  if (!settings.string_at("username_template").empty())
    call.warnings.push_back(
        "accounts named by username_template do not begin with v-<cluster>-: leases end them as "
        "any "
        "other, but a sweep for accounts without a lease cannot tell that they are ours");
  return shown;
}

Result<Draft> draft_of(const core::EngineContext& context, Call& call, ReadTxn& txn) {
  Draft draft;
  draft.name = call.fields.text("name");
  draft.verify = call.fields.boolean("verify_connection");
  VAULT_TRY_ASSIGN(const auto before, load(txn, kConfigs, draft.name));
  Json settings = Json::object();
  draft.config = Json::object();
  if (before) {
    draft.config = *before;
    VAULT_TRY_ASSIGN(draft.id, target_id_of(*before));
    VAULT_TRY_ASSIGN(const auto target, load(txn, kTargets, hex(draft.id)));
    if (target && target->find("settings") != nullptr) settings = *target->find("settings");
  } else {
    draft.id = call.random.take<sizeof(core::TargetId)>();
  }
  for (const Field& field : own_fields())
    if (field.name != "verify_connection" && field.name != "same_server")
      take(draft.config, call.fields, field.name);
  const std::string plugin = draft.config.string_at("plugin_name");
  if (plugin.empty()) return failure(Code::invalid, "empty plugin name");
  if (!draft.config.string_at("password_policy").empty())
    call.warnings.push_back(
        "password_policy is kept, but this version has no password policies: passwords have 20 "
        "characters, with upper and lower case, digits and a dash");
  settings = merged_settings(call, settings);
  draft.config.set("target", hex(draft.id));
  draft.config.set("connection_details", shown_settings(call, settings));
  draft.target = Json::object();
  draft.target.set("name", draft.name).set("plugin_name", plugin);
  draft.target.set("settings", std::move(settings));
  if (context.target_factory(plugin) == nullptr) {
    const std::string missing = "\t* plugin not found in the catalog: " + plugin + "\n";
    return failure(Code::invalid,
                   "error creating database object: invalid database version: 2 "
                   "errors occurred:\n" +
                       missing + missing + "\n");
  }
  return draft;
}

Error not_created(const Error& error) {
  return failure(Code::invalid, "error creating database object: " + error.message, error.detail);
}

Result<Response> read_config(Call& call, ReadTxn& txn) {
  VAULT_TRY_ASSIGN(const auto config, load(txn, kConfigs, call.fields.text("name")));
  if (!config) return Response::refused(404, "");
  Json data = Json::object();
  for (const char* key : {"plugin_name", "plugin_version", "password_policy"})
    data.set(key, config->string_at(key));
  data.set("allowed_roles", config->strings_at("allowed_roles"));
  data.set("root_credentials_rotate_statements", config->strings_at("root_rotation_statements"));
  if (!config->bool_at("verify_roles", true)) data.set("verify_roles", false);
  const Json* kept = config->find("connection_details");
  Json details = kept != nullptr ? settings_of(*kept) : Json::object();
  // Again: an earlier version, which kept this, may have seen less.
  if (details.find("connection_url") != nullptr)
    details.set("connection_url", shown_url(details.string_at("connection_url")));
  data.set("connection_details", details);
  return Response::of(data);
}

Result<Response> remove_config(Call& call, WriteTxn& txn) {
  const std::string name = call.fields.text("name");
  // The target's own record stays while there are leases that end through it.
  const auto config = load(txn, kConfigs, name);
  if (config.ok() && *config)
    if (const auto id = target_id_of(**config); id.ok())
      VAULT_TRY(save(txn, kRetired, hex(*id), Json::object()));
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
  if (call.request.body.find("password") != nullptr) return open_target(context, draft.target);
  return open_target(context, txn, draft.id, draft.target);
}

// Whoever wrote a password knows what it is, and another manager has one of his own. A rotation
// that is not settled stays else: its password may be the one that holds.
Status end_rotation(Call& call, WriteTxn& txn, const std::string& target, const Json& record) {
  VAULT_TRY_ASSIGN(const auto rotation, load(txn, kRotations, target));
  if (!rotation) return {};
  const Json* settings = record.find("settings");
  const bool same_manager =
      settings != nullptr && settings->string_at("username") == rotation->string_at("username");
  if (same_manager && call.request.body.find("password") == nullptr) return {};
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
    for (std::string& note : (*opened)->notes()) call.warnings.push_back(std::move(note));
    return Intent(core::intent::Check{draft.id, {}});
  };
  // Without verification there is nothing to try: no candidate.
  effect.candidate = [&context](Call& call,
                                ReadTxn& txn) -> Result<std::unique_ptr<target::Target>> {
    if (!call.fields.boolean("verify_connection")) return std::unique_ptr<target::Target>();
    std::vector<std::string> said = call.warnings;  // by plan, already
    VAULT_TRY_ASSIGN(const Draft draft, draft_of(context, call, txn));
    call.warnings = std::move(said);
    return open_draft(context, call, txn, draft);
  };
  effect.settle = [&context](Call& call, WriteTxn& txn, const Intent& intent) -> Result<Response> {
    VAULT_TRY_ASSIGN(Draft draft, draft_of(context, call, txn));
    // Of the target that was planned: a new one was drawn at random.
    const auto& check = core::only<core::intent::Check>(intent);
    VAULT_TRY_ASSIGN(const Move move, move_to(call, txn, check.target, check.server, draft.target));
    VAULT_TRY(lead_to(txn, move.target, draft.target, std::move(draft.config)));
    VAULT_TRY(end_rotation(call, txn, hex(move.target), draft.target));
    Response response = Response::none();
    if (!move.warning.empty()) response.warnings.push_back(move.warning);
    return response;
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
  route.fields = own_fields();
  for (Field& field : plugin_fields()) route.fields.push_back(std::move(field));
  route.actions = {{Operation::read, core::ReadHandler(read_config)},
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
      "same_server=true says that it is the one from before, with its accounts.";
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
