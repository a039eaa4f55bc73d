// What is true of LMDB beyond the conformance suite: the disk.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <lmdb.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>

#include "backends/storage/ballast.h"
#include "backends/storage/data_directory.h"
#include "tests/support/broken_lmdb.h"
#include "tests/support/every_storage.h"
#include "tests/support/null_log.h"

using namespace leasehold;
using storage::Batch;
using storage::CommitResult;
using storage::open_lmdb;
using storage::Outcome;
using testing::small_lmdb;
using testing::TemporaryDirectory;

namespace {

// With a map of so many MiB.
auto lmdb_of(std::size_t mib) {
  auto options = small_lmdb();
  options.map_bytes = mib << 20;
  return options;
}

NullLog null_log;

struct TextLog final : LogSink {
  void write(LogLevel, std::string_view message) override { text.append(message) += '\n'; }
  std::string text;
};

struct Accept final : storage::GroupObserver {
  bool admit(std::size_t) override { return true; }
  void changed(ByteView, const std::optional<storage::Found>&, const std::optional<ByteView>&,
               std::uint64_t) override {}
  void finish(std::uint64_t, Batch&) override {}
};

Outcome put(storage::Storage& storage, const std::string& key, std::size_t size) {
  Batch batch;
  batch.put(as_bytes(key), as_bytes(std::string(size, 'v')));
  const Batch* const group[] = {&batch};
  CommitResult result[1];
  Accept accept;
  storage.commit(group, accept, result);
  return result[0].outcome;
}

Outcome erase(storage::Storage& storage, const std::string& key) {
  Batch batch;
  batch.erase(as_bytes(key));
  const Batch* const group[] = {&batch};
  CommitResult result[1];
  Accept accept;
  storage.commit(group, accept, result);
  return result[0].outcome;
}

bool has(storage::Storage& storage, const std::string& key) {
  auto snapshot = storage.snapshot();
  REQUIRE(snapshot.ok());
  auto found = (*snapshot)->get(as_bytes(key));
  REQUIRE(found.ok());
  return found->has_value();
}

unsigned mode(const std::string& path) {
  struct stat found;
  REQUIRE(::stat(path.c_str(), &found) == 0);
  return found.st_mode & 07777;
}

}  // namespace

TEST_CASE("lmdb: what was committed is there when the environment is opened again") {
  TemporaryDirectory directory;
  {
    auto storage = open_lmdb(directory.path(), small_lmdb(), null_log);
    REQUIRE(storage.ok());
    CHECK(put(**storage, "a", 10) == Outcome::committed);
    CHECK(put(**storage, "b", 10) == Outcome::committed);
  }
  auto again = open_lmdb(directory.path(), small_lmdb(), null_log);
  REQUIRE(again.ok());
  CHECK(has(**again, "a"));
  CHECK(*(*again)->last_index() == 2);
  CHECK((*again)->kind() == "lmdb");
}

TEST_CASE("lmdb: the directory and its files are the owner's alone") {
  TemporaryDirectory parent;
  const std::string path = parent.path() + "/data";
  auto storage = open_lmdb(path, small_lmdb(), null_log);
  REQUIRE(storage.ok());
  CHECK(mode(path) == 0700);
  for (const char* name : {"/data.mdb", "/lock.mdb", "/owner.lock", "/ballast"})
    CHECK(mode(path + name) == 0600);
}

TEST_CASE("lmdb: a directory that others may read is refused, and the error says what to do") {
  TemporaryDirectory directory;
  std::ofstream(directory.path() + "/something") << "x";
  ::chmod(directory.path().c_str(), 0750);
  const auto refused = open_lmdb(directory.path(), small_lmdb(), null_log);
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().message.find("chmod 700") != std::string::npos);
}

TEST_CASE("lmdb: an empty directory of ours is made ours alone") {
  TemporaryDirectory directory;
  ::chmod(directory.path().c_str(), 0755);
  CHECK(storage::check_data_directory(directory.path(), null_log).ok());
  CHECK(mode(directory.path()) == 0755);  // a check changes nothing
  REQUIRE(open_lmdb(directory.path(), small_lmdb(), null_log).ok());
  CHECK(mode(directory.path()) == 0700);
}

