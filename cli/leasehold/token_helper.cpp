#include "cli/leasehold/token_helper.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>

#include "api/client/settings.h"
#include "cli/leasehold/input.h"
#include "cli/leasehold/token_file.h"
#include "vault/base/hcl.h"

extern char** environ;

namespace leasehold::cli {
namespace {

std::vector<std::string> configuration_files() {
  const char* variable = std::getenv("HOME");
  const std::string home = variable == nullptr ? "" : variable;
  if (auto named = client::environment("CONFIG_PATH"); named && !named->empty()) {
    if (named->compare(0, 2, "~/") == 0) named->replace(0, 1, home);
    return {*std::move(named)};
  }
  if (home.empty()) return {};
  return {home + "/.bao", home + "/.vault"};
}

// A folder of that name belongs to something else.
bool is_there(const std::string& file) {
  struct stat status {};
  return ::stat(file.c_str(), &status) == 0 && !S_ISDIR(status.st_mode);
}

Result<std::string> helper_named_in(const std::string& file) {
  VAULT_TRY_ASSIGN(const std::string text, read_input(file));
  const auto body = parse_hcl(text, {});
  if (!body.ok()) return failure(Code::invalid, file + ": " + body.error().message);
  for (const HclBlock& block : body->blocks)
    return failure(Code::invalid, fmt::format("{}:{}: unknown block", file, block.line));
  // A misspelled key must not put the token into a plain file.
  for (const HclAttribute& attribute : body->attributes)
    if (attribute.name != "token_helper")
      return failure(Code::invalid, fmt::format("{}:{}: unknown key \"{}\"; known: token_helper",
                                                file, attribute.line, attribute.name));
  const HclAttribute* helper = body->find("token_helper");
  if (helper == nullptr || (helper->value.is_string() && helper->value.text().empty()))
    return std::string();
  if (helper->value.is_string() && helper->value.text()[0] == '/') return helper->value.text();
  return failure(
      Code::invalid,
      fmt::format("{}:{}: token_helper must be the full path of a program", file, helper->line));
}

// A started helper and our end of the pipe to its standard input, or from its standard output.
struct Running {
  pid_t id = 0;
  int pipe = -1;
};

int spawn(const std::string& program, const char* operation, int theirs, int stream, pid_t& id) {
  posix_spawn_file_actions_t files;
  ::posix_spawn_file_actions_init(&files);
  ::posix_spawn_file_actions_adddup2(&files, theirs, stream);
  if (stream == STDOUT_FILENO) {
    ::posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  } else {  // what it says is no result of the command
    ::posix_spawn_file_actions_adddup2(&files, STDERR_FILENO, STDOUT_FILENO);
  }
  posix_spawnattr_t attributes;
  ::posix_spawnattr_init(&attributes);
  sigset_t as_usual;  // this process ignores SIGPIPE, and a child would inherit that
  ::sigemptyset(&as_usual);
  ::sigaddset(&as_usual, SIGPIPE);
  ::posix_spawnattr_setsigdefault(&attributes, &as_usual);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
  std::string name = program;
  std::string argument = operation;
  char* argv[] = {name.data(), argument.data(), nullptr};
  const int error = ::posix_spawn(&id, program.c_str(), &files, &attributes, argv, environ);
  ::posix_spawnattr_destroy(&attributes);
  ::posix_spawn_file_actions_destroy(&files);
  return error;
}

Result<Running> start(const std::string& program, const char* operation, int stream) {
  int ends[2] = {-1, -1};
  int error = ::pipe2(ends, O_CLOEXEC) == 0 ? 0 : errno;
  const int theirs = stream == STDIN_FILENO ? ends[0] : ends[1];
  Running helper;
  helper.pipe = stream == STDIN_FILENO ? ends[1] : ends[0];
  if (error == 0) {
    error = spawn(program, operation, theirs, stream, helper.id);
    ::close(theirs);
  }
  if (error == 0) return helper;
  ::close(helper.pipe);
  return failure(Code::invalid,
                 fmt::format("cannot run the token helper {}: {}", program, std::strerror(error)));
}

Status finish(const std::string& program, const char* operation, const Running& helper) {
  ::close(helper.pipe);
  int status = 0;
  while (::waitpid(helper.id, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
  return failure(Code::invalid, fmt::format("the token helper failed: {} {}", program, operation));
}

}  // namespace

Result<std::string> token_helper() {
  for (const std::string& file : configuration_files()) {
    if (!is_there(file)) continue;
    VAULT_TRY_ASSIGN(std::string program, helper_named_in(file));
    if (!program.empty()) return program;
  }
  return std::string();
}

Result<SecretBytes> get_from_helper(const std::string& program) {
  VAULT_TRY_ASSIGN(const Running helper, start(program, "get", STDOUT_FILENO));
  auto token = read_token(helper.pipe);
  VAULT_TRY(finish(program, "get", helper));
  if (token) return *std::move(token);
  return failure(Code::invalid, "cannot read what the token helper prints: " + program);
}

Status store_with_helper(const std::string& program, const SecretBytes& token) {
  VAULT_TRY_ASSIGN(const Running helper, start(program, "store", STDIN_FILENO));
  const bool taken = write_all(helper.pipe, token.reveal());
  VAULT_TRY(finish(program, "store", helper));
  if (taken) return {};
  return failure(Code::invalid, "the token helper did not take the token: " + program);
}

}  // namespace leasehold::cli
