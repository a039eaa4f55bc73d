#include "vault/core/road/in_flight.h"

namespace leasehold::core {

void guard_authority(const Admitted& flight, commit::Changes& changes) {
  for (const auto& link : flight.chain) changes.storage.guard(link.first.view(), link.second);
  if (flight.mount != nullptr && flight.mount->mod != 0)
    changes.storage.guard(flight.mount->stored_at.view(), flight.mount->mod);
  for (const Authority::Rest& rest : flight.authority.policies->rests)
    if (rest.record.size() > 0) changes.storage.guard(rest.record.view(), rest.mod);
}

}  // namespace leasehold::core