TEST_CASE("lmdb: whether a vault is there is seen without opening it for writing") {
  TemporaryDirectory directory;
  CHECK_FALSE(storage::holds_records(directory.path()));
  {
    auto storage = open_lmdb(directory.path(), small_lmdb(), null_log);
    REQUIRE(storage.ok());
  }
  CHECK_FALSE(storage::holds_records(directory.path()));  // opened once, and never initialized
  auto storage = open_lmdb(directory.path(), small_lmdb(), null_log);
  REQUIRE(storage.ok());
  CHECK(put(**storage, "a", 10) == Outcome::committed);
  storage->reset();
  CHECK(storage::holds_records(directory.path()));
}

TEST_CASE("lmdb: room for the reserve is looked at, and nothing is made") {
  TemporaryDirectory directory;
  const std::string path = directory.path() + "/ballast";
  CHECK(storage::check_ballast(path, 4096).ok());
  const Status refused = storage::check_ballast(path, std::size_t{1} << 60);
  CHECK(refused.is(Code::no_space));
  CHECK(refused.error().message.find("revocations") != std::string::npos);
  CHECK_FALSE(std::filesystem::exists(path));
}

TEST_CASE("lmdb: a second process is refused, and the error names the first") {
  TemporaryDirectory directory;
  auto first = open_lmdb(directory.path(), small_lmdb(), null_log);
  REQUIRE(first.ok());
  // flock belongs to the open file, so a second one in this process stands for a second process.
  const auto second = open_lmdb(directory.path(), small_lmdb(), null_log);
  REQUIRE(second.is(Code::unavailable));
  CHECK(second.error().message.find("in use by process " + std::to_string(::getpid())) !=
        std::string::npos);
}

TEST_CASE("lmdb: network file systems are known by their magic") {
  CHECK(storage::network_file_system(0x6969) == std::string("NFS"));
  CHECK(storage::network_file_system(0xff534d42) == std::string("CIFS"));
  CHECK(storage::network_file_system(0xef53) == nullptr);      // ext4
  CHECK(storage::network_file_system(0x58465342) == nullptr);  // XFS
}

TEST_CASE("lmdb: data of a newer version is refused untouched") {
  TemporaryDirectory directory;
  { REQUIRE(open_lmdb(directory.path(), small_lmdb(), null_log).ok()); }
  MDB_env* env = nullptr;
  MDB_txn* txn = nullptr;
  MDB_dbi main = 0;
  mdb_env_create(&env);
  mdb_env_set_maxdbs(env, 4);
  REQUIRE(mdb_env_open(env, directory.path().c_str(), 0, 0600) == 0);
  REQUIRE(mdb_txn_begin(env, nullptr, 0, &txn) == 0);
  REQUIRE(mdb_dbi_open(txn, nullptr, 0, &main) == 0);
  std::uint8_t version[] = {0, 0, 0, 2};
  MDB_val key{6, const_cast<char*>("format")}, value{sizeof version, version};
  REQUIRE(mdb_put(txn, main, &key, &value, 0) == 0);
  REQUIRE(mdb_txn_commit(txn) == 0);
  mdb_env_close(env);

  const auto refused = open_lmdb(directory.path(), small_lmdb(), null_log);
  REQUIRE(refused.is(Code::unsupported));
  CHECK(refused.error().message.find("upgrade") != std::string::npos);
}

TEST_CASE("lmdb: a file that is not LMDB's is refused") {
  TemporaryDirectory directory;
  std::ofstream(directory.path() + "/data.mdb") << std::string(8192, 'x');
  CHECK_FALSE(open_lmdb(directory.path(), small_lmdb(), null_log).ok());
}

