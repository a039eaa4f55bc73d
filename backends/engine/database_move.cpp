// A configuration that leads to another server. Accounts of the first are still there, whatever the
// second says of them; so their leases keep the target, the settings and the server they had.

#include "backends/engine/database.h"
#include "backends/engine/database_twin.h"
#include "vault/base/encoding.h"

namespace leasehold::engine::database {
namespace {

using core::Call;
using core::ReadTxn;
using core::WriteTxn;

constexpr std::size_t kLookedAt = 64;  // earlier targets
// A server that names itself otherwise each time is not followed for ever: an operator has to say.
constexpr std::size_t kEarlierMax = 16;
// Of a retired target: the one that took its place, and how many were left before it.
constexpr char kLeftFor[] = "left_for", kLeftAfter[] = "left_after";

Result<std::string> server_of(ReadTxn& txn, const std::string& target) {
  VAULT_TRY_ASSIGN(const auto record, load(txn, kServers, target));
  return record ? record->string_at("server") : std::string();
}

Status record_server(WriteTxn& txn, const core::TargetId& target, const std::string& server) {
  Json record = Json::object();
  return save(txn, kServers, hex(target), record.set("server", server));
}

// Those that this configuration led to before, as long as they have leases.
Result<std::vector<core::TargetId>> earlier(const std::string& config, WriteTxn& txn) {
  VAULT_TRY_ASSIGN(const auto names, txn.list(kRetired, {}, kLookedAt));
  std::vector<core::TargetId> all;
  for (const std::string& name : names) {
    VAULT_TRY_ASSIGN(const auto target, load(txn, kTargets, name));
    if (!target || target->string_at("name") != config) continue;
    Json as_config = Json::object();
    VAULT_TRY_ASSIGN(const core::TargetId id, target_id_of(as_config.set("target", name)));
    all.push_back(id);
  }
  return all;
}

core::Event event(const Call& call, const core::TargetId& target, const std::string& before,
                  const std::string& now) {
  Json fields = Json::object();
  fields.set("config", call.mount.path + "config/" + call.fields.text("name"));
  fields.set("target", hex(target)).set("server_before", before).set("server", now);
  return {"target-same-server", std::move(fields)};
}

Status say_same(Call& call, WriteTxn& txn, const core::TargetId& target,
                const std::string& server) {
  VAULT_TRY_ASSIGN(const std::string before, server_of(txn, hex(target)));
  if (before == server) return {};
  call.events.push_back(event(call, target, before, server));
  return record_server(txn, target, server);
}

struct Left {
  core::TargetId target;
  std::string went_to;     // empty: of a record that does not say so
  std::int64_t order = 0;  // the greatest was left last
};

// None: this configuration led nowhere else, as far as leases know.
Result<std::optional<Left>> left_last(const std::string& config, WriteTxn& txn) {
  VAULT_TRY_ASSIGN(const auto targets, earlier(config, txn));
  std::optional<Left> last;
  for (const core::TargetId& target : targets) {
    VAULT_TRY_ASSIGN(const auto record, load(txn, kRetired, hex(target)));
    Left left{target, {}, 0};
    if (record) left.went_to = record->string_at(kLeftFor);
    if (record) left.order = record->integer_at(kLeftAfter);
    if (!last || left.order > last->order) last = std::move(left);
  }
  if (last && last->went_to.empty() && targets.size() > 1) return std::optional<Left>();
  return last;
}

// Said after the configuration had led there already: it is meant of the server that was left for
// this one, and of none before that, whose accounts are where they were.
Status say_same_of_earlier(Call& call, WriteTxn& txn, Move& move, const std::string& server,
                           const Json& settings) {
  VAULT_TRY_ASSIGN(const auto left, left_last(call.fields.text("name"), txn));
  if (!left || (!left->went_to.empty() && left->went_to != hex(move.target))) {
    move.warning =
        "same_server=true changes nothing here: this is the server it was. Leave it out, or it "
        "will be taken at its word when the configuration leads elsewhere";
    return {};
  }
  VAULT_TRY(say_same(call, txn, left->target, server));
  VAULT_TRY(save(txn, kTargets, hex(left->target), settings));
  move.earlier = left->target;
  return {};
}

Result<core::TargetId> known_or_new(const std::string& config, WriteTxn& txn,
                                    const std::string& server, Random& random) {
  VAULT_TRY_ASSIGN(const auto targets, earlier(config, txn));
  for (const core::TargetId& target : targets) {
    VAULT_TRY_ASSIGN(const std::string its, server_of(txn, hex(target)));
    if (its == server) return target;
  }
  return random.take<sizeof(core::TargetId)>();
}

// New accounts are made on `server` from here on; those on the one before stay with `had`. Which of
// several twins an earlier target is of, its server's name does not say.
Result<core::TargetId> leave(const std::string& config, WriteTxn& txn, const core::TargetId& had,
                             const std::string& server, bool is_twin, Random& random) {
  core::TargetId target = random.take<sizeof(core::TargetId)>();
  if (!is_twin) {
    VAULT_TRY_ASSIGN(target, known_or_new(config, txn, server, random));
  }
  VAULT_TRY_ASSIGN(const auto before, left_last(config, txn));
  Json record = Json::object();
  record.set(kLeftFor, hex(target)).set(kLeftAfter, before ? before->order + 1 : 1);
  VAULT_TRY(save(txn, kRetired, hex(had), record));
  VAULT_TRY(record_server(txn, target, server));
  return target;
}

Result<bool> stays_there(ReadTxn& txn, const core::TargetId& had, const Json& settings) {
  VAULT_TRY_ASSIGN(const auto before, load(txn, kTargets, hex(had)));
  const Json* const from = before ? before->find("settings") : nullptr;
  const Json* const to = settings.find("settings");
  return from == nullptr || to == nullptr || same_address(*from, *to);
}

}  // namespace

Result<Move> move_to(Call& call, WriteTxn& txn, const core::TargetId& had, const std::string& named,
                     const Json& settings) {
  Move move{had, {}, {}};
  std::string server = named;
  const bool is_twin = take_twin_mark(server);
  if (server.empty()) return move;  // not asked: the first connection will
  VAULT_TRY_ASSIGN(const std::string before, server_of(txn, hex(had)));
  const bool same = call.fields.boolean("same_server");
  if (before == server && !is_twin) {
    if (same) {
      VAULT_TRY(say_same_of_earlier(call, txn, move, server, settings));
      // Said of another address it has a meaning: nobody is asked at the one before.
      VAULT_TRY_ASSIGN(const bool stays, stays_there(txn, had, settings));
      if (!stays) move.warning.clear();
    }
    return move;
  }
  if (same || before.empty()) {
    VAULT_TRY(before.empty() ? record_server(txn, had, server) : say_same(call, txn, had, server));
    return move;
  }
  VAULT_TRY_ASSIGN(move.target,
                   leave(call.fields.text("name"), txn, had, server, is_twin, call.random));
  if (is_twin) {
    move.warning =
        "a server that takes changes still answers at the address from before, and both name "
        "themselves " +
        server +
        ": this one is taken for a copy of it. New leases go to it; earlier ones stay where they "
        "were made, with the settings they had. If it is one server with two addresses, write it "
        "once more with same_server=true";
    return move;
  }
  move.warning =
      "this is another server (" + server + ") than before (" + before +
      "): new leases go to it; earlier ones stay where they were made, with the settings "
      "they had (sys/leases?type=irrevocable shows what cannot be removed there). If it "
      "is the same one after an upgrade, a failover or a move, write it once more with "
      "same_server=true";
  return move;
}

Status lead_to(WriteTxn& txn, const core::TargetId& target, const Json& settings, Json config) {
  const std::string name = settings.string_at("name");
  VAULT_TRY(save(txn, kTargets, hex(target), settings));
  VAULT_TRY(txn.erase(std::string(kRetired) + hex(target)));  // when it is taken up again
  return save(txn, kConfigs, name, config.set("target", hex(target)));
}

Result<bool> moved(WriteTxn& txn, const core::TargetId& had, const std::string& server,
                   Random& random) {
  VAULT_TRY_ASSIGN(const auto settings, load(txn, kTargets, hex(had)));
  if (!settings) return false;
  const std::string name = settings->string_at("name");
  VAULT_TRY_ASSIGN(auto config, load(txn, kConfigs, name));
  if (!config || config->string_at("target") != hex(had)) return false;
  VAULT_TRY_ASSIGN(const auto before, earlier(name, txn));
  if (before.size() >= kEarlierMax) return false;
  VAULT_TRY_ASSIGN(const core::TargetId target, leave(name, txn, had, server, false, random));
  VAULT_TRY(lead_to(txn, target, *settings, std::move(*config)));
  return true;
}

}  // namespace leasehold::engine::database
