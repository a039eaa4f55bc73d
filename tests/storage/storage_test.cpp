// The conformance suite of storage: what is true of every kind.
#include <doctest/doctest.h>

#include <functional>

#include "tests/support/every_storage.h"

using namespace leasehold;
using storage::Batch;
using storage::CommitResult;
using storage::Entry;
using storage::Found;
using storage::Outcome;
using storage::Scan;
using storage::Snapshot;
using storage::Storage;

namespace {

ByteView b(std::string_view text) { return as_bytes(text); }

// Writes down what it is told.
struct Recorder final : storage::GroupObserver {
  std::function<bool(std::size_t)> admits = [](std::size_t) { return true; };
  Batch tail;
  std::vector<std::string> calls;
  std::uint64_t index = 0;

  bool admit(std::size_t batch) override {
    calls.push_back("admit " + std::to_string(batch));
    return admits(batch);
  }
  void changed(ByteView key, const std::optional<Found>& before,
               const std::optional<ByteView>& after, std::uint64_t mod) override {
    const auto text = [](ByteView bytes) { return std::string(as_text(bytes)); };
    calls.push_back(text(key) + ": " +
                    (before ? text(before->value) + "@" + std::to_string(before->mod) : "-") +
                    " to " + (after ? text(*after) + "@" + std::to_string(mod) : "-"));
  }
  void finish(std::uint64_t last, Batch& to) override {
    index = last;
    calls.push_back("finish " + std::to_string(last));
    to = tail;
  }
};

std::vector<CommitResult> commit(Storage& storage, const std::vector<const Batch*>& group,
                                 storage::GroupObserver& observer) {
  std::vector<CommitResult> results(group.size());
  storage.commit(group, observer, results);
  return results;
}

CommitResult commit(Storage& storage, const Batch& batch) {
  Recorder observer;
  return commit(storage, {&batch}, observer)[0];
}

CommitResult put(Storage& storage, std::string_view key, std::string_view value) {
  Batch batch;
  batch.put(b(key), b(value));
  return commit(storage, batch);
}

// "value@mod", or "-".
std::string read(Snapshot& snapshot, std::string_view key) {
  const auto found = snapshot.get(b(key));
  REQUIRE(found.ok());
  if (!*found) return "-";
  return std::string(as_text((*found)->value)) + "@" + std::to_string((*found)->mod);
}
std::string read(Storage& storage, std::string_view key) {
  auto snapshot = storage.snapshot();
  REQUIRE(snapshot.ok());
  return read(**snapshot, key);
}

std::string keys(Snapshot& snapshot, std::string_view from, std::string_view to,
                 std::size_t limit = SIZE_MAX, Scan what = Scan::keys) {
  std::string all;
  const auto each = [&](const Entry& entry) {
    all += as_text(entry.key);
    if (what == Scan::values) all += "=" + std::string(as_text(entry.value));
    CHECK((what == Scan::values || entry.value.empty()));
    all += ' ';
    return true;
  };
  REQUIRE(snapshot.scan(b(from), b(to), limit, what, each).ok());
  return all;
}

}  // namespace

TEST_CASE("every storage: an absent key reads as absent, not as an error") {
  for (auto& made : testing::every_storage()) {
    CAPTURE(made.name);
    CHECK(read(*made.storage, "a") == "-");
    CHECK(*made.storage->last_index() == 0);
  }
}

TEST_CASE("every storage: a put is read back with the index of its commit as its version") {
  for (auto& made : testing::every_storage()) {
    CAPTURE(made.name);
    const auto first = put(*made.storage, "a", "1");
    CHECK(first.outcome == Outcome::committed);
    CHECK(first.index == 1);
    CHECK(put(*made.storage, "b", "").index == 2);
    CHECK(read(*made.storage, "a") == "1@1");
    CHECK(read(*made.storage, "b") == "@2");
    CHECK(*made.storage->last_index() == 2);
  }
}

TEST_CASE("every storage: an erased key is absent, and erasing an absent key is no failure") {
  for (auto& made : testing::every_storage()) {
    CAPTURE(made.name);
    put(*made.storage, "a", "1");
    Batch batch;
    batch.erase(b("a"));
    batch.erase(b("never"));
    CHECK(commit(*made.storage, batch).outcome == Outcome::committed);
    CHECK(read(*made.storage, "a") == "-");
  }
}

TEST_CASE("every storage: a batch whose guard does not hold changes nothing") {
  for (auto& made : testing::every_storage()) {
    CAPTURE(made.name);
    put(*made.storage, "a", "1");
    Batch batch;
    batch.put(b("c"), b("x"));
    batch.guard(b("a"), 7);
    CHECK(commit(*made.storage, batch).outcome == Outcome::conflict);
    CHECK(read(*made.storage, "c") == "-");
    CHECK(*made.storage->last_index() == 1);

    Batch absent;
    absent.guard(b("a"), 0);
    CHECK(commit(*made.storage, absent).outcome == Outcome::conflict);
    Batch held;
    held.guard(b("a"), 1);
    held.guard(b("z"), 0);
    held.put(b("c"), b("x"));
    CHECK(commit(*made.storage, held).outcome == Outcome::committed);
  }
}

