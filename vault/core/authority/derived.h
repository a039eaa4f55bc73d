#pragma once
// What is made from one stored record, such as a compiled policy: cached under the record's key and
// version, so there is nothing to invalidate and nothing stale. It is made once, however many ask:
// callers that come meanwhile wait for it, so only threads that may wait ask for it to be made.
//
//   VAULT_TRY_ASSIGN(const auto at, derived.at(txn, key, revision, Making::allowed, make));
//   if (!at.ready) ...  // with Making::elsewhere only: ask again on a worker
//
// `revision` is a number that the snapshot shows and that grows with every change of any record
// of the kind: a version seen at two revisions is known at those between, without a look.
// Thread-safe. `T` has `std::size_t weight() const`, in bytes; the sum of what is kept is bounded.

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>

#include "vault/base/function_ref.h"
#include "vault/base/mutex.h"
#include "vault/commit/txn.h"

namespace leasehold::core {

enum class Making : std::uint8_t { allowed, elsewhere };

template <class T>
class Derived {
 public:
  using Made = std::shared_ptr<const T>;
  using Make = FunctionRef<Result<Made>(const storage::Found&)>;
  struct At {
    std::uint64_t mod = 0;  // 0: there is no such record
    Made value;             // null then
    bool ready = true;
  };

  explicit Derived(std::size_t weight_max) : half_(weight_max / 2) {}

  Result<At> at(commit::ReadTxn& txn, const barrier::PhysicalKey& key, std::uint64_t revision,
                Making making, Make make) {
    const std::string id(as_text(key.view()));
    if (auto known = seen_at(id, revision)) return std::move(*known);
    VAULT_TRY_ASSIGN(const auto found, txn.snapshot().get(key.view()));
    const std::uint64_t mod = found ? found->mod : 0;
    if (!found) return keep(id, revision, At{}, kEntryWeight);
    if (auto known = in_version(id, revision, mod, making)) return std::move(*known);
    if (making == Making::elsewhere) return At{mod, nullptr, false};
    Result<Made> made = make(*found);
    At at{mod, made.ok() ? *made : nullptr, true};
    if (made.ok()) keep(id, revision, at, kEntryWeight + at.value->weight());
    stop_making(id);
    if (!made.ok()) return made.error();
    return at;
  }

 private:
  static constexpr std::size_t kEntryWeight = 256;
  struct Entry {
    At at;
    std::uint64_t first = 0, last = 0;  // revisions at which this version was seen
    std::size_t weight = 0;
  };
  using Entries = std::unordered_map<std::string, Entry>;

  std::optional<At> seen_at(const std::string& id, std::uint64_t revision) {
    MutexLock lock(mutex_);
    const Entry* entry = find(id);
    if (entry == nullptr || revision < entry->first || revision > entry->last) return std::nullopt;
    return entry->at;
  }
  // Nothing: the caller makes it, and nobody else meanwhile (unless it is made elsewhere).
  std::optional<At> in_version(const std::string& id, std::uint64_t revision, std::uint64_t mod,
                               Making making) {
    MutexLock lock(mutex_);
    for (;;) {
      Entry* entry = find(id);
      if (entry != nullptr && entry->at.mod == mod) {
        entry->first = std::min(entry->first, revision);
        entry->last = std::max(entry->last, revision);
        return entry->at;
      }
      if (making == Making::elsewhere) return std::nullopt;
      if (making_.insert(id).second) return std::nullopt;
      made_.wait(mutex_);
    }
  }
  void stop_making(const std::string& id) {
    MutexLock lock(mutex_);
    making_.erase(id);
    made_.notify_all();
  }
  // An older version than the one that is known is not kept.
  At keep(const std::string& id, std::uint64_t revision, At at, std::size_t weight) {
    MutexLock lock(mutex_);
    const Entry* known = find(id);
    if (known != nullptr && known->last > revision) return at;
    put(id, Entry{at, revision, revision, weight});
    return at;
  }
  // One that is used moves from the older half to the newer; the older half goes as a whole.
  Entry* find(const std::string& id) REQUIRES(mutex_) {
    if (const auto young = young_.find(id); young != young_.end()) return &young->second;
    const auto old = old_.find(id);
    if (old == old_.end()) return nullptr;
    Entry entry = std::move(old->second);
    old_.erase(old);
    return put(id, std::move(entry));
  }
  Entry* put(const std::string& id, Entry entry) REQUIRES(mutex_) {
    if (const auto known = young_.find(id); known != young_.end()) {
      weight_ -= known->second.weight;
      young_.erase(known);
    }
    if (!young_.empty() && weight_ + entry.weight > half_) {
      old_ = std::move(young_);
      young_ = Entries();
      weight_ = 0;
    }
    weight_ += entry.weight;
    return &(young_[id] = std::move(entry));
  }

  const std::size_t half_;
  Mutex mutex_;
  Condition made_;
  Entries young_ GUARDED_BY(mutex_), old_ GUARDED_BY(mutex_);
  std::size_t weight_ GUARDED_BY(mutex_) = 0;  // of the newer half
  std::unordered_set<std::string> making_ GUARDED_BY(mutex_);
};

}  // namespace leasehold::core
