// read, write, patch, list, delete: any path of the API.

#include <fmt/core.h>

#include "cli/leasehold/groups.h"
#include "cli/leasehold/input.h"
#include "cli/leasehold/output.h"

namespace leasehold::cli {
namespace {

constexpr Flag kWriteFlags[] = {
    {"force", "f", Takes::nothing, "", "Write although there is no data"},
};
constexpr Flag kListFlags[] = {
    {"after", "", Takes::value, "KEY", "Begin after this key"},
    {"limit", "", Takes::value, "N", "At most so many keys"},
};

int run_read(Session& session) {
  const std::string path = plain_path(session.args().positional(0));
  auto query = parse_query(session.args().positionals(), 1);
  if (!query.ok()) return session.misused(query.error().message);
  const auto answer = session.send({"GET", path, {}, std::move(query).value()});
  if (answer.ok() && answer->has_value()) return show(session, *answer);
  if (answer.ok() && (answer->is_absent() || answer->ok())) {
    session.note(fmt::format("No value found at {}", path));
    return kRemoteError;
  }
  return session.refused(fmt::format("Error reading {}", path), answer);
}

int write(Session& session, const char* method) {
  const auto& words = session.args().positionals();
  const std::string path = plain_path(words[0]);
  if (words.size() == 1 && !session.args().is_on("force"))
    return session.misused("Must supply data or use -force");
  auto data = parse_data(words, 1);
  if (!data.ok()) return session.misused(data.error().message);
  const auto answer = session.send({method, path, std::move(data).value()});
  if (!is_good(answer))
    return session.refused(fmt::format("Error writing data to {}", path), answer);
  if (answer->has_value()) return show(session, *answer);
  return session.did(*answer, fmt::format("Data written to: {}", path));
}

int run_write(Session& session) { return write(session, "PUT"); }
int run_patch(Session& session) { return write(session, "PATCH"); }

int list_by(Session& session, const char* method) {
  const std::string path = plain_path(session.args().positional(0));
  client::Fields query;
  for (const char* flag : {"after", "limit"})
    if (session.args().has(flag)) query.emplace_back(flag, session.args().text(flag));
  const auto answer = session.send({method, path, {}, std::move(query)});
  const Json* keys =
      answer.ok() && answer->data() != nullptr ? answer->data()->find("keys") : nullptr;
  if (keys != nullptr && keys->is_array() && keys->size() > 0) {
    show_warnings(session, answer->json);
    return show_keys(session, *keys);
  }
  const bool is_empty = answer.ok() && (answer->ok() || answer->is_absent() || answer->has_value());
  if (!is_empty) return session.refused(fmt::format("Error listing {}", path), answer);
  show_warnings(session, answer->json);
  if (session.format() == Format::json || session.format() == Format::yaml) {
    session.line("{}");
  } else {
    session.note(
        fmt::format("No {} found at {}", answer->status == 200 ? "entries" : "value", path));
  }
  return kRemoteError;
}

int run_list(Session& session) { return list_by(session, "LIST"); }
int run_scan(Session& session) { return list_by(session, "SCAN"); }

int run_delete(Session& session) {
  const std::string path = plain_path(session.args().positional(0));
  auto query = parse_query(session.args().positionals(), 1);
  if (!query.ok()) return session.misused(query.error().message);
  const auto answer = session.send({"DELETE", path, {}, std::move(query).value()});
  if (!is_good(answer)) return session.refused(fmt::format("Error deleting {}", path), answer);
  if (answer->has_value()) return show(session, *answer);
  return session.did(*answer, fmt::format("Data deleted (if it existed) at: {}", path));
}

constexpr Command kCommands[] = {
    {"read",
     "Read data or get a credential",
     "[flags] PATH [K=V...]",
     "Reads what is at PATH: a fresh credential, a setting, a secret. An engine that keeps "
     "versions,\n"
     "as -dev has at secret/, is read with `leasehold kv get`.\n\n"
     "  $ leasehold read database/creds/app\n"
     "  $ leasehold read -field=policies auth/token/lookup-self",
     {},
     1,
     kAnyNumber,
     run_read},
    {"write", "Write data, settings or a login", "[flags] PATH [K=V...]",
     "Writes the pairs to PATH. A value `@file` is the content of the file, `-` is standard "
     "input;\n"
     "`@file.json` and `-` alone are whole objects. A repeated key makes a list.\n\n"
     "  $ leasehold write sys/policies/acl/app policy=@app.hcl\n"
     "  $ leasehold write database/roles/app db_name=app creation_statements=@app.sql\n"
     "  $ echo '{\"data\":{\"a\":\"b\"}}' | leasehold write secret/data/app -",
     kWriteFlags, 1, kAnyNumber, run_write},
    {"patch", "Change some of what is at a path", "[flags] PATH [K=V...]",
     "Merges the pairs into what is at PATH, where the engine can; the others stay. Values as in\n"
     "`leasehold write`.\n\n"
     "  $ leasehold patch secret/metadata/app max_versions=5",
     kWriteFlags, 1, kAnyNumber, run_patch},
    {"list", "List the names below a path", "[flags] PATH",
     "Lists the names below PATH; folders end in a slash.\n\n"
     "  $ leasehold list database/roles\n"
     "  $ leasehold list auth/token/accessors",
     kListFlags, 1, 1, run_list},
    {"scan", "List all names below a path", "[flags] PATH",
     "Lists the names below PATH and below its folders, as paths.\n\n"
     "  $ leasehold scan kv-v1/\n"
     "  $ leasehold scan -limit=1000 secret/metadata/",
     kListFlags, 1, 1, run_scan},
    {"delete",
     "Delete what is at a path",
     "[flags] PATH [K=V...]",
     "Deletes what is at PATH. To delete what is not there is no error. An engine that keeps\n"
     "versions, as -dev has at secret/, has `leasehold kv delete`.\n\n"
     "  $ leasehold delete database/roles/app\n"
     "  $ leasehold delete sys/policies/acl/app",
     {},
     1,
     kAnyNumber,
     run_delete},
};

}  // namespace

std::span<const Command> data_commands() { return kCommands; }

}  // namespace leasehold::cli
