#include <doctest/doctest.h>

#include <algorithm>

#include "backends/audit/rotation.h"
#include "tests/audit/support.h"
#include "vault/base/hcl.h"

using namespace leasehold;
using namespace leasehold::audit;

namespace {

std::vector<std::unique_ptr<Device>> rotating(const std::string& file, const Rotation& rotation) {
  std::vector<std::unique_ptr<Device>> devices;
  devices.push_back(std::make_unique<LogFile>(file, 0600, rotation));
  return devices;
}

// Oldest first; the one that is written last.
std::vector<std::string> files_of(const Folder& folder) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder.path()))
    names.push_back(entry.path().string());
  std::sort(names.begin(), names.end());
  std::rotate(names.begin(), names.begin() + 1, names.end());  // "audit.log" has no stamp
  return names;
}

// Writes until a further file was put aside.
void fill(Running& running, const Folder& folder) {
  const std::size_t before = files_of(folder).size();
  REQUIRE(eventually([&] {
    CHECK(running.add(std::string(20'000, 'x')).ok());
    running.clock.advance(std::chrono::seconds(1));
    return files_of(folder).size() > before;
  }));
}

std::string refusal(const std::string& options) {
  auto parsed = parse_hcl("options {\n" + options + "\n}\n", {"options"});
  REQUIRE(parsed.ok());
  Stanza stanza("vault.hcl", parsed->blocks.at(0));
  const auto rotation = take_rotation(stanza);
  return rotation.ok() ? "" : rotation.error().message;
}

}  // namespace

TEST_CASE("audit rotation: a file that is large enough is put aside, and all verify as one log") {
  Folder folder;
  Running running(rotating(folder / "audit.log", {.bytes = 64 << 10}));
  REQUIRE(running.start().ok());
  for (int i = 0; i < 3; ++i) fill(running, folder);
  running.log->close();
  const auto files = files_of(folder);
  CHECK(files.size() >= 4);
  const Verdict verdict = verified(files);
  CHECK(verdict.whole);
  CHECK(verdict.broken == "");
}

TEST_CASE("audit rotation: a file that is old enough, and not an empty one") {
  Folder folder;
  Running running(rotating(folder / "audit.log", {.age = Seconds(3600)}));
  REQUIRE(running.start().ok());
  // From when it was first looked at where the disk says it is younger than that.
  REQUIRE(eventually([&] {
    running.clock.advance(Seconds(600));
    return std::filesystem::exists(folder / "audit.log") &&
           std::distance(std::filesystem::directory_iterator(folder.path()), {}) > 1;
  }));
  running.log->close();
  CHECK(verified(files_of(folder)).whole);
}

TEST_CASE("audit rotation: of those put aside the newest stay, and no other file is touched") {
  Folder folder;
  const std::string others[] = {folder / "audit.log.1", folder / "audit.log.old",
                                folder / "other.20261129T072053Z",
                                folder / "audit.log.20261129T072053Z.gz"};
  for (const auto& other : others) write_file(other, "mine");
  for (const char* stamp : {"20200101T000000Z", "20200101T000000Z-1", "20200102T000000Z"})
    write_file(folder / (std::string("audit.log.") + stamp), "old");
  CHECK(remove_oldest(folder / "audit.log", 1).ok());
  CHECK(std::filesystem::exists(folder / "audit.log.20200102T000000Z"));
  CHECK_FALSE(std::filesystem::exists(folder / "audit.log.20200101T000000Z"));
  CHECK_FALSE(std::filesystem::exists(folder / "audit.log.20200101T000000Z-1"));
  for (const auto& other : others) CHECK(read_file(other) == "mine");
}

TEST_CASE("audit rotation: what is left after the oldest went verifies from its first line on") {
  Folder folder;
  Running running(rotating(folder / "audit.log", {.bytes = 64 << 10, .files = 2}));
  REQUIRE(running.start().ok());
  for (int i = 0; i < 2; ++i) fill(running, folder);
  for (int i = 0; i < 40; ++i) {
    CHECK(running.add(std::string(20'000, 'x')).ok());
    running.clock.advance(std::chrono::seconds(1));
  }
  CHECK(eventually([&] { return files_of(folder).size() == 3; }));
  running.log->close();
  CHECK(verified(files_of(folder)).broken == "");
}

TEST_CASE("audit rotation: two files of one second have names in their order") {
  Folder folder;
  const WallTime now{1'700'000'000'000'000'000};
  for (const char* text : {"first", "second"}) {
    write_file(folder / "audit.log", text);
    CHECK(put_aside(folder / "audit.log", now).ok());
  }
  CHECK(read_file(folder / "audit.log.20231114T221320Z") == "first");
  CHECK(read_file(folder / "audit.log.20231114T221320Z-1") == "second");
  CHECK_FALSE(put_aside(folder / "audit.log", now).ok());
}

TEST_CASE("audit rotation: what cannot be meant is refused where it stands") {
  CHECK(refusal("rotate_bytes = 1000").find("vault.hcl:2:1: \"rotate_bytes\" is at least") == 0);
  CHECK(refusal("rotate_duration = \"1s\"").find("is at least 1m") != std::string::npos);
  CHECK(refusal("rotate_bytes = 70000\n rotate_max_files = -1").find("0 or more") !=
        std::string::npos);
  CHECK(refusal("rotate_max_files = 3").find("needs \"rotate_bytes\"") != std::string::npos);
  CHECK(refusal("rotate_duration = \"24h\"\n rotate_max_files = 30") == "");
}
