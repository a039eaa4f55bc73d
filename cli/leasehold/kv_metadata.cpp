// kv metadata get, put, patch, delete: what is known of a secret besides its values.

#include <fmt/core.h>

#include <algorithm>

#include "cli/leasehold/groups.h"
#include "cli/leasehold/kv_place.h"

namespace leasehold::cli {
namespace {

constexpr Flag kPlaceFlags[] = {kKvMount};
constexpr Flag kCasRequired = {"cas-required", "", Takes::nothing, "", "Every write must say -cas"};
constexpr Flag kMaxVersions = {"max-versions", "", Takes::value, "N",
                               "How many versions to keep (0: as the mount says)"};
constexpr Flag kDeleteAfter = {"delete-version-after", "", Takes::value, "DURATION",
                               "When a version ends (0s: as the mount says)"};
constexpr Flag kCustom = {"custom-metadata", "", Takes::values, "K=V",
                          "A pair to keep with the secret; may be repeated"};
constexpr Flag kPutFlags[] = {kKvMount, kCasRequired, kMaxVersions, kDeleteAfter, kCustom};
constexpr Flag kPatchFlags[] = {
    kKvMount,
    kCasRequired,
    kMaxVersions,
    kDeleteAfter,
    kCustom,
    {"remove-custom-metadata", "", Takes::values, "K", "A pair to take away; may be repeated"},
};

// The versions stand below, one table each.
void print_metadata(const Session& session, const std::string& path, Json data) {
  Json versions = data.find("versions") == nullptr ? Json::object() : *data.find("versions");
  data.erase("versions");
  session.print(path_header("Metadata Path", path) + "\n");
  print_section(session, "Metadata", data);
  auto rows = versions.members();
  std::sort(rows.begin(), rows.end(), [](const Json::Member& a, const Json::Member& b) {
    return a.first.size() != b.first.size() ? a.first.size() < b.first.size() : a.first < b.first;
  });
  for (const auto& row : rows) {
    session.print("\n");
    print_section(session, "Version " + row.first, row.second);
  }
}

int run_get(Session& session) {
  const Located located = locate_versioned(session, "metadata");
  if (located.code >= 0) return located.code;
  const std::string path = located.place.path("metadata");
  const auto answer = session.send({"GET", path});
  if (answer.ok() && answer->is_absent()) return no_value(session, path);
  if (!is_good(answer)) return session.refused(fmt::format("Error reading {}", path), answer);
  if (session.format() != Format::table || session.args().has("field") || answer->data() == nullptr)
    return show(session, *answer);
  show_warnings(session, answer->json);
  print_metadata(session, path, *answer->data());
  return kSuccess;
}

Result<Json> settings_of(const Arguments& args) {
  Json body = Json::object();
  if (args.has("cas-required")) body.set("cas_required", args.is_on("cas-required"));
  if (args.has("max-versions")) {
    VAULT_TRY_ASSIGN(const std::int64_t most, args.number("max-versions", 0));
    body.set("max_versions", most);
  }
  if (args.has("delete-version-after"))
    body.set("delete_version_after", args.text("delete-version-after"));
  Json custom = Json::object();
  for (const std::string& pair : args.texts("custom-metadata")) {
    const auto equals = pair.find('=');
    if (equals == std::string::npos || equals == 0)
      return failure(Code::invalid, "-custom-metadata needs K=V");
    custom.set(pair.substr(0, equals), pair.substr(equals + 1));
  }
  for (const std::string& key : args.texts("remove-custom-metadata")) custom.set(key, Json());
  if (custom.size() > 0) body.set("custom_metadata", std::move(custom));
  return body;
}

int write(Session& session, const char* method) {
  auto body = settings_of(session.args());
  if (!body.ok()) return session.misused(body.error().message);
  const Located located = locate_versioned(session, "metadata");
  if (located.code >= 0) return located.code;
  const std::string path = located.place.path("metadata");
  const auto answer = session.send({method, path, std::move(body).value()});
  if (answer.ok() && answer->status == 404) return no_value(session, path);
  if (!is_good(answer))
    return session.refused(fmt::format("Error writing data to {}", path), answer);
  if (answer->has_value()) show_warnings(session, answer->json);
  return session.succeed(fmt::format("Data written to: {}", path));
}

int run_put(Session& session) { return write(session, "PUT"); }
int run_patch(Session& session) { return write(session, "PATCH"); }

int run_delete(Session& session) {
  const Located located = locate_versioned(session, "metadata");
  if (located.code >= 0) return located.code;
  const std::string path = located.place.path("metadata");
  const auto answer = session.send({"DELETE", path});
  if (!is_good(answer)) return session.refused(fmt::format("Error deleting {}", path), answer);
  return session.succeed(fmt::format("Data deleted (if it existed) at: {}", path));
}

constexpr Command kCommands[] = {
    {"kv metadata get", "Show the versions of a secret", "[flags] PATH",
     "Shows when each version was written and what became of it.\n\n"
     "  $ leasehold kv metadata get secret/app",
     kPlaceFlags, 1, 1, run_get},
    {"kv metadata put", "Set what is kept with a secret", "[flags] PATH",
     "Sets how many versions are kept and how long, and pairs of your own, all of them anew.\n\n"
     "  $ leasehold kv metadata put -max-versions=5 -custom-metadata=owner=web secret/app",
     kPutFlags, 1, 1, run_put},
    {"kv metadata patch", "Change some of what is kept with a secret", "[flags] PATH",
     "As put, but pairs that are not named stay.\n\n"
     "  $ leasehold kv metadata patch -remove-custom-metadata=owner secret/app",
     kPatchFlags, 1, 1, run_patch},
    {"kv metadata delete", "Delete a secret with all its versions", "[flags] PATH",
     "Removes a secret, its versions and its metadata.\n\n"
     "  $ leasehold kv metadata delete secret/app",
     kPlaceFlags, 1, 1, run_delete},
};

}  // namespace

std::span<const Command> kv_metadata_commands() { return kCommands; }

}  // namespace leasehold::cli
