#include "vault/base/clock.h"

#include <time.h>

#include <algorithm>

#include "vault/base/clock_anchor.h"

namespace leasehold {
namespace {

constexpr std::int64_t kNanosPerSecond = 1'000'000'000;
constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t kLeast = std::numeric_limits<std::int64_t>::min();

std::int64_t saturating_add(std::int64_t a, std::int64_t b) {
  std::int64_t sum = 0;
  if (!__builtin_add_overflow(a, b, &sum)) return sum;
  return b > 0 ? kMost : kLeast;
}

std::int64_t saturating_nanos(std::int64_t seconds) {
  std::int64_t ns = 0;
  if (!__builtin_mul_overflow(seconds, kNanosPerSecond, &ns)) return ns;
  return seconds > 0 ? kMost : kLeast;
}

std::int64_t read_clock(clockid_t id) {
  timespec time{};
  VAULT_ASSERT(::clock_gettime(id, &time) == 0);
  return saturating_add(saturating_nanos(time.tv_sec), time.tv_nsec);
}

WallTime machine_wall() { return {read_clock(CLOCK_REALTIME)}; }
Instant machine_boot() { return {read_clock(CLOCK_BOOTTIME)}; }

}  // namespace

WallTime add(WallTime time, Nanos delta) { return {saturating_add(time.ns, delta.count())}; }

WallTime add(WallTime time, Seconds delta) {
  return {saturating_add(time.ns, saturating_nanos(delta.count()))};
}

Nanos since(WallTime later, WallTime earlier) {
  std::int64_t difference = 0;
  if (!__builtin_sub_overflow(later.ns, earlier.ns, &difference)) return Nanos{difference};
  return Nanos{later > earlier ? kMost : kLeast};
}

// One for the process: two clocks that disagree would let time go backwards between them.
struct SystemClock::State {
  static State& one() {
    static State& state = *new State;
    return state;
  }
  WallTime wall = machine_wall();
  ClockAnchor anchor{wall, machine_boot()};
};

SystemClock::SystemClock() : state_(State::one()) {}

WallTime SystemClock::now() {
  const WallTime wall = machine_wall();
  return state_.anchor.follow(wall, machine_boot());
}

Instant SystemClock::instant() { return machine_boot(); }

void SystemClock::never_before(WallTime floor) {
  state_.anchor.never_before(floor, machine_boot());
}

void SystemClock::tell_steps(std::function<void(WallTime from, WallTime to)> tell) {
  state_.anchor.tell_steps(std::move(tell));
}

}  // namespace leasehold
