#pragma once
// Token records that were opened and decoded before, each with the version it was read at. A
// request still asks its own snapshot for the version, so what is remembered is used only while it
// is the very record that stands there; revocation needs no message to this cache.
// Thread-safe; holds at most kSlots tokens, the newest of each slot.

#include <array>
#include <memory>

#include "vault/barrier/format.h"
#include "vault/base/mutex.h"

namespace leasehold::core {

struct Token;

class TokenCache {
 public:
  // Null: not known, or known in another version.
  std::shared_ptr<const Token> find(const barrier::OrderedId& id, std::uint64_t mod) const;
  void keep(std::shared_ptr<const Token> token);

 private:
  static constexpr std::size_t kShards = 16, kSlots = 1024;
  struct Shard {
    mutable Mutex mutex;
    std::array<std::shared_ptr<const Token>, kSlots / kShards> slots GUARDED_BY(mutex);
  };
  static std::size_t place(const barrier::OrderedId& id);
  std::array<Shard, kShards> shards_;
};

}  // namespace leasehold::core
