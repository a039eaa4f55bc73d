// status: is it initialized, sealed, and who leads?

#include "cli/leasehold/status.h"

#include <fmt/core.h>

#include "cli/leasehold/groups.h"
#include "cli/leasehold/output.h"

namespace leasehold::cli {
namespace {

std::string yes_no(const Json& object, std::string_view key) {
  return object.bool_at(key) ? "true" : "false";
}

void add_text(std::vector<Row>& rows, const char* title, const Json& from, std::string_view key) {
  const std::string text = from.string_at(key);
  if (!text.empty()) rows.push_back({title, text});
}

std::string count(const Json& object, std::string_view key) {
  return std::to_string(object.integer_at(key));
}

// What stands between a seal and its device, and what to do about it; a slot that is well, or that
// nobody has asked yet, needs no row.
void add_slot_rows(std::vector<Row>& rows, const Json& seal) {
  const Json* slots = seal.find("slots");
  if (slots == nullptr || !slots->is_array()) return;
  for (const Json& slot : slots->items()) {
    const std::string state = slot.string_at("state");
    if (state.empty() || state == "ok" || state == "unknown") continue;
    const std::string message = slot.string_at("message");
    rows.push_back({"Slot " + slot.string_at("kind"),
                    message.empty() ? state : fmt::format("{}: {}", state, message)});
  }
}

std::vector<Row> seal_rows(const Json& seal) {
  std::vector<Row> rows = {{"Key", "Value"}};
  const bool recovery = seal.bool_at("recovery_seal");
  add_text(rows, "Seal Type", seal, "type");
  add_text(rows, "Recovery Seal Type", seal, "recovery_seal_type");
  add_text(rows, "Access", seal, "access");
  // Shares opened it although it has a device, or a slot is not well.
  if (seal.bool_at("degraded")) rows.push_back({"Degraded", "true"});
  add_slot_rows(rows, seal);
  rows.push_back({"Initialized", yes_no(seal, "initialized")});
  rows.push_back({"Sealed", yes_no(seal, "sealed")});
  rows.push_back({recovery ? "Total Recovery Shares" : "Total Shares", count(seal, "n")});
  rows.push_back({"Threshold", count(seal, "t")});
  if (seal.bool_at("sealed")) {
    rows.push_back({"Unseal Progress", count(seal, "progress") + "/" + count(seal, "t")});
    rows.push_back({"Unseal Nonce", seal.string_at("nonce")});
  }
  add_text(rows, "Version", seal, "version");
  add_text(rows, "Leasehold Version", seal, "leasehold_version");
  add_text(rows, "Build Date", seal, "build_date");
  add_text(rows, "Storage Type", seal, "storage_type");
  add_text(rows, "Cluster Name", seal, "cluster_name");
  add_text(rows, "Cluster ID", seal, "cluster_id");
  return rows;
}

void add_leader_rows(std::vector<Row>& rows, const Json& leader) {
  rows.push_back({"HA Enabled", yes_no(leader, "ha_enabled")});
  if (!leader.bool_at("ha_enabled")) return;
  add_text(rows, "HA Cluster", leader, "leader_cluster_address");
  rows.push_back({"HA Mode", leader.bool_at("is_self") ? "active" : "standby"});
  if (leader.bool_at("is_self")) {
    add_text(rows, "Active Since", leader, "active_time");
  } else {
    add_text(rows, "Active Node Address", leader, "leader_address");
  }
}

int run_status(Session& session) {
  const auto answer = session.send({"GET", "sys/seal-status"});
  if (!is_good(answer)) {
    // 2 means sealed, so a server that cannot be asked is 1.
    return session.refused("Error checking seal status", answer) == kSuccess ? kSuccess
                                                                             : kLocalError;
  }
  const int shown = show_seal_status(session, answer->json);
  if (shown != kSuccess) return shown;
  return answer->json.bool_at("sealed") ? kRemoteError : kSuccess;
}

constexpr Command kCommands[] = {
    {"status",
     "Show whether the vault is sealed",
     "[flags]",
     "Shows the state of the seal, and of each slot that needs repair what it needs. Exit code\n"
     "0: unsealed, 2: sealed, 1: it could not be asked.\n\n"
     "  $ leasehold status\n"
     "  $ leasehold status -format=json | jq .sealed",
     {},
     0,
     0,
     run_status},
};

}  // namespace

int show_seal_status(Session& session, const Json& seal) {
  const std::string field = session.args().text("field");
  Json whole = seal;
  std::vector<Row> rows = seal_rows(seal);
  if (!seal.bool_at("sealed")) {
    const auto leader = session.send({"GET", "sys/leader"});
    if (is_good(leader)) {
      for (const auto& member : leader->json.members())
        if (whole.find(member.first) == nullptr) whole.set(member.first, member.second);
      add_leader_rows(rows, leader->json);
    }
  }
  if (!field.empty()) {
    Json envelope = Json::object();
    envelope.set("data", std::move(whole));
    return show_field(session, envelope, field);
  }
  for (const std::string& warning : seal.strings_at("warnings"))
    session.note("WARNING! " + warning);
  return show_value(session, whole, rows);
}

std::span<const Command> status_commands() { return kCommands; }

}  // namespace leasehold::cli
