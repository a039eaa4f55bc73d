#include "tests/client/program.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <sstream>

namespace leasehold::testing {
namespace {

std::string text_of(const std::string& file) {
  std::ostringstream text;
  text << std::ifstream(file, std::ios::binary).rdbuf();
  return text.str();
}

std::vector<char*> pointers(std::vector<std::string>& words) {
  std::vector<char*> list;
  for (std::string& word : words) list.push_back(word.data());
  list.push_back(nullptr);
  return list;
}

}  // namespace

Program::Program(const std::string& address) {
  environment["HOME"] = home_.path();
  if (!address.empty()) environment["VAULT_ADDR"] = address;
}

Outcome Program::run(const std::vector<std::string>& words, const std::string& input) const {
  const char* folder = std::getenv("LEASEHOLD_BIN");
  REQUIRE_MESSAGE(folder != nullptr, "LEASEHOLD_BIN must name the folder of the built programs");
  const std::string in = home_.write(".in", input);
  const std::string out = home_.path() + "/.out";
  const std::string err = home_.path() + "/.err";
  std::vector<std::string> argv = {std::string(folder) + "/leasehold"};
  argv.insert(argv.end(), words.begin(), words.end());
  std::vector<std::string> env;
  for (const auto& variable : environment) env.push_back(variable.first + "=" + variable.second);

  posix_spawn_file_actions_t files;
  ::posix_spawn_file_actions_init(&files);
  ::posix_spawn_file_actions_addopen(&files, 0, in.c_str(), O_RDONLY, 0);
  ::posix_spawn_file_actions_addopen(&files, 1, out.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  ::posix_spawn_file_actions_addopen(&files, 2, err.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  pid_t child = 0;
  const int spawned = ::posix_spawn(&child, argv[0].c_str(), &files, nullptr, pointers(argv).data(),
                                    pointers(env).data());
  ::posix_spawn_file_actions_destroy(&files);
  REQUIRE_MESSAGE(spawned == 0, "cannot run ", argv[0]);
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, text_of(out), text_of(err)};
}

}  // namespace leasehold::testing
