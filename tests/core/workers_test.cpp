// Worker classes: what waits in one holds up none of the others, and a full queue says which it is.

#include <doctest/doctest.h>

#include "tests/support/occupied.h"

using namespace leasehold;
using core::WorkClass;
using testing::Occupied;

namespace {

struct Quick : core::WorkerTask {
  explicit Quick(std::atomic<int>& ran) : count(ran) {
    work = [](WorkerTask*) {};
    resume = [](Waiter* waiter) { ++static_cast<Quick*>(waiter)->count; };
  }
  std::atomic<int>& count;
};

}  // namespace

TEST_CASE("workers: a busy class holds up none of the others") {
  for (const WorkClass busy : {WorkClass::lists, WorkClass::hashes, WorkClass::outside,
                               WorkClass::bodies, WorkClass::gate}) {
    core::Workers workers(core::Workers::Sizes{{{1, 4}, {1, 4}, {1, 4}, {1, 4}, {1, 4}, {1, 4}}});
    const Occupied occupied(workers, busy, 1);
    std::atomic<int> ran{0};
    std::deque<Quick> jobs;
    for (std::size_t i = 0; i < core::kWorkClasses; ++i)
      if (static_cast<WorkClass>(i) != busy)
        REQUIRE(workers.submit(static_cast<WorkClass>(i), &jobs.emplace_back(ran)));
    CHECK(testing::TestVault::eventually([&] { return ran == 5; }));
  }
}

TEST_CASE("workers: a full queue refuses, names its bound, and leaves the others open") {
  core::Workers workers(core::Workers::Sizes{{{1, 1}, {1, 2}, {1, 1}, {1, 1}}});
  std::atomic<int> ran{0};
  std::deque<Quick> jobs;
  for (int i = 0; i < 4; ++i) jobs.emplace_back(ran);
  {
    const Occupied occupied(workers, WorkClass::hashes, 1);
    REQUIRE(workers.submit(WorkClass::hashes, &jobs[0]));
    REQUIRE(workers.submit(WorkClass::hashes, &jobs[1]));
    REQUIRE_FALSE(workers.submit(WorkClass::hashes, &jobs[2]));
    CHECK(jobs[2].refused.error().message ==
          "busy: 2 requests that hash a password are waiting already; try again");
    CHECK(jobs[2].refused.is(Code::busy));
    CHECK(core::error_response(jobs[2].refused.error()).status == 503);
    CHECK(core::error_response(jobs[2].refused.error()).retry_after == Seconds{1});
    CHECK(workers.submit(WorkClass::lists, &jobs[3]));
  }
  CHECK(testing::TestVault::eventually([&] { return ran == 3; }));
}

TEST_CASE("workers: one address fills its share of a queue and no more") {
  core::Workers workers(core::Workers::Sizes{{{1, 4}, {1, 4, 2}, {1, 4}, {1, 4}}});
  std::atomic<int> ran{0};
  std::deque<Quick> jobs;
  for (int i = 0; i < 5; ++i) jobs.emplace_back(ran).asker = i < 4 ? "192.0.2.1" : "192.0.2.2";
  {
    const Occupied occupied(workers, WorkClass::hashes, 1);
    REQUIRE(workers.submit(WorkClass::hashes, &jobs[0]));
    REQUIRE(workers.submit(WorkClass::hashes, &jobs[1]));
    REQUIRE_FALSE(workers.submit(WorkClass::hashes, &jobs[2]));
    CHECK(jobs[2].refused.error().message ==
          "busy: 2 requests that hash a password of one address are waiting already; try again");
    CHECK(workers.submit(WorkClass::hashes, &jobs[4]));
  }
  REQUIRE(testing::TestVault::eventually([&] { return ran == 3; }));
  CHECK(workers.submit(WorkClass::hashes, &jobs[3]));
  CHECK(testing::TestVault::eventually([&] { return ran == 4; }));
}

TEST_CASE("workers: addresses that wait take turns") {
  core::Workers workers(core::Workers::Sizes{{{1, 9}, {1, 9}, {1, 9}, {1, 9}, {1, 9}}});
  struct Named : core::WorkerTask {
    Named(std::string_view who, std::string& into) : order(into) {
      asker = who;
      work = [](WorkerTask* self) { static_cast<Named*>(self)->order += self->asker; };
      resume = [](Waiter*) {};
    }
    std::string& order;  // of the one thread's own until it has stopped
  };
  std::string order;
  std::deque<Named> tasks;
  {
    const Occupied occupied(workers, WorkClass::hashes, 1);
    for (const char* who : {"a", "a", "a", "b", "a", "b", "c"})
      REQUIRE(workers.submit(WorkClass::hashes, &tasks.emplace_back(who, order)));
  }
  workers.stop();
  CHECK(order == "abcabaa");
}

TEST_CASE("workers: what goes on is not refused by a bound, and takes no share of it") {
  core::Workers workers(core::Workers::Sizes{{{1, 2, 1}, {1, 4}, {1, 4}, {1, 4}, {1, 4}}});
  std::atomic<int> ran{0};
  std::deque<Quick> jobs;
  for (int i = 0; i < 5; ++i) jobs.emplace_back(ran).asker = "192.0.2.1";
  jobs[0].goes_on = jobs[3].goes_on = true;
  {
    const Occupied occupied(workers, WorkClass::lists, 1);
    REQUIRE(workers.submit(WorkClass::lists, &jobs[0]));
    REQUIRE(workers.submit(WorkClass::lists, &jobs[1]));  // its share is untouched
    REQUIRE_FALSE(workers.submit(WorkClass::lists, &jobs[2]));
    REQUIRE(workers.submit(WorkClass::lists, &jobs[3]));
  }
  REQUIRE(testing::TestVault::eventually([&] { return ran == 3; }));
  CHECK(workers.submit(WorkClass::lists, &jobs[4]));
  CHECK(testing::TestVault::eventually([&] { return ran == 4; }));
}

TEST_CASE("workers: what was taken in is completed at shutdown, and nothing is taken after it") {
  core::Workers workers(core::Workers::Sizes{{{1, 9}, {1, 9}, {1, 9}, {1, 9}, {1, 9}}});
  std::atomic<int> ran{0};
  std::deque<Quick> jobs;
  for (int i = 0; i < 9; ++i)
    REQUIRE(workers.submit(static_cast<WorkClass>(i % 5), &jobs.emplace_back(ran)));
  workers.stop();
  CHECK(ran == 9);
  Quick late(ran);
  CHECK_FALSE(workers.submit(WorkClass::lists, &late));
  CHECK(late.refused.error().message == "shutting down");
}
