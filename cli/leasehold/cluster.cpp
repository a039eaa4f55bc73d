// operator members, version-history, plugin list, auth help: what the server says of itself.

#include <fmt/core.h>

#include "cli/leasehold/groups.h"
#include "cli/leasehold/output.h"

namespace leasehold::cli {
namespace {

std::string text_of(const Json& object, std::string_view key) {
  const Json* const value = object.find(key);
  return value == nullptr || value->is_null() ? "" : plain(*value);
}

int run_members(Session& session) {
  const auto answer = session.send({"GET", "sys/ha-status"});
  if (!is_good(answer)) return session.refused("Error reading the nodes", answer);
  const Json* nodes = answer->json.find("nodes");
  if (nodes == nullptr && answer->data() != nullptr) nodes = answer->data()->find("nodes");
  if (nodes == nullptr) return session.misused("the server names no nodes");
  std::vector<Row> rows = {
      {"Host Name", "API Address", "Cluster Address", "Active Node", "Version", "Last Echo"}};
  for (const Json& node : nodes->items())
    rows.push_back({text_of(node, "hostname"), text_of(node, "api_address"),
                    text_of(node, "cluster_address"), text_of(node, "active_node"),
                    text_of(node, "version"), text_of(node, "last_echo")});
  return show_value(session, *nodes, rows);
}

int run_version_history(Session& session) {
  const auto answer = session.send({"LIST", "sys/version-history"});
  if (!is_good(answer) || answer->data() == nullptr)
    return session.refused("Error listing versions", answer);
  const Json* const info = answer->data()->find("key_info");
  std::vector<Row> rows = {{"Version", "Installation Time", "Build Date"}};
  for (const std::string& version : answer->data()->strings_at("keys")) {
    const Json* const one = info == nullptr ? nullptr : info->find(version);
    rows.push_back({version, one == nullptr ? "" : text_of(*one, "timestamp_installed"),
                    one == nullptr ? "" : text_of(*one, "build_date")});
  }
  return show_value(session, *answer->data(), rows);
}

int run_plugin_list(Session& session) {
  const std::string type = session.args().positional(0);
  if (!type.empty() && type != "auth" && type != "database" && type != "secret")
    return session.misused("the type of a plugin is auth, database or secret");
  const auto answer = session.send({"GET", "sys/plugins/catalog"});
  if (!is_good(answer) || answer->data() == nullptr)
    return session.refused("Error listing available plugins", answer);
  std::vector<Row> rows = {{"Name", "Type", "Version"}};
  for (const std::string_view kind : {"auth", "database", "secret"}) {
    if (!type.empty() && type != kind) continue;
    for (const std::string& name : answer->data()->strings_at(kind)) {
      std::string version = "n/a";
      const Json* const detailed = answer->data()->find("detailed");
      if (detailed != nullptr)
        for (const Json& one : detailed->items())
          if (one.string_at("name") == name && one.string_at("type") == kind)
            version = one.string_at("version");
      rows.push_back({name, std::string(kind), version});
    }
  }
  return show_value(session, *answer->data(), rows);
}

int run_auth_help(Session& session) {
  const std::string path = "auth/" + plain_path(session.args().positional(0)) + "/";
  const auto answer = session.send({"GET", path, {}, {{"help", "1"}}});
  if (!is_good(answer)) return session.refused("Error retrieving help", answer);
  if (session.format() != Format::table) return show(session, *answer);
  session.line(answer->json.string_at("help"));
  return kSuccess;
}

constexpr Command kCommands[] = {
    {"operator members",
     "List the nodes of the server",
     "[flags]",
     "Lists the nodes; of Leasehold there is one.\n\n  $ leasehold operator members",
     {},
     0,
     0,
     run_members},
    {"version-history",
     "List the versions that ran on this storage",
     "[flags]",
     "Lists the versions of the server that ran on its storage, and since when.\n\n"
     "  $ leasehold version-history",
     {},
     0,
     0,
     run_version_history},
    {"plugin list",
     "List what the server can mount",
     "[flags] [TYPE]",
     "Lists auth methods, databases and secrets engines, or one of these (auth, database, "
     "secret).\n\n"
     "  $ leasehold plugin list\n"
     "  $ leasehold plugin list database",
     {},
     0,
     1,
     run_plugin_list},
    {"auth help",
     "Explain an auth method",
     "[flags] PATH",
     "Shows what the auth method that is mounted at PATH says about itself.\n\n"
     "  $ leasehold auth help userpass",
     {},
     1,
     1,
     run_auth_help},
};

}  // namespace

std::span<const Command> cluster_commands() { return kCommands; }

}  // namespace leasehold::cli
