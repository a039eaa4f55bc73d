// What a write of config/:name takes: the engine's own fields, and the settings of each kind of
// target.

#include <algorithm>

#include "backends/engine/database.h"
#include "vault/base/duration.h"
#include "vault/core/contract/routes.h"

namespace leasehold::engine::database {
namespace {

using core::Field;
using core::FieldType;

constexpr const char* kRotation[] = {"rotation_period", "rotation_schedule", "rotation_window"};

// Refused when they ask for anything: kept of them is nothing.
void add_rotation_fields(std::vector<Field>& fields) {
  for (const char* const name : kRotation)
    fields.push_back({name, FieldType::any, {}, "Not in this version: empty or 0."});
  fields.push_back({"disable_automated_rotation", FieldType::any, {}, "There is none to disable."});
}

// Of every kind of target.
std::vector<Field> common_fields() {
  return {
      {"username", FieldType::text, {}, "The manager's name."},
      core::sensitive({"password", FieldType::text, {}, "The manager's password; never returned."}),
      {"username_template",
       FieldType::text,
       {},
       "How accounts are named, with .DisplayName, .RoleName, random, truncate and the like."}};
}

FieldType type_of(target::Setting::Type type) {
  switch (type) {
    case target::Setting::Type::text:
      return FieldType::text;
    case target::Setting::Type::integer:
      return FieldType::integer;
    case target::Setting::Type::boolean:
      return FieldType::boolean;
    case target::Setting::Type::any:
      break;
  }
  return FieldType::any;
}

bool asks_for_something(const Json& given) {
  if (given.is_bool()) return given.boolean();
  if (given.is_null()) return false;
  const std::string& text = given.text();
  const auto duration = parse_duration(text);
  return !text.empty() && !(duration.ok() && duration->count() == 0);
}

}  // namespace

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
           "What passwords look like: a policy of sys/policies/password."},
          {"verify_roles",
           FieldType::boolean,
           {},
           "False: roles are accepted without a trial, where its login cannot work. Default: as "
           "verify_connection."},
          {"same_server", FieldType::boolean, Json(false),
           "The database is another server than before, with the same accounts: it was upgraded, "
           "moved, or failed over. Not kept."}};
}

std::vector<Field> fields_of(const target::TargetRow& row) {
  std::vector<Field> fields = common_fields();
  for (const target::Setting& setting : row.settings())
    fields.push_back({std::string(setting.name),
                      type_of(setting.type),
                      {},
                      std::string(setting.help),
                      setting.sensitive});
  return fields;
}

// What config/:name takes: each kind's settings. Where two kinds share a name, the first one's.
std::vector<Field> fields_of_all(const core::EngineContext& context) {
  std::vector<Field> fields = own_fields();
  add_rotation_fields(fields);
  const auto add = [&fields](Field& field) {
    const bool known = std::any_of(fields.begin(), fields.end(),
                                   [&](const Field& one) { return one.name == field.name; });
    if (!known) fields.push_back(std::move(field));
  };
  for (Field& field : common_fields()) add(field);
  for (const target::TargetRow& row : context.targets)
    for (Field& field : fields_of(row)) add(field);
  return fields;
}

// Who asks for a rotation counts on it. Clients that do not ask send nothing, or zero.
Status refuse_rotation(const core::Fields& fields) {
  for (const char* const name : kRotation)
    if (fields.given(name) && asks_for_something(fields.json(name)))
      return unsupported(std::string(name) +
                         " (a rotation of the manager's password by itself; rotate-root/:name does "
                         "one)");
  return {};
}

}  // namespace leasehold::engine::database
