#include "vault/core/audit_turn.h"

#include <iterator>
#include <memory>
#include <utility>

namespace leasehold::core {

namespace {

// Waits of one log, and all their lines.
struct Together : WorkerJob {
  audit::AuditLog* log = nullptr;
  WaiterQueue waits;
  std::vector<std::string> bodies;
  Status written;

  static void append(WorkerJob* job) {
    auto* self = static_cast<Together*>(job);
    self->written = self->log->append(self->bodies);
  }
  void resume_all() {
    while (auto* wait = static_cast<AuditWait*>(waits.pop())) {
      wait->written = written;
      wait->resume(wait);  // ends the life of *wait
    }
  }
  static void written_by_worker(Waiter* waiter) {
    const std::unique_ptr<Together> self(static_cast<Together*>(waiter));
    self->resume_all();
  }
};

void write_on_worker(Together&& lines, Workers& workers) {
  auto job = std::make_unique<Together>(std::move(lines));
  job->home = Loop::current();
  job->work = &Together::append;
  job->Waiter::resume = &Together::written_by_worker;
  if (workers.submit(job.get())) {
    (void)job.release();  // its resume has it
    return;
  }
  job->written = job->refused;
  job->resume_all();
}

}  // namespace

AuditTurn& AuditTurn::current() {
  static thread_local AuditTurn turn;
  return turn;
}

void AuditTurn::add(AuditWait* wait) {
  const bool first = waiting_.empty();
  waiting_.push(wait);
  if (!first) return;
  end_.turn = this;
  end_.home = Loop::current();
  end_.resume = [](Waiter* waiter) { static_cast<End*>(waiter)->turn->write(); };
  complete(&end_);
}

void AuditTurn::write() {
  // What is resumed below may add lines of its own: they are of the next turn.
  WaiterQueue left = std::exchange(waiting_, {});
  while (!left.empty()) {
    Together lines;
    Workers* workers = nullptr;
    // After a seal and an unseal two logs may meet here.
    WaiterQueue others;
    while (auto* wait = static_cast<AuditWait*>(left.pop())) {
      if (lines.log == nullptr) lines.log = wait->log;
      if (wait->log != lines.log) {
        others.push(wait);
        continue;
      }
      workers = wait->workers;
      std::move(wait->bodies.begin(), wait->bodies.end(), std::back_inserter(lines.bodies));
      lines.waits.push(wait);
    }
    left = others;
    if (lines.log->waits_for_disk()) {
      write_on_worker(std::move(lines), *workers);
      continue;
    }
    Together::append(&lines);
    lines.resume_all();
  }
}

}  // namespace leasehold::core
