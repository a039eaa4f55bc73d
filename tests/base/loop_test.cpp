#include "vault/base/loop.h"

#include <doctest/doctest.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <thread>
#include <vector>

#include "tests/support/fake_clock.h"

using namespace leasehold;

namespace {

struct Note : Waiter {
  std::vector<int>* log = nullptr;
  int number = 0;
  Loop* seen_on = nullptr;
};

void write_down(Waiter* waiter) {
  auto* note = static_cast<Note*>(waiter);
  note->seen_on = Loop::current();
  note->log->push_back(note->number);
}

Note note(Loop* home, std::vector<int>& log, int number) {
  Note result;
  result.home = home;
  result.resume = write_down;
  result.log = &log;
  result.number = number;
  return result;
}

struct Alarm : Timer {
  std::vector<int>* log = nullptr;
  int number = 0;
};

Alarm alarm_for(std::vector<int>& log, int number) {
  Alarm result;
  result.log = &log;
  result.number = number;
  result.expired = [](Timer* timer) {
    auto* self = static_cast<Alarm*>(timer);
    self->log->push_back(self->number);
  };
  return result;
}

}  // namespace

TEST_CASE("loop: what other threads post is resumed in order on the loop's own thread") {
  testing::FakeClock clock;
  Loop loop(clock);
  std::vector<int> log;
  std::vector<Note> notes;
  for (int i = 0; i < 100; ++i) notes.push_back(note(&loop, log, i));
  std::thread poster([&] {
    for (Note& one : notes) complete(&one);
    loop.stop();
  });
  loop.run();
  poster.join();
  REQUIRE(log.size() == 100);
  for (int i = 0; i < 100; ++i) {
    CHECK(log[i] == i);
    CHECK(notes[i].seen_on == &loop);
  }
}

TEST_CASE("loop: a chain linked newest first arrives oldest first") {
  testing::FakeClock clock;
  Loop loop(clock);
  std::vector<int> log;
  Note first = note(&loop, log, 1), second = note(&loop, log, 2);
  second.next = &first;
  loop.post(&second, &first);
  loop.stop();
  loop.run();
  CHECK(log == std::vector<int>{1, 2});
}

TEST_CASE("loop: a waiter without a home is resumed on the completing thread") {
  std::vector<int> log;
  Note one = note(nullptr, log, 7);
  complete(&one);
  CHECK(log == std::vector<int>{7});
  CHECK(one.seen_on == nullptr);
}

TEST_CASE("loop: what the loop's own thread posts is resumed without an outside wake-up") {
  testing::FakeClock clock;
  Loop loop(clock);
  struct Chain : Waiter {
    int left = 1000;
  } chain;
  chain.home = &loop;
  chain.resume = [](Waiter* waiter) {
    auto* self = static_cast<Chain*>(waiter);
    if (--self->left == 0) return self->home->stop();
    complete(self);
  };
  loop.post(&chain);
  loop.run();
  CHECK(chain.left == 0);
}

TEST_CASE("loop: timers fire by due time, and a disarmed one never") {
  testing::FakeClock clock;
  Loop loop(clock);
  std::vector<int> log;
  Alarm late = alarm_for(log, 3), early = alarm_for(log, 1), middle = alarm_for(log, 2),
        never = alarm_for(log, 9);
  loop.arm(late, Millis(30));
  loop.arm(early, Millis(10));
  loop.arm(middle, Millis(20));
  loop.arm(never, Millis(15));
  loop.disarm(never);
  CHECK(late.armed());
  CHECK_FALSE(never.armed());
  clock.advance(Millis(20));
  struct Stop : Timer {
    Loop* loop;
  } stop;
  stop.loop = &loop;
  stop.expired = [](Timer* timer) { static_cast<Stop*>(timer)->loop->stop(); };
  loop.arm(stop, Nanos(0));
  loop.run();
  CHECK(log == std::vector<int>{1, 2});
  CHECK(late.armed());
}

TEST_CASE("loop: a request that is live keeps a stopped loop running") {
  testing::FakeClock clock;
  Loop loop(clock);
  struct Finish : Waiter {
    bool resumed = false;
  } finish;
  finish.home = &loop;
  finish.resume = [](Waiter* waiter) {
    static_cast<Finish*>(waiter)->resumed = true;
    --waiter->home->live;
  };
  loop.live = 1;
  loop.stop();
  std::thread worker([&] { complete(&finish); });
  loop.run();
  worker.join();
  CHECK(finish.resumed);
}

TEST_CASE("loop: the events of a turn come before its mail") {
  testing::FakeClock clock;
  Loop loop(clock);
  std::vector<int> log;
  int fds[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);
  struct Reader final : Pollable {
    void ready(std::uint32_t events) override {
      CHECK((events & EPOLLIN) != 0);
      log->push_back(1);
      loop->remove(fd);
      complete(mail);
    }
    std::vector<int>* log;
    Loop* loop;
    Waiter* mail;
    int fd;
  } reader;
  Note mail = note(&loop, log, 2);
  reader.log = &log, reader.loop = &loop, reader.mail = &mail, reader.fd = fds[0];
  loop.add(fds[0], &reader, EPOLLIN);
  REQUIRE(::write(fds[1], "x", 1) == 1);
  struct Stop : Waiter {
  } stop;
  stop.home = &loop;
  stop.resume = [](Waiter* waiter) { waiter->home->stop(); };
  complete(&stop);  // posted before the event is seen, resumed after it was handled
  loop.run();
  CHECK(log == std::vector<int>{1, 2});
  ::close(fds[0]);
  ::close(fds[1]);
}

TEST_CASE("waiter queue: first in, first out") {
  WaiterQueue queue;
  Waiter a, b;
  CHECK(queue.pop() == nullptr);
  queue.push(&a);
  queue.push(&b);
  CHECK(queue.size() == 2);
  CHECK(queue.pop() == &a);
  CHECK(queue.pop() == &b);
  CHECK(queue.empty());
  queue.push(&a);
  CHECK(queue.pop() == &a);
}

TEST_CASE("frame pool: counts what is out and takes sizes of every class") {
  FramePool pool;
  std::vector<std::pair<void*, std::size_t>> frames;
  for (const std::size_t size : {1u, 256u, 257u, 2032u, 7936u, 100000u})
    frames.emplace_back(pool.take(size), size);
  CHECK(pool.live() == 6);
  for (const auto& frame : frames) pool.give(frame.first, frame.second);
  CHECK(pool.live() == 0);
}
