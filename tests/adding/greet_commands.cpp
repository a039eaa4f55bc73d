#include "cli/leasehold/session.h"
#include "tests/adding/added.h"

namespace leasehold::cli {
namespace {

int run_greet(Session& session) {
  return session.succeed("Hello, " + session.args().positional(0));
}

constexpr Command kCommands[] = {
    {"greet person",
     "Greet somebody",
     "NAME",
     "Greets.\n\n  $ leasehold greet person Ann",
     {},
     1,
     1,
     run_greet},
};

}  // namespace

std::span<const Command> greet_commands() { return kCommands; }

}  // namespace leasehold::cli
