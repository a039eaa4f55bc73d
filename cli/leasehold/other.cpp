// unwrap, print token, path-help, version.

#include <fmt/core.h>

#include "cli/leasehold/groups.h"
#include "cli/leasehold/output.h"
#include "cli/leasehold/version.h"

namespace leasehold::cli {
namespace {

// The wrapping token is spent by this call. With a token of our own it goes into the body, so that
// the audit log shows who unwrapped; without one it is the token itself.
int run_unwrap(Session& session) {
  if (const Status found = session.find_token(); !found.ok())
    return session.misused(found.error().message);
  const std::string token = session.args().positional(0);
  Call call{"PUT", "sys/wrapping/unwrap"};
  if (!token.empty() && !session.settings().token.empty()) {
    call.body = Json::object();
    call.body->set("token", token);
  } else {
    call.token = SecretBytes(token);
  }
  const auto answer = session.send(std::move(call));
  if (!is_good(answer)) return session.refused("Error unwrapping", answer);
  if (!answer->has_value()) {
    session.note("Could not find wrapped response");
    return kRemoteError;
  }
  return show(session, *answer);
}

int run_print_token(Session& session) {
  if (const Status found = session.find_token(); !found.ok())
    return session.misused(found.error().message);
  if (session.settings().token.empty()) {
    session.note("There is no token; get one with: leasehold login");
    return kLocalError;
  }
  session.line(as_text(session.settings().token.reveal()));
  return kSuccess;
}

int run_path_help(Session& session) {
  // A slash at the end asks about a mount itself.
  std::string path = session.args().positional(0);
  path.erase(0, path.find_first_not_of('/'));
  const auto answer = session.send({"GET", path, {}, {{"help", "1"}}});
  if (!is_good(answer)) return session.refused("Error retrieving help", answer);
  if (session.format() != Format::table) return show(session, *answer);
  session.line(answer->json.string_at("help"));
  return kSuccess;
}

int run_version(Session& session) {
  session.line(version_line());
  return kSuccess;
}

constexpr Command kCommands[] = {
    {"unwrap",
     "Open a wrapped answer, once",
     "[flags] [TOKEN]",
     "Shows what a wrapping token holds; the token is spent. Without TOKEN the\n"
     "token in use is the one to open.\n\n"
     "  $ leasehold read -wrap-ttl=5m database/creds/app\n"
     "  $ leasehold unwrap hvs.CAESIJ...",
     {},
     0,
     1,
     run_unwrap},
    {"print token",
     "Print the token in use",
     "[flags]",
     "Prints the token that the other commands would send.\n\n  $ leasehold print token",
     {},
     0,
     0,
     run_print_token},
    {"path-help",
     "Explain a path of the API",
     "[flags] PATH",
     "Shows what the engine mounted there says about PATH.\n\n"
     "  $ leasehold path-help database/roles/app\n"
     "  $ leasehold path-help secret/",
     {},
     1,
     1,
     run_path_help},
    {"version",
     "Print the version",
     "",
     "Prints the version of this program; the second word is the number.\n\n  $ leasehold version",
     {},
     0,
     0,
     run_version},
};

}  // namespace

std::span<const Command> other_commands() { return kCommands; }

}  // namespace leasehold::cli
