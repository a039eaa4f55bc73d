#pragma once
// What docs/adding.md adds: one file and one row of each kind. The files stand beside this one; the
// rows are here, in the form that they have in backends/catalog.h and cli/leasehold/groups.h.

#include "backends/keyhost/seal_row.h"
#include "cli/leasehold/command.h"
#include "tests/support/fake_target.h"
#include "vault/core/contract/engine.h"

namespace leasehold::engine {
core::MakeEngine make_notes, make_database;
}
namespace leasehold::auth {
core::MakeEngine make_pin;
}
namespace leasehold::ledger {
std::span<const target::Setting> known_settings();
Json shown_settings(const Json& settings, std::vector<std::string>& warnings);
Result<std::unique_ptr<target::Target>> make_target(const Json& settings, Clock& clock,
                                                    Random& random);
std::shared_ptr<testing::AccountServer> server();
}  // namespace leasehold::ledger
namespace leasehold::keyhost {
MakeSeal make_paper_seal;
}
namespace leasehold::cli {
Commands greet_commands;
}

namespace leasehold::added {

inline constexpr core::EngineRow kEngines[] = {
    {"notes", 0, engine::make_notes, "Notes"},
    {"database", 0, engine::make_database, "Short-lived database accounts"},
};
inline constexpr core::EngineRow kAuths[] = {
    {"pin", 0, auth::make_pin, "People log in with a number"},
};
inline constexpr target::TargetRow kTargets[] = {
    {"ledger-database-plugin", ledger::known_settings, ledger::shown_settings, ledger::make_target},
};
inline constexpr keyhost::SealRow kSeals[] = {
    {"paper", keyhost::make_paper_seal},
};
inline constexpr cli::GroupRow kGroups[] = {
    {cli::greet_commands, "greet", "Greet people"},
};

}  // namespace leasehold::added
