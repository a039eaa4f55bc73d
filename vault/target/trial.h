#pragma once
// A look at a server that is not configured yet: one connection, which is closed again. It may be
// anybody's, and hang wherever it likes: so it is tried on a thread of its own, and whoever asks is
// told at its deadline at the latest, or once it does not want to know any more.
//
//   const Tried tried = try_target(std::move(candidate), tag, clock, deadline, [&] { return over; });
//
// Blocks. Thread-safe: no state.

#include <memory>
#include <string>
#include <vector>

#include "vault/base/function_ref.h"
#include "vault/target/target.h"

namespace leasehold::target {

struct Tried {
  Status status;
  std::string identity;
  std::vector<std::string> advice;
};

// `given_up` is asked several times a second.
Tried try_target(std::unique_ptr<Target> candidate, const Tag& tag, Clock& clock, Instant deadline,
                 FunctionRef<bool()> given_up);

}  // namespace leasehold::target
