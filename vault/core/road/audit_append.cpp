#include "vault/core/road/audit_append.h"

#include <memory>
#include <utility>

namespace leasehold::core {

namespace {

constexpr std::size_t kLinesKept = 256u << 10;

void resume_all(WaiterQueue& waiting, const Status& written) {
  while (auto* wait = static_cast<AuditWait*>(waiting.pop())) {
    wait->written = written;
    wait->resume(wait);  // ends the life of *wait
  }
}

// A turn's lines on their way to the disk.
struct Flush : WorkerTask {
  audit::AuditLog* log = nullptr;
  Texts lines;
  WaiterQueue waiting;
  Status written;

  static void append(WorkerTask* task) {
    auto* self = static_cast<Flush*>(task);
    self->written = self->log->append(self->lines.views());
  }
  static void finish(Waiter* waiter) {
    const std::unique_ptr<Flush> self(static_cast<Flush*>(waiter));
    resume_all(self->waiting, self->refused.ok() ? self->written : self->refused);
  }
};

}  // namespace

AuditAppend& AuditAppend::current() {
  static thread_local AuditAppend append;
  return append;
}

void AuditAppend::add(AuditWait* wait, audit::AuditLog& log, Workers& workers) {
  VAULT_ASSERT(waiting_.empty() || log_ == &log);
  const bool first = waiting_.empty();
  waiting_.push(wait);
  if (!first) return;
  log_ = &log;
  workers_ = &workers;
  end_.owner = this;
  end_.home = Loop::current();
  end_.resume = [](Waiter* waiter) { static_cast<End*>(waiter)->owner->end(); };
  complete(&end_);
}

void AuditAppend::end() {
  // Whoever is resumed may have lines again: they are of the next turn.
  WaiterQueue waiting = std::exchange(waiting_, {});
  if (!log_->waits_for_disk()) {
    const Status written = log_->append(lines_.views());
    lines_.clear(kLinesKept);
    return resume_all(waiting, written);
  }
  auto flush = std::make_unique<Flush>();
  flush->home = Loop::current();
  flush->Waiter::resume = &Flush::finish;
  flush->work = &Flush::append;
  flush->log = log_;
  flush->lines = std::exchange(lines_, {});
  flush->waiting = waiting;
  if (workers_->submit(WorkClass::flushes, flush.get()))
    (void)flush.release();  // finish() has it
  else
    resume_all(waiting, flush->refused);
}

}  // namespace leasehold::core
