#include <doctest/doctest.h>

#include "tests/support/vault_store.h"

using namespace leasehold;
using commit::Batch;
using commit::ReadTxn;
using commit::WriteTxn;
using testing::kTestSpace;
using testing::VaultStore;

namespace {

Status put(WriteTxn& txn, std::string_view name, std::string_view value = "v") {
  return txn.put(name, as_bytes(value));
}
auto putting(std::string_view name, std::string_view value = "v") {
  return [=](WriteTxn& txn) { return put(txn, name, value); };
}
auto erasing(std::string_view name) {
  return [=](WriteTxn& txn) { return txn.erase(name); };
}
std::size_t names_stored(VaultStore& store) {
  const auto snapshot = store.snapshot();
  std::size_t count = 0;
  const barrier::PhysicalKey table(barrier::Table::name);
  const auto each = [&](const storage::Entry&) { return ++count > 0; };
  CHECK(snapshot
            ->scan(table.view(), table.end_of_prefix().view(), SIZE_MAX, storage::Scan::keys, each)
            .ok());
  return count;
}

// Two transactions that begin on the same state and are committed one after the other.
struct Race {
  VaultStore& store;
  std::unique_ptr<storage::Snapshot> first_shown = store.snapshot();
  std::unique_ptr<storage::Snapshot> second_shown = store.snapshot();
  Batch first_batch{{}, commit::Unrecorded{"a test"}};
  Batch second_batch = first_batch;
  WriteTxn first{*first_shown, store.barrier, kTestSpace, first_batch};
  WriteTxn second{*second_shown, store.barrier, kTestSpace, second_batch};

  // Which of them happened: "both", "first", ...
  std::string run() {
    const bool a = store.committer.commit(first_batch).status().ok();
    const bool b = store.committer.commit(second_batch).status().ok();
    return a && b ? "both" : a ? "first" : b ? "second" : "none";
  }
};

}  // namespace

TEST_CASE_FIXTURE(VaultStore, "txn: names stand in the order in which they came") {
  for (const char* name : {"d/c", "d/a", "d/b"}) REQUIRE(write(putting(name)).ok());
  REQUIRE(write(putting("d/c", "again")).ok());
  std::vector<std::string> names;
  const auto snapshot = this->snapshot();
  const auto prefix = barrier.directory_prefix(kTestSpace, "d/");
  const auto each = [&](const storage::Entry& entry) {
    names.push_back(barrier.open_named(barrier::PhysicalKey::from(entry.key), entry.value)->name);
    return true;
  };
  REQUIRE(snapshot
              ->scan(prefix.view(), prefix.end_of_prefix().view(), SIZE_MAX, storage::Scan::values,
                     each)
              .ok());
  CHECK(names == std::vector<std::string>{"d/c", "d/a", "d/b"});
  for (const char* name : {"d/c", "d/a", "d/b"}) REQUIRE(write(erasing(name)).ok());
  CHECK(names_stored(*this) == 0);
}

TEST_CASE_FIXTURE(VaultStore, "txn: a name that is put, erased and put again at once stands once") {
  REQUIRE(write(putting("d/a", "1")).ok());
  REQUIRE(write([](WriteTxn& txn) -> Status {
            VAULT_TRY(put(txn, "d/a", "2"));
            VAULT_TRY(txn.erase("d/a"));
            return put(txn, "d/a", "3");
          }).ok());
  CHECK(read("d/a") == "3");
  CHECK(names_stored(*this) == 2);  // and its directory
  REQUIRE(write(erasing("d/a")).ok());
  CHECK(names_stored(*this) == 0);
}

// As an earlier version wrote it: format 1, and the name under the hashes of its value.
TEST_CASE_FIXTURE(VaultStore, "txn: the name of a value of format 1 goes with it") {
  const auto key = barrier.value_key(kTestSpace, "a");
  REQUIRE(write([&](WriteTxn& txn) -> Status {
            VAULT_TRY(txn.put(key, "a", as_bytes("old")));
            return txn.put(key.in(barrier::Table::name), "a", {});
          }).ok());
  CHECK(read("a") == "old");
  CHECK(names_stored(*this) == 1);
  REQUIRE(write(putting("a", "new")).ok());
  CHECK(read("a") == "new");
  CHECK(names_stored(*this) == 1);
  REQUIRE(write(erasing("a")).ok());
  CHECK(names_stored(*this) == 0);
}

