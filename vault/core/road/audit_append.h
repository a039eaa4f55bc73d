#pragma once
// The audit lines that the requests of one loop have ready in one turn, written with one append:
// under load a write() is shared by many requests, and a lone request waits for nobody. A log that
// waits for the disk is written from a worker.
// Thread safety: one AuditAppend per thread, of that thread's loop.

#include "vault/audit/log.h"
#include "vault/base/texts.h"
#include "vault/core/road/workers.h"

namespace leasehold::core {

// Resumed once its lines are in the log, or could not be written.
struct AuditWait : Waiter {
  Status written;
};

class AuditAppend {
 public:
  static AuditAppend& current();  // of this thread
  AuditAppend() = default;
  AuditAppend(const AuditAppend&) = delete;
  AuditAppend& operator=(const AuditAppend&) = delete;

  // Lines are appended here, then add() says who waits for them.
  Texts& lines() { return lines_; }
  void add(AuditWait* wait, audit::AuditLog& log, Workers& workers);

 private:
  struct End : Waiter {
    AuditAppend* owner = nullptr;
  };
  void end();

  // Of one log: a vault is sealed only when none of its requests is on its way any more.
  audit::AuditLog* log_ = nullptr;
  Workers* workers_ = nullptr;
  Texts lines_;
  WaiterQueue waiting_;
  End end_;  // in the loop's own mailbox, which is read when all events of a turn are handled
};

}  // namespace leasehold::core
