#include "vault/base/metrics.h"

#include <algorithm>
#include <atomic>
#include <bit>
#include <cmath>
#include <functional>
#include <limits>
#include <map>
#include <memory>

#include "vault/base/mutex.h"

namespace leasehold::metrics {

namespace {

// One thread writes it, others read it now and then.
class Cell {
 public:
  void add(std::uint64_t by) {
    value_.store(value_.load(std::memory_order_relaxed) + by, std::memory_order_relaxed);
  }
  std::uint64_t read() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

struct TimedCells {
  Cell count, measured, ns;
  std::array<Cell, kBuckets> buckets;
};
struct RouteCells {
  std::array<Cell, kOperations> count, ns;
};

// Of a thread. Those of routes are made when the thread first meets one.
struct Block {
  std::array<Cell, kCounters> counters;
  std::array<TimedCells, kTimers> timers;
  std::array<std::atomic<RouteCells*>, kRoutes> routes{};

  Block() = default;
  Block(const Block&) = delete;
  Block& operator=(const Block&) = delete;
  ~Block() {
    for (const auto& cells : routes) delete cells.load();
  }
  RouteCells& route(std::size_t place) {
    RouteCells* cells = routes[place].load(std::memory_order_relaxed);
    if (cells == nullptr) {
      cells = new RouteCells;
      routes[place].store(cells, std::memory_order_release);
    }
    return *cells;
  }
};

constexpr unsigned kFirstBit = 10;  // what is below 1,024 ns is in the first bucket

std::size_t bucket_of(std::uint64_t ns) {
  if (ns < (std::uint64_t{1} << kFirstBit)) return 0;
  const auto top = static_cast<unsigned>(std::bit_width(ns)) - 1;
  const std::size_t quarter = (ns >> (top - 2)) & 3;
  return std::min<std::size_t>(1 + (top - kFirstBit) * 4 + quarter, kBuckets - 1);
}

// Where a bucket begins, and the next one does.
double start_of(std::size_t bucket) {
  if (bucket == 0) return 0;
  const auto octave = static_cast<int>((bucket - 1) / 4);
  const auto quarter = static_cast<double>((bucket - 1) % 4);
  return std::ldexp(4 + quarter, octave + static_cast<int>(kFirstBit) - 2);
}

void add_up(Timed& to, const TimedCells& from) {
  to.count += from.count.read();
  to.measured += from.measured.read();
  to.ns += from.ns.read();
  for (std::size_t i = 0; i < kBuckets; ++i) to.buckets[i] += from.buckets[i].read();
}

// All blocks there are, and what those of ended threads held. It is never destroyed: threads may
// end after main() has.
class Registry {
 public:
  static Registry& get() {
    static Registry& registry = *new Registry;
    return registry;
  }
  void enter(Block* block) {
    MutexLock lock(mutex_);
    blocks_.push_back(block);
  }
  void leave(std::unique_ptr<Block> block) {
    MutexLock lock(mutex_);
    blocks_.erase(std::find(blocks_.begin(), blocks_.end(), block.get()));
    take(ended_, *block);
  }
  Totals sum() {
    MutexLock lock(mutex_);
    Whole whole = ended_;
    for (const Block* block : blocks_) take(whole, *block);
    Totals totals;
    totals.counters = whole.counters;
    totals.timers = whole.timers;
    for (const auto& place : places_) {
      RouteTimed& route = whole.routes[place.second];
      route.mount_path = place.first;
      if (std::any_of(route.count.begin(), route.count.end(), [](auto n) { return n != 0; }))
        totals.routes.push_back(route);
    }
    return totals;
  }
  std::size_t place_of(std::string_view mount_path) {
    MutexLock lock(mutex_);
    const auto known = places_.find(mount_path);
    if (known != places_.end()) return known->second;
    if (places_.size() >= kRoutes) return 0;
    const std::size_t place = places_.size();
    places_.emplace(mount_path, place);
    return place;
  }

 private:
  struct Whole {
    std::array<std::uint64_t, kCounters> counters{};
    std::array<Timed, kTimers> timers{};
    std::vector<RouteTimed> routes = std::vector<RouteTimed>(kRoutes);
  };
  Registry() { places_.emplace("", 0); }

  static void take(Whole& to, const Block& from) {
    for (std::size_t i = 0; i < kCounters; ++i) to.counters[i] += from.counters[i].read();
    for (std::size_t i = 0; i < kTimers; ++i) add_up(to.timers[i], from.timers[i]);
    for (std::size_t i = 0; i < kRoutes; ++i) {
      const RouteCells* cells = from.routes[i].load(std::memory_order_acquire);
      if (cells == nullptr) continue;
      for (std::size_t k = 0; k < kOperations; ++k) {
        to.routes[i].count[k] += cells->count[k].read();
        to.routes[i].ns[k] += cells->ns[k].read();
      }
    }
  }