TEST_CASE_FIXTURE(VaultStore, "txn: what was put is read, replaced and erased by its name") {
  CHECK(read("a/b") == "-");
  CHECK(write(putting("a/b", "1")).ok());
  CHECK(read("a/b") == "1");
  CHECK(write(putting("a/b", "2")).ok());
  CHECK(read("a/b") == "2");
  CHECK(write(erasing("a/b")).ok());
  CHECK(read("a/b") == "-");
  CHECK(write(erasing("a/b")).ok());
  CHECK(verifies());
}

TEST_CASE_FIXTURE(VaultStore, "txn: a space sees nothing of another") {
  CHECK(write(putting("a", "1")).ok());
  const auto shown = snapshot();
  ReadTxn txn(*shown, barrier, kTestSpace);
  CHECK_FALSE((*txn.in({0x0b}).get("a")).has_value());
  CHECK((*txn.in(kTestSpace).get("a")).has_value());
}

TEST_CASE_FIXTURE(VaultStore, "txn: names are listed sorted, directories with a '/' at their end") {
  for (const char* name : {"b", "a/x", "a/y/z", "a", "c/d/e/f"}) CHECK(write(putting(name)).ok());
  CHECK(list("") == "a a/ b c/ ");
  CHECK(list("a/") == "x y/ ");
  CHECK(list("a/y/") == "z ");
  CHECK(list("c/d/e/") == "f ");
  CHECK(list("none/") == "");
  CHECK(list("a").rfind("error", 0) == 0);
}

namespace {

// Counts what is read of the snapshot that it passes on.
class Counting final : public storage::Snapshot {
 public:
  explicit Counting(std::unique_ptr<storage::Snapshot> real) : real_(std::move(real)) {}
  Result<std::optional<storage::Found>> get(ByteView key) override { return real_->get(key); }
  Status scan(ByteView from, ByteView to, std::size_t limit, storage::Scan what,
              FunctionRef<bool(const storage::Entry&)> each) override {
    return real_->scan(from, to, limit, what, [&](const storage::Entry& entry) {
      ++walked;
      return each(entry);
    });
  }
  void release() override { real_->release(); }
  Status renew() override { return real_->renew(); }

  std::size_t walked = 0;

