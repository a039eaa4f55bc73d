#pragma once
// What the request path needs of the vault's state: whether it is open, and the few routes that
// answer in every state. Implemented by life/lifecycle.h. Thread-safe.

#include "vault/core/contract/request.h"
#include "vault/core/contract/response.h"

namespace leasehold::core {

class Unsealed;

// A route that answers in every state of the vault.
struct SealedRoute {
  std::string_view path;
  bool slow;  // writes run on a worker: they wait for devices and flushes
};

class Gate {
 public:
  // Null: sealed. Each enter() that returned an open vault needs a leave().
  virtual Unsealed* enter() = 0;
  virtual void leave() = 0;
  virtual std::string why_sealed() const = 0;

  // Revokes what an answer handed out that never reached its client.
  virtual void revoke(Issued lost) = 0;

  virtual const SealedRoute* sealed_route(std::string_view path) const = 0;
  virtual bool on_worker(const SealedRoute& route, const Request& request) const = 0;
  virtual Response answer(const SealedRoute& route, const Request& request) = 0;

 protected:
  ~Gate() = default;
};

}  // namespace leasehold::core
