// A program that keeps the token instead of the token file.

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <fstream>
#include <sstream>

#include "tests/client/program.h"
#include "tests/client/vault_server.h"

using leasehold::testing::Program;
using leasehold::testing::VaultServer;

namespace {

constexpr char kSelf[] = R"({"data":{"id":"hvs.kept","policies":["root"],"ttl":0,"meta":null}})";
// Counts how often it is asked, and keeps the token in a place of its own.
constexpr char kKeeper[] =
    "#!/bin/sh\n"
    "echo \"$#:$1\" >> \"$HOME/asked\"\n"
    "case \"$1\" in\n"
    "get) cat \"$HOME/kept\"; echo ;;\n"
    "store) cat > \"$HOME/kept\"; echo done ;;\n"
    "esac\n";

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

bool exists(const std::string& file) {
  struct stat status {};
  return ::stat(file.c_str(), &status) == 0;
}

std::string text_of(const std::string& file) {
  std::ostringstream text;
  text << std::ifstream(file).rdbuf();
  return text.str();
}

std::string write_program(const Program& program, const std::string& name, const char* script) {
  const std::string file = program.home().write(name, script);
  REQUIRE(::chmod(file.c_str(), 0700) == 0);
  return file;
}

}  // namespace

TEST_CASE("token helper: what ~/.vault names keeps the token, and no plain file does") {
  VaultServer server;
  server.on("GET /v1/auth/token/lookup-self", {200, kSelf});
  server.on("GET /v1/s", {200, R"({"data":{"k":"v"}})"});
  const Program program(server.address());
  const std::string helper = write_program(program, "keep it", kKeeper);
  program.home().write(".vault", "# mine\ntoken_helper = \"" + helper + "\"\n");
  const auto login = program.run({"login", "-format=json", "hvs.kept"});
  CHECK(login.code == 0);
  CHECK(login.out[0] == '{');
  CHECK(contains(login.err, "done"));
  CHECK(text_of(program.home().path() + "/kept") == "hvs.kept");
  CHECK_FALSE(exists(program.home().path() + "/.vault-token"));
  CHECK(program.run({"read", "s"}).code == 0);
  CHECK(server.last().header("x-vault-token") == "hvs.kept");
  CHECK(program.run({"print", "token"}).out == "hvs.kept\n");
  CHECK(text_of(program.home().path() + "/asked") == "1:store\n1:get\n1:get\n");
}

TEST_CASE("token helper: it is asked only when a token is needed and none is given") {
  VaultServer server;
  server.on("GET /v1/s", {200, R"({"data":{"k":"v"}})"});
  Program program(server.address());
  const std::string helper = write_program(program, "keep", kKeeper);
  program.home().write(".vault", "token_helper = \"" + helper + "\"\n");
  CHECK(program.run({"version"}).code == 0);
  program.environment["VAULT_TOKEN"] = "hvs.given";
  CHECK(program.run({"read", "s"}).code == 0);
  CHECK(server.last().header("x-vault-token") == "hvs.given");
  CHECK_FALSE(exists(program.home().path() + "/asked"));
}

TEST_CASE("token helper: the configuration is where VAULT_CONFIG_PATH, ~/.bao or ~/.vault says") {
  Program program;
  const std::string helper = write_program(program, "keep", kKeeper);
  const std::string other = write_program(program, "other", "#!/bin/sh\necho hvs.other\n");
  program.home().write("kept", "hvs.kept");
  program.home().write(".vault", "token_helper = \"" + helper + "\"\n");
  CHECK(program.run({"print", "token"}).out == "hvs.kept\n");
  program.home().write(".bao", "token_helper = \"" + other + "\"\n");
  CHECK(program.run({"print", "token"}).out == "hvs.other\n");
  program.environment["VAULT_CONFIG_PATH"] = "~/.vault";
  CHECK(program.run({"print", "token"}).out == "hvs.kept\n");
  program.home().write(".vault-token", "hvs.file");
  program.environment["VAULT_CONFIG_PATH"] = "/dev/null";
  CHECK(program.run({"print", "token"}).out == "hvs.file\n");
}

TEST_CASE(
    "token helper: what is wrong with it is a local error, and the token stays out of files") {
  VaultServer server;
  server.on("GET /v1/auth/token/lookup-self", {200, kSelf});
  const Program program(server.address());
  const std::string fails = write_program(program, "fails", "#!/bin/sh\necho locked >&2\nexit 3\n");
  struct Row {
    std::string configuration;
    std::string said;
  };
  const std::vector<Row> rows = {
      {"token_helper = \"" + fails + "\"", "the token helper failed: " + fails},
      {"token_helper = \"/no/such/program\"", "cannot run the token helper /no/such/program"},
      {"token_helper = \"keep\"", "/.vault:1: token_helper must be the full path of a program"},
      {"\ntoken_helpr = \"/bin/true\"", "/.vault:2: unknown key \"token_helpr\""},
      {"token_helper = ", "/.vault: line 1"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.configuration);
    program.home().write(".vault", row.configuration);
    const auto read = program.run({"read", "s"});
    CHECK(read.code == 1);
    CHECK(contains(read.err, row.said));
    const auto login = program.run({"login", "hvs.kept"});
    CHECK(login.code == 1);
    CHECK(contains(login.err, row.said));
    CHECK_FALSE(exists(program.home().path() + "/.vault-token"));
  }
}
