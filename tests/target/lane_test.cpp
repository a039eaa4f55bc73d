#include "vault/target/lane.h"
#include "tests/support/null_log.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <thread>

#include "tests/target/account_on_postgres.h"
#include "tests/target/fake_target.h"
#include "vault/target/lane_pace.h"
#include "vault/target/lane_state.h"
#include "vault/target/own_threads.h"

namespace leasehold::target {
namespace {

using namespace std::chrono_literals;
using testing::DueList;
using testing::eventually;
using testing::FakeMachine;
using testing::FakeTarget;
using testing::TestJob;

struct LaneTest {
  LaneTest() : lane("db/pg", std::make_unique<FakeTarget>(machine), tag, due, clock, log) {}
  ~LaneTest() {
    for (const char* what : {"connect", "ping", "fence", "revoke", "work", "renew"})
      machine->release(what);
  }

  std::shared_ptr<TestJob> job() {
    return testing::make_test_job(machine, add(clock.instant(), 20s));
  }
  std::shared_ptr<TestJob> renewal() {
    return testing::make_test_job(machine, add(clock.instant(), 20s), true);
  }
  std::shared_ptr<TestJob> submitted() {
    auto one = job();
    REQUIRE(lane.submit(one).ok());
    return one;
  }
  // Moves time and lets the lane's threads look at it.
  void pass(Nanos time) {
    clock.advance(time);
    lane.wake_revocations();
  }
  bool open() { return lane.status().breaker_open; }