TEST_CASE("every storage: an empty range is guarded from its first key to before its end") {
  for (auto& made : testing::every_storage()) {
    CAPTURE(made.name);
    put(*made.storage, "m", "1");
    const auto held = [&](std::string_view from, std::string_view to) {
      Batch batch;
      batch.guard_empty(b(from), b(to));
      return commit(*made.storage, batch).outcome == Outcome::committed;
    };
    CHECK(held("a", "m"));
    CHECK_FALSE(held("a", "n"));
    CHECK_FALSE(held("m", "n"));
    CHECK(held("n", "z"));
  }
}

TEST_CASE("every storage: guards see the earlier batches of their group") {
  for (auto& made : testing::every_storage()) {
    CAPTURE(made.name);
    put(*made.storage, "old", "1");
    Batch first, stale, fresh, taken, freed;
    first.put(b("a"), b("first"));
    first.erase(b("old"));
    stale.guard(b("a"), 0);
    stale.put(b("a"), b("stale"));
    fresh.guard(b("a"), 2);
    fresh.put(b("a"), b("fresh"));
    taken.guard_empty(b("a"), b("b"));
    freed.guard_empty(b("o"), b("p"));
    freed.guard(b("old"), 0);
    Recorder observer;
    const auto results = commit(*made.storage, {&first, &stale, &fresh, &taken, &freed}, observer);
    CHECK(results[0].outcome == Outcome::committed);
    CHECK(results[1].outcome == Outcome::conflict);
    CHECK(results[2].outcome == Outcome::committed);
    CHECK(results[3].outcome == Outcome::conflict);
    CHECK(results[4].outcome == Outcome::committed);
    CHECK(results[0].index == 2);
    CHECK(results[2].index == 3);
    CHECK(results[4].index == 4);
    CHECK(read(*made.storage, "a") == "fresh@3");
    CHECK(observer.index == 4);
  }
}

TEST_CASE("every storage: the observer hears of each change with what stood there before") {
  for (auto& made : testing::every_storage()) {
    CAPTURE(made.name);
    put(*made.storage, "a", "old");
    Batch first, second, third;
    first.put(b("a"), b("1"));
    second.put(b("a"), b("2"));
    third.erase(b("a"));
    third.erase(b("never"));
    Recorder observer;
    commit(*made.storage, {&first, &second, &third}, observer);
    std::string changes;
    for (const auto& call : observer.calls)
      if (call.rfind("a:", 0) == 0) changes += call + "; ";
    CHECK(changes == "a: old@1 to 1@2; a: 1@2 to 2@3; a: 2@3 to -; ");
    CHECK(observer.calls.back() == "finish 4");
    CHECK(read(*made.storage, "a") == "-");
  }
}

TEST_CASE("every storage: a batch the observer refuses changes nothing") {
  for (auto& made : testing::every_storage()) {
    CAPTURE(made.name);
    Batch refused, taken;
    refused.put(b("r"), b("1"));
    taken.guard(b("r"), 0);
    taken.put(b("t"), b("1"));
    Recorder observer;
    observer.admits = [](std::size_t i) { return i != 0; };
    const auto results = commit(*made.storage, {&refused, &taken}, observer);
    CHECK(results[0].outcome == Outcome::bound);
    CHECK(results[1].outcome == Outcome::committed);
    CHECK(read(*made.storage, "r") == "-");
    CHECK(read(*made.storage, "t") == "1@1");
  }
}

TEST_CASE("every storage: the tail is written with the group, under its last index") {
  for (auto& made : testing::every_storage()) {
    CAPTURE(made.name);
    put(*made.storage, "gone", "1");
    Batch first, second;
    first.put(b("a"), b("1"));
    Recorder observer;
    observer.tail.put(b("tail"), b("t"));
    observer.tail.erase(b("gone"));
    commit(*made.storage, {&first, &second}, observer);
    CHECK(read(*made.storage, "tail") == "t@3");
    CHECK(read(*made.storage, "gone") == "-");
    CHECK(*made.storage->last_index() == 3);
  }
}

TEST_CASE("every storage: a group of which nothing is admitted writes no tail") {
  for (auto& made : testing::every_storage()) {
    CAPTURE(made.name);
    Batch batch;
    batch.guard(b("a"), 9);
    Recorder observer;
    observer.tail.put(b("tail"), b("t"));
    commit(*made.storage, {&batch}, observer);
    CHECK(observer.calls.empty());
    CHECK(read(*made.storage, "tail") == "-");
    CHECK(*made.storage->last_index() == 0);
  }
}

