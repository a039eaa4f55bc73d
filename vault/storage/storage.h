#pragma once
// The contract of storage: ordered byte keys, versioned values, snapshots to read from and batches
// to commit. It sees bytes only; everything above a name or a secret is ciphertext by then. The
// same contract fits memory, LMDB, PostgreSQL and etcd; tests/storage holds its conformance suite.
//
//   VAULT_TRY_ASSIGN(auto snapshot, storage.snapshot());
//   VAULT_TRY_ASSIGN(const auto found, snapshot->get(key));
//   Batch batch;  batch.guard(key, found ? found->mod : 0);  batch.put(key, value);
//
// Keys are 1 to 120 bytes. `mod` is the commit index of the last write of a key, 0 when absent.
// Thread safety: Storage from any thread; commit() from one thread only (the Committer's); a
// Snapshot from one thread at a time.

#include <memory>
#include <optional>
#include <span>
#include <string>

#include "vault/base/bytes.h"
#include "vault/base/function_ref.h"
#include "vault/base/result.h"

namespace leasehold::storage {

inline constexpr std::size_t kKeyMax = 120;
inline constexpr std::size_t kBatchOperationsMax = 100;  // all but version guards
inline constexpr std::size_t kBatchGuardsMax = 1200;     // version guards
inline constexpr std::size_t kBatchBytesMax = 1u << 20;

// Valid until the snapshot is released, or until its next call on storages whose reads block.
struct Found {
  ByteView value;
  std::uint64_t mod = 0;
};
struct Entry {
  ByteView key;
  ByteView value;  // empty with Scan::keys
  std::uint64_t mod = 0;
};
enum class Scan { keys, values };

class Snapshot {
 public:
  virtual ~Snapshot() = default;
  virtual Result<std::optional<Found>> get(ByteView key) = 0;
  // Entries with from <= key < to in key order, at most `limit`; stops when `each` returns false.
  virtual Status scan(ByteView from, ByteView to, std::size_t limit, Scan what,
                      FunctionRef<bool(const Entry&)> each) = 0;
  // Gives up what it shows (before its thread blocks) and takes the newest state again. A fresh
  // snapshot is renewed already. Long walks renew every 1,000 entries.
  virtual void release() = 0;
  virtual Status renew() = 0;
};

// Guards and writes that happen together or not at all. A key is written once.
class Batch {
 public:
  enum class Kind : std::uint8_t { version, empty, put, erase };
  struct Operation {
    Kind kind;
    ByteView key;           // of `empty`: the first key of the range
    ByteView value;         // of `put`; of `empty`: the end of the range, exclusive
    std::uint64_t mod = 0;  // of `version`
  };

  void guard(ByteView key, std::uint64_t mod) { add(Kind::version, key, {}, mod); }
  void guard_empty(ByteView from, ByteView to) { add(Kind::empty, from, to, 0); }
  void put(ByteView key, ByteView value) { add(Kind::put, key, value, 0); }
  void erase(ByteView key) { add(Kind::erase, key, {}, 0); }

  std::size_t size() const { return entries_.size(); }
  bool empty() const { return entries_.empty(); }
  std::size_t bytes() const { return data_.size(); }
  Operation operator[](std::size_t i) const;
  // The last write of `key` in this batch, for readers that must see their own writes.
  std::optional<Operation> written(ByteView key) const;
  bool has_writes() const { return writes_ > 0; }
  std::size_t guards() const { return guards_; }  // of versions
  void clear();

 private:
  struct Placed {
    Kind kind;
    std::uint32_t at, key_size, value_size;
    std::uint64_t mod;
  };
  void add(Kind kind, ByteView key, ByteView value, std::uint64_t mod);

  std::vector<Placed> entries_;
  Bytes data_;
  std::size_t writes_ = 0, guards_ = 0;
};

// What a full storage says to whoever wrote: its log tells which of the two it is.
inline constexpr std::string_view kFull =
    "storage is full: free space on the disk of the data directory or, when the log says that its "
    "map is full, raise map_size in the stanza storage \"lmdb\" and restart";

enum class Outcome : std::uint8_t {
  committed,  // durable
  conflict,   // a guard did not hold; nothing of the batch happened
  bound,      // the observer refused it (a counter would leave its bounds); nothing happened
  deposed,    // this node is no longer the leader
  no_space,   // storage is full; nothing happened
  failed,     // an error that has changed nothing: the next one may go well
  unknown,    // it cannot be said whether the group happened
};
struct CommitResult {
  Outcome outcome = Outcome::failed;
  std::uint64_t index = 0;  // of `committed`
};

// What the Committer does inside the write transaction of a group. Called on the commit thread: per
// batch whose guards held admit(i), in order; changed() for each write of the admitted ones, at any
// time after their admit() and for one key in the order of the batches; last, if any batch was
// admitted, finish(), whose `tail` is written without guards in the same transaction under the
// index of the group (changed() is not called for it).
class GroupObserver {
 public:
  virtual ~GroupObserver() = default;
  virtual bool admit(std::size_t batch) = 0;  // false: fails as `bound`
  // `before` is absent for a new key, `after` for an erased one; `mod` is the new version.
  virtual void changed(ByteView key, const std::optional<Found>& before,
                       const std::optional<ByteView>& after, std::uint64_t mod) = 0;
  // `index` is the highest commit index given in this group.
  virtual void finish(std::uint64_t index, Batch& tail) = 0;
};

class Storage {
 public:
  virtual ~Storage() = default;
  virtual Result<std::unique_ptr<Snapshot>> snapshot() = 0;
  // Each batch gets its own commit index, rising within the group; guards see earlier batches of
  // the group. Durable when it returns. With no_space, failed or unknown, all batches that would
  // have been committed carry that outcome, and those that were refused after one of them: what
  // refused them did not happen. `results` is as long as `group`.
  virtual void commit(std::span<const Batch* const> group, GroupObserver& observer,
                      std::span<CommitResult> results) = 0;
  // For a restore: writes records with the versions they had elsewhere, all or none, and raises the
  // last index to the highest of them. Durable when it returns. From the thread that commits, while
  // nothing else reads or writes.
  virtual Status import(std::span<const Entry> entries) = 0;
  // The index of the last commit, as storage itself knows it.
  virtual Result<std::uint64_t> last_index() = 0;
  // Called while nobody uses the storage, before it is used again. One that an error has made
  // unusable opens itself anew; an error says that it stays so.
  virtual Status ready() { return {}; }
  virtual std::string_view kind() const = 0;  // "lmdb", for seal-status
  // Reads may wait for a disk or a network: they go to a worker thread.
  virtual bool reads_block() const { return false; }
  // True while user writes must be refused because only the reserve for revocations is left.
  virtual bool low_on_space() const { return false; }
  // For the log: "lmdb /var/lib/leasehold".
  virtual std::string where() const { return std::string(kind()); }
  // What stops writes now, fit for strangers; empty: nothing. Never waits for a disk.
  virtual std::string trouble() const { return {}; }
};

}  // namespace leasehold::storage
