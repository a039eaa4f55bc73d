#include "vault/base/clock.h"

#include <doctest/doctest.h>

#include <utility>
#include <vector>

#include "vault/base/clock_anchor.h"

namespace leasehold {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

// The machine's two clocks, stepped by hand.
struct Machine {
  WallTime wall{1'800'000'000'000'000'000};
  Instant boot{1'000'000'000};
  ClockAnchor anchor{wall, boot};

  WallTime now() { return anchor.follow(wall, boot); }
  void pass(Nanos time) {
    wall = add(wall, time);
    boot = add(boot, time);
  }
  void step(Nanos by) { wall = add(wall, by); }
};

TEST_CASE("clock: time passes as the machine's does") {
  Machine machine;
  const WallTime start = machine.now();
  machine.pass(seconds(90));
  CHECK(since(machine.now(), start) == Nanos(seconds(90)));
}

TEST_CASE("clock: a step backwards is ignored and time goes on") {
  Machine machine;
  const WallTime start = machine.now();
  machine.step(-hours(48));
  CHECK(machine.now() == start);
  machine.pass(seconds(10));
  CHECK(since(machine.now(), start) == Nanos(seconds(10)));
}

TEST_CASE("clock: a step forwards of up to an hour is followed at once") {
  Machine machine;
  const WallTime start = machine.now();
  machine.step(hours(1));
  CHECK(since(machine.now(), start) == Nanos(hours(1)));
}

TEST_CASE("clock: a longer step forwards is followed after it has stood for five minutes") {
  Machine machine;
  const WallTime start = machine.now();
  machine.step(hours(24));
  CHECK(machine.now() == start);
  machine.pass(minutes(5) - seconds(1));
  CHECK(since(machine.now(), start) == Nanos(minutes(5) - seconds(1)));
  machine.pass(seconds(1));
  CHECK(since(machine.now(), start) == Nanos(hours(24) + minutes(5)));
}

TEST_CASE("clock: a step that is taken back leaves no trace, and the next one waits anew") {
  Machine machine;
  const WallTime start = machine.now();
  machine.step(hours(24));
  machine.now();
  machine.pass(minutes(4));
  machine.step(-hours(24));
  machine.now();
  machine.step(hours(24));
  machine.now();
  machine.pass(minutes(2));
  CHECK(since(machine.now(), start) == Nanos(minutes(6)));
}

TEST_CASE("clock: a step that waits is told once, by both times, and may ask for the time") {
  Machine machine;
  const WallTime start = machine.now();
  std::vector<std::pair<WallTime, WallTime>> told;
  machine.anchor.tell_steps([&](WallTime from, WallTime to) {
    told.emplace_back(from, to);
    machine.now();
  });
  machine.step(hours(1));
  machine.now();
  CHECK(told.empty());
  machine.step(hours(24));
  machine.now();
  machine.pass(minutes(1));
  machine.now();
  REQUIRE(told.size() == 1);
  CHECK(told[0].first == add(start, Nanos(hours(1))));
  CHECK(told[0].second == add(start, Nanos(hours(25))));
  machine.pass(minutes(4));
  CHECK(since(machine.now(), start) == Nanos(hours(25) + minutes(5)));
  CHECK(told.size() == 1);
}

TEST_CASE("clock: a step that moves on is another step") {
  Machine machine;
  const WallTime start = machine.now();
  machine.step(hours(2));
  machine.now();
  machine.pass(minutes(4));
  machine.step(hours(2));
  machine.now();
  machine.pass(minutes(4));
  CHECK(since(machine.now(), start) == Nanos(minutes(8)));
  machine.pass(minutes(1));
  CHECK(since(machine.now(), start) == Nanos(hours(4) + minutes(9)));
}

TEST_CASE("clock: it is never before the time the storage saw") {
  Machine machine;
  const WallTime floor = add(machine.now(), Nanos(hours(100)));
  machine.anchor.never_before(floor, machine.boot);
  CHECK(machine.now() == floor);
  machine.anchor.never_before(WallTime{0}, machine.boot);
  CHECK(machine.now() == floor);
  machine.pass(seconds(3));
  CHECK(since(machine.now(), floor) == Nanos(seconds(3)));
}

TEST_CASE("clock: the machine's clock is after 2025 and does not run backwards") {
  SystemClock clock;
  WallTime last = clock.now();
  Instant last_instant = clock.instant();
  CHECK(last.seconds() > 1'735'689'600);
  for (int i = 0; i < 1000; ++i) {
    const WallTime now = clock.now();
    const Instant instant = clock.instant();
    CHECK(now >= last);
    CHECK(instant >= last_instant);
    last = now;
    last_instant = instant;
  }
}

TEST_CASE("time: sums and differences stop at the ends") {
  const WallTime least{std::numeric_limits<std::int64_t>::min()};
  CHECK(add(kEndOfTime, Nanos{1}) == kEndOfTime);
  CHECK(add(WallTime{5}, Seconds{std::numeric_limits<std::int64_t>::max()}) == kEndOfTime);
  CHECK(add(WallTime{-5}, Seconds{std::numeric_limits<std::int64_t>::min()}) == least);
  CHECK(add(WallTime{}, Seconds{2}).ns == 2'000'000'000);
  CHECK(since(kEndOfTime, least).count() == std::numeric_limits<std::int64_t>::max());
  CHECK(since(least, kEndOfTime).count() == std::numeric_limits<std::int64_t>::min());
  CHECK(since(WallTime{3}, WallTime{5}) == Nanos{-2});
}

TEST_CASE("rfc 3339: times print as Go prints them") {
  CHECK(rfc3339(WallTime{0}) == "1970-01-01T00:00:00Z");
  CHECK(rfc3339(WallTime{1'800'000'000'123'450'000}) == "2027-01-15T08:00:00.12345Z");
  CHECK(rfc3339(WallTime{1}) == "1970-01-01T00:00:00.000000001Z");
  CHECK(rfc3339(WallTime{-1}) == "1969-12-31T23:59:59.999999999Z");
  CHECK(rfc3339(kEndOfTime) == "2262-04-11T23:47:16.854775807Z");
}

TEST_CASE("rfc 3339: what was printed is read back") {
  for (const std::int64_t ns : {std::int64_t{0}, std::int64_t{-1}, kEndOfTime.ns,
                                std::int64_t{1'709'164'800'000'000'001}}) {
    const auto read = parse_rfc3339(rfc3339(WallTime{ns}));
    REQUIRE(read.ok());
    CHECK(read->ns == ns);
  }
}

// Source: the examples of RFC 3339, section 5.8, that Go's parser takes too.
TEST_CASE("rfc 3339: zones are taken into account") {
  CHECK(parse_rfc3339("1985-04-12T23:20:50.52Z")->ns == 482'196'050'520'000'000);
  CHECK(parse_rfc3339("1996-12-19T16:39:57-08:00").value() ==
        parse_rfc3339("1996-12-20T00:39:57Z").value());
  CHECK(parse_rfc3339("1937-01-01T12:00:27.87+00:20").value() ==
        parse_rfc3339("1937-01-01T11:40:27.87Z").value());
}

TEST_CASE("rfc 3339: a year we cannot store becomes the nearest end") {
  CHECK(parse_rfc3339("9999-12-31T23:59:59Z").value() == kEndOfTime);
  CHECK(parse_rfc3339("0001-01-01T00:00:00Z")->ns == std::numeric_limits<std::int64_t>::min());
}

TEST_CASE("rfc 3339: what is no time is refused") {
  for (const char* text :
       {"", "2026", "2026-01-01", "2026-01-01T00:00:00", "2026-01-01 00:00:00Z",
        "2026-02-29T00:00:00Z", "2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z",
        "2026-01-32T00:00:00Z", "2026-01-01T24:00:00Z", "2026-01-01T00:60:00Z",
        "2026-01-01T00:00:60Z", "2026-01-01T00:00:00.Z", "2026-01-01T00:00:00Zx",
        "2026-01-01T00:00:00+0100", "2026-01-01T00:00:00+24:00", "-026-01-01T00:00:00Z"}) {
    CAPTURE(text);
    CHECK(parse_rfc3339(text).is(Code::invalid));
  }
}

}  // namespace
}  // namespace leasehold
