#pragma once
// The audit bodies that are durable in storage and perhaps not yet in the audit log: one record per
// group, cut into parts. Each body stands as length:u32be | bytes; the parts of a group are one
// text. Synced records are erased in bulk with a later group; what they gave to the multiset is
// remembered, so that erasing reads nothing.
//
// A group is owed to the log until the log has accepted its lines, and again when a disk lost them;
// it is settled once they are on a disk. Only settled groups with nothing unsettled before them are
// erased.
//
// Thread safety: none; the commit thread's own.

#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "vault/barrier/barrier.h"
#include "vault/base/function_ref.h"
#include "vault/commit/head.h"
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
  std::optional<std::uint64_t> line;  // its last one in the log; none: owed
};

class Outbox {
 public:
  // Before the first add(): what the head of an earlier run says is settled.
  void begin(std::uint64_t settled_group) { settled_group_ = settled_group; }
  // In the order of their numbers; the log owes nothing for a group that is settled already.
  void add(OutboxGroup group);
  // The log has taken a group's lines; the last of them is `line`.
  void drained(std::uint64_t group, std::uint64_t line);
  void update(const AuditSynced& synced);

  std::size_t owed() const { return owed_; }
  bool owes(std::uint64_t group) const;
  std::uint64_t first_owed() const;  // while owed() is not 0
  // This group and all before it are settled.
  std::uint64_t settled_group() const { return settled_group_; }

  // How many of the oldest groups are worth erasing.
  std::size_t erasable() const;
  const OutboxGroup& operator[](std::size_t i) const { return pending_[i]; }
  void erased(std::size_t count);

 private:
  std::optional<std::size_t> index_of(std::uint64_t group) const;
  void owe_again(std::uint64_t since);

  std::deque<OutboxGroup> pending_;
  std::size_t settled_ = 0;  // so many of the oldest
  std::size_t owed_ = 0;
  std::uint64_t settled_group_ = 0;
  std::uint64_t since_ = 0;  // as the log said last
};

// Seals `bodies` as the record of `group`: a put per part into `tail`.
OutboxGroup write_outbox(const barrier::Barrier& barrier, std::uint64_t group, std::uint64_t mod,
                         std::span<const std::string_view> bodies, storage::Batch& tail);

// Everything that stands in storage from group `first` on, group by group in order.
Status read_outbox(
    storage::Snapshot& snapshot, const barrier::Barrier& barrier, std::uint64_t first,
    FunctionRef<Status(OutboxGroup&& group, std::span<const std::string_view> bodies)> each);

}  // namespace leasehold::commit
