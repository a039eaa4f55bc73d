#include "vault/commit/committer.h"

namespace leasehold::commit {

Status Submission::status() const {
  if (!refused.ok()) return refused;
  switch (result.outcome) {
    case storage::Outcome::committed:
      return {};
    case storage::Outcome::conflict:
      return failure(Code::conflict, "the record was changed meanwhile: try again");
    case storage::Outcome::bound:
      if (bound != nullptr) return bound->hit(static_cast<std::uint64_t>(bound_max));
      return failure(Code::conflict, "what was left is used up: try again");
    case storage::Outcome::deposed:
      return failure(Code::unavailable, "this node is no longer the leader: try again");
    case storage::Outcome::no_space:
      return failure(Code::no_space, std::string(storage::kFull));
    case storage::Outcome::unknown:
      return failure(Code::unavailable,
                     "storage failed, and it is not known whether the write happened: see the log");
    case storage::Outcome::failed:
      break;
  }
  return failure(Code::no_space, "storage could not be written, nothing was changed: see the log");
}

}  // namespace leasehold::commit
