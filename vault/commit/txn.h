#pragma once
// What a handler reads and writes: a snapshot seen through the barrier, scoped to one space (a
// mount, or the core's own). `WriteTxn` reads are versioned: what was read is guarded, so a commit
// that would have read something else conflicts and runs again; it sees its own writes. Destroyed
// without commit, it never happened.
//
//   VAULT_TRY_ASSIGN(const auto role, txn.get("roles/ro"));
//   if (!role) return failure(Code::not_found, "...");
//   VAULT_TRY(txn.put("roles/ro", as_bytes(text)));
//
// Names are paths: "a/b" puts "b" into directory "a/". Thread safety: none, one thread at a time.

#include <optional>
#include <string>
#include <vector>

#include "vault/barrier/barrier.h"
#include "vault/commit/batch.h"

namespace leasehold::commit {

inline constexpr std::size_t kNameMax = 4096;

struct Record {
  SecretBytes value;
  std::uint64_t mod = 0;
};

class ReadTxn {
 public:
  ReadTxn(storage::Snapshot& snapshot, const barrier::Barrier& barrier, barrier::Space space)
      : snapshot_(snapshot), barrier_(barrier), space_(space) {}
  virtual ~ReadTxn() = default;

  // Hidden tree, in this transaction's space.
  Result<std::optional<Record>> get(std::string_view name);
  // The version of a record without opening it: 0 when absent.
  Result<std::uint64_t> version(std::string_view name);
  // The sorted names directly in `directory` ("" or ending in '/'), directories ending in '/':
  // those greater than `after`, at most `limit` (0: all). A large directory is read once; further
  // pages of it cost what they show until a name comes or goes.
  Result<std::vector<std::string>> list(std::string_view directory, std::string_view after = {},
                                        std::size_t limit = 0);
  Result<std::int64_t> counter(std::string_view name);  // 0 when absent

  // By key, for the core's ordered tables.
  Result<std::optional<Record>> get(const barrier::PhysicalKey& key, std::string_view name = {});
  Result<std::uint64_t> version(const barrier::PhysicalKey& key);
  Result<std::int64_t> counter(const barrier::PhysicalKey& key);
  // Passes over keys that are none of ours: `limit` counts the others.
  Status scan(const barrier::PhysicalKey& from, const barrier::PhysicalKey& to, std::size_t limit,
              storage::Scan what, FunctionRef<bool(const storage::Entry&)> each);

  const barrier::Space& space() const { return space_; }
  const barrier::Barrier& barrier() const { return barrier_; }
  storage::Snapshot& snapshot() { return snapshot_; }
  // The same snapshot, another space.
  ReadTxn in(const barrier::Space& space) { return {snapshot_, barrier_, space}; }

 protected:
  // The raw record: of the batch when it was written there, else of the snapshot (and guarded).
  virtual Result<std::optional<storage::Found>> find(const barrier::PhysicalKey& key);
  // What this transaction wrote, so that list() shows it; null when it only reads.
  virtual const storage::Batch* written() const { return nullptr; }
  Status read_names(const barrier::PhysicalKey& prefix, std::size_t skipped,
                    barrier::NameList& names);

  storage::Snapshot& snapshot_;
  const barrier::Barrier& barrier_;
  const barrier::Space space_;
};

class WriteTxn : public ReadTxn {
 public:
  WriteTxn(storage::Snapshot& snapshot, const barrier::Barrier& barrier, barrier::Space space,
           Changes& changes)
      : ReadTxn(snapshot, barrier, space), changes_(changes) {}

  // Creates or replaces; keeps the name records and their directories.
  Status put(std::string_view name, ByteView value);
  // Erases if present; empty directories go with their last child.
  Status erase(std::string_view name);
  void add(std::string_view counter, std::int64_t delta, std::int64_t min,
           std::int64_t max = std::numeric_limits<std::int64_t>::max(),
           const Bound* bound = nullptr);
  void erase_counter(std::string_view counter);

  // By key. `put` seals the value; `mark` writes a key whose presence is all it says.
  Status put(const barrier::PhysicalKey& key, std::string_view name, ByteView value);
  Status mark(const barrier::PhysicalKey& key);
  Status erase(const barrier::PhysicalKey& key);
  void add(const barrier::PhysicalKey& counter, std::int64_t delta, std::int64_t min,
           std::int64_t max = std::numeric_limits<std::int64_t>::max(),
           const Bound* bound = nullptr);
  void erase_counter(const barrier::PhysicalKey& counter);
  // What must still be as this transaction's snapshot shows it when the batch is committed.
  void guard(const barrier::PhysicalKey& key, std::uint64_t mod);

  Changes& changes() { return changes_; }
  WriteTxn in(const barrier::Space& space) { return {snapshot_, barrier_, space, changes_}; }

 protected:
  Result<std::optional<storage::Found>> find(const barrier::PhysicalKey& key) override;
  const storage::Batch* written() const override { return &changes_.storage; }

 private:
  Status put_in_tree(const barrier::PhysicalKey& key, std::string_view name, ByteView value,
                     barrier::NameOrder order);
  Result<barrier::NameOrder> next_order();
  Result<bool> emptied_by_this(std::string_view directory);
  Status room_for(std::size_t operations, std::size_t bytes) const;
  Changes& changes_;
};

}  // namespace leasehold::commit
