// kv put, patch, rollback: what makes a new version.

#include <fmt/core.h>

#include "cli/leasehold/groups.h"
#include "cli/leasehold/input.h"
#include "cli/leasehold/kv_place.h"

namespace leasehold::cli {
namespace {

constexpr Flag kCas = {"cas", "", Takes::value, "N",
                       "Write only if the current version is N (0: only if new)"};
constexpr Flag kPutFlags[] = {kKvMount, kCas};
constexpr Flag kPatchFlags[] = {
    kKvMount,
    kCas,
    {"method", "", Takes::value, "patch|rw",
     "Let the server merge, or read, merge and write here (default: patch, then rw)"},
    {"remove-data", "", Takes::values, "KEY", "A key to take away; may be repeated"},
};
constexpr Flag kRollbackFlags[] = {
    kKvMount,
    {"version", "", Takes::value, "N", "The version to bring back as the newest"},
};

Json body_of(Json data, std::int64_t cas) {
  Json options = Json::object();
  if (cas >= 0) options.set("cas", cas);
  Json body = Json::object();
  body.set("data", std::move(data)).set("options", std::move(options));
  return body;
}

Result<Json> put_body(const Session& session, const KvPath& place) {
  VAULT_TRY_ASSIGN(Json data, parse_data(session.args().positionals(), 1));
  VAULT_TRY_ASSIGN(const std::int64_t cas, session.args().number("cas", -1));
  if (!place.is_versioned) return data;
  return body_of(std::move(data), cas);
}

int run_put(Session& session) {
  const Located located = locate(session);
  if (located.code >= 0) return located.code;
  auto body = put_body(session, located.place);
  if (!body.ok()) return session.misused(body.error().message);
  const std::string path = located.place.path("data");
  const auto answer = session.send({"PUT", path, std::move(body).value()});
  if (!is_good(answer))
    return session.refused(fmt::format("Error writing data to {}", path), answer);
  if (!answer->has_value()) return session.succeed(fmt::format("Data written to: {}", path));
  return show_written(session, *answer, path);
}

// A version and its data as the server has them; code: of a failure, already explained.
struct ReadVersion {
  Json data;
  std::int64_t number = 0;
  int code = -1;
};

ReadVersion read_version(Session& session, const std::string& path, const std::string& number) {
  client::Fields query;
  if (!number.empty()) query.emplace_back("version", number);
  const auto answer = session.send({"GET", path, {}, std::move(query)});
  ReadVersion read;
  if (answer.ok() && answer->is_absent()) {
    read.code = no_value(session, path);
    return read;
  }
  const Json* outer = answer.ok() ? answer->data() : nullptr;
  const Json* metadata = outer == nullptr ? nullptr : outer->find("metadata");
  if (metadata == nullptr) {
    read.code = session.refused(fmt::format("Error reading {}", path), answer);
    return read;
  }
  read.number = metadata->integer_at("version");
  if (const Json* data = outer->find("data")) read.data = *data;
  return read;
}

int write_version(Session& session, const std::string& path, Json data, std::int64_t cas) {
  const auto answer = session.send({"PUT", path, body_of(std::move(data), cas)});
  if (!is_good(answer))
    return session.refused(fmt::format("Error writing data to {}", path), answer);
  return show_written(session, *answer, path);
}

int read_then_write(Session& session, const std::string& path, const Json& changes,
                    std::int64_t cas) {
  ReadVersion before = read_version(session, path, "");
  if (before.code >= 0) return before.code;
  if (!before.data.is_object()) return no_value(session, path);
  for (const auto& member : changes.members()) {
    if (member.second.is_null())
      before.data.erase(member.first);
    else
      before.data.set(member.first, member.second);
  }
  return write_version(session, path, std::move(before.data), cas >= 0 ? cas : before.number);
}

int merge_there(Session& session, const std::string& path, const Json& changes, std::int64_t cas,
                bool falls_back) {
  const auto answer = session.send({"PATCH", path, body_of(changes, cas)});
  if (answer.ok() && answer->status == 404) return no_value(session, path);
  // An older server, or a policy without the capability `patch`.
  if (falls_back && answer.ok() && (answer->status == 403 || answer->status == 405))
    return read_then_write(session, path, changes, cas);
  if (!is_good(answer))
    return session.refused(fmt::format("Error writing data to {}", path), answer);
  return show_written(session, *answer, path);
}

int run_patch(Session& session) {
  const Arguments& args = session.args();
  const std::string method = args.text("method");
  if (!method.empty() && method != "patch" && method != "rw")
    return session.misused("-method is patch or rw");
  auto changes = parse_data(args.positionals(), 1);
  if (!changes.ok()) return session.misused(changes.error().message);
  for (const std::string& key : args.texts("remove-data")) changes->set(key, Json());
  if (changes->size() == 0) return session.misused("Must supply data");
  const auto cas = args.number("cas", -1);
  if (!cas.ok()) return session.misused(cas.error().message);
  const Located located = locate_versioned(session, "patch");
  if (located.code >= 0) return located.code;
  const std::string path = located.place.path("data");
  if (method == "rw") return read_then_write(session, path, *changes, *cas);
  return merge_there(session, path, *changes, *cas, method.empty());
}

int run_rollback(Session& session) {
  const auto number = session.args().number("version", 0);
  if (!number.ok() || *number <= 0)
    return session.misused("-version needs the number of a version");
  const Located located = locate_versioned(session, "rollback");
  if (located.code >= 0) return located.code;
  const std::string path = located.place.path("data");
  const ReadVersion current = read_version(session, path, "");
  if (current.code >= 0) return current.code;
  ReadVersion old = read_version(session, path, std::to_string(*number));
  if (old.code >= 0) return old.code;
  if (!old.data.is_object()) {
    session.note(fmt::format("Version {} of {} is deleted or destroyed", *number, path));
    return kRemoteError;
  }
  return write_version(session, path, std::move(old.data), current.number);
}

constexpr Command kCommands[] = {
    {"kv put", "Write a secret", "[flags] PATH [K=V...]",
     "Writes a secret, or its next version. Values as in `leasehold write`.\n\n"
     "  $ leasehold kv put secret/app password=@password.txt\n"
     "  $ leasehold kv put -cas=0 secret/new key=value",
     kPutFlags, 2, kAnyNumber, run_put},
    {"kv patch", "Change some values of a secret", "[flags] PATH [K=V...]",
     "Makes the next version from the latest and the values given; the others stay.\n\n"
     "  $ leasehold kv patch secret/app password=@password.txt\n"
     "  $ leasehold kv patch -remove-data=old secret/app",
     kPatchFlags, 1, kAnyNumber, run_patch},
    {"kv rollback", "Make an old version the newest", "[flags] PATH",
     "Writes the data of an old version as the next one, if nobody writes meanwhile.\n\n"
     "  $ leasehold kv rollback -version=2 secret/app",
     kRollbackFlags, 1, 1, run_rollback},
};

}  // namespace

std::span<const Command> kv_write_commands() { return kCommands; }

}  // namespace leasehold::cli