TEST_CASE("lmdb: a file that was cut is refused, unless all that it names is there") {
  const TemporaryDirectory directory;
  const std::string file = directory.path() + "/data.mdb";
  {
    auto storage = open_lmdb(directory.path(), small_lmdb(), null_log);
    REQUIRE(storage.ok());
    for (int i = 0; i < 200; ++i)
      REQUIRE(put(**storage, "key" + std::to_string(i), 5000) == Outcome::committed);
    for (int i = 20; i < 200; ++i)
      REQUIRE(erase(**storage, "key" + std::to_string(i)) == Outcome::committed);
    for (int i = 0; i < 3; ++i) REQUIRE(put(**storage, "last", 10) == Outcome::committed);
  }
  const auto records = [&](storage::Storage& storage) {
    std::size_t bytes = 0;
    const Bytes first{0x00}, end{0xff};
    const auto snapshot = storage.snapshot();
    REQUIRE(snapshot.ok());
    REQUIRE((*snapshot)
                ->scan(first, end, SIZE_MAX, storage::Scan::values,
                       [&](const storage::Entry& entry) {
                         for (const std::uint8_t byte : entry.value) bytes += byte == 'v';
                         return true;
                       })
                .ok());
    return bytes;
  };
  const std::string kept = directory.path() + "/kept";
  std::filesystem::copy_file(file, kept);
  const auto size = std::filesystem::file_size(file);
  int opened = 0, refused = 0;
  for (auto left = size; left > 0; left -= std::min<std::uintmax_t>(left, 4096)) {
    CAPTURE(left);
    std::filesystem::copy_file(kept, file, std::filesystem::copy_options::overwrite_existing);
    std::filesystem::resize_file(file, left);
    auto storage = open_lmdb(directory.path(), small_lmdb(), null_log);
    if (storage.ok()) {
      CHECK(records(**storage) == 20 * 5000 + 10);
      ++opened;
      continue;
    }
    ++refused;
    CHECK(storage.error().message.find("data.mdb") != std::string::npos);
    CHECK(storage.error().message.find("restore a backup") != std::string::npos);
  }
  CHECK(opened > 1);  // pages that are free are not needed
  CHECK(refused > 20);
}

TEST_CASE("lmdb: a file that is cut while it is open takes no write") {
  const TemporaryDirectory directory;
  const std::string file = directory.path() + "/data.mdb";
  auto storage = open_lmdb(directory.path(), small_lmdb(), null_log);
  REQUIRE(storage.ok());
  for (int i = 0; i < 50; ++i)
    REQUIRE(put(**storage, "key" + std::to_string(i), 5000) == Outcome::committed);
  std::filesystem::resize_file(file, std::filesystem::file_size(file) - 4096);
  CHECK(put(**storage, "key", 10) == Outcome::failed);
  CHECK((*storage)->ready().error().message.find("was cut while the vault runs") !=
        std::string::npos);
}

TEST_CASE("lmdb: a full map refuses what does not fit and goes on") {
  TemporaryDirectory directory;
  auto opened = open_lmdb(directory.path(), lmdb_of(1), null_log);
  REQUIRE(opened.ok());
  auto& storage = **opened;
  CHECK_FALSE(storage.low_on_space());
  CHECK(put(storage, "huge", 2u << 20) == Outcome::no_space);
  CHECK_FALSE(has(storage, "huge"));
  CHECK_FALSE(storage.low_on_space());

  int written = 0;
  while (put(storage, "k" + std::to_string(written), 3000) == Outcome::committed) ++written;
  CHECK(written > 50);
  CHECK(storage.low_on_space());
  for (int i = 0; i < written; ++i) CHECK(has(storage, "k" + std::to_string(i)));
  int erased = 0;
  for (int i = 0; i < written; ++i)
    erased += erase(storage, "k" + std::to_string(i)) == Outcome::committed ? 1 : 0;
  CHECK(erased > 0);
}

TEST_CASE("lmdb: an import that does not fit says which limit it met") {
  TemporaryDirectory directory;
  auto opened = open_lmdb(directory.path(), lmdb_of(1), null_log);
  REQUIRE(opened.ok());
  const Bytes value(2u << 20, 1);
  const storage::Entry entry[] = {{as_bytes("huge"), value, 1}};
  const Status imported = (*opened)->import(entry);
  REQUIRE(imported.is(Code::no_space));
  CHECK(imported.error().message.find("map_size") != std::string::npos);
  CHECK(imported.error().message.find("it is 1 MiB now") != std::string::npos);
}

