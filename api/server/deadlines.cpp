#include "api/server/deadlines.h"

#include <algorithm>

namespace leasehold::server {

void Deadline::leave_deadline() {
  if (queue_ != nullptr) queue_->unlink(*this);
}

DeadlineQueue::DeadlineQueue(Loop& loop, Clock& clock, Nanos delay)
    : loop_(loop), clock_(clock), delay_(delay) {
  expired = [](Timer* timer) { static_cast<DeadlineQueue*>(timer)->expire(); };
}

DeadlineQueue::~DeadlineQueue() {
  while (first_ != nullptr) unlink(*first_);
  loop_.disarm(*this);
}

void DeadlineQueue::enter(Deadline& deadline) {
  deadline.leave_deadline();
  deadline.queue_ = this;
  deadline.since_ = clock_.instant();
  deadline.previous_ = last_;
  deadline.next_ = nullptr;
  (last_ != nullptr ? last_->next_ : first_) = &deadline;
  last_ = &deadline;
  ++size_;
  if (!armed()) loop_.arm(*this, delay_);
}

void DeadlineQueue::unlink(Deadline& deadline) {
  (deadline.previous_ != nullptr ? deadline.previous_->next_ : first_) = deadline.next_;
  (deadline.next_ != nullptr ? deadline.next_->previous_ : last_) = deadline.previous_;
  deadline.previous_ = deadline.next_ = nullptr;
  deadline.queue_ = nullptr;
  --size_;
}

void DeadlineQueue::expire() {
  const Instant now = clock_.instant();
  while (first_ != nullptr && due(*first_) <= now) {
    Deadline& passed = *first_;
    unlink(passed);
    passed.deadline_passed();
  }
  if (first_ != nullptr)
    loop_.arm(*this, Nanos(std::max<std::int64_t>(due(*first_).ns - now.ns, 1)));
}

}  // namespace leasehold::server
