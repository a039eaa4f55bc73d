#pragma once
// The head record: one put per group. It orders commits, tells one run of the vault from another
// (incarnation), remembers the last time seen, and holds an additive multiset hash over every
// record's key, version, nonce and tag, so that a deleted, replayed or rolled-back record is found.

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "vault/barrier/barrier.h"
#include "vault/base/clock.h"
#include "vault/storage/storage.h"

namespace leasehold::commit {

using Incarnation = std::array<std::uint8_t, 16>;
using Multiset = std::array<std::uint8_t, 32>;  // a sum modulo 2^256, big-endian

void add_to(Multiset& sum, const crypto::Digest& contribution);
void subtract_from(Multiset& sum, const crypto::Digest& contribution);

// A line of the audit log and its hash.
struct AuditPosition {
  std::uint64_t seq = 0;
  crypto::Digest hash{};
};

// An audit device by the hash of its name, and the last line that was seen on its disk.
struct AuditHeld {
  std::array<std::uint8_t, 8> device{};
  AuditPosition last;
};
// What each device held when the last line was seen on a disk.
struct AuditEnd {
  bool closed = false;  // by an orderly stop: there is no line behind the last one
  std::vector<AuditHeld> held;
};

// What is on a disk of the audit log: its lines from `since` to `last`. When `since` rises, lines
// before it that were not seen here as synced may be on no disk.
struct AuditSynced {
  std::uint64_t since = 0;
  AuditPosition last;
  AuditEnd end = {};
};

struct Head {
  std::uint64_t term = 1;          // of leadership; 1 on a single machine
  Incarnation incarnation{};       // random, new at every unseal
  std::uint64_t index = 0;         // the last commit index
  std::uint64_t group = 0;         // groups since the store was made
  WallTime time_seen;              // the clock at the last group
  std::uint64_t audit_synced = 0;  // the lines of outbox groups up to here are on disk
  Multiset multiset{};
  AuditPosition audit_position;  // the last line of the log known to be on disk
  AuditEnd audit_end;            // of that time; empty if an earlier version wrote here since
  bool covers_seal = true;  // false: an earlier version left the seal table out of the multiset
  std::string writer;       // the version of the program that wrote it; "" in older stores
  Bytes unknown;            // fields of a newer version, as they stood

  Bytes serialize() const;
  // Refuses the head of a newer program that must not be read by this one, and names it.
  static Result<Head> deserialize(ByteView bytes);
};

barrier::PhysicalKey head_key();
Result<std::optional<Head>> read_head(storage::Snapshot& snapshot, const barrier::Barrier& barrier);

// All records but the head itself, and the mark of a store that was put back, which is written
// while the barrier is shut.
bool counts_in_multiset(ByteView key);
// Adds the seal table to the multiset of a head that does not cover it yet. The table is written
// while the barrier is shut only at init, before there is a head.
Status cover_seal(storage::Snapshot& snapshot, const barrier::Barrier& barrier, Head& head);

// A run of the vault that wrote here: its incarnation, and the first group it wrote. One record per
// unseal, never erased: what makes a head that was noted somewhere comparable with today's.
struct Run {
  std::uint64_t first_group = 0;
  Incarnation incarnation{};
};
barrier::PhysicalKey run_key(std::uint64_t first_group);
// All of them, the oldest first; empty in a store that only earlier versions wrote.
Result<std::vector<Run>> read_runs(storage::Snapshot& snapshot, const barrier::Barrier& barrier);

// A head as an operator notes it, elsewhere: "group-incarnation-multiset", the last two in hex.
struct NotedHead {
  std::uint64_t group = 0;
  Incarnation incarnation{};
  Multiset multiset{};

  static NotedHead of(const Head& head) { return {head.group, head.incarnation, head.multiset}; }
  std::string to_text() const;
  static Result<NotedHead> parse(std::string_view text);  // Code::invalid says how it looks
};
// Why `head`, with the runs of its store, does not follow from the one that was noted; nothing when
// it does.
std::optional<std::string> contradiction(const NotedHead& noted, const Head& head,
                                         const std::vector<Run>& runs);

// Recomputes the multiset over the whole store and compares it with the head's.
struct Verified {
  Head head;
  std::uint64_t records = 0;
  bool matches = false;
};
// `progress` is called every 1,000 records with the count so far; false stops with Code::deadline.
Result<Verified> verify_store(storage::Snapshot& snapshot, const barrier::Barrier& barrier,
                              FunctionRef<bool(std::uint64_t)> progress);

}  // namespace leasehold::commit
