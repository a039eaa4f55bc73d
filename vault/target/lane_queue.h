#pragma once
// The jobs of a lane that wait for a connection, oldest first, in two rows: renewals, and all else.
// The account that a lease is about can make its renewal slow (it locks its own role), as often as
// its holder asks; so renewals have half of the queue and half of the connections at most, and the
// rows take turns. Thread safety: none.

#include <algorithm>
#include <array>
#include <deque>

#include "vault/target/lane.h"

namespace leasehold::target {

class LaneQueue {
 public:
  static constexpr std::size_t kMax = 256;

  // How many jobs are running, of which how many renew.
  struct Running {
    std::size_t all = 0, renewals = 0;
  };

  static std::size_t max_of(bool renews) { return renews ? kMax / 2 : kMax; }
  static std::size_t renewing_max(std::size_t most) { return std::max<std::size_t>(1, most / 2); }

  std::size_t size() const { return rows_[0].size() + rows_[1].size(); }
  bool empty() const { return size() == 0; }
  bool takes(const Job& job) const {
    return size() < kMax && (!job.renews || rows_[1].size() < max_of(true));
  }
  void push(std::shared_ptr<Job> job, Instant give_up) {
    const bool renews = job->renews;
    rows_[renews].push_back({std::move(job), give_up});
  }
  // How many could begin now, when `most` may run.
  std::size_t ready(std::size_t most, const Running& running) const {
    const std::size_t free = most - std::min(most, running.all);
    const std::size_t renewing = renewing_max(most);
    return std::min(free,
                    rows_[0].size() +
                        std::min(rows_[1].size(), renewing - std::min(renewing, running.renewals)));
  }
  // Null: none may begin.
  std::shared_ptr<Job> take(std::size_t most, const Running& running) {
    if (ready(most, running) == 0) return nullptr;
    const bool may_renew = !rows_[1].empty() && running.renewals < renewing_max(most);
    const bool renews = may_renew && (rows_[0].empty() || !renewed_last_);
    renewed_last_ = renews;
    std::shared_ptr<Job> job = std::move(rows_[renews].front().job);
    rows_[renews].pop_front();
    return job;
  }
  Jobs take_expired(Instant now) {
    Jobs expired;
    for (auto& row : rows_)
      while (!row.empty() && now >= row.front().give_up) pop(row, expired);
    return expired;
  }
  Jobs take_all() {
    Jobs all;
    for (auto& row : rows_)
      while (!row.empty()) pop(row, all);
    return all;
  }

 private:
  struct Queued {
    std::shared_ptr<Job> job;
    Instant give_up;
  };
  using Row = std::deque<Queued>;
  static void pop(Row& row, Jobs& into) {
    into.push_back(std::move(row.front().job));
    row.pop_front();
  }

  std::array<Row, 2> rows_;  // the second renews
  bool renewed_last_ = false;
};

}  // namespace leasehold::target
