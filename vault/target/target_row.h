#pragma once
// A kind of target, as the engine that configures it sees it: which settings it has, what of them
// may be shown, and how one is made. Each is a row of backends/catalog.h; the engines find it by
// the name that a client gives as `plugin_name`.
//
// Thread safety: rows are constants, and their functions may be called from any thread.

#include <span>

#include "vault/base/json.h"
#include "vault/target/target.h"

namespace leasehold::target {

struct Setting {
  enum class Type : std::uint8_t { text, integer, boolean, any };
  std::string_view name;
  Type type = Type::text;
  std::string_view help;
  bool sensitive = false;  // the audit log never has it in clear
  bool tuning = false;     // has no part in where, and how, the manager's password is sent
};

struct TargetRow {
  std::string_view plugin;  // "postgresql-database-plugin"
  // Beside `username`, `password` and `username_template`, which the engine keeps for every kind.
  std::span<const Setting> (*settings)();
  // What a read shows of these settings: nothing in it is a secret. `warnings` receives what the
  // one who wrote them should know.
  Json (*shown)(const Json& settings, std::vector<std::string>& warnings);
  // Code::invalid says which setting is wrong. Connects to nothing. The references outlive the
  // target.
  Result<std::unique_ptr<Target>> (*make)(const Json& settings, Clock& clock, Random& random);
  // Once, before the process has a second thread: takes from it what its client library would read
  // and no operator has said, such as passwords in environment variables. Null: nothing.
  void (*prepare)() = nullptr;
  // The settings with only that in them which has a part in where, as whom and how the manager's
  // password is sent: for comparing alone. Null: all but those that are `tuning`.
  Json (*leading)(const Json& settings) = nullptr;
  // Code::invalid: what a write brings cannot be meant, though it could be stored, such as a secret
  // as reads show it. Null: anything can.
  Status (*takes)(const Json& given) = nullptr;
};

// Null when there is none of that name.
inline const TargetRow* find_row(std::span<const TargetRow> rows, std::string_view plugin) {
  for (const TargetRow& row : rows)
    if (row.plugin == plugin) return &row;
  return nullptr;
}

}  // namespace leasehold::target
