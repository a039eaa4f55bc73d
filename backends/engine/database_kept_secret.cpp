// A write of config/:name keeps what it does not name, the manager's password too, which is never
// shown and, after a rotation, known to nobody but the vault. A password that is kept goes nowhere
// else than before: whoever may write a configuration could have it sent to a server of their own.

#include <algorithm>

#include "backends/engine/database.h"

namespace leasehold::engine::database {
namespace {

// Not set, and set to nothing, are the same: null.
Json value_of(const Json& settings, std::string_view name) {
  const Json* value = settings.find(name);
  const bool nothing = value == nullptr || (value->is_bool() && !value->boolean()) ||
                       (value->is_string() && value->text().empty());
  return nothing ? Json() : *value;
}

// The names of those that have a part in where the manager's password is sent, as whom and how.
std::vector<std::string> leading_names(const target::TargetRow& row) {
  std::vector<std::string> names{"username"};
  for (const target::Setting& setting : row.settings())
    if (!setting.tuning) names.emplace_back(setting.name);
  return names;
}

Json leading(const target::TargetRow& row, const Json& settings) {
  return row.leading == nullptr ? settings : row.leading(settings);
}

std::string changed(const target::TargetRow& row, const Stored& before, const Json& after) {
  std::string names = before.plugin == row.plugin ? "" : "plugin_name";
  const Json from = leading(row, before.settings), to = leading(row, after);
  for (const std::string& name : leading_names(row))
    if (!(value_of(from, name) == value_of(to, name))) names += (names.empty() ? "" : ", ") + name;
  return names;
}

// What is stored, is never shown, and is not in this write; empty: nothing.
std::string kept_secret(const target::TargetRow& row, const core::Call& call, const Json& before) {
  std::vector<std::string> known, names{"password"};
  Json shown = before;
  shown.erase("password");
  shown = row.shown(shown, known);
  for (const target::Setting& setting : row.settings()) names.emplace_back(setting.name);
  for (const std::string& name : names) {
    if (call.fields.given(name)) continue;
    if (!(value_of(before, name) == value_of(shown, name))) return name;
  }
  return {};
}

}  // namespace

Status may_keep_secret(const target::TargetRow& row, const core::Call& call, const Stored& before,
                       const Json& after) {
  if (call.caller.has_sudo || before.plugin.empty()) return {};
  const std::string names = changed(row, before, after);
  if (names.empty()) return {};
  const std::string kept = kept_secret(row, call, before.settings);
  if (kept.empty()) return {};
  return failure(Code::invalid,
                 "this changes where the manager's password is sent (" + names +
                     ") and keeps the stored one, so it could be sent to anybody's server: give " +
                     kept + " again, or use a token with sudo on this path");
}

}  // namespace leasehold::engine::database
