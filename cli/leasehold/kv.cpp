// kv get, list, delete, undelete, destroy, for both versions of the engine: the server says which
// one a mount is.

#include <fmt/core.h>

#include <algorithm>

#include "cli/leasehold/groups.h"
#include "cli/leasehold/kv_place.h"

namespace leasehold::cli {
namespace {

constexpr Flag kGetFlags[] = {
    kKvMount,
    {"version", "", Takes::value, "N", "An older version (default: the latest)"},
};
constexpr Flag kDeleteFlags[] = {
    kKvMount,
    {"versions", "", Takes::values, "N,...", "Versions to delete (default: the latest)"},
};
constexpr Flag kVersionsFlags[] = {
    kKvMount,
    {"versions", "", Takes::values, "N,...", "Which versions"},
};
constexpr Flag kListFlags[] = {kKvMount};

int show_versioned(const Session& session, const KvPath& place, const Answer& answer) {
  const Json* outer = answer.data();
  const Json* data = outer == nullptr ? nullptr : outer->find("data");
  const Json* metadata = outer == nullptr ? nullptr : outer->find("metadata");
  if (session.args().has("field")) {
    if (data == nullptr || data->is_null()) {
      session.note(fmt::format("No data found at {}", place.path("data")));
      return kRemoteError;
    }
    Json envelope = Json::object();
    envelope.set("data", *data);
    return show_field(session, envelope, session.args().text("field"));
  }
  if (session.format() != Format::table) return show(session, answer);
  show_warnings(session, answer.json);
  const std::string path = place.path("data");
  session.print(path_header("Secret Path", path));
  if (metadata != nullptr && metadata->is_object()) {
    session.print("\n");
    print_section(session, "Metadata", *metadata);
  }
  if (data != nullptr && data->is_object()) {
    session.print("\n");
    print_section(session, "Data", *data);
  }
  return kSuccess;
}

int show_unversioned(const Session& session, const Answer& answer) {
  if (session.args().has("field") || session.format() != Format::table || answer.data() == nullptr)
    return show(session, answer);
  print_section(session, "Data", *answer.data());
  return kSuccess;
}

int run_get(Session& session) {
  if (const auto version = session.args().number("version", 0); !version.ok())
    return session.misused(version.error().message);
  const Located located = locate(session);
  if (located.code >= 0) return located.code;
  const KvPath& place = located.place;
  const std::string path = place.path("data");
  client::Fields query;
  if (session.args().has("version")) {
    if (!place.is_versioned) return session.misused("-version needs a kv engine of version 2");
    query.emplace_back("version", session.args().text("version"));
  }
  const auto answer = session.send({"GET", path, {}, std::move(query)});
  if (answer.ok() && answer->is_absent()) return no_value(session, path);
  if (!answer.ok() || !answer->has_value())
    return session.refused(fmt::format("Error reading {}", path), answer);
  // A wrapped answer has no data to lay out; a deleted version has its metadata, which is an
  // answer.
  if (place.is_versioned && answer->data() != nullptr)
    return show_versioned(session, place, *answer);
  return show_unversioned(session, *answer);
}

int list_by(Session& session, const char* method) {
  const Located located = locate(session);
  if (located.code >= 0) return located.code;
  const std::string path = located.place.path("metadata");
  const auto answer = session.send({method, path});
  const Json* keys =
      answer.ok() && answer->data() != nullptr ? answer->data()->find("keys") : nullptr;
  if (keys != nullptr && keys->size() > 0) return show_keys(session, *keys);
  if (!is_good(answer) && !(answer.ok() && answer->is_absent()))
    return session.refused(fmt::format("Error listing {}", path), answer);
  if (session.format() == Format::table) return no_value(session, path);
  session.line("{}");
  return kRemoteError;
}

int run_list(Session& session) { return list_by(session, "LIST"); }
int run_scan(Session& session) { return list_by(session, "SCAN"); }

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

int run_delete(Session& session) {
  const bool has_versions = session.args().has("versions");
  const Located located = has_versions ? locate_versioned(session, "-versions") : locate(session);
  if (located.code >= 0) return located.code;
  const std::string path = located.place.path("data");
  Call call{"DELETE", path};
  if (has_versions) {
    auto body = versions_body(session.args().texts("versions"));
    if (!body.ok()) return session.misused(body.error().message);
    call = {"PUT", located.place.path("delete"), std::move(body).value()};
  }
  const auto answer = session.send(std::move(call));
  if (!is_good(answer)) return session.refused(fmt::format("Error deleting {}", path), answer);
  return session.did(*answer, fmt::format("Data deleted (if it existed) at: {}", path));
}

int change_versions(Session& session, const char* part) {
  if (!session.args().has("versions"))
    return session.misused(fmt::format("-versions says which versions to {}", part));
  auto body = versions_body(session.args().texts("versions"));
  if (!body.ok()) return session.misused(body.error().message);
  const Located located = locate_versioned(session, part);
  if (located.code >= 0) return located.code;
  const std::string path = located.place.path(part);
  const auto answer = session.send({"PUT", path, std::move(body).value()});
  if (!is_good(answer))
    return session.refused(fmt::format("Error writing data to {}", path), answer);
  return session.did(*answer, fmt::format("Data written to: {}", path));
}

int run_undelete(Session& session) { return change_versions(session, "undelete"); }
int run_destroy(Session& session) { return change_versions(session, "destroy"); }

int run_enable_versioning(Session& session) {
  const std::string path = plain_path(session.args().positional(0));
  Json options = Json::object(), body = Json::object();
  body.set("options", std::move(options.set("version", "2")));
  const auto answer =
      session.send({"POST", fmt::format("sys/mounts/{}/tune", path), std::move(body)});
  if (!is_good(answer))
    return session.refused(fmt::format("Error tuning secrets engine {}/", path), answer);
  show_warnings(session, answer->json);
  return session.succeed(fmt::format("Tuned the secrets engine at: {}/", path));
}

constexpr Command kCommands[] = {
    {"kv get", "Read a secret", "[flags] PATH",
     "Reads a secret.\n\n"
     "  $ leasehold kv get secret/app\n"
     "  $ leasehold kv get -mount=secret -field=password app",
     kGetFlags, 1, 1, run_get},
    {"kv list", "List secrets", "[flags] PATH",
     "Lists the names below PATH.\n\n  $ leasehold kv list secret/", kListFlags, 0, 1, run_list},
    {"kv scan", "List all secrets below a path", "[flags] PATH",
     "Lists the names below PATH and below its folders, as paths.\n\n  $ leasehold kv scan secret/",
     kListFlags, 0, 1, run_scan},
    {"kv delete", "Delete a secret", "[flags] PATH",
     "Deletes a secret, or versions of it, which `kv undelete` brings back.\n\n"
     "  $ leasehold kv delete secret/app\n"
     "  $ leasehold kv delete -versions=1,2 secret/app",
     kDeleteFlags, 1, 1, run_delete},
    {"kv undelete", "Bring deleted versions back", "[flags] PATH",
     "Undoes `kv delete`.\n\n  $ leasehold kv undelete -versions=2 secret/app", kVersionsFlags, 1,
     1, run_undelete},
    {"kv destroy", "Destroy versions for good", "[flags] PATH",
     "Removes the data of versions; nothing brings it back.\n\n"
     "  $ leasehold kv destroy -versions=2 secret/app",
     kVersionsFlags, 1, 1, run_destroy},
    {"kv enable-versioning",
     "Upgrade a mount to version 2",
     "[flags] PATH",
     "Upgrades a kv mount of version 1 in place: each secret is the first version of itself.\n\n"
     "  $ leasehold kv enable-versioning secret/",
     {},
     1,
     1,
     run_enable_versioning},
};

}  // namespace

std::span<const Command> kv_commands() { return kCommands; }

}  // namespace leasehold::cli
