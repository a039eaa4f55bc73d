#pragma once
// Deadlines of many connections for the price of a list: each queue has one delay, so a new
// deadline goes to the end of its queue, and the first entry is always the next one due. One timer
// per queue, re-armed lazily. Thread safety: the loop's own thread.

#include "vault/base/clock.h"
#include "vault/base/loop.h"

namespace leasehold::server {

class DeadlineQueue;

// What waits; in at most one queue.
class Deadline {
 public:
  Deadline() = default;
  Deadline(const Deadline&) = delete;
  Deadline& operator=(const Deadline&) = delete;
  virtual void deadline_passed() = 0;
  const DeadlineQueue* deadline_queue() const { return queue_; }
  Instant waiting_since() const { return since_; }
  Deadline* next_deadline() { return next_; }  // of its queue: the one that entered after it
  void leave_deadline();

 protected:
  virtual ~Deadline() { leave_deadline(); }

 private:
  friend class DeadlineQueue;
  DeadlineQueue* queue_ = nullptr;
  Deadline* previous_ = nullptr;
  Deadline* next_ = nullptr;
  Instant since_;
};

class DeadlineQueue : private Timer {
 public:
  DeadlineQueue(Loop& loop, Clock& clock, Nanos delay);
  DeadlineQueue(const DeadlineQueue&) = delete;
  DeadlineQueue& operator=(const DeadlineQueue&) = delete;
  ~DeadlineQueue();

  // Leaves its queue, if it is in one, and waits here from now on.
  void enter(Deadline& deadline);
  Deadline* first() { return first_; }
  std::size_t size() const { return size_; }

 private:
  friend class Deadline;
  void unlink(Deadline& deadline);
  void expire();
  Instant due(const Deadline& deadline) const { return add(deadline.since_, delay_); }

  Loop& loop_;
  Clock& clock_;
  const Nanos delay_;
  Deadline* first_ = nullptr;
  Deadline* last_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace leasehold::server
