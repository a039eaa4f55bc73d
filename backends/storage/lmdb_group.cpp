#include "backends/storage/lmdb_group.h"

#include <algorithm>

namespace leasehold::storage {

namespace {

class Cursor {
 public:
  Cursor(MDB_txn* txn, MDB_dbi records) { opened_ = mdb_cursor_open(txn, records, &cursor_); }
  Cursor(const Cursor&) = delete;
  Cursor& operator=(const Cursor&) = delete;
  ~Cursor() {
    if (cursor_ != nullptr) mdb_cursor_close(cursor_);
  }
  int get(MDB_val& key, MDB_val& value, MDB_cursor_op op) {
    return opened_ != 0 ? opened_ : mdb_cursor_get(cursor_, &key, &value, op);
  }

 private:
  MDB_cursor* cursor_ = nullptr;
  int opened_ = 0;
};

}  // namespace

int LmdbGroup::run(std::span<const Batch* const> group, std::span<CommitResult> results) {
  remembers_ = group.size() > 1;
  for (std::size_t i = 0; i < group.size(); ++i) {
    bool held = false;
    if (const int rc = holds(*group[i], held)) return rc;
    if (!held) {
      results[i] = {Outcome::conflict, 0};
    } else if (!observer_.admit(i)) {
      results[i] = {Outcome::bound, 0};
    } else {
      results[i] = {Outcome::committed, ++index_};
      take(*group[i]);
      admitted_ = true;
    }
  }
  if (!admitted_) return 0;
  if (const int rc = apply(&observer_)) return rc;
  remembers_ = false;
  Batch tail;
  observer_.finish(index_, tail);
  writes_.clear();
  take(tail);
  return apply(nullptr);
}

int LmdbGroup::holds(const Batch& batch, bool& held) {
  held = true;
  for (std::size_t i = 0; i < batch.size() && held; ++i) {
    const auto operation = batch[i];
    if (operation.kind == Batch::Kind::version) {
      std::uint64_t mod = 0;
      if (const int rc = mod_of(operation.key, mod)) return rc;
      held = mod == operation.mod;
    } else if (operation.kind == Batch::Kind::empty) {
      if (const int rc = is_empty(operation.key, operation.value, held)) return rc;
    }
  }
  return 0;
}

int LmdbGroup::mod_of(ByteView key, std::uint64_t& mod) {
  mod = 0;
  if (const auto found = known_.find(as_text(key)); found != known_.end()) {
    mod = found->second;
    return 0;
  }
  MDB_val at = to_val(key), value;
  const int rc = mdb_get(txn_, records_, &at, &value);
  if (rc != 0 && rc != MDB_NOTFOUND) return rc;
  if (rc == 0) mod = to_found(value).mod;
  if (remembers_) known_[as_text(key)] = mod;
  return 0;
}

int LmdbGroup::is_empty(ByteView from, ByteView to, bool& empty) {
  empty = false;
  for (const auto& [key, mod] : known_)
    if (mod != 0 && compare(as_bytes(key), from) >= 0 && compare(as_bytes(key), to) < 0) return 0;
  Cursor cursor(txn_, records_);
  MDB_val key = to_val(from), value;
  int rc = cursor.get(key, value, MDB_SET_RANGE);
  while (rc == 0 && compare(to_view(key), to) < 0) {
    if (known_.count(as_text(to_view(key))) == 0) return 0;
    rc = cursor.get(key, value, MDB_NEXT);
  }
  empty = rc == 0 || rc == MDB_NOTFOUND;
  return empty ? 0 : rc;
}

void LmdbGroup::take(const Batch& batch) {
  for (std::size_t i = 0; i < batch.size(); ++i) {
    const auto operation = batch[i];
    const bool put = operation.kind == Batch::Kind::put;
    if (!put && operation.kind != Batch::Kind::erase) continue;
    writes_.push_back({operation, index_});
    if (remembers_) known_[as_text(operation.key)] = put ? index_ : 0;
  }
}

int LmdbGroup::apply(GroupObserver* observer) {
  // Stable: writes of one key stay in the order of their batches.
  std::stable_sort(writes_.begin(), writes_.end(), [](const Write& a, const Write& b) {
    return compare(a.operation.key, b.operation.key) < 0;
  });
  for (const Write& write : writes_) {
    const bool is_put = write.operation.kind == Batch::Kind::put;
    if (const int rc = is_put ? put(write, observer) : erase(write, observer)) return rc;
  }
  return 0;
}

int LmdbGroup::put(const Write& write, GroupObserver* observer) {
  const ByteView bytes = write.operation.value;
  std::optional<Found> before;
  MDB_val key = to_val(write.operation.key);
  MDB_val value{kModSize + bytes.size(), nullptr};
  // Most keys are new: then this is the only descent.
  int rc = mdb_put(txn_, records_, &key, &value, MDB_NOOVERWRITE | MDB_RESERVE);
  const bool existed = rc == MDB_KEYEXIST;
  if (rc != 0 && !existed) return rc;
  if (existed) {
    before = to_found(value);
  }
  if (observer != nullptr) observer->changed(write.operation.key, before, bytes, write.mod);
  if (existed) {
    value = {kModSize + bytes.size(), nullptr};
    rc = mdb_put(txn_, records_, &key, &value, MDB_RESERVE);
    if (rc != 0) return rc;
  }
  auto* to = static_cast<std::uint8_t*>(value.mv_data);
  put_be(to, write.mod, kModSize);
  if (!bytes.empty()) std::memcpy(to + kModSize, bytes.data(), bytes.size());
  return 0;
}

int LmdbGroup::erase(const Write& write, GroupObserver* observer) {
  MDB_val key = to_val(write.operation.key), value;
  const int rc = mdb_get(txn_, records_, &key, &value);
  if (rc == MDB_NOTFOUND) return 0;
  if (rc != 0) return rc;
  if (observer != nullptr)
    observer->changed(write.operation.key, to_found(value), std::nullopt, write.mod);
  return mdb_del(txn_, records_, &key, nullptr);
}

}  // namespace leasehold::storage
