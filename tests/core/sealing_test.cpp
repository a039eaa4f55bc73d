// How long requests wait for their turn and for others; and that a vault that is being sealed waits
// for none of them long, whatever a target does.

#include <doctest/doctest.h>

#include <algorithm>
#include <deque>

#include "tests/support/test_vault.h"
#include "vault/target/own_threads.h"

using namespace leasehold;
using core::Latches;
using core::LatchWait;
using testing::Answer;
using testing::TestVault;

namespace {

constexpr Millis kStep{10};

struct LeasingVault : TestVault {
  LeasingVault() {
    role(R"({"ttl":"1h"})");
    const Answer creds = get("test/creds/ro", root());
    lease.set("lease_id", creds.response().lease_id);
  }
  ~LeasingVault() {
    world().servers.release_all();
    // What was left behind still uses the clock.
    if (sealed()) eventually([] { return target::own_threads() == 0; });
  }
  Waiting renew() { return begin("POST", "sys/leases/renew", root(), lease.dump()); }
  // It hangs at the target.
  Waiting hung_renewal() {
    server()->hang("renew");
    Waiting first = renew();
    REQUIRE(eventually([&] { return server()->inside("renew") == 1; }));
    return first;
  }
  // How long the vault, when it is being sealed, waits for these, by the test's clock. Then the
  // keys are gone.
  Nanos holds_it_open(const std::vector<Waiting>& all) {
    const std::size_t before = world().log.text().size();
    seal();
    const Instant begun = world().clock.instant();
    REQUIRE(as_time_passes(
        [&] {
          return std::all_of(all.begin(), all.end(), [&](auto& one) { return answered(one); });
        },
        kStep));
    const Nanos held(world().clock.instant().ns - begun.ns);
    REQUIRE(eventually(
        [&] { return world().log.text().find("vault is sealed", before) != std::string::npos; }));
    return held;
  }
  std::vector<Waiting> begin_checks(int count) {
    std::vector<Waiting> all;
    for (int i = 0; i < count; ++i)
      all.push_back(
          begin("POST", "test/checked/c" + std::to_string(i), root(), R"({"target":"slow"})"));
    REQUIRE(eventually([&] { return server("slow")->inside("connect") == 2; }));
    return all;
  }
  Json lease = Json::object();
};

struct Turn : LatchWait {
  explicit Turn(std::uint64_t of, bool waits_for_target = true) {
    key = of;
    at_target = waits_for_target;
    resume = [](Waiter* waiter) {
      static_cast<Turn*>(static_cast<LatchWait*>(waiter))->has = true;
    };
  }
  bool has = false;
};

}  // namespace

TEST_CASE("latches: first come, first served, and who gave up is passed over") {
  Latches latches;
  Turn holder(1), second(1), third(1);
  CHECK_FALSE(latches.take(&holder));
  CHECK(latches.take(&second));
  CHECK(latches.take(&third));
  CHECK(latches.give_up(&second));
  CHECK_FALSE(latches.give_up(&second));
  latches.give(1);
  CHECK(third.has);
  CHECK_FALSE(second.has);
  CHECK_FALSE(latches.give_up(&third));
  latches.give(1);
  CHECK_FALSE(latches.take(&second));
  CHECK(second.refused.ok());
}

TEST_CASE("latches: few wait for what works at a target, of one key and of all") {
  Latches latches;
  std::deque<Turn> turns;
  std::size_t waiting = 0;
  for (std::uint64_t key = 0; waiting < Latches::kAtTargetMax; ++key) {
    CHECK_FALSE(latches.take(&turns.emplace_back(key)));
    for (std::size_t i = 0; i < Latches::kOfKeyAtTargetMax; ++i, ++waiting)
      REQUIRE(latches.take(&turns.emplace_back(key)));
    Turn more(key);
    CHECK_FALSE(latches.take(&more));
    CHECK(more.refused.is(Code::busy));
  }
  Turn holder(9999), other(9999), writer(9999, false);
  CHECK_FALSE(latches.take(&holder));
  CHECK(holder.refused.ok());
  CHECK_FALSE(latches.take(&other));
  CHECK(other.refused.error().message ==
        "busy: 512 requests wait for their turn on leases and managers already; try again");
  CHECK(latches.take(&writer));  // one that nobody's target keeps waiting
  CHECK(latches.give_up(&turns[1]));
  CHECK(latches.take(&other));
}

TEST_CASE_FIXTURE(LeasingVault,
                  "sealing: a renewal whose turn does not come is told to come back") {
  const Waiting first = hung_renewal(), second = renew();
  const Instant begun = world().clock.instant();
  CHECK(as_time_passes([&] { return answered(second); }, kStep));
  CHECK(world().clock.instant() < add(begun, Seconds{12}));
  const Answer refused = wait(second);
  CHECK(refused.status() == 503);
  CHECK(refused.response().retry_after);
  CHECK_FALSE(answered(first));
  server()->release("renew");
  CHECK(wait(first).status() == 200);
  CHECK(wait(renew()).status() == 200);
}

