#include "vault/core/road/workers.h"

#include "vault/base/bound.h"

namespace leasehold::core {

namespace {

// What waits in a class: all of it, and that of one address.
struct WaitingBounds {
  Bound all, of_one;
};
constexpr WaitingBounds kWaiting[kWorkClasses] = {
    {{"lists and walks are waiting"}, {"lists and walks of one address are waiting"}},
    {{"requests that hash a password are waiting"},
     {"requests that hash a password of one address are waiting"}},
    {{"requests that wait for a device or a target are waiting"},
     {"requests of one address that wait for a device or a target are waiting"}},
    {{"flushes of the audit log are waiting"},
     {"flushes of the audit log for one address are waiting"}},
    {{"large requests or answers are waiting"},
     {"large requests or answers of one address are waiting"}},
    {{"inits and unseals are waiting"}, {"inits and unseals of one address are waiting"}},
};

}  // namespace

WorkClass class_of(Place place) {
  if (place == Place::hashes) return WorkClass::hashes;
  if (place == Place::bodies) return WorkClass::bodies;
  if (place == Place::gate) return WorkClass::gate;
  return place == Place::outside ? WorkClass::outside : WorkClass::lists;
}

Workers::Workers(const Sizes& sizes) : sizes_(sizes) {
  for (std::size_t kind = 0; kind < kWorkClasses; ++kind)
    for (unsigned i = 0; i < sizes_[kind].threads; ++i)
      threads_.emplace_back([this, kind] { run(kind); });
}

std::size_t Workers::Waiting::share_of(std::string_view asker) const {
  const auto line = lines_.find(asker);
  return line == lines_.end() ? 0 : line->second.bounded;
}

void Workers::Waiting::push(WorkerTask* task) {
  const auto [line, first] = lines_.try_emplace(std::string(task->asker));
  if (first) turns_.push_back(line->first);
  line->second.tasks.push(task);
  if (!task->goes_on) ++line->second.bounded;
  ++size_;
}

WorkerTask* Workers::Waiting::pop() {
  const auto line = lines_.find(turns_.front());
  turns_.pop_front();
  auto* const task = static_cast<WorkerTask*>(line->second.tasks.pop());
  if (!task->goes_on) --line->second.bounded;
  --size_;
  if (line->second.tasks.empty())
    lines_.erase(line);
  else
    turns_.push_back(line->first);
  return task;
}

bool Workers::submit(WorkClass of, WorkerTask* task) {
  const auto kind = static_cast<std::size_t>(of);
  const Size& size = sizes_[kind];
  {
    MutexLock lock(mutex_);
    Waiting& waiting = waiting_[kind];
    if (stopping_) {
      task->refused = failure(Code::unavailable, "shutting down");
      return false;
    }
    if (!task->goes_on && waiting.size() >= size.queue_max) {
      task->refused = kWaiting[kind].all.hit(size.queue_max);
      return false;
    }
    const bool shared = size.share_max > 0 && !task->asker.empty() && !task->goes_on;
    if (shared && waiting.share_of(task->asker) >= size.share_max) {
      task->refused = kWaiting[kind].of_one.hit(size.share_max);
      return false;
    }
    waiting.push(task);
  }
  wake_[kind].notify_one();
  return true;
}

void Workers::stop() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
  }
  for (Condition& wake : wake_) wake.notify_all();
  for (std::thread& thread : threads_)
    if (thread.joinable()) thread.join();
}

void Workers::run(std::size_t kind) {
  for (;;) {
    WorkerTask* task = nullptr;
    {
      MutexLock lock(mutex_);
      Waiting& waiting = waiting_[kind];
      while (waiting.size() == 0 && !stopping_) wake_[kind].wait(mutex_);
      if (waiting.size() == 0) return;
      task = waiting.pop();
    }
    task->work(task);
    complete(task);
  }
}

}  // namespace leasehold::core
