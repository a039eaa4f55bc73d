// auth list, enable, disable, move, tune.

#include "cli/leasehold/groups.h"
#include "cli/leasehold/mounts.h"

namespace leasehold::cli {
namespace {

constexpr MountKind kAuth = {"sys/auth", "auth method", "auth methods"};

int run_list(Session& session) { return list_mounts(session, kAuth); }
int run_enable(Session& session) { return enable_mount(session, kAuth); }
int run_disable(Session& session) { return disable_mount(session, kAuth); }
int run_move(Session& session) { return move_mount(session, kAuth); }
int run_tune(Session& session) { return tune_mount(session, kAuth); }

constexpr Command kCommands[] = {
    {"auth list",
     "List the auth methods",
     "[flags]",
     "Lists the ways to log in.\n\n  $ leasehold auth list",
     {},
     0,
     0,
     run_list},
    {"auth enable", "Enable an auth method", "[flags] TYPE",
     "Enables a way to log in. Leasehold itself has tokens only so far; other servers have "
     "more.\n\n"
     "  $ leasehold auth enable approle",
     kEnableFlags, 1, 1, run_enable},
    {"auth disable",
     "Disable an auth method and end its tokens",
     "[flags] PATH",
     "Ends all tokens that the method gave, then deletes its data.\n\n"
     "  $ leasehold auth disable approle/",
     {},
     1,
     1,
     run_disable},
    {"auth move",
     "Move an auth method (not served by Leasehold yet)",
     "[flags] FROM TO",
     "Mounts what is at FROM at TO instead. Not served by Leasehold yet, but by other servers.\n\n"
     "  $ leasehold auth move approle/ apps/",
     {},
     2,
     2,
     run_move},
    {"auth tune", "Change the settings of an auth method", "[flags] PATH",
     "Changes what is given, leaves the rest.\n\n"
     "  $ leasehold auth tune -default-lease-ttl=1h approle/",
     kEnableFlags, 1, 1, run_tune},
};

}  // namespace

std::span<const Command> auth_commands() { return kCommands; }

}  // namespace leasehold::cli