TEST_CASE_FIXTURE(LeasingVault, "sealing: no more than a few renewals wait for one lease") {
  const Waiting first = hung_renewal();
  std::vector<Waiting> all;
  for (std::size_t i = 0; i < Latches::kOfKeyAtTargetMax + 5; ++i) all.push_back(renew());
  const auto refused = [&] {
    return std::count_if(all.begin(), all.end(), [&](const auto& one) { return answered(one); });
  };
  CHECK(eventually([&] { return refused() == 5; }));
  CHECK(wait(all.back()).status() == 503);
  // A lease of another waits for none of them.
  CHECK(get("test/creds/ro", root()).status() == 200);
  server()->release("renew");
  CHECK(wait(first).status() == 200);
  CHECK(wait(all.front()).status() == 200);
}

TEST_CASE_FIXTURE(LeasingVault, "sealing: a renewal whose client has gone gives way") {
  const Waiting first = hung_renewal(), gone = renew(), here = renew();
  hang_up(gone);
  const Instant begun = world().clock.instant();
  CHECK(as_time_passes([&] { return answered(gone); }, kStep));
  CHECK(world().clock.instant() < add(begun, Seconds{3}));
  CHECK_FALSE(answered(here));
  server()->release("renew");
  CHECK(wait(here).status() == 200);
  CHECK(server()->visits("renew") == 2);
}

TEST_CASE_FIXTURE(LeasingVault, "sealing: renewals that wait for their turn hold no vault open") {
  const Waiting first = hung_renewal();
  std::vector<Waiting> all;
  for (std::size_t i = 0; i < Latches::kOfKeyAtTargetMax; ++i) all.push_back(renew());
  all.push_back(first);
  CHECK(holds_it_open(all) < Seconds{6});
  all.pop_back();
  for (const Waiting& one : all) {
    const Answer answer = wait(one);
    CHECK(answer.status() == 503);
    CHECK(answer.error() == core::kVaultIsSealed);
  }
  CHECK(wait(first).status() == 500);
  server()->release("renew");
  REQUIRE(unseal().status() == 200);
  CHECK(wait(renew()).status() == 200);
}

TEST_CASE_FIXTURE(LeasingVault, "sealing: what a target has not begun is not begun") {
  server()->hang("create");
  std::vector<Waiting> all;
  for (int i = 0; i < 20; ++i) all.push_back(begin("GET", "test/creds/ro", root()));
  REQUIRE(eventually([&] { return server()->inside("create") > 0; }));
  CHECK(holds_it_open(all) < Seconds{6});
  int told = 0;
  for (const Waiting& one : all) told += wait(one).error() == core::kVaultIsSealed ? 1 : 0;
  CHECK(told == 20 - (server()->visits("create") - 1));
  CHECK(told > 10);
  server()->release("create");
  CHECK(eventually([] { return target::own_threads() == 0; }));
  REQUIRE(unseal().status() == 200);
  CHECK(as_time_passes([&] { return server()->accounts().size() == 1; }));
}

TEST_CASE_FIXTURE(LeasingVault, "sealing: who waits for revocations holds no vault open") {
  server()->hang("revoke");
  const Waiting revoking = begin("POST", "sys/leases/revoke", root(), lease.dump());
  REQUIRE(eventually([&] { return server()->inside("revoke") == 1; }));
  CHECK(holds_it_open({revoking}) < Seconds{6});
  CHECK(wait(revoking).error().find("goes on by itself") != std::string::npos);
}

TEST_CASE_FIXTURE(LeasingVault, "sealing: servers that are tried and hang hold no vault open") {
  server("slow")->hang("connect");
  const auto all = begin_checks(6);  // two are tried, four wait
  CHECK(holds_it_open(all) < Seconds{3});
  for (const Waiting& one : all) CHECK(wait(one).error() == core::kVaultIsSealed);
  CHECK(server("slow")->visits("connect") == 2);
  REQUIRE(unseal().status() == 200);
}

TEST_CASE_FIXTURE(LeasingVault,
                  "sealing: servers that are tried and hang keep nobody from unsealing") {
  server("slow")->hang("connect");
  const auto all = begin_checks(4);
  const Answer answer = unseal();
  CHECK(answer.status() == 200);
  server("slow")->release("connect");
  for (const Waiting& one : all) CHECK(wait(one).status() == 204);
}

TEST_CASE_FIXTURE(LeasingVault, "sealing: a server that never answers is given up in time") {
  server("slow")->hang("connect");
  const auto all = begin_checks(2);
  const Instant begun = world().clock.instant();
  CHECK(as_time_passes([&] { return answered(all[0]) && answered(all[1]); }, kStep));
  CHECK(world().clock.instant() < add(begun, Seconds{14}));
  CHECK(wait(all[0]).status() >= 400);
}
