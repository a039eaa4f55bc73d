#include "vault/core/road/in_flight.h"

namespace leasehold::core {

namespace {

// Who is in more groups waits for any change of an identity.
constexpr std::size_t kIdentityGuardsMax = 128;

}  // namespace

void guard_authority(const Admitted& flight, commit::Changes& changes) {
  for (const auto& link : flight.chain) changes.storage.guard(link.first.view(), link.second);
  if (flight.mount != nullptr && flight.mount->mod != 0)
    changes.storage.guard(flight.mount->stored_at.view(), flight.mount->mod);
  for (const Authority::Rest& rest : flight.authority.policies->rests)
    if (rest.record.size() > 0) changes.storage.guard(rest.record.view(), rest.mod);
  if (flight.authority.identity == nullptr) return;
  const auto& rests = flight.authority.identity->rests;
  if (rests.size() > kIdentityGuardsMax)
    return changes.storage.guard(identity_revision_key().view(),
                                 flight.authority.identity_revision);
  for (const auto& rest : rests) changes.storage.guard(rest.first.view(), rest.second);
}

// The lines, too, are durable if the change is.
Status InFlight::was_left_in_doubt(const RequestBatch& perhaps, const Status& outcome) {
  if (orders.warning_in_doubt.empty()) return outcome;
  was_committed(perhaps);
  if (answer.form == Response::Form::bare) answer.form = Response::Form::injected;  // for warnings
  answer.warnings.push_back(orders.warning_in_doubt);
  return {};
}

}  // namespace leasehold::core
