// roles/:name of the database engine. A role is accepted after an account was made from it, logged
// in, was revoked and was seen to be gone, so that what cannot work is refused to the operator who
// writes it instead of to the application that asks at night. `force=true` skips the trial; what
// was tried already is not tried again, and where the database cannot be reached the role is saved
// with a warning.

#include "backends/engine/database.h"
#include "vault/base/duration.h"

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

constexpr const char* kStatementFields[] = {"creation_statements", "revocation_statements",
                                            "rollback_statements", "renew_statements"};

std::vector<Field> role_fields() {
  std::vector<Field> fields{
      {"db_name", FieldType::text, {}, "The configured database the accounts are made in."},
      {"default_ttl", FieldType::duration, {}, "How long a lease is; 0: the mount's default."},
      {"max_ttl", FieldType::duration, {}, "How long it may become; 0: the mount's maximum."},
      {"credential_type", FieldType::text, {}, "\"password\"."},
      {"credential_config", FieldType::text_map, {}, "`password_policy`; see the connection's."},
      {"force", FieldType::boolean, Json(false), "Accept the role without trying it."}};
  for (const char* name : kStatementFields)
    fields.push_back(
        {name, FieldType::text_list, {}, "SQL with {{name}}, {{password}} and {{expiration}}."});
  return fields;
}

constexpr const char* kSkip =
    "; to save it without a trial, write it with force=true, or its connection with "
    "verify_roles=false";

// Kept of a role whose statements no account was made from yet, and not shown.
constexpr const char* kUntried = "untried";

Json new_role() {
  Json role = Json::object();
  role.set("db_name", "").set("default_ttl", 0).set("max_ttl", 0);
  role.set("credential_type", "password");
  for (const char* name : kStatementFields) role.set(name, Json::array());
  return role;
}

Status check(const Json& role) {
  if (role.string_at("db_name").empty()) return failure(Code::invalid, "database name is required");
  const std::int64_t ttl = role.integer_at("default_ttl"), max = role.integer_at("max_ttl");
  if (max > 0 && ttl > max)
    return failure(Code::invalid, "default_ttl (" + print_duration(Seconds(ttl)) +
                                      ") must not be longer than max_ttl (" +
                                      print_duration(Seconds(max)) + ")");
  const std::string type = role.string_at("credential_type");
  if (type != "password") return unsupported("credential_type \"" + type + "\"");
  return {};
}

// Every lease carries them. A role of an earlier version may have more.
Status check_size(const Json& role) {
  std::size_t bytes = Json(statements_of(role, "renew_statements")).dump().size();
  for (const std::string& one : statements_of(role, "revocation_statements")) bytes += one.size();
  if (bytes <= core::kLeaseStatementsMax) return {};
  return failure(Code::invalid,
                 "revocation_statements and renew_statements can have at most 65536 bytes "
                 "together: these have " +
                     std::to_string(bytes));
}

bool mention(const std::vector<std::string>& statements,
             std::initializer_list<std::string_view> marks) {
  for (const std::string& statement : statements)
    for (const std::string_view mark : marks)
      if (statement.find(mark) != std::string::npos) return true;
  return false;
}

// An account of a fixed name would outlive every lease, for nothing looks for it. Without a
// password somebody may still get in, where the database asks for none: `force` allows it.
Status check_marks(const Json& role, bool force) {
  // The vault keeps no password: what stood there would be set as it is written.
  for (const char* later : {"renew_statements", "revocation_statements"})
    if (mention(statements_of(role, later), {"{{password}}"}))
      return failure(Code::invalid, std::string(later) +
                                        " cannot use {{password}}: it is known only while the "
                                        "account is created");
  const auto statements = statements_of(role, "creation_statements");
  if (statements.empty()) return {};
  constexpr const char* kExample =
      ", as in CREATE ROLE \"{{name}}\" LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}'";
  if (!mention(statements, {"{{name}}", "{{username}}"}))
    return failure(Code::invalid,
                   "creation_statements must name the account {{name}}, because every lease has "
                   "one of its own" +
                       std::string(kExample));
  if (!force && !mention(statements, {"{{password}}"}))
    return failure(Code::invalid,
                   "creation_statements must give the account its password with {{password}}" +
                       std::string(kExample) + kSkip);
  return {};
}

// Kept and not checked, like the connection's: the policy may be written later.
Status take_credential_config(Json& role, const Json& given) {
  for (const auto& [key, value] : given.members())
    if (key != "password_policy") return unsupported("credential_config." + key);
  role.erase("credential_config");
  if (given.size() > 0) role.set("credential_config", given);
  return {};
}

// The stored role with what the request gives.
Result<Json> draft_of(Call& call, ReadTxn& txn) {
  VAULT_TRY_ASSIGN(auto before, load(txn, kRoles, call.fields.text("name")));
  Json role = before ? std::move(*before) : new_role();
  for (const char* name : {"db_name", "default_ttl", "max_ttl", "credential_type"})
    if (call.fields.given(name)) role.set(name, call.fields.json(name));
  if (role.string_at("credential_type").empty()) role.set("credential_type", "password");
  for (const char* name : kStatementFields)
    if (call.fields.given(name)) role.set(name, call.fields.json(name));
  if (call.fields.given("credential_config"))
    VAULT_TRY(take_credential_config(role, call.fields.json("credential_config")));
  VAULT_TRY(check(role));
  VAULT_TRY(check_size(role));
  VAULT_TRY(check_marks(role, call.fields.boolean("force")));
  return role;
}

