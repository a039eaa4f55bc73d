#pragma once
// Pages that a listener shows to callers without a token, where its stanza says so: sys/metrics,
// also while the vault is sealed, and sys/in-flight-req. They are read on a worker, and not
// recorded, as in Vault. Thread-safe.

#include <string>

#include "vault/core/contract/request.h"
#include "vault/core/contract/response.h"

namespace leasehold {
class Clock;
}

namespace leasehold::core {

class Gate;
class Workers;

class OpenPages {
 public:
  enum class Page : std::uint8_t { metrics, requests };
  OpenPages(Gate& gate, Workers& workers, Clock& clock)
      : gate_(gate), workers_(workers), clock_(clock) {}

  // From an io thread's loop; `asker` gets exactly one answer there. It must live until then.
  void show(Page page, const Request& request, Exchange& asker);

 private:
  struct Task;

  Gate& gate_;
  Workers& workers_;
  Clock& clock_;
};

}  // namespace leasehold::core
