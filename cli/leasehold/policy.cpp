// policy list, read, write, delete, fmt.

#include <fcntl.h>
#include <fmt/core.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "cli/leasehold/groups.h"
#include "cli/leasehold/input.h"
#include "cli/leasehold/output.h"
#include "cli/leasehold/policy_format.h"
#include "cli/leasehold/token_file.h"
#include "vault/base/clock.h"
#include "vault/base/encoding.h"
#include "vault/base/folder.h"
#include "vault/policy/policy.h"

namespace leasehold::cli {
namespace {

std::string policy_path(const std::string& name) { return "sys/policies/acl/" + lower_case(name); }

int run_list(Session& session) {
  const auto answer = session.send({"LIST", "sys/policies/acl"});
  if (!is_good(answer) || answer->data() == nullptr)
    return session.refused("Error listing policies", answer);
  const std::vector<std::string> names = answer->data()->strings_at("keys");
  if (session.format() != Format::table) return show_value(session, Json(names), {});
  for (const std::string& name : names) session.line(name);
  return kSuccess;
}

int run_read(Session& session) {
  const std::string name = lower_case(session.args().positional(0));
  const auto answer = session.send({"GET", policy_path(name)});
  if (answer.ok() && answer->is_absent()) {
    session.note(fmt::format("No policy named: {}", name));
    return kRemoteError;
  }
  if (!is_good(answer) || answer->data() == nullptr)
    return session.refused(fmt::format("Error reading policy named {}", name), answer);
  if (session.format() == Format::json || session.format() == Format::yaml ||
      session.args().has("field"))
    return show(session, *answer);
  std::string text = answer->data()->string_at("policy");
  while (!text.empty() && text.back() == '\n') text.pop_back();
  session.line(text);
  return kSuccess;
}

int run_write(Session& session) {
  const std::string name = lower_case(session.args().positional(0));
  auto text = read_input(session.args().positional(1));
  if (!text.ok()) return session.misused("Error reading policy: " + text.error().message);
  Json body = Json::object();
  body.set("policy", std::move(text).value());
  const auto answer = session.send({"PUT", policy_path(name), std::move(body)});
  if (!is_good(answer)) return session.refused("Error uploading policy", answer);
  show_warnings(session, answer->json);
  return session.succeed(fmt::format("Uploaded policy: {}", name));
}

int run_delete(Session& session) {
  const std::string name = lower_case(session.args().positional(0));
  const auto answer = session.send({"DELETE", policy_path(name)});
  if (!is_good(answer)) return session.refused(fmt::format("Error deleting {}", name), answer);
  return session.did(*answer, fmt::format("Deleted policy: {}", name));
}

Error cannot_write(const std::string& file, const std::string& hint = {}) {
  return failure(Code::invalid, "cannot write " + file + ": " + std::strerror(errno) + hint);
}

// The file keeps its links and rights: it is written over, and not before all of the text stands
// beside it, where it stays should that fail.
Status overwrite(const std::string& file, const std::string& text) {
  const int over = ::open(file.c_str(), O_WRONLY | O_CLOEXEC);
  if (over < 0) return cannot_write(file);
  std::string beside = file + ".XXXXXX";
  const int copy = ::mkstemp(beside.data());
  if (copy < 0 || !write_and_close(copy, as_bytes(text)) || !sync_folder_of(beside)) {
    const Error why = cannot_write(copy < 0 ? file + ".XXXXXX" : beside);
    if (copy >= 0) ::unlink(beside.c_str());
    ::close(over);
    return why;
  }
  const bool emptied = ::ftruncate(over, 0) == 0;
  if (!write_and_close(over, as_bytes(text)) || !emptied)
    return cannot_write(file, "; the whole text is in " + beside);
  ::unlink(beside.c_str());
  return {};
}

int run_fmt(Session& session) {
  const std::string file = session.args().positional(0);
  const auto text = read_input(file);
  if (!text.ok()) return session.misused(text.error().message);
  const auto parsed = policy::parse_new_policy({}, *text);
  if (!parsed.ok()) return session.misused(fmt::format("{}: {}", file, parsed.error().message));
  for (const std::string& doubt : policy::doubts_about(*parsed, SystemClock().now()))
    session.note("WARNING! " + doubt);
  const std::string formatted = format_policy(*text);
  if (file == "-") {
    session.print(formatted);
    return kSuccess;
  }
  if (formatted != *text) {
    const Status written = overwrite(file, formatted);
    if (!written.ok()) return session.misused(written.error().message);
  }
  return session.succeed(fmt::format("Formatted policy: {}", file));
}

constexpr Command kCommands[] = {
    {"policy list",
     "List the policies",
     "[flags]",
     "Lists the names of all policies.\n\n  $ leasehold policy list",
     {},
     0,
     0,
     run_list},
    {"policy read",
     "Print a policy",
     "[flags] NAME",
     "Prints the text of a policy as it was written.\n\n  $ leasehold policy read app",
     {},
     1,
     1,
     run_read},
    {"policy write",
     "Create or replace a policy",
     "[flags] NAME FILE",
     "Uploads FILE, or standard input when it is `-`.\n\n"
     "  $ leasehold policy write app app.hcl\n"
     "  $ echo 'path \"secret/*\" { capabilities = [\"read\"] }' | leasehold policy write app -",
     {},
     2,
     2,
     run_write},
    {"policy delete",
     "Delete a policy",
     "[flags] NAME",
     "Deletes a policy; tokens that carry its name lose what it granted, at once.\n\n"
     "  $ leasehold policy delete app",
     {},
     1,
     1,
     run_delete},
    {"policy fmt",
     "Lay out a policy file",
     "[flags] FILE",
     "Checks FILE as `policy write` does, without a server, and lays it out: indentation, blank "
     "lines,\n"
     "columns. `-` reads standard input and prints.\n\n  $ leasehold policy fmt app.hcl",
     {},
     1,
     1,
     run_fmt},
};

}  // namespace

std::span<const Command> policy_commands() { return kCommands; }

}  // namespace leasehold::cli