  const Tag tag{"test01", "thisincarnation0"};
  std::shared_ptr<FakeMachine> machine = std::make_shared<FakeMachine>();
  testing::FakeClock clock;
  NullLog log;
  DueList due;
  Lane lane;
};

TEST_CASE("lane: a job runs on a connection, after the fence, and ends once") {
  LaneTest test;
  const auto job = test.submitted();
  REQUIRE(eventually([&] { return job->ended() == 1; }));
  CHECK(job->result.ok());
  CHECK(job->started);
  // Another thread may be quicker to take the job, on a connection of its own.
  std::vector<std::string> log = test.machine->log();
  log.erase(std::remove(log.begin() + 3, log.end(), "connect"), log.end());
  const std::vector<std::string> expected{"connect", "ping", "fence", "work"};
  CHECK((log == expected));
  CHECK(test.lane.status().last_success.ns > 0);
}

TEST_CASE("lane: connections are kept for the next job, and the fence is not repeated") {
  LaneTest test;
  for (int i = 0; i < 5; ++i) {
    const auto job = test.submitted();
    REQUIRE(eventually([&] { return job->ended() == 1; }));
  }
  CHECK(test.machine->visits("fence") == 1);
  CHECK(test.machine->visits("connect") <= 3);
}

TEST_CASE("lane: a connection that is too old is replaced before its next job") {
  LaneTest test;
  test.lane.replace(std::make_unique<FakeTarget>(test.machine, 60s));
  const auto connects_of_a_job = [&] {
    const int before = test.machine->visits("connect");
    const auto job = test.submitted();
    REQUIRE(eventually([&] { return job->ended() == 1; }));
    CHECK(job->result.ok());
    return test.machine->visits("connect") - before;
  };
  int connects = 0;
  for (int i = 0; i < 10; ++i) connects += connects_of_a_job();
  CHECK(connects <= 3);  // a thread each
  test.clock.advance(60s);
  CHECK(connects_of_a_job() == 1);
}

TEST_CASE("lane: an old connection is kept while no other can be had") {
  LaneTest test;
  test.lane.replace(std::make_unique<FakeTarget>(test.machine, 60s));
  const auto first = test.submitted();
  REQUIRE(eventually([&] { return first->ended() == 1; }));
  test.machine->fail("connect", Code::unavailable);
  test.clock.advance(61s);
  const auto second = test.submitted();
  REQUIRE(eventually([&] { return second->ended() == 1; }));
  CHECK(second->result.ok());
  CHECK_FALSE(test.open());
}

TEST_CASE("lane: a connection that ends accounts only revokes, and is used for nothing else") {
  LaneTest test;
  test.machine->fail("whole", Code::denied);
  test.due.add(3);
  test.lane.wake_revocations();
  CHECK(eventually([&] { return test.due.revoked() == 3; }));
  CHECK_FALSE(test.open());
  CHECK(test.lane.status().ends_only);
  const auto early = test.job();
  const Status refused = test.lane.submit(early);
  CHECK(refused.is(Code::unavailable));
  CHECK(refused.error().message.find("made to fail") != std::string::npos);
  test.pass(2s);
  const auto late = test.submitted();
  REQUIRE(eventually([&] { return late->ended() == 1; }));
  CHECK(late->result.is(Code::unavailable));
  CHECK_FALSE(late->started);
  CHECK(test.machine->visits("work") == 0);
  CHECK(test.due.came_back() == 0);
  CHECK(test.due.reached() == 0);
  test.machine->heal("whole");
  test.pass(2s);
  const auto job = test.submitted();
  REQUIRE(eventually([&] { return job->ended() == 1; }));
  CHECK(job->result.ok());
  CHECK_FALSE(test.lane.status().ends_only);
  CHECK(test.lane.status().last_error.empty());
  CHECK(test.due.came_back() == 1);
  test.pass(2s);
  const auto next = test.submitted();
  REQUIRE(eventually([&] { return next->ended() == 1; }));
  CHECK(test.due.reached() == 1);
}

TEST_CASE("lane: where an account takes all other sessions, the connection that is left ends it") {
  LaneTest test;
  test.machine->hang("fence");
  test.machine->hang("work");
  const auto first = test.submitted(), second = test.submitted();
  REQUIRE(eventually([&] { return test.machine->inside("fence") == 1; }));
  test.machine->fail("connect", Code::unavailable);  // there is one, and will be no other
  test.machine->release("fence");
  REQUIRE(eventually([&] { return test.open(); }));  // one at most of the two can run
  test.machine->release("work");
  REQUIRE(eventually([&] { return first->ended() + second->ended() == 2; }));
  test.due.add(1);
  CHECK(eventually([&] {
    test.pass(kBackoffMax);  // a thread without a connection may have been the first to probe
    return test.due.revoked() == 1;
  }));
  CHECK_FALSE(test.open());
}

// Says how often its time was looked at.
struct WatchedClock final : Clock {
  WallTime now() override { return clock.now(); }
  Instant instant() override {
    const Instant time = clock.instant();
    ++looks;
    return time;
  }
  testing::FakeClock clock;
  std::atomic<int> looks{0};
};

// Threads that wait for a task, and nothing to do.
struct IdleWorkers {
  IdleWorkers() {
    MutexLock lock(state->mutex);
    state->health = Lane::State::Health::healthy;
    state->revocations_due = false;
  }
  ~IdleWorkers() {
    {
      MutexLock lock(state->mutex);
      state->stopping = true;
      state->work.notify_all();
    }
    for (std::thread& one : threads) one.join();
  }
  void start(bool connected) {
    threads.emplace_back([this, connected] {
      Link link;
      if (connected) link.connection = std::make_unique<testing::FakeConnection>(machine);
      link.settings_version = 1;
      if (state->next_task(link).kind == Task::Kind::quit) ++quit;
    });
  }
  std::size_t waiting() {
    MutexLock lock(state->mutex);
    return state->waiting;
  }
  void let_all_look() {
    MutexLock lock(state->mutex);
    state->work.notify_all();
  }

