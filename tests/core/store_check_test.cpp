// An older copy of the storage with nothing but the newest head in it: found at unseal, at once or
// soon after.
#include <doctest/doctest.h>
#include <pthread.h>

#include "tests/support/test_vault.h"
#include "vault/commit/head.h"

using namespace leasehold;
using testing::TestVault;
using testing::TestWorld;

namespace {

using Records = std::vector<std::pair<Bytes, std::pair<Bytes, std::uint64_t>>>;

Records records_of(storage::Storage& storage) {
  Records records;
  const auto snapshot = storage.snapshot();
  REQUIRE(snapshot.ok());
  const Bytes first{0x00}, end{0xff};
  REQUIRE((*snapshot)
              ->scan(first, end, SIZE_MAX, storage::Scan::values,
                     [&](const storage::Entry& entry) {
                       records.push_back({to_bytes(entry.key), {to_bytes(entry.value), entry.mod}});
                       return true;
                     })
              .ok());
  return records;
}

// Takes its time to show all of its records: a tenth of a millisecond of the test's clock for each.
class Slow final : public storage::Storage {
 public:
  explicit Slow(testing::FakeClock& clock) : clock_(clock) {}
  std::atomic<bool> slow{false};
  std::atomic<bool> breaks{false};  // what stands behind the first 1500 cannot be read
  std::atomic<int> busy{0};         // so often the comparison beside an open vault finds no place

  Result<std::unique_ptr<storage::Snapshot>> snapshot() override {
    char name[16] = {};
    pthread_getname_np(pthread_self(), name, sizeof name);
    if (std::string_view(name) == "store-check" && busy-- > 0)
      return failure(Code::busy, "busy: as the test asked");
    VAULT_TRY_ASSIGN(auto shown, kept_->snapshot());
    return std::unique_ptr<storage::Snapshot>(std::make_unique<Shown>(*this, std::move(shown)));
  }
  void commit(std::span<const storage::Batch* const> group, storage::GroupObserver& observer,
              std::span<storage::CommitResult> results) override {
    kept_->commit(group, observer, results);
  }
  Status import(std::span<const storage::Entry> entries) override { return kept_->import(entries); }
  Result<std::uint64_t> last_index() override { return kept_->last_index(); }
  std::string_view kind() const override { return kept_->kind(); }

 private:
  class Shown final : public storage::Snapshot {
   public:
    Shown(Slow& home, std::unique_ptr<Snapshot> shown) : home_(home), shown_(std::move(shown)) {}
    Result<std::optional<storage::Found>> get(ByteView key) override { return shown_->get(key); }
    Status scan(ByteView from, ByteView to, std::size_t limit, storage::Scan what,
                FunctionRef<bool(const storage::Entry&)> each) override {
      const bool all = from.size() == 1 && from[0] == 0x00 && what == storage::Scan::values;
      int seen = 0;
      bool broke = false;
      const Status scanned = shown_->scan(from, to, limit, what, [&](const storage::Entry& entry) {
        if (all && home_.slow) home_.clock_.advance(std::chrono::microseconds(100));
        broke = all && home_.breaks && ++seen > 1500;
        return !broke && each(entry);
      });
      return broke ? failure(Code::internal, "storage failed", "a page is not there") : scanned;
    }
    void release() override { shown_->release(); }
    Status renew() override { return shown_->renew(); }

   private:
    Slow& home_;
    std::unique_ptr<Snapshot> shown_;
  };

  testing::FakeClock& clock_;
  const std::unique_ptr<storage::Storage> kept_ = storage::make_memory_storage();
};

// The storage of a vault before and after a token was revoked and a note changed.
struct HeadExchanged {
  TestWorld world;
  Slow* storage = nullptr;
  Records before;
  std::string token;

