// Heads that were noted elsewhere, against the store they came from and copies of it.
#include <doctest/doctest.h>

#include "tests/support/vault_store.h"

using namespace leasehold;
using commit::NotedHead;
using commit::WriteTxn;
using testing::VaultRun;

namespace {

// A run that writes `count` records and ends; its last head.
commit::Head run_once(storage::Storage& storage, std::uint64_t seed, int count) {
  VaultRun run(storage, seed);
  REQUIRE(run.start().ok());
  for (int i = 0; i < count; ++i)
    REQUIRE(run.write([&](WriteTxn& txn) {
                 return txn.put(std::to_string(seed) + "." + std::to_string(i), as_bytes("v"));
               })
                .ok());
  run.committer.stop();
  return run.committer.head();
}

std::optional<std::string> judge(storage::Storage& storage, const NotedHead& noted) {
  VaultRun run(storage, 99);
  const auto shown = run.snapshot();
  const auto head = commit::read_head(*shown, run.barrier);
  const auto runs = commit::read_runs(*shown, run.barrier);
  REQUIRE(head.ok());
  REQUIRE(*head);
  REQUIRE(runs.ok());
  return commit::contradiction(noted, **head, *runs);
}

}  // namespace

TEST_CASE("noted head: it is read as it was printed, and nothing else is") {
  const auto storage = storage::make_memory_storage();
  const NotedHead noted = NotedHead::of(run_once(*storage, 1, 2));
  const std::string text = noted.to_text();
  const auto read = NotedHead::parse(text);
  REQUIRE(read.ok());
  CHECK(read->to_text() == text);
  for (std::size_t size = 0; size < text.size(); ++size)
    CHECK(NotedHead::parse(text.substr(0, size)).is(Code::invalid));
  for (const std::string& bad : {text + "0", "-" + text, "x" + text, " " + text,
                                 "99999999999999999999999" + text.substr(text.find('-'))})
    CHECK(NotedHead::parse(bad).is(Code::invalid));
}

TEST_CASE("noted head: a store that went on from it, over any number of runs, agrees") {
  const auto storage = storage::make_memory_storage();
  const NotedHead first = NotedHead::of(run_once(*storage, 1, 2));
  CHECK_FALSE(judge(*storage, first));
  const NotedHead second = NotedHead::of(run_once(*storage, 2, 0));
  run_once(*storage, 3, 5);
  CHECK_FALSE(judge(*storage, first));
  CHECK_FALSE(judge(*storage, second));
}

TEST_CASE("noted head: an older copy is found, also once it was written to again") {
  const auto ours = storage::make_memory_storage(), copy = storage::make_memory_storage();
  for (storage::Storage* storage : {ours.get(), copy.get()}) run_once(*storage, 1, 2);
  const NotedHead noted = NotedHead::of(run_once(*ours, 2, 3));
  REQUIRE(judge(*copy, noted));
  CHECK(judge(*copy, noted)->find("older copy") != std::string::npos);
  run_once(*copy, 3, 20);
  REQUIRE(judge(*copy, noted));
  CHECK(judge(*copy, noted)->find("another run") != std::string::npos);
}

TEST_CASE("noted head: a run of which an early copy was put back does not agree with its end") {
  const auto copy = storage::make_memory_storage();
  const NotedHead early = NotedHead::of(run_once(*copy, 1, 1));
  NotedHead late = early;  // the same run, three commits later
  late.group += 3;
  run_once(*copy, 2, 9);
  CHECK_FALSE(judge(*copy, early));
  CHECK(judge(*copy, late));
}

TEST_CASE("noted head: the same commit with other records is found") {
  const auto storage = storage::make_memory_storage();
  NotedHead noted = NotedHead::of(run_once(*storage, 1, 1));
  noted.multiset[0] ^= 1;
  REQUIRE(judge(*storage, noted));
  CHECK(judge(*storage, noted)->find("other records") != std::string::npos);
}