TEST_CASE("lmdb: user writes stop while erasing still works: the low mark comes before the end") {
  TemporaryDirectory directory;
  auto opened = open_lmdb(directory.path(), lmdb_of(4), null_log);
  REQUIRE(opened.ok());
  auto& storage = **opened;
  int written = 0;
  while (!storage.low_on_space()) {
    REQUIRE(put(storage, "k" + std::to_string(written), 3000) == Outcome::committed);
    ++written;
  }
  CHECK(written > 500);
  for (int i = 0; i < written; ++i)
    REQUIRE(erase(storage, "k" + std::to_string(i)) == Outcome::committed);
  CHECK_FALSE(storage.low_on_space());
  CHECK(put(storage, "again", 3000) == Outcome::committed);
}

TEST_CASE("lmdb: a full map is told when it comes to that, at each start, and when it ends") {
  const TemporaryDirectory directory;
  TextLog log;
  const auto open = [&] {
    auto opened = open_lmdb(directory.path(), lmdb_of(4), log);
    REQUIRE(opened.ok());
    return std::move(opened).value();
  };
  const auto said = [&](std::string_view text) {
    return std::exchange(log.text, {}).find(text) != std::string::npos;
  };
  auto storage = open();
  CHECK(log.text.empty());
  CHECK(storage->trouble().empty());
  int written = 0;
  while (!storage->low_on_space())
    REQUIRE(put(*storage, "k" + std::to_string(written++), 3000) == Outcome::committed);
  CHECK(said("the map of storage is full"));
  CHECK(storage->trouble().find("map_size") != std::string::npos);
  storage.reset();
  storage = open();
  CHECK(said("the map of storage is full"));
  CHECK_FALSE(storage->trouble().empty());
  for (int i = 0; i < written; ++i)
    REQUIRE(erase(*storage, "k" + std::to_string(i)) == Outcome::committed);
  CHECK(said("has room again"));
  CHECK(storage->trouble().empty());
}

