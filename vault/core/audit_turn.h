#pragma once
// The audit lines that the requests of one loop have ready in one turn, written with one append:
// under load a write() is shared by many requests, and a lone request waits for nobody. A log that
// waits for the disk is written from a worker.
// Thread safety: one AuditTurn per thread, of that thread's loop.

#include <string>
#include <vector>

#include "vault/audit/log.h"
#include "vault/core/workers.h"

namespace leasehold::core {

// Resumed once its lines are in the log, or could not be written (`written`).
struct AuditWait : Waiter {
  audit::AuditLog* log = nullptr;  // outlives the wait
  Workers* workers = nullptr;
  std::vector<std::string> bodies;
  Status written;
};

class AuditTurn {
 public:
  static AuditTurn& current();  // of this thread
  AuditTurn() = default;
  AuditTurn(const AuditTurn&) = delete;
  AuditTurn& operator=(const AuditTurn&) = delete;

  void add(AuditWait* wait);

 private:
  struct End : Waiter {
    AuditTurn* turn = nullptr;
  };
  void write();

  End end_;  // posted to the loop's own mailbox, so resumed when all events of the turn are handled
  WaiterQueue waiting_;
};

}  // namespace leasehold::core
