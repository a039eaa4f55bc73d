// operator backup: what it takes from a server, and what it leaves behind.

#include <doctest/doctest.h>

#include <filesystem>

#include "tests/client/program.h"
#include "tests/client/vault_server.h"

using leasehold::testing::CannedResponse;
using leasehold::testing::Program;
using leasehold::testing::VaultServer;

namespace {

std::string frame(std::size_t announced, std::size_t size) {
  std::string text = {2, static_cast<char>(announced >> 24), static_cast<char>(announced >> 16),
                      static_cast<char>(announced >> 8), static_cast<char>(announced)};
  return text + std::string(size + 32, 'x');
}

const std::string kFirst = "leasehold backup" + frame(90, 90);

CannedResponse piece(const std::string& bytes, bool last = false) {
  return {200, bytes, {}, last ? "application/vnd.leasehold.backup-end" : "application/x"};
}

}  // namespace

TEST_CASE("backup: pieces are written one behind the other until the last") {
  VaultServer server;
  server.on("PUT /v1/sys/storage/backup", {200, R"({"data":{"id":"i","commit":7}})"});
  const std::string second = frame(300, 300), third = frame(40, 40) + frame(80, 80);
  server.on("GET /v1/sys/storage/backup/i", piece(kFirst));
  server.on("GET /v1/sys/storage/backup/i", piece(second));
  server.on("GET /v1/sys/storage/backup/i", piece(third, true));
  const Program program(server.address());
  const std::string file = program.home().path() + "/b";
  const auto run = program.run({"operator", "backup", file});
  CHECK_MESSAGE(run.code == 0, run.err);
  CHECK(std::filesystem::file_size(file) == kFirst.size() + second.size() + third.size());
  CHECK_FALSE(std::filesystem::exists(file + ".part"));
}

TEST_CASE("backup: what is no piece of a backup ends it, and is not kept") {
  const std::string rows[] = {
      "",                  // without end, if it counted
      "x",                 //
      "leasehold backup",  // magic alone
      frame(90, 90),       // a second frame is no beginning
      kFirst + "x",        //
      "leasehold backup" + frame(91, 90),
      "leasehold backup" + frame(0, 0),
      "leasehold backup" + frame((16u << 20) + 1, (16u << 20) + 1),
  };
  for (const std::string& row : rows) {
    CAPTURE(row.substr(0, 40));
    for (const bool first : {true, false}) {
      VaultServer server;
      server.on("PUT /v1/sys/storage/backup", {200, R"({"data":{"id":"i","commit":7}})"});
      if (!first) server.on("GET /v1/sys/storage/backup/i", piece(kFirst));
      const bool good = !first && row == frame(90, 90);
      server.on("GET /v1/sys/storage/backup/i", piece(row, good));
      const Program program(server.address());
      const std::string file = program.home().path() + "/b";
      const auto run = program.run({"operator", "backup", file});
      CHECK(run.code == (good ? 0 : 1));
      if (good) continue;
      CHECK(run.err.find("no part of a backup") != std::string::npos);
      CHECK_FALSE(std::filesystem::exists(file));
      CHECK_FALSE(std::filesystem::exists(file + ".part"));
      CHECK(server.last().method == "DELETE");
    }
  }
}