TEST_CASE("every storage: a scan goes in key order from its first key to before its end") {
  for (auto& made : testing::every_storage()) {
    CAPTURE(made.name);
    Batch batch;
    for (const char* key : {"b", "a", "c", "bb", "b\xff", "d"}) batch.put(b(key), b("v"));
    commit(*made.storage, batch);
    auto snapshot = made.storage->snapshot();
    CHECK(keys(**snapshot, "a", "z") == "a b bb b\xff c d ");
    CHECK(keys(**snapshot, "b", "c") == "b bb b\xff ");
    CHECK(keys(**snapshot, "aa", "bb") == "b ");
    CHECK(keys(**snapshot, "e", "z") == "");
    CHECK(keys(**snapshot, "a", "z", 2) == "a b ");
    CHECK(keys(**snapshot, "a", "z", 0) == "");
    CHECK(keys(**snapshot, "c", "z", 9, Scan::values) == "c=v d=v ");
  }
}

TEST_CASE("every storage: a scan stops when it is told, and its callback may read") {
  for (auto& made : testing::every_storage()) {
    CAPTURE(made.name);
    for (int round = 0; round < 3; ++round) {
      Batch batch;
      for (int i = 0; i < 90; ++i) batch.put(b("k" + std::to_string(round * 90 + i)), b("v"));
      commit(*made.storage, batch);
    }
    auto snapshot = made.storage->snapshot();
    int seen = 0;
    const auto each = [&](const Entry& entry) {
      CHECK(read(**snapshot, as_text(entry.key)).front() == 'v');
      return ++seen < 200;
    };
    CHECK((*snapshot)->scan(b("a"), b("z"), SIZE_MAX, Scan::keys, each).ok());
    CHECK(seen == 200);
    seen = -1000;
    CHECK((*snapshot)->scan(b("a"), b("z"), SIZE_MAX, Scan::keys, each).ok());
    CHECK(seen == -730);
  }
}

TEST_CASE("every storage: a snapshot shows its own moment until it is renewed") {
  for (auto& made : testing::every_storage()) {
    CAPTURE(made.name);
    put(*made.storage, "a", "1");
    put(*made.storage, "b", "1");
    auto snapshot = made.storage->snapshot();
    const auto before = (*snapshot)->get(b("a"));
    put(*made.storage, "a", "2");
    put(*made.storage, "c", "1");
    Batch batch;
    batch.erase(b("b"));
    commit(*made.storage, batch);
    for (int i = 0; i < 50; ++i) put(*made.storage, "a", "later");

    CHECK(read(**snapshot, "a") == "1@1");
    CHECK(as_text((*before)->value) == "1");
    CHECK(keys(**snapshot, "a", "z") == "a b ");
    CHECK((*snapshot)->renew().ok());
    CHECK(read(**snapshot, "a") == "later@55");
    CHECK(keys(**snapshot, "a", "z") == "a c ");
    (*snapshot)->release();
    (*snapshot)->release();
    put(*made.storage, "d", "1");
    CHECK((*snapshot)->renew().ok());
    CHECK(keys(**snapshot, "a", "z") == "a c d ");
  }
}

TEST_CASE("every storage: keys of 1 to 120 bytes and values of 1 MiB are kept") {
  for (auto& made : testing::every_storage()) {
    CAPTURE(made.name);
    const std::string key(storage::kKeyMax, 'k'), value(1u << 20, 'v');
    put(*made.storage, key, value);
    put(*made.storage, "\x01", "x");
    auto snapshot = made.storage->snapshot();
    const auto found = (*snapshot)->get(b(key));
    CHECK(as_text((*found)->value) == value);
    CHECK(read(**snapshot, "\x01") == "x@2");
  }
}

TEST_CASE("batch: a second write of a key takes the place of the first") {
  for (auto& made : testing::every_storage()) {
    CAPTURE(made.name);
    Batch batch;
    batch.put(b("a"), b("1"));
    batch.put(b("b"), b("1"));
    batch.put(b("a"), b("2"));
    batch.erase(b("b"));
    CHECK(batch.size() == 2);
    CHECK(as_text(batch.written(b("a"))->value) == "2");
    CHECK(batch.written(b("b"))->kind == Batch::Kind::erase);
    CHECK_FALSE(batch.written(b("c")));
    commit(*made.storage, batch);
    CHECK(read(*made.storage, "a") == "2@1");
    batch.clear();
    CHECK((batch.empty() && !batch.has_writes()));
  }
}

TEST_CASE("storage: imported records keep their versions, and later commits come behind them") {
  for (auto& made : testing::every_storage()) {
    CAPTURE(made.name);
    const Bytes a{1}, b{2}, value{7, 8};
    const storage::Entry entries[] = {{a, value, 40}, {b, {}, 41}};
    REQUIRE(made.storage->import(entries).ok());
    CHECK(*made.storage->last_index() == 41);
    const auto snapshot = made.storage->snapshot();
    REQUIRE(snapshot.ok());
    const auto found = (*snapshot)->get(a);
    REQUIRE(found.ok());
    REQUIRE(*found);
    CHECK((*found)->mod == 40);
    CHECK(compare((*found)->value, value) == 0);
    CHECK((**(*snapshot)->get(b)).mod == 41);
    (*snapshot)->release();

    storage::Batch batch;
    batch.guard(a, 40);
    batch.put(a, b);
    CHECK(commit(*made.storage, batch).index == 42);
  }
}