  Mutex mutex_;
  std::vector<Block*> blocks_ GUARDED_BY(mutex_);
  Whole ended_ GUARDED_BY(mutex_);
  std::map<std::string, std::size_t, std::less<>> places_ GUARDED_BY(mutex_);
};

// The paths that a thread met last, by their hash.
struct Met {
  std::size_t hash = 0, place = 0;
  bool known = false;
};
constexpr std::size_t kMet = 64;

struct Own {
  Block* block = nullptr;
  bool has_ended = false;
};
thread_local Own own;
thread_local std::array<Met, kMet> met;

// Gives the thread's block back when the thread ends.
struct Leaving {
  ~Leaving() {
    Registry::get().leave(std::unique_ptr<Block>(own.block));
    own.block = nullptr;
    own.has_ended = true;
  }
  void begin() {}  // so that it is there
};

// Of what a thread counts after that; some of it may be lost.
Block& late() {
  static Block& block = *[] {
    auto* made = new Block;
    Registry::get().enter(made);
    return made;
  }();
  return block;
}

Block& new_block() {
  if (own.has_ended) return late();
  own.block = new Block;
  Registry::get().enter(own.block);
  static thread_local Leaving leaving;
  leaving.begin();
  return *own.block;
}

Block& mine() { return own.block != nullptr ? *own.block : new_block(); }

TimedCells& cells_of(Timer what) { return mine().timers[static_cast<std::size_t>(what)]; }

std::uint64_t whole(Nanos time) {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(0, time.count()));
}

void measured(TimedCells& cells, Nanos time, std::uint64_t times) {
  const std::uint64_t ns = whole(time);
  cells.measured.add(times);
  cells.ns.add(ns * times);
  cells.buckets[bucket_of(ns)].add(times);
}

}  // namespace

void count(Counter what, std::uint64_t by) {
  mine().counters[static_cast<std::size_t>(what)].add(by);
}

void took(Timer what, Nanos time, std::uint64_t times) {
  TimedCells& cells = cells_of(what);
  cells.count.add(times);
  measured(cells, time, times);
}

Instant instant() {
  static SystemClock& clock = *new SystemClock;
  return clock.instant();
}

Stopwatch::Stopwatch(Timer what, unsigned every) : what_(what) {
  TimedCells& cells = cells_of(what);
  const bool timed = cells.count.read() % every == 0;
  cells.count.add(1);
  if (timed) begun_ = instant();
}

Stopwatch::~Stopwatch() {
  if (begun_ != Instant{}) measured(cells_of(what_), Nanos(instant().ns - begun_.ns), 1);
}

std::size_t route_place(std::string_view mount_path) {
  const std::size_t hash = std::hash<std::string_view>()(mount_path);
  Met& last = met[hash % kMet];
  if (!last.known || last.hash != hash) last = {hash, Registry::get().place_of(mount_path), true};
  return last.place;
}

void took_route(std::size_t place, std::size_t operation, Nanos time) {
  if (place >= kRoutes || operation >= kOperations) return;
  RouteCells& cells = mine().route(place);
  cells.count[operation].add(1);
  cells.ns[operation].add(whole(time));
}

double Timed::total_ns() const {
  if (measured == 0) return 0;
  return static_cast<double>(ns) / static_cast<double>(measured) * static_cast<double>(count);
}

double Timed::quantile(double q) const {
  std::uint64_t all = 0;
  for (const std::uint64_t in_bucket : buckets) all += in_bucket;
  if (all == 0) return std::numeric_limits<double>::quiet_NaN();
  double left = q * static_cast<double>(all);
  for (std::size_t i = 0; i < kBuckets; ++i) {
    const auto here = static_cast<double>(buckets[i]);
    if (here == 0) continue;
    if (left <= here) return start_of(i) + (start_of(i + 1) - start_of(i)) * left / here;
    left -= here;
  }
  return start_of(kBuckets);
}

Timed Timed::since(const Timed& earlier) const {
  Timed left = *this;
  left.count -= earlier.count;
  left.measured -= earlier.measured;
  left.ns -= earlier.ns;
  for (std::size_t i = 0; i < kBuckets; ++i) left.buckets[i] -= earlier.buckets[i];
  return left;
}

Totals totals() { return Registry::get().sum(); }

}  // namespace leasehold::metrics