TEST_CASE("lmdb: a file size limit stops no more than what does not fit, and nothing is lost") {
  TemporaryDirectory directory;
  rlim_t most = 4u << 20;
  SUBCASE("EFBIG, at the end of a page") {}
  SUBCASE("a short write, which LMDB calls EIO") { most += 1000; }
  const pid_t child = ::fork();
  if (child == 0) {
    ::signal(SIGXFSZ, SIG_IGN);
    rlimit limit{most, most};
    auto options = small_lmdb();
    options.ballast_bytes = 0;
    auto opened = open_lmdb(directory.path(), options, null_log);
    ::setrlimit(RLIMIT_FSIZE, &limit);
    if (!opened.ok()) ::_exit(2);
    int written = 0;
    Outcome outcome = Outcome::committed;
    while ((outcome = put(**opened, "k" + std::to_string(written), 3000)) == Outcome::committed)
      ++written;
    if (outcome != Outcome::no_space && outcome != Outcome::failed) ::_exit(3);
    if (erase(**opened, "k0") != Outcome::committed) ::_exit(4);
    for (int i = 1; i < written; ++i)
      if (!has(**opened, "k" + std::to_string(i))) ::_exit(5);
    ::_exit(written > 100 ? 0 : 6);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
}

TEST_CASE("ballast: it takes space, gives it back, and comes again when there is room") {
  TemporaryDirectory directory;
  const std::string path = directory.path() + "/ballast";
  storage::Ballast ballast(path, 1u << 20, null_log);
  struct stat found;
  REQUIRE(::stat(path.c_str(), &found) == 0);
  CHECK(found.st_blocks * 512 >= 1 << 20);
  CHECK_FALSE(ballast.missing());
  CHECK(ballast.release());
  CHECK(::stat(path.c_str(), &found) != 0);
  CHECK_FALSE(ballast.release());
  CHECK_FALSE(ballast.missing());  // this disk has room
  CHECK(::stat(path.c_str(), &found) == 0);
}

TEST_CASE("lmdb: an environment that gave up opens again when it is asked to be ready") {
  TemporaryDirectory directory;
  auto opened = open_lmdb(directory.path(), small_lmdb(), null_log);
  REQUIRE(opened.ok());
  auto& storage = **opened;
  CHECK(storage.ready().ok());
  REQUIRE(put(storage, "before", 10) == Outcome::committed);
  const std::uint64_t index = *storage.last_index();
  testing::break_lmdb(directory.path());
  CHECK(put(storage, "lost", 10) == Outcome::unknown);
  CHECK(put(storage, "after", 10) == Outcome::failed);
  REQUIRE(storage.ready().ok());
  CHECK(has(storage, "before"));
  CHECK(*storage.last_index() == index + (has(storage, "lost") ? 1 : 0));
  CHECK(put(storage, "after", 10) == Outcome::committed);
  CHECK(has(storage, "after"));
}

TEST_CASE("lmdb: an environment that cannot be opened again answers with an error until it can") {
  TemporaryDirectory directory;
  auto opened = open_lmdb(directory.path(), small_lmdb(), null_log);
  REQUIRE(opened.ok());
  auto& storage = **opened;
  REQUIRE(put(storage, "before", 10) == Outcome::committed);
  testing::break_lmdb(directory.path());
  CHECK(put(storage, "lost", 10) == Outcome::unknown);
  const std::string file = directory.path() + "/data.mdb";
  std::filesystem::rename(file, file + ".away");
  std::filesystem::create_directory(file);
  CHECK_FALSE(storage.ready().ok());
  CHECK_FALSE(storage.snapshot().ok());
  CHECK(put(storage, "after", 10) == Outcome::failed);
  std::filesystem::remove(file);
  std::filesystem::rename(file + ".away", file);
  REQUIRE(storage.ready().ok());
  CHECK(has(storage, "before"));
  CHECK(put(storage, "after", 10) == Outcome::committed);
}

TEST_CASE("lmdb: a file that was deleted takes no write, and no empty one comes in its place") {
  TemporaryDirectory directory;
  const std::string path = directory.path() + "/vault";
  auto storage = open_lmdb(path, small_lmdb(), null_log);
  REQUIRE(storage.ok());
  CHECK(put(**storage, "a", 10) == Outcome::committed);
  SUBCASE("the file") { std::filesystem::remove(path + "/data.mdb"); }
  SUBCASE("the whole directory") { std::filesystem::remove_all(path); }
  CHECK(put(**storage, "b", 10) == Outcome::failed);
  CHECK((*storage)->trouble() != "");
  const Status ready = (*storage)->ready();
  REQUIRE_FALSE(ready.ok());
  CHECK(ready.error().message.find("was deleted while the vault runs") != std::string::npos);
  CHECK_FALSE(std::filesystem::exists(path + "/data.mdb"));
  CHECK(has(**storage, "a"));
}

TEST_CASE(
    "lmdb: what failed before its root was written has not happened, and the next goes well") {
  TemporaryDirectory directory;
  auto opened = open_lmdb(directory.path(), small_lmdb(), null_log);
  REQUIRE(opened.ok());
  auto& storage = **opened;
  REQUIRE(put(storage, "before", 10) == Outcome::committed);
  const std::uint64_t index = *storage.last_index();
  {
    const testing::PagesRefused refused(directory.path());
    CHECK(put(storage, "lost", 10) == Outcome::failed);
    CHECK_FALSE(storage.low_on_space());
  }
  CHECK_FALSE(has(storage, "lost"));
  CHECK(*storage.last_index() == index);
  CHECK(put(storage, "after", 10) == Outcome::committed);
  CHECK(has(storage, "before"));
  CHECK(has(storage, "after"));
}

TEST_CASE("lmdb: what another process wrote past the lock is noticed before anything is added") {
  TemporaryDirectory directory;
  int go[2];
  REQUIRE(::pipe(go) == 0);
  const pid_t child = ::fork();
  if (child == 0) {
    char byte = 0;
    if (::read(go[0], &byte, 1) != 1) ::_exit(2);
    auto second = open_lmdb(directory.path(), small_lmdb(), null_log);
    if (!second.ok()) ::_exit(3);
    ::_exit(put(**second, "theirs", 10) == Outcome::committed ? 0 : 4);
  }
  auto opened = open_lmdb(directory.path(), small_lmdb(), null_log);
  REQUIRE(opened.ok());
  auto& storage = **opened;
  REQUIRE(put(storage, "ours", 10) == Outcome::committed);
  std::filesystem::remove(directory.path() + "/owner.lock");
  REQUIRE(::write(go[1], "x", 1) == 1);
  int status = 0;
  ::waitpid(child, &status, 0);
  ::close(go[0]);
  ::close(go[1]);
  REQUIRE(WIFEXITED(status));
  REQUIRE(WEXITSTATUS(status) == 0);
  CHECK(put(storage, "mixed", 10) == Outcome::unknown);  // so the vault seals itself
  CHECK_FALSE(has(storage, "mixed"));
  REQUIRE(storage.ready().ok());  // at the next unsealing, with the other one stopped
  CHECK(has(storage, "theirs"));
  CHECK(put(storage, "after", 10) == Outcome::committed);
}

TEST_CASE("lmdb: a file that was renamed takes no write until it is back in its place") {
  TemporaryDirectory directory;
  auto opened = open_lmdb(directory.path(), small_lmdb(), null_log);
  REQUIRE(opened.ok());
  auto& storage = **opened;
  REQUIRE(put(storage, "before", 10) == Outcome::committed);
  const std::string file = directory.path() + "/data.mdb";
  std::filesystem::rename(file, file + ".away");
  SUBCASE("nothing in its place") {}
  SUBCASE("another in its place") { std::ofstream(file) << "x"; }
  CHECK(put(storage, "lost", 10) == Outcome::failed);
  CHECK(storage.trouble().find(directory.path()) == std::string::npos);
  CHECK(storage.trouble() != "");
  CHECK(has(storage, "before"));
  const Status ready = storage.ready();
  REQUIRE_FALSE(ready.ok());
  CHECK(ready.error().message.find("renamed") != std::string::npos);
  std::filesystem::rename(file + ".away", file);
  CHECK(put(storage, "after", 10) == Outcome::committed);
  CHECK(storage.trouble() == "");
  CHECK_FALSE(has(storage, "lost"));
}

TEST_CASE("lmdb: a batch refused by what then did not happen is not refused for it") {
  TemporaryDirectory directory;
  auto opened = open_lmdb(directory.path(), lmdb_of(1), null_log);
  REQUIRE(opened.ok());
  Batch refused, huge, later;
  refused.guard(as_bytes("a"), 7);
  huge.put(as_bytes("huge"), as_bytes(std::string(900'000, 'v')));
  huge.put(as_bytes("huge too"), as_bytes(std::string(900'000, 'v')));
  later.put(as_bytes("b"), {});
  struct LastUse final : storage::GroupObserver {
    bool admit(std::size_t batch) override { return batch == 1; }
    void changed(ByteView, const std::optional<storage::Found>&, const std::optional<ByteView>&,
                 std::uint64_t) override {}
    void finish(std::uint64_t, Batch&) override {}
  } observer;
  const Batch* const group[] = {&refused, &huge, &later};
  CommitResult results[3];
  (*opened)->commit(group, observer, results);
  CHECK(results[0].outcome == Outcome::conflict);
  CHECK(results[1].outcome == Outcome::no_space);
  CHECK(results[2].outcome == Outcome::no_space);
}

TEST_CASE("lmdb: bytes that are no record of ours are shown as a value that nothing opens") {
  TemporaryDirectory directory;
  { REQUIRE(open_lmdb(directory.path(), small_lmdb(), null_log).ok()); }
  MDB_env* env = nullptr;
  MDB_txn* txn = nullptr;
  MDB_dbi records = 0;
  mdb_env_create(&env);
  mdb_env_set_maxdbs(env, 4);
  REQUIRE(mdb_env_open(env, directory.path().c_str(), 0, 0600) == 0);
  REQUIRE(mdb_txn_begin(env, nullptr, 0, &txn) == 0);
  REQUIRE(mdb_dbi_open(txn, "records", 0, &records) == 0);
  for (std::size_t size = 0; size < 8; ++size) {
    char name[] = {'k', static_cast<char>('0' + size)}, bytes[8] = {};
    MDB_val key{sizeof name, name}, value{size, bytes};
    REQUIRE(mdb_put(txn, records, &key, &value, 0) == 0);
  }
  REQUIRE(mdb_txn_commit(txn) == 0);
  mdb_env_close(env);

  auto storage = open_lmdb(directory.path(), small_lmdb(), null_log);
  REQUIRE(storage.ok());
  CHECK(put(**storage, "z", 10) == Outcome::committed);
  std::size_t seen = 0;
  CHECK((*(*storage)->snapshot())
            ->scan(as_bytes("a"), as_bytes("zz"), SIZE_MAX, storage::Scan::values,
                   [&](const storage::Entry& entry) {
                     CHECK(entry.value.size() == (entry.key.size() == 1 ? 10 : 0));
                     ++seen;
                     return true;
                   })
            .ok());
  CHECK(seen == 9);
  CHECK(erase(**storage, "k3") == Outcome::committed);
  CHECK(put(**storage, "k4", 3) == Outcome::committed);
  CHECK_FALSE(has(**storage, "k3"));
}

TEST_CASE("lmdb: the size of the map is bytes, or a number of MiB, GiB or TiB") {
  CHECK(*storage::parse_map_size("137438953472") == std::size_t{128} << 30);
  CHECK(*storage::parse_map_size("128GiB") == std::size_t{128} << 30);
  CHECK(*storage::parse_map_size("64MiB") == std::size_t{64} << 20);
  CHECK(*storage::parse_map_size("2TiB") == std::size_t{2} << 40);
  CHECK(*storage::parse_map_size("64 GiB") == std::size_t{64} << 30);
  CHECK(*storage::parse_map_size("64gib") == std::size_t{64} << 30);
  // Units of ten, in whole pages.
  CHECK(*storage::parse_map_size("10GB") == 10'000'000'000 / 65536 * 65536);
  for (const char* text : {"", "GiB", "1", "63MiB", "65TiB", "18446744073709551615TiB", "1.5GiB",
                           "-1GiB", "64  GiB", "64KB", "63MB", "64G", "64GiBs"}) {
    CAPTURE(text);
    CHECK_FALSE(storage::parse_map_size(text).ok());
  }
}

TEST_CASE("lmdb: a tree that leads to one page many times is damage, and walked no further") {
  const TemporaryDirectory directory;
  constexpr int kRecords = 1000;
  {
    auto storage = open_lmdb(directory.path(), small_lmdb(), null_log);
    REQUIRE(storage.ok());
    for (int i = 0; i < kRecords; i += 50) {
      Batch batch;
      for (int k = i; k < i + 50; ++k)
        batch.put(as_bytes(std::to_string(100'000 + k)), as_bytes(std::string(100, 'v')));
      const Batch* const group[] = {&batch};
      CommitResult result[1];
      Accept accept;
      (*storage)->commit(group, accept, result);
      REQUIRE(result[0].outcome == Outcome::committed);
    }
  }
  testing::make_lmdb_repeat_itself(directory.path());
  auto storage = open_lmdb(directory.path(), small_lmdb(), null_log);
  REQUIRE(storage.ok());
  auto snapshot = (*storage)->snapshot();
  REQUIRE(snapshot.ok());
  int seen = 0;
  const std::uint8_t from[] = {0x00}, to[] = {0xff};
  const Status scanned =
      (*snapshot)->scan(from, to, SIZE_MAX, storage::Scan::values, [&](const storage::Entry&) {
        ++seen;
        return true;
      });
  CHECK(scanned.is(Code::internal));
  CHECK(seen < kRecords / 2);
}
