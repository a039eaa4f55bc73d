#pragma once
// How fast a lane revokes. After an outage one item, then a rate that doubles every second up to a
// cap: a server that has just come back is not drowned in what fell due meanwhile. Thread safety:
// none.

#include <algorithm>

#include "vault/base/clock.h"

namespace leasehold::target {

class RevocationPace {
 public:
  static constexpr double kRateStart = 16;  // per second
  static constexpr double kRateMax = 2000;

  explicit RevocationPace(Instant now) : refilled_(now), doubled_(now) {}

  void restart(Instant now) {
    rate_ = kRateStart;
    tokens_ = 1;
    refilled_ = doubled_ = now;
  }
  // How many of `want` may be taken now.
  std::size_t take(std::size_t want, Instant now) {
    refill(now);
    const auto taken = std::min(want, static_cast<std::size_t>(tokens_));
    tokens_ -= static_cast<double>(taken);
    return taken;
  }
  void give_back(std::size_t count) { tokens_ += static_cast<double>(count); }
  bool has_one(Instant now) {
    refill(now);
    return tokens_ >= 1;
  }

 private:
  void refill(Instant now) {
    const double elapsed = static_cast<double>(now.ns - refilled_.ns) / 1e9;
    tokens_ = std::min(rate_, tokens_ + std::max(0.0, elapsed) * rate_);
    refilled_ = now;
    if (now < add(doubled_, std::chrono::seconds(1))) return;
    rate_ = std::min(2 * rate_, kRateMax);
    doubled_ = now;
  }

  double rate_ = kRateMax;
  double tokens_ = kRateMax;
  Instant refilled_, doubled_;
};

}  // namespace leasehold::target
