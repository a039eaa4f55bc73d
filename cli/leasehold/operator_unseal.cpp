// operator unseal, operator seal, operator step-down, operator rotate, operator key-status.

#include <fmt/core.h>

#include "cli/leasehold/ceremony.h"
#include "cli/leasehold/groups.h"
#include "cli/leasehold/output.h"
#include "cli/leasehold/status.h"

namespace leasehold::cli {
namespace {

constexpr Flag kUnsealFlags[] = {
    {"reset", "", Takes::nothing, "", "Forget the keys given so far"},
    {"migrate", "", Takes::nothing, "", "Not needed here: seals are added as slots"},
};

int run_unseal(Session& session) {
  Call call{"PUT", "sys/unseal", Json::object()};
  if (session.args().is_on("reset")) {
    call.body->set("reset", true);
  } else {
    const Status added = add_key(session, "Unseal Key", call);
    if (!added.ok()) return session.misused(added.error().message);
  }
  if (session.args().is_on("migrate")) call.body->set("migrate", true);
  const auto answer = session.send(std::move(call));
  if (!is_good(answer)) return session.refused("Error unsealing", answer);
  return show_seal_status(session, answer->json);
}

int run_seal(Session& session) {
  const auto answer = session.send({"PUT", "sys/seal"});
  if (!is_good(answer)) return session.refused("Error sealing", answer);
  return session.succeed("Vault is sealed.");
}

int run_step_down(Session& session) {
  const auto answer = session.send({"PUT", "sys/step-down"});
  if (!is_good(answer)) return session.refused("Error stepping down", answer);
  return session.succeed(fmt::format("Asked to step down: {}", session.settings().address));
}

int show_key_status(Session& session, bool rotated) {
  const auto answer = session.send({"GET", "sys/key-status"});
  if (!is_good(answer)) return session.refused("Error reading key status", answer);
  if (session.format() != Format::table) return show(session, *answer);
  if (rotated) session.line("Success! Rotated key\n");
  const Json empty = Json::object();
  const Json& data = answer->data() == nullptr ? empty : *answer->data();
  print_table(session, {{"Key", "Value"},
                        {"Key Term", std::to_string(data.integer_at("term"))},
                        {"Install Time", data.string_at("install_time")},
                        {"Encryption Count", std::to_string(data.integer_at("encryptions"))}});
  return kSuccess;
}

int run_key_status(Session& session) { return show_key_status(session, false); }

int run_rotate(Session& session) {
  const auto answer = session.send({"PUT", "sys/rotate"});
  if (!is_good(answer)) return session.refused("Error rotating key", answer);
  return show_key_status(session, true);
}

constexpr Command kCommands[] = {
    {"operator unseal", "Give one key of the vault", "[flags] [KEY]",
     "Gives one unseal key; once the threshold is met the vault opens. Without KEY it asks, and "
     "what\n"
     "is typed is not shown: a key on the command line stays in the shell's history.\n\n"
     "  $ leasehold operator unseal\n"
     "  $ leasehold operator unseal -reset",
     kUnsealFlags, 0, 1, run_unseal},
    {"operator seal",
     "Close the vault",
     "[flags]",
     "Drops the keys from memory. Nothing can be read until it is unsealed; leases still end, as "
     "soon\n"
     "as it opens again. A seal device opens it at the next restart of the server, without "
     "shares.\n"
     "\n  $ leasehold operator seal",
     {},
     0,
     0,
     run_seal},
    {"operator step-down",
     "Ask the active node to hand over to a standby",
     "[flags]",
     "Asks the active node to give up its role. Leasehold has no standbys yet: its one node warns "
     "of\n"
     "that and stays active.\n\n"
     "  $ leasehold operator step-down",
     {},
     0,
     0,
     run_step_down},
    {"operator rotate",
     "Add a new data key",
     "[flags]",
     "New writes use a new key; older data is sealed again under it in the background.\n\n"
     "  $ leasehold operator rotate",
     {},
     0,
     0,
     run_rotate},
    {"operator key-status",
     "Show the term of the data key",
     "[flags]",
     "Shows which data key is in use since when.\n\n"
     "  $ leasehold operator key-status",
     {},
     0,
     0,
     run_key_status},
};

}  // namespace

std::span<const Command> operator_unseal_commands() { return kCommands; }

}  // namespace leasehold::cli
