#include "vault/commit/counters.h"

namespace leasehold::commit {

Result<Counter> read_counter(storage::Snapshot& snapshot, const barrier::Barrier& barrier,
                             const barrier::PhysicalKey& key) {
  VAULT_TRY_ASSIGN(const auto found, snapshot.get(key.view()));
  if (!found) return Counter{};
  VAULT_TRY_ASSIGN(const SecretBytes plain, barrier.open(key, {}, found->value));
  if (plain.size() != kCounterSize)
    return failure(Code::internal, "storage is damaged: a counter has a wrong size");
  return Counter{static_cast<std::int64_t>(get_be(plain.reveal().data(), kCounterSize)), true,
                 barrier.contribution(key.view(), found->value, found->mod)};
}

Counter* CounterCache::find(ByteView key) {
  const std::string text(as_text(key));
  if (const auto young = young_.find(text); young != young_.end()) return &young->second;
  auto old = old_.extract(text);
  if (old.empty()) return nullptr;
  return &young_.insert(std::move(old)).position->second;
}

void CounterCache::put(ByteView key, const Counter& counter) {
  old_.erase(std::string(as_text(key)));
  young_.insert_or_assign(std::string(as_text(key)), counter);
}

void CounterCache::forget(ByteView key) {
  young_.erase(std::string(as_text(key)));
  old_.erase(std::string(as_text(key)));
}

void CounterCache::age() {
  if (young_.size() < kYoungMax) return;
  old_ = std::move(young_);
  young_.clear();
}

}  // namespace leasehold::commit
