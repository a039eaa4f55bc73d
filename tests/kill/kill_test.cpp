// kill -9 in the middle of commits, again and again: nothing that was acknowledged is lost, nothing
// is torn, the multiset matches, and every acknowledged write has its audit line, in the file or in
// the outbox. LEASEHOLD_KILL_ROUNDS says how often (30).
#include <doctest/doctest.h>
#include <sys/wait.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <map>
#include <random>
#include <set>

#include "tests/kill/ledger.h"
#include "tests/support/every_storage.h"
#include "tests/support/fake_clock.h"
#include "tests/support/null_log.h"
#include "tests/support/seeded_random.h"
#include "vault/commit/committer.h"
#include "vault/commit/txn.h"

using namespace leasehold;
using testing::kFresh;
using testing::kLedgerSpace;
using testing::kSlots;
using testing::kThreads;
using testing::Ledger;

namespace {

using Steady = std::chrono::steady_clock;

int rounds() {
  const char* text = std::getenv("LEASEHOLD_KILL_ROUNDS");
  return text == nullptr ? 30 : std::atoi(text);
}

struct SetDrain final : commit::Drain {
  std::set<std::string> lines;
  std::uint64_t last = 0;
  Result<std::uint64_t> append(std::uint64_t /*group*/,
                               std::span<const std::string_view> bodies) override {
    lines.insert(bodies.begin(), bodies.end());
    return last += bodies.size();
  }
  commit::AuditSynced synced() override { return {0, {last, {}}}; }
};

struct Totals {
  std::uint64_t acked = 0, lost = 0, torn = 0, without_audit = 0, only_in_outbox = 0;
};

class Killed {
 public:
  Killed() { clock_.set({1}); }  // the writer's clock is the machine's, and never behind

  void round(std::uint64_t acks_before_kill) {
    const std::string lines = directory_.path() + "/lines." + std::to_string(++round_);
    std::uint64_t from[kThreads];
    for (int t = 0; t < kThreads; ++t) from[t] = ledger_->threads[t].begun;
    ledger_->acks = 0;
    run_and_kill(lines, acks_before_kill);
    inspect(lines, from);
  }
  const Totals& totals() const { return totals_; }

 private:
  void run_and_kill(const std::string& lines, std::uint64_t acks) {
    const std::string data = directory_.path() + "/data", ledger = directory_.path() + "/ledger";
    const pid_t child = ::fork();
    if (child == 0) {
      ::execl(KILL_WRITER, KILL_WRITER, data.c_str(), ledger.c_str(), lines.c_str(), nullptr);
      ::_exit(127);
    }
    const auto deadline = Steady::now() + std::chrono::seconds(60);
    while (ledger_->acks < acks && !ledger_->failed && Steady::now() < deadline) ::usleep(200);
    CHECK(ledger_->acks >= acks);
    ::kill(child, SIGKILL);
    int status = 0;
    ::waitpid(child, &status, 0);
    REQUIRE(WIFSIGNALED(status));
    CHECK_FALSE(ledger_->failed);
  }

  void inspect(const std::string& lines, const std::uint64_t (&from)[kThreads]) {
    NullLog log;
    auto storage = storage::open_lmdb(directory_.path() + "/data", {}, log);
    REQUIRE(storage.ok());
    const barrier::Barrier barrier(testing::kLedgerStore, testing::ledger_keys(), random_);
    auto snapshot = (*storage)->snapshot();
    REQUIRE(snapshot.ok());
    const auto verified =
        commit::verify_store(**snapshot, barrier, [](std::uint64_t) { return true; });
    REQUIRE(verified.ok());
    CHECK(verified->matches);

    commit::ReadTxn txn(**snapshot, barrier, kLedgerSpace);
    std::uint64_t ever_acked = 0;
    for (int t = 0; t < kThreads; ++t) ever_acked += check_thread(txn, t, from[t]);
    check_total(txn);
    totals_.acked += ever_acked;
    (*snapshot)->release();

    SetDrain drain;
    commit::Committer committer(**storage, barrier, clock_, log);
    REQUIRE(committer.start(drain, random_.take<16>()).ok());
    check_lines(lines, drain, from);
  }

