#pragma once
// The audit bodies that are durable in storage and perhaps not yet in the audit log: one record per
// group, cut into parts. Each body stands as length:u32be | bytes; the parts of a group are one
// text. Synced records are erased in bulk with a later group; what they gave to the multiset is
// remembered, so that erasing reads nothing.
//
// Thread safety: none; the commit thread's own.

#include <deque>
#include <string>
#include <vector>

#include "vault/barrier/barrier.h"
#include "vault/base/function_ref.h"
#include "vault/storage/storage.h"

namespace leasehold::commit {

inline constexpr std::size_t kOutboxPartMax = 512u << 10;
inline constexpr std::size_t kOutboxEraseMin = 32;   // groups gathered before any is erased
inline constexpr std::size_t kOutboxEraseMax = 256;  // groups erased at once

barrier::PhysicalKey outbox_key(std::uint64_t group, std::size_t part);

struct OutboxPart {
  barrier::PhysicalKey key;
  crypto::Digest contribution{};
};
struct OutboxGroup {
  std::uint64_t group = 0;
  std::vector<OutboxPart> parts;
};

class Outbox {
 public:
  void add(OutboxGroup group) { pending_.push_back(std::move(group)); }
  // How many of the oldest groups are worth erasing now that `synced` is on disk.
  std::size_t erasable(std::uint64_t synced) const;
  const OutboxGroup& operator[](std::size_t i) const { return pending_[i]; }
  void erased(std::size_t count) {
    pending_.erase(pending_.begin(), pending_.begin() + static_cast<std::ptrdiff_t>(count));
  }
  std::size_t size() const { return pending_.size(); }

 private:
  std::deque<OutboxGroup> pending_;
};

// Seals `bodies` as the record of `group`: a put per part into `tail`.
OutboxGroup write_outbox(const barrier::Barrier& barrier, std::uint64_t group, std::uint64_t mod,
                         std::span<const std::string_view> bodies, storage::Batch& tail);

// Everything that stands in storage, group by group in order.
Status read_outbox(
    storage::Snapshot& snapshot, const barrier::Barrier& barrier,
    FunctionRef<Status(OutboxGroup&& group, std::span<const std::string_view> bodies)> each);

}  // namespace leasehold::commit
