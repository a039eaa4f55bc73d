// What the table of commands gives to shells, to man(1), and to a report of a fault.

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/client/program.h"
#include "tests/client/vault_server.h"

using leasehold::testing::Program;
using leasehold::testing::VaultServer;

namespace {

namespace fs = std::filesystem;

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

std::string read_file(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

}  // namespace

TEST_CASE("completion: commands, their second words and flags, each with what it is about") {
  const Program program;
  const auto after = [&](std::vector<std::string> words) {
    words.insert(words.begin(), "-complete");
    return program.run(words).out;
  };
  CHECK(after({"kv", "ge"}) == "get\tRead a secret\n");
  CHECK(contains(after({"pol"}), "policy\tRead, write, test and lint policies\n"));
  CHECK(contains(after({"policy", ""}), "lint\t"));
  CHECK(contains(after({"kv", "metadata", ""}), "get\t"));
  CHECK(contains(after({"token", "create", "-pol"}), "-policy\t"));
  CHECK(contains(after({"token", "create", "--pol"}), "-policy\t"));
  CHECK(contains(after({"kv", "get", "-form"}), "-format\t"));
  CHECK(after({"policy", "lint", "x"}).empty());
  CHECK(after({"nothing", ""}).empty());
}

TEST_CASE("completion: each shell has a script, and it is installed and taken away") {
  const Program program;
  for (const char* shell : {"bash", "zsh", "fish"})
    CHECK(contains(program.run({"completion", shell}).out, "-complete"));
  CHECK(program.run({"completion", "tcsh"}).code == 1);
  const fs::path home = program.home().path();
  CHECK(program.run({"-autocomplete-install"}).code == 1);
  std::ofstream(home / ".bashrc") << "# mine\n";
  std::ofstream(home / ".zshrc") << "# mine\n";
  for (int times = 0; times < 2; ++times) CHECK(program.run({"-autocomplete-install"}).code == 0);
  const fs::path of_bash = home / ".local/share/bash-completion/completions/leasehold";
  CHECK(contains(read_file(of_bash), "complete -o default"));
  const std::string zshrc = read_file(home / ".zshrc");
  CHECK(zshrc.find("leasehold completion zsh") == zshrc.rfind("leasehold completion zsh"));
  CHECK(program.run({"-autocomplete-uninstall"}).code == 0);
  CHECK_FALSE(fs::exists(of_bash));
  CHECK(read_file(home / ".zshrc") == "# mine\n");
}

TEST_CASE("man: each command has a page, which has its flags") {
  const Program program;
  const auto page = program.run({"man", "kv", "put"});
  CHECK(page.code == 0);
  CHECK(contains(page.out, ".TH LEASEHOLD\\-KV\\-PUT 1"));
  CHECK(contains(page.out, "\\-cas"));
  CHECK(program.run({"man", "kv", "pit"}).code == 1);
  const std::string folder = program.home().path();
  REQUIRE(program.run({"man", "-out=" + folder}).code == 0);
  CHECK(contains(read_file(folder + "/leasehold.1"), "policy lint"));
  CHECK(fs::exists(folder + "/leasehold-operator-backup-restore.1"));
}

TEST_CASE("debug: the bundle is the owner's, and holds no secret") {
  VaultServer server;
  server.on("GET /v1/sys/health", {200, R"({"initialized":true,"version":"1"})"});
  server.on("GET /v1/sys/mounts",
            {200, R"({"data":{"x/":{"options":{"password":"hunter2","note":"hvs.)" +
                      std::string(30, 'A') + R"("}}}})"});
  Program program(server.address());
  program.environment["VAULT_TOKEN"] = "hvs.mine";
  const std::string file = program.home().path() + "/report.tar";
  const auto made = program.run({"debug", "-output=" + file});
  REQUIRE_MESSAGE(made.code == 0, made.err);
  struct stat about;
  REQUIRE(::stat(file.c_str(), &about) == 0);
  CHECK((about.st_mode & 0777) == 0600);
  const std::string tar = read_file(file);
  CHECK(tar.size() % 512 == 0);
  CHECK(contains(tar, "/mounts.json"));
  CHECK(contains(tar, "\"initialized\""));
  for (const char* secret : {"hunter2", "hvs.mine", "hvs.AAAA"}) CHECK_FALSE(contains(tar, secret));
  CHECK(std::system(("tar -tf " + file + " > /dev/null").c_str()) == 0);
  CHECK(program.run({"debug", "-output=" + file}).code == 1);  // nothing is written over
}

TEST_CASE("cli: the server's nodes, versions and plugins are tables") {
  VaultServer server;
  server.on("GET /v1/sys/ha-status",
            {200, R"({"nodes":[{"hostname":"h","api_address":"https://a","active_node":true,)"
                  R"("version":"1.2","last_echo":null}]})"});
  server.on("GET /v1/sys/version-history",
            {200, R"({"data":{"keys":["1.0"],"key_info":{"1.0":{"timestamp_installed":"T"}}}})"});
  server.on("GET /v1/sys/plugins/catalog",
            {200, R"({"data":{"auth":["userpass"],"secret":["kv"],"detailed":[)"
                  R"({"name":"kv","type":"secret","version":"v9"}]}})"});
  const Program program(server.address());
  CHECK(contains(program.run({"operator", "members"}).out, "https://a"));
  CHECK(contains(program.run({"version-history"}).out, "1.0"));
  const auto secrets = program.run({"plugin", "list", "secret"});
  CHECK(contains(secrets.out, "v9"));
  CHECK_FALSE(contains(secrets.out, "userpass"));
}
