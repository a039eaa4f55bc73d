#pragma once
// The routes that answer in every state of the vault, sealed ones included, in one table: where
// they are, what they take, how they are described. life/ has their handlers. They need no token,
// and whoever asks while the vault is sealed has none. Constants, from any thread.

#include <span>

#include "vault/core/contract/engine.h"
#include "vault/core/road/gate.h"

namespace leasehold::core {

struct AlwaysRoute : GateRoute {
  enum class Name : std::uint8_t { health, seal_status, leader, init, unseal };
  Name name;
  std::span<const Operation> verbs;
  std::string_view synopsis;
  std::vector<Field> (*fields)();

  bool has_verb(Operation asked) const;
};
std::span<const AlwaysRoute> always_routes();

// The same as routes below sys/, for OpenAPI: without handlers.
std::vector<Route> described_always_routes();

}  // namespace leasehold::core
