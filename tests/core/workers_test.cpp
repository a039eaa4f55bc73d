// Worker classes: what waits in one holds up none of the others, a full queue says which it is, and
// who has most of one gives way.

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
    std::atomic<int> ran{0};
    std::deque<Quick> jobs;
    core::Workers workers(core::Workers::Sizes{{{1, 4}, {1, 4}, {1, 4}, {1, 4}, {1, 4}, {1, 4}}});
    const Occupied occupied(workers, busy, 1);
    for (std::size_t i = 0; i < core::kWorkClasses; ++i)
      if (static_cast<WorkClass>(i) != busy)
        REQUIRE(workers.submit(static_cast<WorkClass>(i), &jobs.emplace_back(ran)));
    CHECK(testing::TestVault::eventually([&] { return ran == 5; }));
  }
}

TEST_CASE("workers: a full queue refuses, names its bound, and leaves the others open") {
  std::atomic<int> ran{0};
  std::deque<Quick> jobs;
  core::Workers workers(core::Workers::Sizes{{{1, 1}, {1, 2}, {1, 1}, {1, 1}}});
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

TEST_CASE("workers: in a full queue who has most gives way to who has less, in every class") {
  for (const WorkClass kind : {WorkClass::lists, WorkClass::hashes, WorkClass::outside,
                               WorkClass::flushes, WorkClass::bodies}) {
    std::atomic<int> ran{0}, refused{0};
    struct Named : core::WorkerTask {
      Named(std::string_view who, std::atomic<int>& ran_in, std::atomic<int>& refused_in)
          : ran(ran_in), refusals(refused_in) {
        asker = who;
        work = [](WorkerTask* self) { ++static_cast<Named*>(self)->ran; };
        resume = [](Waiter* self) {
          if (!static_cast<Named*>(self)->refused.ok()) ++static_cast<Named*>(self)->refusals;
        };
      }
      std::atomic<int>&ran, &refusals;
    };
    std::deque<Named> tasks;  // which outlive the threads that run them
    core::Workers workers(core::Workers::Sizes{{{1, 4}, {1, 4}, {1, 4}, {1, 4}, {1, 4}}});
    const auto comes = [&](std::string_view who) {
      return workers.submit(kind, &tasks.emplace_back(who, ran, refused));
    };
    Occupied occupied(workers, kind, 1);
    for (int i = 0; i < 4; ++i) REQUIRE(comes("192.0.2.1"));  // one alone may have all of it
    CHECK_FALSE(comes("192.0.2.1"));
    CHECK(comes("192.0.2.2"));
    CHECK(refused == 1);
    CHECK(tasks[3].refused.is(Code::busy));  // the last of the one who has most
    CHECK(tasks[3].refused.error().message == tasks[4].refused.error().message);
    CHECK(comes("192.0.2.2"));
    CHECK_FALSE(comes("192.0.2.2"));  // they have as many
    CHECK(comes("192.0.2.3"));
    occupied.let_go();
    CHECK(testing::TestVault::eventually([&] { return ran == 4; }));
  }
}

TEST_CASE("workers: two addresses that take every place leave one for a third") {
  std::atomic<int> ran{0};
  std::deque<Quick> jobs;
  core::Workers workers(core::Workers::Sizes{{{1, 8}, {1, 8}, {1, 8}, {1, 8}, {1, 8}}});
  for (int i = 0; i < 18; ++i)
    jobs.emplace_back(ran).asker = i < 16 ? (i % 2 == 0 ? "192.0.2.1" : "192.0.2.2") : "192.0.2.3";
  const Occupied occupied(workers, WorkClass::hashes, 1);
  for (int i = 0; i < 16; ++i)
    REQUIRE(workers.submit(WorkClass::hashes, &jobs[static_cast<std::size_t>(i)]) == (i < 8));
  CHECK(workers.submit(WorkClass::hashes, &jobs[16]));
  CHECK(workers.submit(WorkClass::hashes, &jobs[17]));
}

TEST_CASE("workers: addresses of one IPv6 network count as one") {
  std::atomic<int> ran{0};
  std::deque<Quick> jobs;
  core::Workers workers(core::Workers::Sizes{{{1, 4}, {1, 4}, {1, 4}, {1, 4}, {1, 4}}});
  const auto comes = [&](std::string_view who) {
    jobs.emplace_back(ran).asker = who;
    return workers.submit(WorkClass::lists, &jobs.back());
  };
  const Occupied occupied(workers, WorkClass::lists, 1);
  for (const char* who : {"2001:db8:0:1::1", "2001:db8:0:1::2", "2001:db8:0:1:9::", "2001:db8::1"})
    REQUIRE(comes(who));
  CHECK_FALSE(comes("2001:db8:0:1:1:1:1:1"));
  CHECK(comes("2001:db8:0:2::1"));
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

TEST_CASE("workers: what goes on is not refused by a bound, and takes no place") {
  std::atomic<int> ran{0};
  std::deque<Quick> jobs;
  core::Workers workers(core::Workers::Sizes{{{1, 1}, {1, 4}, {1, 4}, {1, 4}, {1, 4}}});
  for (int i = 0; i < 5; ++i) jobs.emplace_back(ran).asker = "192.0.2.1";
  jobs[0].entry = jobs[3].entry = core::WorkerTask::Entry::goes_on;
  {
    const Occupied occupied(workers, WorkClass::lists, 1);
    REQUIRE(workers.submit(WorkClass::lists, &jobs[0]));
    REQUIRE(workers.submit(WorkClass::lists, &jobs[1]));  // the place is free
    REQUIRE_FALSE(workers.submit(WorkClass::lists, &jobs[2]));
    REQUIRE(workers.submit(WorkClass::lists, &jobs[3]));
  }
  REQUIRE(testing::TestVault::eventually([&] { return ran == 3; }));
  CHECK(workers.submit(WorkClass::lists, &jobs[4]));
  CHECK(testing::TestVault::eventually([&] { return ran == 4; }));
}

TEST_CASE("workers: while too much is held only what ends is begun, where answers are made") {
  constexpr std::size_t kMax = 100;
  core::Workers workers(core::Workers::Sizes{{{1, 4}, {1, 4}, {1, 4}, {1, 4}, {1, 4}}}, kMax);
  std::atomic<int> making{0}, others{0}, ended{0};
  std::deque<Quick> jobs;
  const core::Workers::Held first(workers, kMax - 1);
  core::Workers::Held second(workers, 500);
  for (const WorkClass kind : {WorkClass::lists, WorkClass::bodies}) {
    REQUIRE(workers.submit(kind, &jobs.emplace_back(making)));
    jobs.emplace_back(ended).entry = core::WorkerTask::Entry::ends;
    REQUIRE(workers.submit(kind, &jobs.back()));
  }
  for (const WorkClass kind : {WorkClass::hashes, WorkClass::outside, WorkClass::flushes})
    REQUIRE(workers.submit(kind, &jobs.emplace_back(others)));
  CHECK(testing::TestVault::eventually([&] { return ended == 2 && others == 3; }));
  CHECK(making == 0);
  second = {};
  CHECK(testing::TestVault::eventually([&] { return making == 2; }));
}

TEST_CASE("workers: at shutdown what waits for memory is completed, too") {
  std::atomic<int> ran{0};
  std::deque<Quick> jobs;
  core::Workers workers(core::Workers::Sizes{{{1, 4}, {1, 4}, {1, 4}, {1, 4}, {1, 4}}}, 1);
  const core::Workers::Held held(workers, 2);
  REQUIRE(workers.submit(WorkClass::bodies, &jobs.emplace_back(ran)));
  workers.stop();
  CHECK(ran == 1);
}

TEST_CASE("workers: what was taken in is completed at shutdown, and nothing is taken after it") {
  std::atomic<int> ran{0};
  std::deque<Quick> jobs;
  core::Workers workers(core::Workers::Sizes{{{1, 9}, {1, 9}, {1, 9}, {1, 9}, {1, 9}}});
  for (int i = 0; i < 9; ++i)
    REQUIRE(workers.submit(static_cast<WorkClass>(i % 5), &jobs.emplace_back(ran)));
  workers.stop();
  CHECK(ran == 9);
  Quick late(ran);
  CHECK_FALSE(workers.submit(WorkClass::lists, &late));
  CHECK(late.refused.error().message == "shutting down");
}
