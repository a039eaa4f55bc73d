// audit list.

#include "cli/leasehold/groups.h"
#include "cli/leasehold/output.h"

namespace leasehold::cli {
namespace {

int run_list(Session& session) {
  const auto answer = session.send({"GET", "sys/audit"});
  if (!is_good(answer)) return session.refused("Error listing audits", answer);
  if (answer->data() == nullptr || answer->data()->size() == 0) {
    session.note("No audit devices are enabled.");
    return kRemoteError;
  }
  const bool detailed = session.args().is_on("detailed");
  std::vector<Row> rows = {{"Path", "Type", "Description"}};
  if (detailed) rows[0].push_back("Options");
  for (const auto& member : answer->data()->members()) {
    Row row = {member.first, member.second.string_at("type"),
               member.second.string_at("description")};
    const Json* options = member.second.find("options");
    if (detailed) row.push_back(options == nullptr ? "" : plain(*options));
    rows.push_back(std::move(row));
  }
  return show_value(session, *answer->data(), rows);
}

constexpr Command kCommands[] = {
    {"audit list",
     "List the audit devices",
     "[flags]",
     "Lists where the audit log goes.\n\n  $ leasehold audit list -detailed",
     {},
     0,
     0,
     run_list},
};

}  // namespace

std::span<const Command> audit_commands() { return kCommands; }

}  // namespace leasehold::cli
