// operator jobs: what the vault does behind answers it has given, and how far it is.

#include <fmt/core.h>
#include <poll.h>
#include <unistd.h>

#include <cstdio>

#include "cli/leasehold/groups.h"
#include "cli/leasehold/output.h"
#include "cli/leasehold/session.h"
#include "vault/base/printable.h"

namespace leasehold::cli {
namespace {

constexpr int kLookEveryMs = 500;
constexpr int kBarWidth = 30;

std::string counted(const Json& job) {
  const Json* total = job.find("total");
  if (total == nullptr || total->is_null()) return "-";
  return fmt::format("{} of {}{}", job.integer_at("done"),
                     job.bool_at("total_is_minimum") ? ">" : "", job.integer_at("total"));
}

// One line on a terminal, written over with each look.
void draw(const Json& job) {
  const std::int64_t total = job.integer_at("total");
  const auto filled = total > 0 ? static_cast<int>(job.integer_at("done") * kBarWidth / total) : 0;
  const std::string line =
      fmt::format("{} {} [{:<{}}] {}, {}", job.string_at("kind"), job.string_at("path"),
                  std::string(static_cast<std::size_t>(filled), '#'), kBarWidth, counted(job),
                  job.string_at("state"));
  fmt::print(stderr, "\r\033[K{}", printable(line));
  std::fflush(stderr);
}

int wait_for(Session& session, const std::string& id) {
  const bool drawn = isatty(STDERR_FILENO) != 0;
  for (bool seen = false;; seen = true) {
    const auto answer = session.send({"GET", "sys/jobs/" + id});
    const bool over = seen && answer.ok() && answer->is_absent();
    if (drawn && (over || !is_good(answer))) fmt::print(stderr, "\r\033[K");
    if (over) return session.succeed(fmt::format("The job {} is done.", id));
    if (!is_good(answer)) return session.refused("Error reading the job", answer);
    if (drawn && answer->data() != nullptr) draw(*answer->data());
    ::poll(nullptr, 0, kLookEveryMs);
  }
}

int show_all(Session& session) {
  const auto listed = session.send({"LIST", "sys/jobs"});
  if (listed.ok() && listed->is_absent() && session.format() == Format::table) {
    session.note("Nothing goes on in the background.");
    return kSuccess;
  }
  const bool none = listed.ok() && listed->is_absent();
  if (!none && !is_good(listed)) return session.refused("Error listing the jobs", listed);
  Json jobs = Json::array();
  std::vector<Row> rows = {{"Id", "Kind", "Path", "State", "Done"}};
  const std::vector<std::string> ids = none || listed->data() == nullptr
                                           ? std::vector<std::string>()
                                           : listed->data()->strings_at("keys");
  for (const std::string& id : ids) {
    const auto answer = session.send({"GET", "sys/jobs/" + id});
    if (answer.ok() && answer->is_absent()) continue;  // done meanwhile
    if (!is_good(answer)) return session.refused("Error reading the job", answer);
    if (answer->data() == nullptr) continue;
    const Json& job = *answer->data();
    rows.push_back(
        {id, job.string_at("kind"), job.string_at("path"), job.string_at("state"), counted(job)});
    jobs.push(job);
  }
  return show_value(session, jobs, rows);
}

int run_jobs(Session& session) {
  if (session.args().positionals().empty()) {
    if (session.args().is_on("wait")) return session.misused("-wait needs the ID of a job");
    return show_all(session);
  }
  const std::string id = session.args().positional(0);
  if (session.args().is_on("wait")) return wait_for(session, id);
  const auto answer = session.send({"GET", "sys/jobs/" + id});
  if (!is_good(answer))
    return session.refused("Error reading the job", answer,
                           "a job that is done is not there any more");
  return show(session, *answer);
}

constexpr Flag kFlags[] = {
    {"wait", "", Takes::nothing, "", "Shows the progress of the job ID until it is done"},
};

constexpr std::string_view kHelp =
    "Lists what the vault does in the background: removing mounts, revoking many leases. With the\n"
    "ID of a job: how far it is. Jobs go on after a restart, and cannot be cancelled. It needs a\n"
    "token with sudo on sys/jobs.\n\n"
    "  $ leasehold operator jobs\n"
    "  $ leasehold operator jobs -wait 0198c7de-5f1c-4f0e-9d8e-2f0d51a4a7c1";

constexpr Command kCommands[] = {
    {"operator jobs", "Show the work that goes on in the background", "[flags] [ID]", kHelp, kFlags,
     0, 1, run_jobs},
};

}  // namespace

std::span<const Command> operator_jobs_commands() { return kCommands; }

}  // namespace leasehold::cli
