// policy test, policy lint.

#include <fmt/core.h>

#include <memory>
#include <set>

#include "cli/leasehold/groups.h"
#include "cli/leasehold/input.h"
#include "cli/leasehold/output.h"
#include "cli/leasehold/policy_tests.h"
#include "vault/base/encoding.h"
#include "vault/policy/lint.h"
#include "vault/policy/verdict.h"

namespace leasehold::cli {
namespace {

using policy::Policy;
using Policies = std::map<std::string, Policy>;

struct Outcome {
  const PolicyCheck* check;
  bool is_allowed;
  std::string because;
  bool failed() const { return is_allowed != check->is_allowed; }
};

std::string folder_of(const std::string& file) {
  const auto slash = file.rfind('/');
  return slash == std::string::npos ? "" : file.substr(0, slash + 1);
}

// "app" of "policies/app.hcl".
std::string name_of(const std::string& file) {
  const std::string base = file.substr(folder_of(file).size());
  return base.substr(0, base.rfind('.'));
}

std::set<std::string> names_in(const PolicyTests& tests) {
  std::set<std::string> names;
  for (const PolicyCheck& check : tests.checks) names.insert(check.who.begin(), check.who.end());
  names.erase("root");
  return names;
}

// Beside the test file, unless it says where.
Result<Policy> policy_from_file(const PolicyTests& tests, const std::string& name,
                                const std::string& folder) {
  const auto said = tests.files.find(name);
  std::string file = said == tests.files.end() ? name + ".hcl" : said->second;
  if (!file.starts_with('/')) file = folder + file;
  const auto text = read_input(file);
  if (!text.ok())
    return failure(Code::invalid,
                   fmt::format("policy \"{}\": {}; a policy of the server is saved with: leasehold "
                               "policy read {} > {}",
                               name, text.error().message, name, file));
  auto parsed = policy::parse_policy(name, *text);
  if (!parsed.ok()) return failure(Code::invalid, file + ": " + parsed.error().message);
  return parsed;
}

Result<Policies> policies_from_files(const PolicyTests& tests, const std::string& file) {
  Policies policies;
  for (const std::string& name : names_in(tests)) {
    VAULT_TRY_ASSIGN(Policy read, policy_from_file(tests, name, folder_of(file)));
    policies.emplace(name, std::move(read));
  }
  return policies;
}

// By the rules of files or of the server, decided here.
std::vector<Outcome> judged(const PolicyTests& tests, const Policies& policies) {
  const WallTime now = SystemClock().now();
  std::vector<Outcome> outcomes;
  for (const PolicyCheck& check : tests.checks) {
    std::vector<const Policy*> held;
    for (const std::string& name : check.who)
      if (const auto at = policies.find(name); at != policies.end()) held.push_back(&at->second);
    const policy::Decision decision = judge(check, held, now);
    const auto verdict = policy::verdict_of(decision, check.capability);
    outcomes.push_back(
        {&check, decision.allowed, policy::sentence_of(verdict, check.path, check.who)});
  }
  return outcomes;
}

int show_outcomes(Session& session, const PolicyTests& tests,
                  const std::vector<Outcome>& outcomes) {
  const auto word = [](bool allowed) { return allowed ? "allow" : "deny"; };
  std::vector<Row> rows = {{"Test", "Who", "What", "Expected", "Got", "Because"}};
  Json failures = Json::array();
  for (const Outcome& one : outcomes) {
    if (!one.failed()) continue;
    std::string who;
    for (const std::string& name : one.check->who) who += (who.empty() ? "" : ", ") + name;
    rows.push_back({one.check->test, who, one.check->what, word(one.check->is_allowed),
                    word(one.is_allowed), one.because});
    Json failed = Json::object();
    failed.set("test", one.check->test).set("who", Json(one.check->who));
    failed.set("what", one.check->what).set("expected", word(one.check->is_allowed));
    failed.set("got", word(one.is_allowed)).set("because", one.because);
    failures.push(std::move(failed));
  }
  const bool failed = rows.size() > 1;
  const std::size_t skipped = tests.checks.size() - outcomes.size();
  if (session.format() != Format::table) {
    Json all = Json::object();
    all.set("checked", static_cast<std::int64_t>(outcomes.size()));
    all.set("skipped", static_cast<std::int64_t>(skipped)).set("failures", std::move(failures));
    show_value(session, all, {});
    return failed ? kLocalError : kSuccess;
  }
  if (skipped > 0)
    session.note(
        fmt::format("{} of {} requests need the rules themselves (parameters, wrap_ttl, "
                    "at) and were not asked",
                    skipped, tests.checks.size()));
  if (!failed)
    return session.succeed(fmt::format("All {} requests of {} tests are decided as expected",
                                       outcomes.size(), tests.tests));
  print_table(session, rows);
  session.note(fmt::format("\n{} of {} requests are not decided as expected", rows.size() - 1,
                           outcomes.size()));
  return kLocalError;
}

int run_by_server_rules(Session& session, const PolicyTests& tests) {
  Policies policies;
  for (const std::string& name : names_in(tests)) {
    const auto answer = session.send({"GET", "sys/policies/acl/" + lower_case(name)});
    if (!is_good(answer) || answer->data() == nullptr)
      return session.refused(fmt::format("Error reading policy named {}", name), answer);
    auto parsed = policy::parse_policy(name, answer->data()->string_at("policy"));
    if (!parsed.ok()) return session.misused(name + ": " + parsed.error().message);
    policies.emplace(name, std::move(parsed).value());
  }
  return show_outcomes(session, tests, judged(tests, policies));
}

// What the server says of a token, whoever the tests name.
int run_by_token(Session& session, const PolicyTests& tests) {
  const std::string accessor = session.args().text("accessor");
  std::vector<Outcome> outcomes;
  for (const PolicyCheck& check : tests.checks) {
    if (check.needs_rules()) continue;
    Json body = Json::object();
    body.set("paths", std::vector<std::string>{check.path});
    if (!accessor.empty()) body.set("accessor", accessor);
    const auto answer = session.send(
        {"POST", accessor.empty() ? "sys/capabilities-self" : "sys/capabilities-accessor",
         std::move(body)});
    if (!is_good(answer) || answer->data() == nullptr)
      return session.refused("Error listing capabilities", answer);
    const auto capabilities = answer->data()->strings_at(check.path);
    std::string because = "its capabilities there are";
    for (const std::string& one : capabilities) because += " " + one;
    outcomes.push_back({&check, suffices(check, capabilities), std::move(because)});
  }
  return show_outcomes(session, tests, outcomes);
}

int run_test(Session& session) {
  const std::string file = session.args().positional(0);
  const Arguments& args = session.args();
  const bool by_token = args.is_on("self") || args.has("accessor");
  if (by_token && args.is_on("server"))
    return session.misused("-server asks by the policies' rules, -self and -accessor by a token");
  const auto text = read_input(file);
  if (!text.ok()) return session.misused(text.error().message);
  const auto tests = parse_policy_tests(*text);
  if (!tests.ok()) return session.misused(file + ": " + tests.error().message);
  if (by_token) return run_by_token(session, *tests);
  if (args.is_on("server")) return run_by_server_rules(session, *tests);
  const auto policies = policies_from_files(*tests, file);
  if (!policies.ok()) return session.misused(policies.error().message);
  return show_outcomes(session, *tests, judged(*tests, *policies));
}

Result<std::vector<policy::MountPoint>> mounts_of(Session& session, int& refused) {
  std::vector<policy::MountPoint> mounts = {{"identity/", false}, {"cubbyhole/", false}};
  for (const std::string kind : {"sys/mounts", "sys/auth"}) {
    const auto answer = session.send({"GET", kind});
    if (!is_good(answer) || answer->data() == nullptr) {
      refused = session.refused("Error listing mounts", answer,
                                "-mounts needs read on sys/mounts and sys/auth");
      return failure(Code::denied, "");
    }
    for (const Json::Member& mount : answer->data()->members()) {
      const Json* const options = mount.second.find("options");
      const bool is_versioned = mount.second.string_at("type") == "kv" && options != nullptr &&
                                options->string_at("version") == "2";
      mounts.push_back({(kind == "sys/auth" ? "auth/" : "") + mount.first, is_versioned});
    }
  }
  return mounts;
}

struct Linted {
  std::string file;
  policy::Finding finding;
};

int show_findings(Session& session, const std::vector<Linted>& found, std::size_t files) {
  if (session.format() != Format::table) {
    Json all = Json::array();
    for (const Linted& one : found) {
      Json shown = Json::object();
      shown.set("file", one.file).set("line", one.finding.line).set("text", one.finding.text);
      all.push(std::move(shown));
    }
    show_value(session, all, {});
    return found.empty() ? kSuccess : kLocalError;
  }
  for (const Linted& one : found)
    session.line(one.finding.line > 0
                     ? fmt::format("{}:{}: {}", one.file, one.finding.line, one.finding.text)
                     : fmt::format("{}: {}", one.file, one.finding.text));
  if (found.empty())
    return session.succeed(
        fmt::format("Nothing to remark on in {} {}", files, files == 1 ? "policy" : "policies"));
  return kLocalError;
}

int run_lint(Session& session) {
  std::vector<policy::MountPoint> mounts;
  if (session.args().is_on("mounts")) {
    int refused = kSuccess;
    auto asked = mounts_of(session, refused);
    if (!asked.ok()) return refused;
    mounts = std::move(asked).value();
  }
  const WallTime now = SystemClock().now();
  const auto& files = session.args().positionals();
  std::vector<Linted> found;
  std::vector<std::pair<std::string, Policy>> readable;
  for (const std::string& file : files) {
    const auto text = read_input(file);
    if (!text.ok()) return session.misused(text.error().message);
    for (policy::Finding& one : policy::lint(*text, now)) found.push_back({file, std::move(one)});
    auto parsed = policy::parse_policy(name_of(file), *text);
    if (parsed.ok()) readable.emplace_back(file, std::move(parsed).value());
  }
  for (const auto& one : readable) {
    std::vector<const Policy*> others;
    for (const auto& other : readable)
      if (session.args().is_on("together") && &other != &one) others.push_back(&other.second);
    for (policy::Finding& more : policy::shadowed_denials(one.second, others))
      found.push_back({one.first, std::move(more)});
    if (mounts.empty()) continue;
    for (policy::Finding& more : policy::off_the_mounts(one.second, mounts))
      found.push_back({one.first, std::move(more)});
  }
  return show_findings(session, found, files.size());
}

constexpr Flag kTestFlags[] = {
    {"server", "", Takes::nothing, "", "Take the policies from the server instead of from files"},
    {"self", "", Takes::nothing, "", "Ask the server what the token in use may do"},
    {"accessor", "", Takes::value, "ACCESSOR", "Ask the server what the token of ACCESSOR may do"},
};
constexpr Flag kLintFlags[] = {
    {"mounts", "", Takes::nothing, "", "Compare the paths with what the server has mounted"},
    {"together", "", Takes::nothing, "", "Look at all files as if one token held them"},
};

constexpr Command kCommands[] = {
    {"policy test", "Check what policies permit and deny", "[flags] FILE",
     "Decides each request that FILE names by the policies that it names, and compares that with\n"
     "what FILE expects; exit code 1 when one differs. Without a flag no server is asked: the "
     "text\n"
     "of policy NAME is in NAME.hcl beside FILE, or where FILE says.\n\n"
     "  policies = { app = \"../app.hcl\" }\n\n"
     "  test \"the app reads its own secrets\" {\n"
     "    who    = [\"app\"]\n"
     "    what   = [\"read secret/data/app/db\", \"list secret/metadata/app/\"]\n"
     "    expect = \"allow\"\n"
     "  }\n\n"
     "  $ leasehold policy test app.test.hcl\n"
     "  $ leasehold policy test -server app.test.hcl\n"
     "  $ leasehold policy test -self app.test.hcl",
     kTestFlags, 1, 1, run_test},
    {"policy lint", "Point at what is likely wrong in a policy", "[flags] FILE...",
     "Reads policies and points at rules that never decide, denials that another rule takes a "
     "part\n"
     "from, empty and unknown capabilities, wildcards that are none, and globs that grant sudo on\n"
     "protected paths; exit code 1 when there is something. With -mounts also at paths where the\n"
     "server has nothing.\n\n"
     "  $ leasehold policy lint app.hcl\n"
     "  $ leasehold policy lint -mounts policies/*.hcl",
     kLintFlags, 1, kAnyNumber, run_lint},
};

}  // namespace

std::span<const Command> policy_check_commands() { return kCommands; }

}  // namespace leasehold::cli