  std::shared_ptr<FakeMachine> machine = std::make_shared<FakeMachine>();
  WatchedClock clock;
  NullLog log;
  DueList due;
  std::shared_ptr<Lane::State> state = std::make_shared<Lane::State>(
      "db/pg", std::make_unique<FakeTarget>(machine), Tag{"test01", "i"}, due, clock, log);
  std::atomic<int> quit{0};
  std::vector<std::thread> threads;
};

TEST_CASE("lane: of idle connections the last one is kept") {
  IdleWorkers workers;
  for (const bool connected : {true, true, false}) workers.start(connected);
  REQUIRE(eventually([&] { return workers.waiting() == 3; }));
  workers.clock.clock.advance(kIdleLimit);
  workers.let_all_look();
  REQUIRE(eventually([&] { return workers.quit == 2; }));
  workers.clock.clock.advance(kIdleLimit);
  const int looks = workers.clock.looks;
  workers.let_all_look();
  REQUIRE(eventually([&] { return workers.clock.looks > looks; }));
  CHECK(workers.waiting() == 1);
  CHECK(workers.quit == 2);
}

TEST_CASE("lane: a target that cannot be reached refuses at once, and is tried again later") {
  LaneTest test;
  test.machine->fail("connect", Code::unavailable);
  const auto first = test.submitted();
  REQUIRE(eventually([&] { return first->ended() == 1; }));
  CHECK(first->result.is(Code::unavailable));
  CHECK_FALSE(first->started);
  CHECK(test.open());
  const Status refused = test.lane.submit(test.job());
  CHECK(refused.is(Code::unavailable));
  for (const Status& status : {first->result, refused}) {
    CHECK(status.error().message.find(test.lane.status().last_error) != std::string::npos);
    CHECK(status.error().detail.find("db/pg") != std::string::npos);
  }
  CHECK(test.machine->visits("connect") == 1);

  test.machine->heal("connect");
  test.pass(2s);
  REQUIRE(eventually([&] { return !test.open(); }));
  const auto second = test.submitted();
  REQUIRE(eventually([&] { return second->ended() == 1; }));
  CHECK(second->result.ok());
}

TEST_CASE("lane: probes of a dead target come ever later, at most every 30 seconds") {
  LaneTest test;
  test.machine->fail("connect", Code::unavailable);
  test.submitted();
  Nanos pause{0};
  for (int probes = 1; probes <= 8; ++probes) {
    REQUIRE(eventually([&] { return test.lane.status().failures == std::uint64_t(probes); }));
    CHECK(test.machine->visits("connect") == probes);
    pause = Nanos(test.lane.status().retry_at.ns - test.clock.instant().ns);
    test.pass(pause);
  }
  CHECK(pause == 30s);
}

TEST_CASE("lane: an open breaker is closed by its own probe, without anybody asking") {
  SystemClock clock;
  NullLog log;
  DueList due;
  auto machine = std::make_shared<FakeMachine>();
  machine->fail("connect", Code::unavailable);
  Lane lane("db/x", std::make_unique<FakeTarget>(machine), {"test01", "i"}, due, clock, log);
  lane.wake_revocations();
  REQUIRE(eventually([&] { return lane.status().breaker_open; }));
  machine->heal("connect");
  CHECK(eventually([&] { return !lane.status().breaker_open; }));
}

TEST_CASE("lane: what the fence cannot end keeps the lane closed") {
  LaneTest test;
  test.machine->fail("fence", Code::unavailable);
  const auto job = test.submitted();
  REQUIRE(eventually([&] { return job->ended() == 1; }));
  CHECK_FALSE(job->started);
  CHECK(test.machine->visits("work") == 0);
}

TEST_CASE("lane: hung jobs leave a connection for revocation") {
  LaneTest test;
  test.machine->hang("work");
  for (int i = 0; i < 10; ++i) test.submitted();
  REQUIRE(eventually([&] { return test.machine->inside("work") == 2; }));
  test.due.add(5);
  test.lane.wake_revocations();
  CHECK(eventually([&] { return test.due.revoked() == 5; }));
  CHECK(test.machine->inside("work") == 2);
  test.machine->release("work");
  CHECK(eventually([&] { return test.machine->visits("work") == 10; }));
}

TEST_CASE("lane: hung revocations leave a connection for jobs") {
  LaneTest test;
  test.machine->hang("revoke");
  test.due.add(100);
  test.lane.wake_revocations();
  REQUIRE(eventually([&] { return test.machine->inside("revoke") == 2; }));
  const auto job = test.submitted();
  CHECK(eventually([&] { return job->ended() == 1; }));
  test.machine->release("revoke");
  CHECK(eventually([&] { return test.due.revoked() == 100; }));
}

TEST_CASE("lane: a job that no connection becomes free for ends within ten seconds, not begun") {
  LaneTest test;
  test.machine->hang("work");
  for (int i = 0; i < 2; ++i) test.submitted();
  REQUIRE(eventually([&] { return test.machine->inside("work") == 2; }));
  const auto waiting = test.submitted();
  test.pass(10s);
  REQUIRE(eventually([&] { return waiting->ended() == 1; }));
  CHECK(waiting->result.is(Code::unavailable));
  CHECK_FALSE(waiting->started);
}

TEST_CASE("lane: a target that accepts and never answers opens the breaker") {
  LaneTest test;
  test.machine->hang("connect");
  const auto job = test.submitted();
  REQUIRE(eventually([&] { return test.machine->inside("connect") == 1; }));
  test.pass(16s);
  REQUIRE(eventually([&] { return job->ended() == 1; }));
  REQUIRE(eventually([&] { return test.open(); }));
  CHECK(test.lane.submit(test.job()).is(Code::unavailable));
}

TEST_CASE("lane: the queue is bounded") {
  LaneTest test;
  test.machine->hang("connect");
  for (int i = 0; i < 256; ++i) REQUIRE(test.lane.submit(test.job()).ok());
  const Status refused = test.lane.submit(test.job());
  REQUIRE(refused.is(Code::busy));
  CHECK(refused.error().message == "busy: 256 requests wait for the target already; try again");
}

TEST_CASE("lane: renewals that their accounts hold up leave a connection to the other jobs") {
  LaneTest test;
  test.machine->hang("renew");
  REQUIRE(test.lane.submit(test.renewal()).ok());
  REQUIRE(eventually([&] { return test.machine->inside("renew") == 1; }));
  std::size_t taken = 0;
  Status refused = test.lane.submit(test.renewal());
  for (; refused.ok(); refused = test.lane.submit(test.renewal())) ++taken;
  CHECK(taken == 128);
  CHECK(refused.error().message == "busy: 128 requests wait for the target already; try again");
  for (int i = 0; i < 3; ++i) {
    const auto job = test.submitted();
    REQUIRE(eventually([&] { return job->ended() == 1; }));
    CHECK(job->result.ok());
  }
  CHECK(test.machine->inside("renew") == 1);
}

TEST_CASE("lane: where only one job can run, renewals and the others take turns") {
  auto machine = std::make_shared<FakeMachine>();
  LaneQueue queue;
  for (const bool renews : {true, true, true, false, false})
    queue.push(testing::make_test_job(machine, kNever, renews), kNever);
  std::string order;
  while (const auto job = queue.take(1, {})) order += job->renews ? 'r' : 'j';
  CHECK(order == "rjrjr");
  queue.push(testing::make_test_job(machine, kNever, true), kNever);
  CHECK(queue.ready(4, {2, 2}) == 0);
  CHECK(queue.take(4, {2, 2}) == nullptr);
  CHECK(queue.ready(4, {3, 1}) == 1);
  CHECK(queue.ready(4, {4, 1}) == 0);
}

TEST_CASE("lane: a hung target delays nothing of another") {
  LaneTest hung;
  hung.machine->hang("connect");
  hung.submitted();
  LaneTest well;
  const auto job = well.submitted();
  CHECK(eventually([&] { return job->ended() == 1; }));
}

TEST_CASE("lane: a connection that is lost in the middle gives the rest back and goes on") {
  LaneTest test;
  test.due.add(20);
  test.machine->fail("revoke", Code::unavailable);
  test.machine->fail("ping", Code::unavailable);
  test.lane.wake_revocations();
  REQUIRE(eventually([&] { return test.open(); }));
  CHECK(test.due.revoked() == 0);
  test.machine->heal("revoke");
  test.machine->heal("ping");
  REQUIRE(eventually([&] {
    test.due.release_held();
    test.pass(1s);
    return test.due.revoked() == 20;
  }));
}

TEST_CASE("lane: an item that fails on a living connection holds up no other") {
  LaneTest test;
  test.due.add(1);
  test.machine->fail("revoke", Code::deadline);
  test.lane.wake_revocations();
  REQUIRE(eventually([&] { return test.machine->visits("revoke") == 1; }));
  test.machine->heal("revoke");
  test.due.add(20);
  test.lane.wake_revocations();  // and the clock stands still
  REQUIRE(eventually([&] { return test.due.revoked() == 20; }));
  CHECK_FALSE(test.open());
}

// The rows of "Who slows whom at a target" in docs/architecture.md that no other test here shows.

TEST_CASE("lane: a connection lost over an item slows revocations ever more, and no jobs") {
  LaneTest test;
  const auto first = test.submitted();
  REQUIRE(eventually([&] { return first->ended() == 1; }));
  test.machine->fail("revoke", Code::unavailable);
  test.machine->fail("ping", Code::unavailable);
  test.due.add(3);
  Nanos pause = 100ms;
  for (std::size_t lost = 1; lost <= 3; ++lost, pause *= 2) {
    test.lane.wake_revocations();
    REQUIRE(eventually([&] { return test.due.held_and_due() == std::pair(lost, 3 - lost); }));
    test.pass(pause - 1ms);
    const auto job = test.submitted();
    REQUIRE(eventually([&] { return job->ended() == 1; }));
    CHECK(job->result.ok());
    CHECK(test.machine->visits("revoke") == static_cast<int>(lost));
    test.clock.advance(1ms);
  }
  CHECK_FALSE(test.open());
}

TEST_CASE("lane: after an outage revocations come back slowly, and jobs at once") {
  LaneTest test;
  test.machine->fail("connect", Code::unavailable);
  test.due.add(20);
  test.lane.wake_revocations();
  REQUIRE(eventually([&] { return test.open(); }));
  test.machine->heal("connect");
  test.pass(1s);
  REQUIRE(eventually([&] { return test.due.revoked() == 1; }));
  for (int i = 0; i < 5; ++i) {
    const auto job = test.submitted();
    REQUIRE(eventually([&] { return job->ended() == 1; }));
    CHECK(job->result.ok());
  }
  CHECK(test.due.revoked() == 1);
  test.pass(1s);
  CHECK(eventually([&] { return test.due.revoked() == 17; }));
}

TEST_CASE("lane: a job that fails on a living connection slows nothing") {
  for (const Code code : {Code::denied, Code::unavailable, Code::deadline}) {
    LaneTest test;
    test.machine->fail("work", code);
    const auto failed = test.submitted();
    REQUIRE(eventually([&] { return failed->ended() == 1; }));
    CHECK(failed->result.is(code));
    CHECK(failed->started);
    test.machine->heal("work");
    test.due.add(20);
    test.lane.wake_revocations();  // and the clock stands still
    const auto next = test.submitted();
    REQUIRE(eventually([&] { return next->ended() == 1; }));
    CHECK(next->result.ok());
    CHECK(eventually([&] { return test.due.revoked() == 20; }));
    CHECK_FALSE(test.open());
  }
}

TEST_CASE("lane: the source is asked again soon for an item that failed") {
  LaneTest test;
  test.due.add(1);
  test.machine->fail("revoke", Code::unavailable);
  test.lane.wake_revocations();
  REQUIRE(eventually([&] { return test.machine->visits("revoke") == 1; }));
  test.machine->heal("revoke");
  test.due.release_held();
  CHECK(eventually([&] {
    test.clock.advance(100ms);  // nobody wakes the lane
    return test.due.revoked() == 1;
  }));
  CHECK_FALSE(test.open());
}

TEST_CASE("lane: changed settings are used by the next job, after a fence of their own") {
  LaneTest test;
  const auto before = test.submitted();
  REQUIRE(eventually([&] { return before->ended() == 1; }));
  const auto old = test.lane.target();
  auto other = std::make_shared<FakeMachine>();
  test.lane.replace(std::make_unique<FakeTarget>(other));
  CHECK(old->kind() == "fake");  // still there for whoever holds it
  CHECK(old != test.lane.target());
  const auto after = test.submitted();
  REQUIRE(eventually([&] { return after->ended() == 1; }));
  CHECK(other->visits("connect") >= 1);
  CHECK(other->visits("fence") == 1);
}

TEST_CASE("lane: settings that were replaced are gone once nobody uses them") {
  LaneTest test;
  const auto before = test.submitted();
  REQUIRE(eventually([&] { return before->ended() == 1; }));
  std::vector<std::shared_ptr<FakeMachine>> machines;
  for (int i = 0; i < 20; ++i) {
    machines.push_back(std::make_shared<FakeMachine>());
    test.lane.replace(std::make_unique<FakeTarget>(machines.back()));
    const auto job = testing::make_test_job(test.machine, add(test.clock.instant(), 20s));
    REQUIRE(test.lane.submit(job).ok());
    REQUIRE(eventually([&] { return job->ended() == 1; }));
  }
  const std::shared_ptr<FakeMachine> newest = machines.back();
  machines.pop_back();
  CHECK(eventually([&] {
    return std::all_of(machines.begin(), machines.end(),
                       [](const auto& machine) { return machine.use_count() == 1; });
  }));
}

TEST_CASE("lane: new settings end an outage at once") {
  LaneTest test;
  test.machine->fail("connect", Code::denied);
  const auto job = test.submitted();
  REQUIRE(eventually([&] { return test.open() && job->ended() == 1; }));
  test.lane.replace(std::make_unique<FakeTarget>(std::make_shared<FakeMachine>()));
  const auto after = test.submitted();
  CHECK(eventually([&] { return after->ended() == 1; }));
  CHECK(after->result.ok());
}

TEST_CASE("lane: stop refuses what waits, ends what hangs and leaves its thread behind") {
  auto machine = std::make_shared<FakeMachine>();
  machine->hang("work");
  std::vector<std::shared_ptr<TestJob>> jobs;
  testing::FakeClock clock;
  {
    NullLog log;
    DueList due;
    Lane lane("db/pg", std::make_unique<FakeTarget>(machine), {"test01", "i"}, due, clock, log);
    for (int i = 0; i < 4; ++i) {
      jobs.push_back(testing::make_test_job(machine, add(clock.instant(), 20s)));
      REQUIRE(lane.submit(jobs.back()).ok());
    }
    REQUIRE(eventually([&] { return machine->inside("work") == 2; }));
    const long before = testing::steady_milliseconds();
    lane.stop(200ms);
    CHECK(testing::steady_milliseconds() - before < 2000);
    CHECK(lane.submit(jobs[0]).is(Code::unavailable));
  }
  int begun = 0;
  for (const auto& job : jobs) {
    CHECK(job->ended() == 1);
    begun += job->started ? 1 : 0;
    CHECK(job->result.is(job->started ? Code::deadline : Code::unavailable));
  }
  CHECK(begun == 2);
  CHECK(own_threads() >= 2);  // the process must not end beneath them
  machine->release("work");
  CHECK(eventually([&] { return machine->inside("work") == 0; }));
  CHECK(eventually([] { return own_threads() == 0; }));
  for (const auto& job : jobs) CHECK(job->ended() == 1);
}

TEST_CASE("lane: revocation after an outage starts with one and doubles every second up to a cap") {
  Instant now{0};
  RevocationPace pace(now);
  pace.restart(now);
  CHECK(pace.take(100, now) == 1);
  CHECK(pace.take(100, now) == 0);
  std::vector<std::size_t> each_second;
  for (int second = 0; second < 10; ++second) {
    now = add(now, 1s);
    each_second.push_back(pace.take(1'000'000, now));
  }
  CHECK(each_second[0] == 16);
  CHECK(each_second[1] == 32);
  CHECK(each_second[9] == 2000);
}

TEST_CASE("lane: a PostgreSQL that dies and comes back serves again, with nobody's help") {
  testing::Postgres server;
  SystemClock clock;
  SystemRandom random;
  NullLog log;
  DueList due;
  auto target = postgresql::make_target(testing::settings_for(server), clock, random);
  REQUIRE(target.ok());
  Lane lane("db/pg", std::move(*target), {"test01", "thisincarnation0"}, due, clock, log);
  const auto ping = [&] {
    auto job = std::make_shared<TestJob>();
    job->deadline = add(clock.instant(), 15s);
    job->work = [](Connection& connection, Instant deadline) { return connection.ping(deadline); };
    TestJob* self = job.get();
    job->done = [self](Status status, bool) {
      std::unique_lock lock(self->mutex);
      self->result = std::move(status);
      ++self->ends;
    };
    if (!lane.submit(job).ok()) return false;
    return eventually([&] { return job->ended() == 1; }) && job->result.ok();
  };
  CHECK(ping());
  server.kill9();
  CHECK_FALSE(ping());
  CHECK(eventually([&] { return ping(), lane.status().breaker_open; }));
  server.start();
  CHECK(eventually([&] { return !lane.status().breaker_open; }));
  CHECK(ping());
}

}  // namespace
}  // namespace leasehold::target
