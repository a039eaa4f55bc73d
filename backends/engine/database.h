#pragma once
// What the files of the database engine share: its records and the functions that read them.
//
//   config/<name>   what config reads show, and the id of the target: no secret
//   targets/<id>    plugin and settings, secrets included, and the name of the config; leases name
//                   the target by this id
//   servers/<id>    the one server that the target's accounts are on, as it names itself
//   rotations/<id>  a rotation of the manager's password that was begun: the new one
//   retired/<id>    its config is gone, or leads to another server by now: the settings go with the
//                   last lease
//   roles/<name>    statements and terms
//
// Every record is JSON in the engine's own space. Thread safety: functions of their arguments.

#include <optional>
#include <string>
#include <vector>

#include "vault/core/contract/records.h"

namespace leasehold::engine::database {

inline constexpr std::string_view kConfigs = "config/", kTargets = core::kTargets,
                                  kRoles = "roles/", kRetired = core::kRetired,
                                  kServers = core::kServers, kRotations = core::kUnsettled;

// A record, or nothing. Code::internal when it cannot be read as JSON.
Result<std::optional<Json>> load(core::ReadTxn& txn, std::string_view directory,
                                 std::string_view name);
// Code::invalid in the reference's words when there is none.
Result<Json> connection_named(core::ReadTxn& txn, const std::string& name);
Status save(core::WriteTxn& txn, std::string_view directory, std::string_view name,
            const Json& record);

Result<core::TargetId> target_id_of(const Json& config);
Result<std::unique_ptr<target::Target>> open_target(const core::EngineContext& context,
                                                    const Json& record);
// The same, with the new password beside the old one while a rotation of `id` has not ended.
Result<std::unique_ptr<target::Target>> open_target(const core::EngineContext& context,
                                                    core::ReadTxn& txn, const core::TargetId& id,
                                                    Json record);
// "*", a name, or a name with '*' at its start, its end or both.
bool is_allowed(const Json& config, std::string_view role);
Error unsupported(std::string_view what);  // 400: a setting this version does not have

// A role's statements in each form they are written in: a statement, a JSON array of them in a
// text, base64 of either.
std::vector<std::string> statements_of(const Json& role, std::string_view field);
// A configuration's username_template; empty: the target names its accounts.
std::string template_of(const Json& config);

// What a role's accounts need, for issuing and for trying.
Result<core::intent::Account> account_of(core::Call& call, core::ReadTxn& txn, const Json& role,
                                         const Json& config);
// By the password policy of that name; "": as passwords are without one.
Result<SecretBytes> new_password(core::Call& call, core::ReadTxn& txn, const std::string& policy);
// The role's, or else the connection's; "": none.
std::string password_policy_of(const Json& role, const Json& config);
// False, and the caller is told: there is no password policy of this name.
Result<bool> knows_policy(core::Call& call, core::ReadTxn& txn, const std::string& policy);

// What a write of config/:name takes (database_fields.cpp).
std::vector<core::Field> own_fields();                             // of the engine itself
std::vector<core::Field> fields_of(const target::TargetRow& row);  // of a kind of target
std::vector<core::Field> fields_of_all(const core::EngineContext& context);
Status refuse_rotation(const core::Fields& fields);

// The settings of a target as they are stored, secrets included.
struct Stored {
  std::string plugin;  // empty: none
  Json settings = Json::object();
};
// Code::invalid when a write leads the manager's password elsewhere than before without bringing
// it, by a caller without sudo on its path. `after`: the settings as they would be stored.
Status may_keep_secret(const target::TargetRow& row, const core::Call& call, const Stored& before,
                       const Json& after);

// Which target the accounts of this configuration are made on from now on, when the database named
// itself `server`: the one it had, if that is the server it stood for; else an earlier one of this
// configuration that does, or a new one. With `same_server` the one it had stands for this server
// from now on, on record; once it does, so do the earlier ones, with these `settings`.
struct Move {
  core::TargetId target{};
  std::string warning;
  std::optional<core::TargetId> earlier;  // was given the same settings
};
Result<Move> move_to(core::Call& call, core::WriteTxn& txn, const core::TargetId& had,
                     const std::string& server, const Json& settings);
// The configuration in `settings` makes its accounts on `target` from here on.
Status lead_to(core::WriteTxn& txn, const core::TargetId& target, const Json& settings,
               Json config);
// Another server answered where `had` led to: its configuration goes with the URL, its accounts
// stay where they are. False: no configuration leads to `had`.
Result<bool> moved(core::WriteTxn& txn, const core::TargetId& had, const std::string& server,
                   Random& random);

core::Route config_route(const core::EngineContext& context);
core::Route reset_route();
core::Route role_route(const core::EngineContext& context);
core::Route creds_route();
core::Route rotate_root_route(const core::EngineContext& context);
// The new password of the target is its password from now on, or it is known never to be one; the
// rotation has ended. Nothing: there is none, it may be under way, or the connection got in with
// the password of another.
Result<std::optional<core::Event>> recover(core::WriteTxn& txn, const core::TargetId& id,
                                           const core::Recovery& recovery);

}  // namespace leasehold::engine::database
