#include "vault/core/road/workers.h"

#include "vault/base/bound.h"

namespace leasehold::core {

namespace {

struct ClassTraits {
  Bound waiting;
  bool makes_answers;  // that may be large
};
constexpr ClassTraits kTraits[kWorkClasses] = {
    {{"lists and walks are waiting"}, true},
    {{"requests that hash a password are waiting"}, false},
    {{"requests that wait for a device or a target are waiting"}, false},
    {{"flushes of the audit log are waiting"}, false},
    {{"large requests are waiting"}, true},
    {{"inits and unseals are waiting"}, false},
};

}  // namespace

WorkClass class_of(Place place) {
  if (place == Place::hashes) return WorkClass::hashes;
  if (place == Place::bodies) return WorkClass::bodies;
  if (place == Place::gate) return WorkClass::gate;
  return place == Place::outside ? WorkClass::outside : WorkClass::lists;
}

Workers::Workers(const Sizes& sizes, std::size_t held_max) : sizes_(sizes), held_max_(held_max) {
  for (std::size_t kind = 0; kind < kWorkClasses; ++kind)
    for (unsigned i = 0; i < sizes_[kind].threads; ++i)
      threads_.emplace_back([this, kind] { run(kind); });
}

bool Workers::submit(WorkClass of, WorkerTask* task) {
  const auto kind = static_cast<std::size_t>(of);
  const std::size_t places = sizes_[kind].places;
  WorkerTask* displaced = nullptr;
  {
    MutexLock lock(mutex_);
    if (stopping_) {
      task->refused = failure(Code::unavailable, "shutting down");
      return false;
    }
    if (!waiting_[kind].push(task, places, displaced)) {
      task->refused = kTraits[kind].waiting.hit(places);
      return false;
    }
  }
  wake_[kind].notify_one();
  if (displaced != nullptr) {
    displaced->refused = kTraits[kind].waiting.hit(places);
    complete(displaced);
  }
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

WorkerTask* Workers::next(std::size_t kind) {
  const bool may_begin = held_ < held_max_ || stopping_ || !kTraits[kind].makes_answers;
  return waiting_[kind].pop(may_begin);
}

void Workers::run(std::size_t kind) {
  for (;;) {
    WorkerTask* task = nullptr;
    {
      MutexLock lock(mutex_);
      while ((task = next(kind)) == nullptr && !stopping_) wake_[kind].wait(mutex_);
    }
    if (task == nullptr) return;
    task->work(task);
    complete(task);
  }
}

void Workers::change_held(std::size_t more, std::size_t less) {
  bool begins = false;
  {
    MutexLock lock(mutex_);
    const bool full = held_ >= held_max_;
    held_ += more - less;
    begins = full && held_ < held_max_;
  }
  if (!begins) return;
  for (std::size_t kind = 0; kind < kWorkClasses; ++kind)
    if (kTraits[kind].makes_answers) wake_[kind].notify_all();
}

}  // namespace leasehold::core