  explicit HeadExchanged(std::size_t more = 0) {
    auto slow = std::make_unique<Slow>(world.clock);
    storage = slow.get();
    world.storage = std::move(slow);
    TestVault vault(world);
    fill(vault, more);
    token = vault.token(R"({"policies":["root"]})");
    REQUIRE(vault.post("test/notes/a", vault.root(), R"({"x":"old"})").status() == 204);
    before = records_of(*storage);
    REQUIRE(vault.post("test/notes/a", vault.root(), R"({"x":"new"})").status() == 204);
    const std::string body = R"({"token":")" + token + "\"}";
    REQUIRE(vault.post("auth/token/revoke", vault.root(), body).status() == 204);
    vault.seal();
  }
  static void fill(TestVault& vault, std::size_t more) {
    vault.read([more](core::Unsealed& live, commit::ReadTxn&) {
      for (std::size_t at = 0; at < more;) {
        auto held = live.snapshots.take();
        REQUIRE(held.ok());
        commit::Changes changes;
        commit::WriteTxn own(**held, live.barrier, barrier::kCoreSpace, changes);
        for (int i = 0; i < 40; ++i, ++at)
          REQUIRE(own.put("fill/" + std::to_string(at), as_bytes("x")).ok());
        const commit::Batch batch(std::move(changes), commit::Unrecorded{"a test"});
        REQUIRE(live.committer.commit(batch).status().ok());
      }
      return 0;
    });
  }
  // All records but the head as they were.
  void put_back() const {
    const auto head = commit::head_key();
    for (const auto& [key, value] : before) {
      if (std::equal(key.begin(), key.end(), head.view().begin(), head.view().end())) continue;
      const storage::Entry one[] = {{key, value.first, value.second}};
      REQUIRE(storage->import(one).ok());
    }
  }
};

struct LargeStore : HeadExchanged {
  const std::size_t logged;  // by the vault that made it
  LargeStore() : HeadExchanged(2000), logged(world.log.text().size()) { storage->slow = true; }
  bool is_compared() const {
    return world.log.text().find("are those that its head counts", logged) != std::string::npos;
  }
};

bool says(const TestWorld& world, const std::string& text) {
  return world.log.text().find(text) != std::string::npos;
}

}  // namespace

TEST_CASE_FIXTURE(HeadExchanged, "store check: a store that nobody changed opens") {
  TestVault vault(world, true);
  CHECK(vault.unseal().status() == 200);
  CHECK_FALSE(vault.sealed());
  CHECK(vault.get("auth/token/lookup-self", token).status() == 403);
}

TEST_CASE_FIXTURE(HeadExchanged, "store check: older records below the newest head are refused") {
  put_back();
  TestVault vault(world, true);
  const auto answer = vault.unseal();
  CHECK(answer.status() == 400);
  CHECK(answer.error().find("the storage was changed by somebody else") != std::string::npos);
  CHECK(vault.sealed());
  CHECK(world.audit_text().find("\"storage-changed\"") != std::string::npos);
}

TEST_CASE_FIXTURE(LargeStore, "store check: a large store opens, and is compared beside its work") {
  TestVault vault(world, true);
  REQUIRE(vault.unseal().status() == 200);
  CHECK(vault.post("test/notes/b", vault.root(), R"({"x":"1"})").status() == 204);
  CHECK(TestVault::eventually([&] { return is_compared(); }));
  CHECK_FALSE(vault.sealed());
}

TEST_CASE_FIXTURE(LargeStore,
                  "store check: a large store that was changed is sealed, and stays so") {
  put_back();
  TestVault vault(world, true);
  REQUIRE(vault.unseal().status() == 200);
  CHECK(TestVault::eventually([&] { return vault.sealed(); }));
  CHECK(TestVault::eventually(
      [&] { return world.audit_text().find("\"event\":\"sealed\"") != std::string::npos; }));
  CHECK(says(world, "sealed by itself: the storage was changed by somebody else"));
  // It is known now, and compared to the end before anything is answered.
  CHECK(vault.unseal().status() == 400);
  CHECK(vault.sealed());
}

TEST_CASE_FIXTURE(LargeStore, "store check: a large store that cannot be compared is sealed, too") {
  put_back();
  storage->breaks = true;
  TestVault vault(world, true);
  REQUIRE(vault.unseal().status() == 200);
  CHECK(TestVault::eventually([&] { return vault.sealed(); }));
  CHECK(says(world, "sealed by itself: the storage cannot be compared with its head record"));
  CHECK(says(world, "a page is not there"));
  CHECK(TestVault::eventually(
      [&] { return world.audit_text().find("\"event\":\"sealed\"") != std::string::npos; }));
  CHECK(vault.unseal().status() == 500);
  storage->breaks = false;
  CHECK(vault.unseal().status() == 400);  // it was changed indeed
  CHECK(vault.sealed());
}

TEST_CASE_FIXTURE(LargeStore, "store check: where too many are reading it waits for its turn") {
  storage->busy = 1;
  TestVault vault(world, true);
  REQUIRE(vault.unseal().status() == 200);
  CHECK(TestVault::eventually([&] { return is_compared(); }));
  CHECK_FALSE(vault.sealed());
}

TEST_CASE_FIXTURE(LargeStore, "store check: a seal does not wait for the comparison") {
  TestVault vault(world, true);
  REQUIRE(vault.unseal().status() == 200);
  vault.seal();
  CHECK(vault.sealed());
}
