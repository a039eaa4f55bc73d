#include "vault/core/authority/token_cache.h"

#include "vault/core/authority/tokens.h"

namespace leasehold::core {

// An id ends in a keyed hash: any of its bits are as good as others.
std::size_t TokenCache::place(const barrier::OrderedId& id) {
  return get_be(id.data() + id.size() - 2, 2) % kSlots;
}

std::shared_ptr<const Token> TokenCache::find(const barrier::OrderedId& id,
                                              std::uint64_t mod) const {
  const Shard& shard = shards_[place(id) % kShards];
  MutexLock lock(shard.mutex);
  const auto& kept = shard.slots[place(id) / kShards];
  return kept && kept->id == id && kept->mod == mod ? kept : nullptr;
}

void TokenCache::keep(std::shared_ptr<const Token> token) {
  Shard& shard = shards_[place(token->id) % kShards];
  const std::size_t slot = place(token->id) / kShards;
  MutexLock lock(shard.mutex);
  shard.slots[slot].swap(token);  // what was there ends after the lock
}

}  // namespace leasehold::core