 private:
  std::unique_ptr<storage::Snapshot> real_;
};

struct PagedStore : VaultStore {
  PagedStore() {
    for (int part = 0; part < kNames / 25; ++part)
      REQUIRE(write([&](WriteTxn& txn) {
                for (int i = 0; i < 25; ++i) REQUIRE(put(txn, name(25 * part + i)).ok());
                return Status();
              }).ok());
  }
  static std::string name(int i) { return "d/" + std::to_string(10'000 + i); }
  std::vector<std::string> page(Counting& shown, std::string_view after, std::size_t limit) {
    ReadTxn txn(shown, barrier, kTestSpace);
    auto names = txn.list("d/", after, limit);
    REQUIRE(names.ok());
    return std::move(names).value();
  }
  static constexpr int kNames = 500;
};

}  // namespace

TEST_CASE_FIXTURE(PagedStore, "txn: a page of a large directory costs the page, once it was read") {
  using Names = std::vector<std::string>;
  Counting first(snapshot());
  CHECK(page(first, "", 1) == Names{"10000"});
  CHECK(first.walked == kNames);
  CHECK(page(first, "10099", 2) == Names{"10100", "10101"});
  CHECK(page(first, "10498", 9) == Names{"10499"});
  CHECK(page(first, "10499", 9).empty());
  CHECK(page(first, "", 0).size() == kNames);
  REQUIRE(write(putting("d/10000", "other")).ok());  // no name comes or goes
  REQUIRE(write(putting("e/f")).ok());
  Counting second(snapshot());
  CHECK(page(second, "", 1) == Names{"10000"});
  CHECK(second.walked == 0);
  CHECK(first.walked == kNames);
}

TEST_CASE_FIXTURE(PagedStore, "txn: a page shows what its own snapshot shows") {
  Counting before(snapshot());
  CHECK(page(before, "", 1).front() == "10000");
  REQUIRE(write(erasing("d/10000")).ok());
  REQUIRE(write(putting("d/10001/x")).ok());
  Counting after(snapshot());
  CHECK(page(after, "", 3) == std::vector<std::string>{"10001", "10001/", "10002"});
  CHECK(after.walked == kNames);
  CHECK(page(before, "", 2) == std::vector<std::string>{"10000", "10001"});
  CHECK(page(after, "", 1) == std::vector<std::string>{"10001"});
  CHECK(after.walked == kNames);
  const auto batch_sees_itself = [&](WriteTxn& txn) {
    REQUIRE(put(txn, "d/0").ok());
    CHECK(txn.list("d/", {}, 1)->front() == "0");
    return Status(failure(Code::invalid, "not committed"));
  };
  CHECK_FALSE(write(batch_sees_itself).ok());
  Counting again(snapshot());
  CHECK(page(again, "", 1).front() == "10001");
}

TEST_CASE_FIXTURE(VaultStore, "txn: a list goes on after a name and stops at a limit") {
  for (int i = 0; i < 30; ++i) CHECK(write(putting("d/" + std::to_string(100 + i))).ok());
  CHECK(list("d/", {}, 3) == "100 101 102 ");
  CHECK(list("d/", "102", 3) == "103 104 105 ");
  CHECK(list("d/", "127", 9) == "128 129 ");
  CHECK(list("d/", "129", 9) == "");
  CHECK(list("d/", "1105", 2) == "111 112 ");
}

TEST_CASE_FIXTURE(VaultStore, "txn: the last child takes its empty directories with it") {
  CHECK(write(putting("a/b/c/d")).ok());
  CHECK(write(putting("a/x")).ok());
  CHECK(names_stored(*this) == 5);  // a/ a/b/ a/b/c/ a/b/c/d a/x
  CHECK(write(erasing("a/b/c/d")).ok());
  CHECK(list("a/") == "x ");
  CHECK(names_stored(*this) == 2);
  CHECK(write(erasing("a/x")).ok());
  CHECK(names_stored(*this) == 0);
  CHECK(list("") == "");
  CHECK(verifies());
}

TEST_CASE_FIXTURE(VaultStore, "txn: several children erased at once empty their directory") {
  for (const char* name : {"a/1", "a/2", "a/3"}) CHECK(write(putting(name)).ok());
  CHECK(write([](WriteTxn& txn) -> Status {
          VAULT_TRY(txn.erase("a/2"));
          return txn.erase("a/1");
        }).ok());
  CHECK(list("a/") == "3 ");
  CHECK(write(putting("a/1")).ok());
  CHECK(write([](WriteTxn& txn) -> Status {
          VAULT_TRY(txn.erase("a/3"));
          return txn.erase("a/1");
        }).ok());
  CHECK(names_stored(*this) == 0);
}

TEST_CASE_FIXTURE(VaultStore, "txn: it sees its own writes") {
  CHECK(write(putting("d/old")).ok());
  const auto result = write([](WriteTxn& txn) -> Status {
    VAULT_TRY(put(txn, "d/new", "n"));
    VAULT_TRY(txn.erase("d/old"));
    CHECK(as_text((*txn.get("d/new"))->value.reveal()) == "n");
    CHECK_FALSE((*txn.get("d/old")).has_value());
    CHECK(*txn.list("d/") == std::vector<std::string>{"new"});
    VAULT_TRY(put(txn, "d/new", "m"));
    CHECK(as_text((*txn.get("d/new"))->value.reveal()) == "m");
    return {};
  });
  CHECK(result.ok());
  CHECK(list("") == "d/ ");
  CHECK(read("d/new") == "m");
}

TEST_CASE_FIXTURE(VaultStore,
                  "txn: erased and put again in one batch, a name keeps its directory") {
  CHECK(write(putting("a/b/c", "1")).ok());
  CHECK(write([](WriteTxn& txn) -> Status {
          VAULT_TRY(txn.erase("a/b/c"));
          return put(txn, "a/b/c", "2");
        }).ok());
  CHECK(read("a/b/c") == "2");
  CHECK(list("a/b/") == "c ");
  CHECK(list("") == "a/ ");
  CHECK(names_stored(*this) == 3);
}

TEST_CASE_FIXTURE(VaultStore, "txn: what was read is guarded, so a later change of it conflicts") {
  CHECK(write(putting("r")).ok());
  Race race{*this};
  CHECK((*race.second.get("r")).has_value());
  CHECK((*race.second.get("r")).has_value());
  CHECK(race.second_batch.storage.size() == 1);  // once per key
  CHECK(put(race.second, "w").ok());
  CHECK(put(race.first, "r", "changed").ok());
  CHECK(race.run() == "first");
}

TEST_CASE_FIXTURE(VaultStore, "txn: an absence that was read is guarded") {
  Race race{*this};
  CHECK_FALSE((*race.second.get("r")).has_value());
  CHECK(put(race.second, "w").ok());
  CHECK(put(race.first, "r").ok());
  CHECK(race.run() == "first");
}

TEST_CASE_FIXTURE(VaultStore, "txn: two may create different names in one directory at once") {
  CHECK(write(putting("d/seed")).ok());
  Race race{*this};
  CHECK(put(race.first, "d/one").ok());
  CHECK(put(race.second, "d/two").ok());
  CHECK(race.run() == "both");
  CHECK(list("d/") == "one seed two ");
}

TEST_CASE_FIXTURE(VaultStore, "txn: a create and the removal of its directory never both happen") {
  for (const bool create_first : {true, false}) {
    CAPTURE(create_first);
    CHECK(write(putting("d/last")).ok());
    Race race{*this};
    CHECK(put(create_first ? race.first : race.second, "d/new").ok());
    CHECK((create_first ? race.second : race.first).erase("d/last").ok());
    CHECK(race.run() == "first");
    CHECK(list("") == (create_first ? "d/ " : ""));
    CHECK(list("d/") == (create_first ? "last new " : ""));
    if (create_first) CHECK(write(erasing("d/new")).ok());
  }
}

TEST_CASE_FIXTURE(VaultStore, "txn: two that make the same directory do not both happen") {
  Race race{*this};
  CHECK(put(race.first, "d/one").ok());
  CHECK(put(race.second, "d/two").ok());
  CHECK(race.run() == "first");
}

TEST_CASE_FIXTURE(VaultStore, "txn: names that cannot stand are refused") {
  CHECK(write(putting("")).is(Code::invalid));
  CHECK(write(putting("a/")).is(Code::invalid));
  CHECK(write(putting(std::string(commit::kNameMax + 1, 'x'))).is(Code::invalid));
  CHECK(write(putting(std::string(commit::kNameMax, 'x'))).ok());
  CHECK(read("") == "-");
}

TEST_CASE_FIXTURE(VaultStore, "txn: a batch beyond its limits is refused before it is committed") {
  const auto many = write([](WriteTxn& txn) -> Status {
    for (int i = 0; i < 100; ++i) VAULT_TRY(put(txn, "k" + std::to_string(i)));
    return {};
  });
  CHECK(many.is(Code::invalid));
  const std::string big(700'000, 'x');
  const auto large = write([&](WriteTxn& txn) -> Status {
    VAULT_TRY(put(txn, "a", big));
    return put(txn, "b", big);
  });
  CHECK(large.is(Code::invalid));
}

TEST_CASE_FIXTURE(VaultStore, "txn: records under ordered keys are scanned in the order of time") {
  const auto key = [](std::uint64_t ms) {
    barrier::PhysicalKey made(barrier::Table::token);
    made.push_be(ms, barrier::kMillisSize);
    made.push(std::array<std::uint8_t, barrier::kHashSize>{});
    return made;
  };
  CHECK(write([&](WriteTxn& txn) -> Status {
          VAULT_TRY(txn.put(key(300), "three", as_bytes("3")));
          VAULT_TRY(txn.put(key(5), "five", as_bytes("5")));
          return txn.mark(key(7));
        }).ok());
  const auto shown = snapshot();
  ReadTxn txn(*shown, barrier, kTestSpace);
  std::vector<std::uint64_t> times;
  const barrier::PhysicalKey table(barrier::Table::token);
  CHECK(txn.scan(table, table.end_of_prefix(), 10, storage::Scan::keys,
                 [&](const storage::Entry& entry) {
                   times.push_back(get_be(&entry.key[1], barrier::kMillisSize));
                   return true;
                 })
            .ok());
  CHECK(times == std::vector<std::uint64_t>{5, 7, 300});
  CHECK(as_text((*txn.get(key(300), "three"))->value.reveal()) == "3");
  CHECK_FALSE(txn.get(key(300), "other").ok());
  CHECK(*txn.version(key(7)) > 0);
  CHECK(verifies());
}
