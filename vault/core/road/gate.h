#pragma once
// What the request path needs of the vault's state: whether it is open, and the few routes that
// need no open vault. Implemented by life/lifecycle.h. Thread-safe.

#include "vault/core/contract/request.h"
#include "vault/core/contract/response.h"

namespace leasehold::core {

class Unsealed;

inline constexpr std::string_view kVaultIsSealed = "Vault is sealed";
inline Error vault_is_sealed() { return failure(Code::unavailable, std::string(kVaultIsSealed)); }

// A route that the gate answers itself: those of every state (sys/always.h), and while the vault is
// sealed a few that an open one has elsewhere.
struct GateRoute {
  std::string_view path;
  bool slow;  // writes run on a worker: they wait for devices and flushes
};

class Gate {
 public:
  // Null: sealed. Each enter() that returned an open vault needs a leave().
  virtual Unsealed* enter() = 0;
  virtual void leave() = 0;

  // Revokes what an answer handed out that never reached its client.
  virtual void revoke(Issued lost) = 0;

  // Null: the path is not one of them, in the state that the vault is in now.
  virtual const GateRoute* own_route(std::string_view path) const = 0;
  virtual bool on_worker(const GateRoute& route, const Request& request) const = 0;
  virtual Response answer(const GateRoute& route, const Request& request) = 0;

 protected:
  ~Gate() = default;
};

}  // namespace leasehold::core
