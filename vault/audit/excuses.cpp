#include "vault/audit/excuses.h"

#include <utility>

namespace leasehold::audit {

void Excuses::rely_on(std::uint64_t seq, const std::string& where) {
  if (!waits_) waits_ = Waits{seq, where, false};
}

std::string Excuses::epoch(const Json& record, std::uint64_t seq) {
  if (!waits_) return {};
  constexpr std::uint64_t kToldByEarlierVersions = 2;  // a gap and a cut record
  const Json* told = record.find("told");
  const auto count = told == nullptr ? kToldByEarlierVersions
                                     : static_cast<std::uint64_t>(told->integer().value_or(0));
  const bool of_this_run = waits_->seq < seq && seq - waits_->seq <= count;
  if (waits_->epoch_seen || !of_this_run) return refuse();
  waits_->epoch_seen = true;
  return {};
}

std::string Excuses::end() { return waits_ ? refuse() : std::string(); }

std::string Excuses::refuse() {
  const Waits refused = *std::exchange(waits_, std::nullopt);
  return refused.where +
         "no run of the vault signed this gap record as its own: somebody else put it there, and "
         "lines before it were removed";
}

}  // namespace leasehold::audit