// A role may be written before its database is, or before that allows it; it issues nothing then.
bool can_issue(const core::EngineContext& context, Call& call, const Json& role,
               const std::optional<Json>& config) {
  const std::string name = call.fields.text("name"), database = role.string_at("db_name");
  const bool has_statements = !statements_of(role, "creation_statements").empty();
  const bool allowed = config && is_allowed(*config, name);
  if (!config)
    call.quiet_warnings.push_back(
        "db_name names no configured connection; the role was not tried and issues nothing until "
        "it does");
  if (!has_statements)
    call.quiet_warnings.push_back(
        "creation_statements are missing; the role issues nothing without them");
  if (config && !allowed) {
    call.quiet_warnings.push_back(
        "the role was saved without a trial and issues nothing: "
        "allowed_roles of config/" +
        database + " does not have \"" + name + "\"");
    context.log.warn(
        "{}roles/{} was saved without a trial and issues nothing: allowed_roles of {}config/{} "
        "does not have it",
        call.mount.path, name, call.mount.path, database);
  }
  return has_statements && allowed;
}

// An account made from this role would be made as one was before.
bool was_tried(const std::optional<Json>& before, const Json& role) {
  if (!before || before->bool_at(kUntried)) return false;
  for (const char* name : {"creation_statements", "rollback_statements", "revocation_statements"})
    if (statements_of(*before, name) != statements_of(role, name)) return false;
  return before->string_at("db_name") == role.string_at("db_name");
}

// As the connection says, which may have been written while its database was not there.
bool verifies_roles(const Json& config) {
  return config.bool_at("verify_roles", config.bool_at("verify_connection", true));
}

Result<Intent> plan_write(const core::EngineContext& context, Call& call, ReadTxn& txn) {
  VAULT_TRY_ASSIGN(const Json role, draft_of(call, txn));
  VAULT_TRY_ASSIGN(const auto config, load(txn, kConfigs, role.string_at("db_name")));
  const bool issues = can_issue(context, call, role, config);
  VAULT_TRY_ASSIGN(const bool makes_passwords,
                   knows_policy(call, txn, password_policy_of(role, config.value_or(Json()))));
  const bool tries =
      issues && makes_passwords && verifies_roles(*config) && !call.fields.boolean("force");
  if (!tries) return Intent();
  VAULT_TRY_ASSIGN(const auto before, load(txn, kRoles, call.fields.text("name")));
  if (was_tried(before, role)) return Intent();
  VAULT_TRY_ASSIGN(auto account, account_of(call, txn, role, *config));
  return Intent(core::intent::Probe{std::move(account)});
}

Result<Response> settle_write(Call& call, WriteTxn& txn, const Intent& intent) {
  const std::string name = call.fields.text("name");
  VAULT_TRY_ASSIGN(Json role, draft_of(call, txn));
  VAULT_TRY_ASSIGN(const auto before, load(txn, kRoles, name));
  const bool tried = std::holds_alternative<core::intent::Probe>(intent) || was_tried(before, role);
  role.erase(kUntried);
  if (!tried) role.set(kUntried, true);
  VAULT_TRY(save(txn, kRoles, name, role));
  return Response::none();
}

Error explain_write(const Error& error) {
  if (error.code == Code::denied)
    return failure(
        Code::invalid,
        "the role was not saved, an account made from it did not work: " + error.message + kSkip,
        error.detail);
  if (error.code == Code::unavailable || error.code == Code::deadline)
    return failure(error.code, "the role was not saved: " + error.message + kSkip, error.detail);
  return error;
}

std::string say_untried(const Error& error) {
  return "the role was saved without a trial, because its database cannot be reached: " +
         error.message +
         "; whether accounts can be made from it is not known: write it once more to try it";
}

Result<Response> read_role(Call& call, ReadTxn& txn) {
  VAULT_TRY_ASSIGN(auto role, load(txn, kRoles, call.fields.text("name")));
  if (!role) return Response::refused(404, "");
  role->erase(kUntried);
  return Response::of(*role);
}

Result<Response> remove_role(Call& call, WriteTxn& txn) {
  VAULT_TRY(txn.erase(std::string(kRoles) + call.fields.text("name")));
  return Response::none();
}

}  // namespace

core::Route role_route(const core::EngineContext& context) {
  core::Effect write;
  write.plan = [&context](Call& call, ReadTxn& txn) { return plan_write(context, call, txn); };
  write.settle = settle_write;
  write.explain = explain_write;
  write.untried = say_untried;
  core::Route route;
  route.pattern = "roles/:name";
  route.fields = role_fields();
  route.actions = {{Operation::read, core::ReadHandler(read_role)},
                   {Operation::update, std::move(write)},
                   {Operation::remove, core::WriteHandler(remove_role)}};
  route.exists = [](Call& call, ReadTxn& txn) -> Result<bool> {
    VAULT_TRY_ASSIGN(const auto role, load(txn, kRoles, call.fields.text("name")));
    return role.has_value();
  };
  route.synopsis = "Manage the roles that accounts are made from.";
  route.description =
      "A role is accepted after an account was made from it, logged in, was revoked and was seen "
      "to be gone. That is not done again while db_name and statements stay as they are; "
      "force=true "
      "skips it, and so does a connection with verify_roles=false, or verify_connection=false; "
      "while the database cannot be reached the role is saved with a warning. Removing or changing "
      "a role leaves its leases as they "
      "are.";
  return route;
}

}  // namespace leasehold::engine::database
