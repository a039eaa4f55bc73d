// kv get, put, list, delete, for both versions of the engine: the server says which one a mount is.

#include <fmt/format.h>

#include <algorithm>

#include "cli/leasehold/groups.h"
#include "cli/leasehold/input.h"
#include "cli/leasehold/output.h"

namespace leasehold::cli {
namespace {

constexpr Flag kMount = {"mount", "", Takes::value, "PATH",
                         "Where the engine is; the argument is then the name inside it"};
constexpr Flag kGetFlags[] = {
    kMount,
    {"version", "", Takes::value, "N", "An older version (default: the latest)"},
};
constexpr Flag kPutFlags[] = {
    kMount,
    {"cas", "", Takes::value, "N", "Write only if the current version is N (0: only if new)"},
};
constexpr Flag kDeleteFlags[] = {
    kMount,
    {"versions", "", Takes::values, "N,...", "Versions to delete (default: the latest)"},
};
constexpr Flag kListFlags[] = {kMount};

struct Place {
  std::string mount;  // "secret"
  std::string name;   // "app/db"
  bool is_versioned = false;

  std::string path(std::string_view part) const {
    std::string path = mount;
    if (is_versioned) path += fmt::format("/{}", part);
    return name.empty() ? path : path + "/" + name;
  }
};

struct Located {
  Place place;
  int code = -1;  // of a failure, already explained
};

// Asks the server which mount holds the path and of which version it is.
Located locate(Session& session) {
  const std::string given = trim_slashes(session.args().positional(0));
  const std::string mount = trim_slashes(session.args().text("mount"));
  const std::string path = mount.empty() ? given : mount + (given.empty() ? "" : "/" + given);
  const auto answer = session.send({"GET", "sys/internal/ui/mounts/" + path});
  Place place;
  if (answer.ok() && answer->status == 404) {  // a server that does not say: version 1
    const auto slash = path.find('/');
    place.mount = mount.empty() ? path.substr(0, slash) : mount;
    place.name = mount.empty() && slash != std::string::npos ? path.substr(slash + 1) : given;
    return {place};
  }
  if (!is_good(answer) || answer->data() == nullptr)
    return {place, session.refused(fmt::format("Error making API request for {}", path), answer)};
  place.mount = trim_slashes(answer->data()->string_at("path"));
  place.name = path.size() > place.mount.size() ? path.substr(place.mount.size() + 1) : "";
  const Json* options = answer->data()->find("options");
  const Json* version = options == nullptr ? nullptr : options->find("version");
  place.is_versioned = version != nullptr && plain(*version) == "2";
  return {place};
}

std::string ruled(std::string_view title, std::size_t width) {
  std::size_t signs = width > title.size() + 2 + 4 ? width - title.size() - 2 : 4;
  signs += signs % 2;
  const std::string half(signs / 2, '=');
  return fmt::format("{} {} {}\n", half, title, half);
}

// A titled table of one object, as `kv get` prints metadata and data.
std::string section(std::string_view title, const Json& object) {
  std::vector<Row> rows = {{"Key", "Value"}};
  std::size_t widest = 0;
  for (const auto& member : object.members()) {
    rows.push_back({member.first, plain(member.second)});
    widest = std::max(widest, member.first.size());
  }
  return ruled(title, widest + 4 + 5) + table(rows);
}

int show_versioned(const Session& session, const Place& place, const Answer& answer) {
  const Json* outer = answer.data();
  const Json* data = outer == nullptr ? nullptr : outer->find("data");
  const Json* metadata = outer == nullptr ? nullptr : outer->find("metadata");
  if (session.args().has("field")) {
    Json envelope = Json::object();
    if (data != nullptr) envelope.set("data", *data);
    return show_field(session, envelope, session.args().text("field"));
  }
  if (session.format() != Format::table) return show(session, answer);
  show_warnings(session, answer.json);
  const std::string path = place.path("data");
  session.print(ruled("Secret Path", path.size()) + path + "\n");
  if (metadata != nullptr && metadata->is_object())
    session.print("\n" + section("Metadata", *metadata));
  if (data != nullptr && data->is_object()) session.print("\n" + section("Data", *data));
  return kSuccess;
}

int show_unversioned(const Session& session, const Answer& answer) {
  if (session.args().has("field") || session.format() != Format::table || answer.data() == nullptr)
    return show(session, answer);
  session.print(section("Data", *answer.data()));
  return kSuccess;
}

int run_get(Session& session) {
  const Located located = locate(session);
  if (located.code >= 0) return located.code;
  const Place& place = located.place;
  const std::string path = place.path("data");
  client::Fields query;
  if (session.args().has("version")) {
    if (!place.is_versioned) return session.misused("-version needs a kv engine of version 2");
    query.emplace_back("version", session.args().text("version"));
  }
  const auto answer = session.send({"GET", path, {}, std::move(query)});
  if (answer.ok() && answer->is_absent()) {
    session.note(fmt::format("No value found at {}", path));
    return kRemoteError;
  }
  if (!answer.ok() || !answer->has_value())
    return session.refused(fmt::format("Error reading {}", path), answer);
  const int code = place.is_versioned ? show_versioned(session, place, *answer)
                                      : show_unversioned(session, *answer);
  return code == kSuccess && !answer->ok() ? kRemoteError : code;
}

Result<Json> put_body(const Session& session, const Place& place) {
  VAULT_TRY_ASSIGN(Json data, parse_data(session.args().positionals(), 1));
  VAULT_TRY_ASSIGN(const std::int64_t cas, session.args().number("cas", -1));
  if (!place.is_versioned) return data;
  Json body = Json::object();
  body.set("data", std::move(data));
  Json options = Json::object();
  if (cas >= 0) options.set("cas", cas);
  body.set("options", std::move(options));
  return body;
}

int run_put(Session& session) {
  const Located located = locate(session);
  if (located.code >= 0) return located.code;
  const Place& place = located.place;
  auto body = put_body(session, place);
  if (!body.ok()) return session.misused(body.error().message);
  const std::string path = place.path("data");
  const auto answer = session.send({"PUT", path, std::move(body).value()});
  if (!is_good(answer))
    return session.refused(fmt::format("Error writing data to {}", path), answer);
  if (!answer->has_value()) return session.succeed(fmt::format("Data written to: {}", path));
  if (session.format() != Format::table || session.args().has("field") || answer->data() == nullptr)
    return show(session, *answer);
  session.print(ruled("Secret Path", path.size()) + path + "\n\n" +
                section("Metadata", *answer->data()));
  return kSuccess;
}

int run_list(Session& session) {
  const Located located = locate(session);
  if (located.code >= 0) return located.code;
  const std::string path = located.place.path("metadata");
  const auto answer = session.send({"LIST", path});
  const Json* keys =
      answer.ok() && answer->data() != nullptr ? answer->data()->find("keys") : nullptr;
  if (keys != nullptr && keys->size() > 0) return show_keys(session, *keys);
  if (!is_good(answer) && !(answer.ok() && answer->is_absent()))
    return session.refused(fmt::format("Error listing {}", path), answer);
  if (session.format() == Format::table) {
    session.note(fmt::format("No value found at {}", path));
  } else {
    session.line("{}");
  }
  return kRemoteError;
}

Result<Json> versions_body(const std::vector<std::string>& given) {
  Json versions = Json::array();
  for (const std::string& list : given) {
    std::string_view rest = list;
    while (!rest.empty()) {
      const auto comma = std::min(rest.find(','), rest.size());
      const std::string one(rest.substr(0, comma));
      if (one.empty() || one.find_first_not_of("0123456789") != std::string::npos)
        return failure(Code::invalid, "-versions needs numbers, for example -versions=1,2");
      versions.push(one);
      rest.remove_prefix(std::min(comma + 1, rest.size()));
    }
  }
  Json body = Json::object();
  body.set("versions", std::move(versions));
  return body;
}

int change_versions(Session& session, const char* part, bool latest_when_none) {
  const Located located = locate(session);
  if (located.code >= 0) return located.code;
  const Place& place = located.place;
  const bool has_versions = session.args().has("versions");
  if (has_versions && !place.is_versioned)
    return session.misused("-versions needs a kv engine of version 2");
  Call call{"DELETE", place.path("data")};
  if (has_versions || !latest_when_none) {
    auto body = versions_body(session.args().texts("versions"));
    if (!body.ok()) return session.misused(body.error().message);
    call = {"PUT", place.path(part), std::move(body).value()};
  }
  const std::string path = call.path;
  const auto answer = session.send(std::move(call));
  if (!is_good(answer)) return session.refused(fmt::format("Error deleting {}", path), answer);
  if (std::string_view(part) != "delete")
    return session.succeed(fmt::format("Data written to: {}", path));
  return session.succeed(fmt::format("Data deleted (if it existed) at: {}", place.path("data")));
}

int run_delete(Session& session) { return change_versions(session, "delete", true); }
int run_undelete(Session& session) { return change_versions(session, "undelete", false); }
int run_destroy(Session& session) { return change_versions(session, "destroy", false); }

int run_metadata_get(Session& session) {
  const Located located = locate(session);
  if (located.code >= 0) return located.code;
  if (!located.place.is_versioned)
    return session.misused("metadata needs a kv engine of version 2");
  const std::string path = located.place.path("metadata");
  const auto answer = session.send({"GET", path});
  if (answer.ok() && answer->is_absent()) {
    session.note(fmt::format("No value found at {}", path));
    return kRemoteError;
  }
  if (!is_good(answer)) return session.refused(fmt::format("Error reading {}", path), answer);
  return show(session, *answer);
}

int run_metadata_delete(Session& session) {
  const Located located = locate(session);
  if (located.code >= 0) return located.code;
  if (!located.place.is_versioned)
    return session.misused("metadata needs a kv engine of version 2");
  const std::string path = located.place.path("metadata");
  const auto answer = session.send({"DELETE", path});
  if (!is_good(answer)) return session.refused(fmt::format("Error deleting {}", path), answer);
  return session.succeed(fmt::format("Data deleted (if it existed) at: {}", path));
}

constexpr Command kCommands[] = {
    {"kv get", "Read a secret", "[flags] PATH",
     "Reads a secret.\n\n"
     "  $ leasehold kv get secret/app\n"
     "  $ leasehold kv get -mount=secret -field=password app",
     kGetFlags, 1, 1, run_get},
    {"kv put", "Write a secret", "[flags] PATH [K=V...]",
     "Writes a secret, or its next version. Values as in `leasehold write`.\n\n"
     "  $ leasehold kv put secret/app password=@password.txt\n"
     "  $ leasehold kv put -cas=0 secret/new key=value",
     kPutFlags, 2, kAnyNumber, run_put},
    {"kv list", "List secrets", "[flags] PATH",
     "Lists the names below PATH.\n\n  $ leasehold kv list secret/", kListFlags, 0, 1, run_list},
    {"kv delete", "Delete a secret", "[flags] PATH",
     "Deletes a secret, or versions of it, which `kv undelete` brings back.\n\n"
     "  $ leasehold kv delete secret/app\n"
     "  $ leasehold kv delete -versions=1,2 secret/app",
     kDeleteFlags, 1, 1, run_delete},
    {"kv undelete", "Bring deleted versions back", "[flags] PATH",
     "Undoes `kv delete`.\n\n  $ leasehold kv undelete -versions=2 secret/app", kDeleteFlags, 1, 1,
     run_undelete},
    {"kv destroy", "Destroy versions for good", "[flags] PATH",
     "Removes the data of versions; nothing brings it back.\n\n"
     "  $ leasehold kv destroy -versions=2 secret/app",
     kDeleteFlags, 1, 1, run_destroy},
    {"kv metadata get", "Show the versions of a secret", "[flags] PATH",
     "Shows when each version was written and what became of it.\n\n"
     "  $ leasehold kv metadata get secret/app",
     kListFlags, 1, 1, run_metadata_get},
    {"kv metadata delete", "Delete a secret with all its versions", "[flags] PATH",
     "Removes a secret, its versions and its metadata.\n\n"
     "  $ leasehold kv metadata delete secret/app",
     kListFlags, 1, 1, run_metadata_delete},
};

}  // namespace

std::span<const Command> kv_commands() { return kCommands; }

}  // namespace leasehold::cli
