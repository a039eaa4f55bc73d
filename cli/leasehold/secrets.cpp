// secrets list, enable, disable, move, tune.

#include "cli/leasehold/groups.h"
#include "cli/leasehold/mounts.h"

namespace leasehold::cli {
namespace {

constexpr MountKind kSecrets = {"sys/mounts", "secrets engine", "secrets engines"};

int run_list(Session& session) { return list_mounts(session, kSecrets); }
int run_enable(Session& session) { return enable_mount(session, kSecrets); }
int run_disable(Session& session) { return disable_mount(session, kSecrets); }
int run_move(Session& session) { return move_mount(session, kSecrets); }
int run_tune(Session& session) { return tune_mount(session, kSecrets); }

constexpr Command kCommands[] = {
    {"secrets list",
     "List the secrets engines",
     "[flags]",
     "Lists what is mounted where; -detailed shows lifetimes and options.\n\n"
     "  $ leasehold secrets list -detailed",
     {},
     0,
     0,
     run_list},
    {"secrets enable", "Mount a secrets engine", "[flags] TYPE",
     "Mounts an engine.\n\n"
     "  $ leasehold secrets enable database\n"
     "  $ leasehold secrets enable -path=secret -version=2 kv",
     kEnableFlags, 1, 1, run_enable},
    {"secrets disable",
     "Unmount a secrets engine and delete its data",
     "[flags] PATH",
     "Revokes all leases of the engine, then deletes its data.\n\n"
     "  $ leasehold secrets disable database/",
     {},
     1,
     1,
     run_disable},
    {"secrets move",
     "Move a secrets engine (not served by Leasehold yet)",
     "[flags] FROM TO",
     "Mounts what is at FROM at TO instead. Not served by Leasehold yet, but by other servers.\n\n"
     "  $ leasehold secrets move secret/ generic/",
     {},
     2,
     2,
     run_move},
    {"secrets tune", "Change the settings of a mount", "[flags] PATH",
     "Changes what is given, leaves the rest.\n\n"
     "  $ leasehold secrets tune -max-lease-ttl=24h database/",
     kEnableFlags, 1, 1, run_tune},
};

}  // namespace

std::span<const Command> secrets_commands() { return kCommands; }

}  // namespace leasehold::cli
