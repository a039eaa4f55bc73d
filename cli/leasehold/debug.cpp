// debug: what a report of a fault needs, in one file and without secrets.

#include <fcntl.h>
#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "cli/leasehold/bundle.h"
#include "cli/leasehold/groups.h"
#include "cli/leasehold/session.h"
#include "cli/leasehold/token_file.h"
#include "cli/leasehold/version.h"

namespace leasehold::cli {
namespace {

struct Target {
  std::string_view name, method, path;
};
constexpr Target kTargets[] = {
    {"health", "GET", "sys/health"},
    {"seal-status", "GET", "sys/seal-status"},
    {"ha-status", "GET", "sys/ha-status"},
    {"host-info", "GET", "sys/host-info"},
    {"metrics", "GET", "sys/metrics"},
    {"in-flight-req", "GET", "sys/in-flight-req"},
    {"config", "GET", "sys/config/state/sanitized"},
    {"version-history", "LIST", "sys/version-history"},
    {"key-status", "GET", "sys/key-status"},
    {"mounts", "GET", "sys/mounts"},
    {"auth", "GET", "sys/auth"},
    {"audit", "GET", "sys/audit"},
    {"jobs", "LIST", "sys/jobs"},
    {"policies", "LIST", "sys/policies/acl"},
};

std::string content_of(const Answer& answer) {
  if (answer.json.is_object()) return without_secrets(answer.json).dump() + "\n";
  return {};  // what is no JSON was read by nobody
}

// Each target's answer; `index` says how each was answered.
std::vector<std::pair<std::string, std::string>> gather(Session& session,
                                                        const std::vector<std::string>& wanted,
                                                        const std::string& folder, Json& index) {
  std::vector<std::pair<std::string, std::string>> files;
  for (const Target& target : kTargets) {
    if (!wanted.empty() && std::find(wanted.begin(), wanted.end(), target.name) == wanted.end())
      continue;
    const auto answer = session.send({std::string(target.method), std::string(target.path)});
    const std::string name(target.name);
    if (!answer.ok()) {
      index.set(name, answer.error().message);
      continue;
    }
    index.set(name, answer->status);
    std::string content = answer->status == 404 ? "" : content_of(*answer);
    if (!content.empty()) files.emplace_back(folder + "/" + name + ".json", std::move(content));
  }
  return files;
}

int run_debug(Session& session) {
  const WallTime now = SystemClock().now();
  std::string stamp = rfc3339(WallTime{now.seconds() * 1'000'000'000});
  std::replace(stamp.begin(), stamp.end(), ':', '-');
  const std::string folder = "leasehold-debug-" + stamp;
  const std::string file = session.args().text("output", folder + ".tar");
  Json index = Json::object(), answers = Json::object();
  index.set("version", version_line()).set("time", rfc3339(now));
  index.set("address", session.settings().address);
  auto files = gather(session, session.args().texts("target"), folder, answers);
  if (session.describes()) return kSuccess;
  if (files.empty())
    return session.misused("the server answered nothing that could be kept: " + answers.dump());
  index.set("answers", std::move(answers));
  files.emplace(files.begin(), folder + "/index.json", index.dump() + "\n");
  const int to = ::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (to < 0 || !write_and_close(to, as_bytes(tar_of(files, now))))
    return session.misused(fmt::format("cannot write {}: {}", file, std::strerror(errno)));
  return session.succeed(fmt::format(
      "Wrote {} files to: {}\nSecrets were removed; look through it before it leaves your hands.",
      files.size(), file));
}

constexpr Flag kFlags[] = {
    {"output", "", Takes::value, "FILE", "Where it goes (default: leasehold-debug-TIME.tar)"},
    {"target", "", Takes::values, "NAME", "Only this, such as metrics; may be repeated"},
};

constexpr Command kCommands[] = {
    {"debug", "Gather what a report of a fault needs", "[flags]",
     "Asks the server for its state and settings and writes the answers into a tar file that only "
     "its\n"
     "owner can read. Tokens, keys and passwords are removed. What the token in use may not read "
     "is\n"
     "left out; index.json says how each question was answered.\n\n"
     "  $ leasehold debug\n"
     "  $ leasehold debug -target=metrics -target=mounts -output=report.tar",
     kFlags, 0, 0, run_debug},
};

}  // namespace

std::span<const Command> debug_commands() { return kCommands; }

}  // namespace leasehold::cli