  // The value of `name`, 0 when it is absent.
  static std::uint64_t number(commit::ReadTxn& txn, const std::string& name) {
    const auto record = txn.get(name);
    REQUIRE(record.ok());
    if (!*record) return 0;
    return std::stoull(std::string(as_text((*record)->value.reveal())));
  }

  std::uint64_t check_thread(commit::ReadTxn& txn, int t, std::uint64_t from) {
    const std::uint64_t acked = ledger_->threads[t].acked, begun = ledger_->threads[t].begun;
    const std::uint64_t acked_here = acked > from ? acked - from : 0;
    for (std::uint64_t slot = 0; slot < kSlots; ++slot) {
      const auto one = number(txn, testing::pair_name("one", t, slot));
      const auto two = number(txn, testing::pair_name("two", t, slot));
      if (one != two) ++totals_.torn;
      std::uint64_t& known = stored_[{t, slot}];
      for (std::uint64_t seq = from + 1; seq <= acked; ++seq)
        if (seq % kSlots == slot) known = seq;
      const bool in_flight = one == begun && begun > acked && begun % kSlots == slot;
      if (one != known && !in_flight) ++totals_.lost;
      known = one;
    }
    // Fresh names: the newest acknowledged stand, the older ones of this round are gone.
    for (std::uint64_t seq = from + 1; seq <= acked; ++seq) {
      const bool stands = number(txn, testing::fresh_name(t, seq)) == seq;
      const bool erased_by_flight = begun > acked && seq + kFresh == begun;
      if (stands != (seq + kFresh > acked) && !erased_by_flight) ++totals_.lost;
    }
    if (begun > acked && begun > from) {
      const bool fresh = number(txn, testing::fresh_name(t, begun)) == begun;
      const bool pair = stored_[{t, begun % kSlots}] == begun;
      if (fresh != pair) ++totals_.torn;
      happened_ += fresh ? 1 : 0;
    }
    happened_ += acked_here;
    return acked_here;
  }

  void check_total(commit::ReadTxn& txn) {
    const auto total = txn.counter("total");
    REQUIRE(total.ok());
    CHECK(static_cast<std::uint64_t>(*total) == happened_);
  }

  void check_lines(const std::string& path, const SetDrain& drain,
                   const std::uint64_t (&from)[kThreads]) {
    std::set<std::string> in_file;
    std::ifstream file(path);
    for (std::string line; std::getline(file, line);) in_file.insert(line);
    for (int t = 0; t < kThreads; ++t) {
      for (std::uint64_t seq = from[t] + 1; seq <= ledger_->threads[t].acked; ++seq) {
        const std::string line = testing::audit_line(t, seq);
        if (in_file.count(line) == 1) continue;
        if (drain.lines.count(line) == 1) {
          ++totals_.only_in_outbox;
        } else {
          ++totals_.without_audit;
        }
      }
    }
  }

  testing::TemporaryDirectory directory_;
  Ledger* const ledger_ = Ledger::map(directory_.path() + "/ledger");
  testing::FakeClock clock_;
  testing::SeededRandom random_;
  std::map<std::pair<int, std::uint64_t>, std::uint64_t> stored_;
  std::uint64_t happened_ = 0;
  int round_ = 0;
  Totals totals_;
};

}  // namespace

TEST_CASE(
    "kill -9: nothing acknowledged is lost, nothing is torn, every write has its audit line") {
  Killed killed;
  const auto seed = static_cast<unsigned>(std::random_device{}());
  CAPTURE(seed);
  std::mt19937 generator(seed);
  for (int round = 0; round < rounds(); ++round) {
    CAPTURE(round);
    killed.round(1 + generator() % 2000);
    const Totals& totals = killed.totals();
    REQUIRE(totals.lost == 0);
    REQUIRE(totals.torn == 0);
    REQUIRE(totals.without_audit == 0);
  }
  const Totals& totals = killed.totals();
  MESSAGE("rounds ", rounds(), ", acknowledged ", totals.acked, ", lost ", totals.lost, ", torn ",
          totals.torn, ", without audit ", totals.without_audit, ", only in the outbox ",
          totals.only_in_outbox);
  CHECK(totals.only_in_outbox > 0);
}
