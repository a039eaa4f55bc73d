// rotate-root/:name of the database engine: a new password of the manager that only the vault
// knows.
//
//   rotations/<id> durable -> the server is asked -> targets/<id> has it, rotations/<id> is gone
//
// As long as the middle record is there both passwords are known, and a connection tries the old
// one, then the new one; so a process that is killed anywhere leaves a vault that can log in. The
// first connection that needs the new one ends the rotation (recover); at the next start at the
// latest a connection shows which of the two it is. Another rotation goes on with the password that
// was begun, for the server may have it. Every target of the mount that logs in as the same manager
// is in it, also one that only old leases need.

#include "backends/engine/database.h"
#include "vault/base/encoding.h"

namespace leasehold::engine::database {
namespace {

using core::Call;
using core::Intent;
using core::Operation;
using core::ReadTxn;
using core::Response;
using core::WriteTxn;

constexpr std::size_t kTargetsMax = 1000;  // looked at for the same manager
constexpr std::size_t kSharedMax = 16;     // that have it

struct Manager {
  std::string plugin, username, server;
  SecretBytes password;
};

// The system of a server's name: its databases have one manager.
std::string system_of(const std::string& server) { return server.substr(0, server.find('/')); }

// Empty: nothing has connected to it yet.
Result<std::string> server_of(ReadTxn& txn, const std::string& target) {
  VAULT_TRY_ASSIGN(const auto server, load(txn, kServers, target));
  return server ? system_of(server->string_at("server")) : std::string();
}

// A target that nothing has connected to yet may be any server.
bool may_be_one(const std::string& a, const std::string& b) {
  return a.empty() || b.empty() || a == b;
}

Result<std::optional<Manager>> manager_of(ReadTxn& txn, const std::string& target) {
  VAULT_TRY_ASSIGN(const auto record, load(txn, kTargets, target));
  const Json* settings = record ? record->find("settings") : nullptr;
  if (settings == nullptr) return std::optional<Manager>();
  Manager manager;
  manager.plugin = record->string_at("plugin_name");
  manager.username = settings->string_at("username");
  VAULT_TRY_ASSIGN(manager.server, server_of(txn, target));
  manager.password = SecretBytes(settings->string_at("password"));
  return std::optional<Manager>(std::move(manager));
}

// The password must be one that the vault sends by itself: in the URL it would stay the old one.
Status check(const core::EngineContext& context, const Json& record, const Json& settings,
             const std::string& name) {
  const auto* row = target::find_row(context.targets, record.string_at("plugin_name"));
  std::vector<std::string> known;
  const std::string url = settings.string_at("connection_url");
  const bool places = url.find("{{username}}") != url.npos && url.find("{{password}}") != url.npos;
  if (!settings.string_at("username").empty() && !settings.string_at("password").empty() &&
      places && row != nullptr && row->shown(settings, known).string_at("connection_url") == url)
    return {};
  return failure(Code::invalid, "the connection \"" + name +
                                    "\" has no password that can be rotated: write its "
                                    "connection_url with {{username}} and {{password}}, and both "
                                    "as fields of their own");
}

Result<Intent> plan_rotate(const core::EngineContext& context, Call& call, ReadTxn& txn) {
  const std::string name = call.fields.text("name");
  VAULT_TRY_ASSIGN(const Json config, connection_named(txn, name));
  core::intent::Rotate rotate;
  VAULT_TRY_ASSIGN(rotate.target, target_id_of(config));
  VAULT_TRY_ASSIGN(const auto record, load(txn, kTargets, hex(rotate.target)));
  const Json* settings = record ? record->find("settings") : nullptr;
  if (settings == nullptr)
    return failure(Code::internal, "internal error", "a database configuration has no settings");
  VAULT_TRY(check(context, *record, *settings, name));
  rotate.account = settings->string_at("username");
  rotate.statements = statements_of(config, "root_rotation_statements");
  VAULT_TRY_ASSIGN(rotate.password, new_password(call, txn, config.string_at("password_policy")));
  VAULT_TRY_ASSIGN(const auto begun, load(txn, kRotations, hex(rotate.target)));
  if (begun && begun->string_at("username") == rotate.account)
    rotate.password = SecretBytes(begun->string_at("password"));
  return Intent(std::move(rotate));
}

bool has_begun(const std::optional<Json>& rotation, const Manager& manager) {
  return rotation && rotation->string_at("username") == manager.username &&
         SecretBytes(rotation->string_at("password")) == manager.password;
}

// Whether `other` logs in as `mine` does. One that may have missed the end of a rotation could need
// any of three passwords, and two can be kept.
Result<bool> shares(ReadTxn& txn, const std::string& target, const Manager& other,
                    const Manager& mine) {
  if (other.plugin != mine.plugin || other.username != mine.username) return false;
  if (!may_be_one(other.server, mine.server)) return false;
  if (other.password == mine.password) return true;
  VAULT_TRY_ASSIGN(const auto rotation, load(txn, kRotations, target));
  if (!has_begun(rotation, mine)) return false;
  return failure(Code::invalid,
                 "another connection of this mount may log in as the same manager, and has not "
                 "been used since a rotation was cut off: issue credentials over it, or delete "
                 "it, and rotate then");
}

// Those of the mount with the same manager, the target itself among them.
Result<std::vector<std::string>> sharing(WriteTxn& txn, const std::string& id) {
  ReadTxn all(txn.snapshot(), txn.barrier(), txn.space());  // most are none of ours: unguarded
  VAULT_TRY_ASSIGN(const auto mine, manager_of(all, id));
  VAULT_TRY_ASSIGN(const auto names, all.list(kTargets, {}, kTargetsMax));
  std::vector<std::string> shared{id};
  for (const std::string& name : names) {
    VAULT_TRY_ASSIGN(const auto other, manager_of(all, name));
    if (!mine || !other || name == id) continue;
    VAULT_TRY_ASSIGN(const bool same, shares(all, name, *other, *mine));
    if (same) shared.push_back(name);
  }
  if (shared.size() <= kSharedMax && names.size() < kTargetsMax) return shared;
  return failure(Code::invalid,
                 "too many connections of this mount may log in as the same manager: give them "
                 "managers of their own before one is rotated");
}

// A configuration that was written meanwhile, with another manager, keeps the password it has.
Status settle(WriteTxn& txn, const std::string& target, const std::string& manager,
              const SecretBytes& password) {
  VAULT_TRY_ASSIGN(auto record, load(txn, kTargets, target));
  VAULT_TRY(txn.erase(std::string(kRotations) + target));
  if (!record || record->find("settings") == nullptr) return {};
  Json settings = *record->find("settings");
  if (settings.string_at("username") != manager) return {};
  record->set("settings", settings.set("password", as_text(password.reveal())));
  return save(txn, kTargets, target, *record);
}

Status record_rotation(Call&, WriteTxn& txn, const Intent& intent) {
  const auto& rotate = core::only<core::intent::Rotate>(intent);
  VAULT_TRY_ASSIGN(const auto targets, sharing(txn, hex(rotate.target)));
  Json rotation = Json::object();
  rotation.set("password", as_text(rotate.password.reveal()));
  rotation.set("username", rotate.account).set("run", rotate.run);
  for (const std::string& target : targets) {
    VAULT_TRY_ASSIGN(const auto settings, txn.version(std::string(kTargets) + target));
    if (settings != 0) VAULT_TRY(save(txn, kRotations, target, rotation));
  }
  return {};
}

// The target, and all for which the same rotation was begun on its server. Those that the batch has
// no room for keep both passwords, until their own first connection shows which one holds.
Status settle_all(WriteTxn& txn, const std::string& target, const std::string& manager,
                  const SecretBytes& password) {
  VAULT_TRY_ASSIGN(const std::string server, server_of(txn, target));
  VAULT_TRY(settle(txn, target, manager, password));
  VAULT_TRY_ASSIGN(const auto begun, txn.list(kRotations, {}, kTargetsMax));
  for (const std::string& other : begun) {
    VAULT_TRY_ASSIGN(const auto rotation, load(txn, kRotations, other));
    VAULT_TRY_ASSIGN(const std::string server_of_other, server_of(txn, other));
    // Of a server that is not known yet the first connection says which password holds.
    const bool same = rotation && !server.empty() && server_of_other == server;
    if (!same || SecretBytes(rotation->string_at("password")) != password) continue;
    const std::string settings = std::string(kTargets) + other;
    VAULT_TRY_ASSIGN(const bool fits,
                     core::has_room(txn, txn.barrier().value_key(txn.space(), settings)));
    if (fits) VAULT_TRY(settle(txn, other, manager, password));
  }
  return {};
}

Result<Response> settle_rotate(Call& call, WriteTxn& txn, const Intent& intent) {
  const auto& rotate = core::only<core::intent::Rotate>(intent);
  VAULT_TRY(settle_all(txn, hex(rotate.target), rotate.account, rotate.password));
  Json fields = Json::object();
  fields.set("config", call.mount.path + "config/" + call.fields.text("name"));
  fields.set("username", rotate.account).set("target", hex(rotate.target));
  call.events.push_back({"root-rotated", std::move(fields)});
  return Response::none();
}

// The database refused: no fault of the caller's token, so it must not read as 403.
Error explain_rotate(const Error& error) {
  if (error.code != Code::denied) return error;
  return failure(Code::invalid, "the password was not rotated: " + error.message, error.detail);
}

// The old password works, nothing of an earlier process runs any more at the server, and the new
// one is refused: it will never be the manager's.
Result<bool> came_to_nothing(const Json& rotation, const core::Recovery& recovery) {
  target::Connection& connection = recovery.connection;
  if (connection.took_next_password() || rotation.string_at("run") == recovery.run) return false;
  const SecretBytes password(rotation.string_at("password"));
  const Status login =
      connection.try_login(rotation.string_at("username"), password, recovery.deadline);
  return login.is(Code::denied);
}

}  // namespace

Result<std::optional<core::Event>> recover(WriteTxn& txn, const core::TargetId& id,
                                           const core::Recovery& recovery) {
  std::optional<core::Event> event;
  VAULT_TRY_ASSIGN(const auto rotation, load(txn, kRotations, hex(id)));
  if (!rotation) return event;
  const SecretBytes password(rotation->string_at("password"));
  if (recovery.connection.got_in_with(password)) {
    VAULT_TRY(settle_all(txn, hex(id), rotation->string_at("username"), password));
    event.emplace(core::Event{"root-rotation-settled", Json::object()});
    return event;
  }
  VAULT_TRY_ASSIGN(const bool over, came_to_nothing(*rotation, recovery));
  if (!over) return event;
  VAULT_TRY(txn.erase(std::string(kRotations) + hex(id)));
  event.emplace(core::Event{"root-rotation-undone", Json::object()});
  return event;
}

core::Route rotate_root_route(const core::EngineContext& context) {
  core::Effect rotate;
  rotate.plan = [&context](Call& call, ReadTxn& txn) { return plan_rotate(context, call, txn); };
  rotate.record = record_rotation;
  rotate.settle = settle_rotate;
  rotate.explain = explain_rotate;
  core::Route route;
  route.pattern = "rotate-root/:name";
  route.actions = {{Operation::update, std::move(rotate), core::Place::lists}};
  route.synopsis = "Give the manager of a connection a new password.";
  route.description =
      "The vault draws it, tries it, and keeps it; it is shown to nobody. Whoever else uses the "
      "old one is locked "
      "out, so give the vault a manager of its own before. A backup from before, of the vault or "
      "of "
      "the database, has the old password: after restoring one, set it as a superuser (ALTER ROLE "
      "... PASSWORD) and write it to config/:name.";
  return route;
}

}  // namespace leasehold::engine::database
