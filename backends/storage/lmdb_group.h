#pragma once
// One group inside an LMDB write transaction: guards are held against the pages and against what
// earlier batches of the group will write; then all writes happen at once, sorted by key, because
// neighbours share pages. Every function returns an LMDB code; after one that is not 0 the
// transaction must be aborted.
//
// Thread safety: none; the commit thread's own.

#include <lmdb.h>

#include <string_view>
#include <unordered_map>

#include "vault/storage/storage.h"

namespace leasehold::storage {

// A record as LMDB keeps it: mod:u64be | value.
inline constexpr std::size_t kModSize = 8;
inline MDB_val to_val(ByteView bytes) {
  return {bytes.size(), const_cast<std::uint8_t*>(bytes.data())};
}
inline ByteView to_view(const MDB_val& val) {
  return {static_cast<const std::uint8_t*>(val.mv_data), val.mv_size};
}
// Bytes that are no record of ours are a value that nothing opens.
inline Found to_found(const MDB_val& val) {
  if (val.mv_size < kModSize) return {};
  return {to_view(val).subspan(kModSize), get_be(to_view(val).data(), kModSize)};
}

class LmdbGroup {
 public:
  LmdbGroup(MDB_txn* txn, MDB_dbi records, std::uint64_t index, GroupObserver& observer)
      : txn_(txn), records_(records), index_(index), observer_(observer) {}

  int run(std::span<const Batch* const> group, std::span<CommitResult> results);
  std::uint64_t index() const { return index_; }
  bool any_admitted() const { return admitted_; }

 private:
  struct Write {
    Batch::Operation operation;
    std::uint64_t mod;
  };

  int holds(const Batch& batch, bool& held);
  int mod_of(ByteView key, std::uint64_t& mod);
  int is_empty(ByteView from, ByteView to, bool& empty);
  void take(const Batch& batch);
  int apply(GroupObserver* observer);
  int put(const Write& write, GroupObserver* observer);
  int erase(const Write& write, GroupObserver* observer);

  MDB_txn* const txn_;
  const MDB_dbi records_;
  std::uint64_t index_;
  GroupObserver& observer_;
  bool admitted_ = false;
  std::vector<Write> writes_;
  // The mod a key has for the next batch of the group, 0: none. The records that most requests rest
  // on (policies, mount, token) are read once a group.
  std::unordered_map<std::string_view, std::uint64_t> known_;
  bool remembers_ = false;  // a batch alone has no next one
};

}  // namespace leasehold::storage
