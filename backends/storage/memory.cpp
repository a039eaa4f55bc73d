#include "backends/storage/memory.h"

#include <algorithm>
#include <deque>
#include <map>
#include <set>

#include "vault/base/mutex.h"

namespace leasehold::storage {

namespace {

struct Before {
  using is_transparent = void;
  bool operator()(ByteView a, ByteView b) const { return compare(a, b) < 0; }
};

struct Version {
  std::uint64_t mod = 0;
  std::unique_ptr<const Bytes>
      value;  // null: erased at `mod`; its address outlives a vector's growth
};
using Versions = std::vector<Version>;  // oldest first
using Records = std::map<Bytes, Versions, Before>;

const Version* visible(const Versions& versions, std::uint64_t at) {
  for (auto v = versions.rbegin(); v != versions.rend(); ++v)
    if (v->mod <= at) return v->value ? &*v : nullptr;
  return nullptr;
}

class Memory final : public Storage {
 public:
  Result<std::unique_ptr<Snapshot>> snapshot() override;
  void commit(std::span<const Batch* const> group, GroupObserver& observer,
              std::span<CommitResult> results) override EXCLUDES(mutex_);
  Status import(std::span<const Entry> entries) override EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    for (const Entry& entry : entries) {
      Versions& versions = records_[to_bytes(entry.key)];
      versions.clear();
      versions.push_back({entry.mod, std::make_unique<const Bytes>(to_bytes(entry.value))});
      index_ = std::max(index_, entry.mod);
    }
    return {};
  }
  Result<std::uint64_t> last_index() override EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    return index_;
  }
  std::string_view kind() const override { return "inmem"; }

 private:
  friend class MemorySnapshot;

  std::optional<Found> newest(ByteView key) const REQUIRES(mutex_);
  bool holds(const Batch& batch) const REQUIRES(mutex_);
  void apply(const Batch& batch, std::uint64_t mod, GroupObserver* observer) REQUIRES(mutex_);
  void collect() REQUIRES(mutex_);
  void trim(const Bytes& key, std::uint64_t oldest) REQUIRES(mutex_);

  Mutex mutex_;
  Records records_ GUARDED_BY(mutex_);
  std::uint64_t index_ GUARDED_BY(mutex_) = 0;
  std::multiset<std::uint64_t> live_ GUARDED_BY(mutex_);  // what snapshots see
  std::deque<std::pair<std::uint64_t, Bytes>> garbage_ GUARDED_BY(mutex_);
};

// What a snapshot sees is never collected while it is live, so views into it need no copy.
class MemorySnapshot final : public Snapshot {
 public:
  explicit MemorySnapshot(Memory& memory) : memory_(memory) { take(); }
  ~MemorySnapshot() override { release(); }

  Result<std::optional<Found>> get(ByteView key) override {
    MutexLock lock(memory_.mutex_);
    const auto found = memory_.records_.find(key);
    if (found == memory_.records_.end()) return std::optional<Found>();
    const Version* version = visible(found->second, *at_);
    if (version == nullptr) return std::optional<Found>();
    return std::optional<Found>({*version->value, version->mod});
  }

  Status scan(ByteView from, ByteView to, std::size_t limit, Scan what,
              FunctionRef<bool(const Entry&)> each) override;

  void release() override {
    if (!at_) return;
    MutexLock lock(memory_.mutex_);
    memory_.live_.erase(memory_.live_.find(*at_));
    at_.reset();
  }

  Status renew() override {
    release();
    take();
    return {};
  }

 private:
  // `each` runs without the lock, because it may read: entries are gathered some at a time.
  static constexpr std::size_t kGather = 64;

  void take() {
    MutexLock lock(memory_.mutex_);
    at_ = memory_.index_;
    memory_.live_.insert(*at_);
  }
  std::size_t gather(ByteView from, bool after, ByteView to, std::span<Entry> entries);

  Memory& memory_;
  std::optional<std::uint64_t> at_;
};

std::size_t MemorySnapshot::gather(ByteView from, bool after, ByteView to,
                                   std::span<Entry> entries) {
  MutexLock lock(memory_.mutex_);
  std::size_t size = 0;
  auto next = after ? memory_.records_.upper_bound(from) : memory_.records_.lower_bound(from);
  for (; next != memory_.records_.end() && size < entries.size(); ++next) {
    if (compare(next->first, to) >= 0) break;
    const Version* version = visible(next->second, *at_);
    if (version != nullptr) entries[size++] = {next->first, *version->value, version->mod};
  }
  return size;
}

Status MemorySnapshot::scan(ByteView from, ByteView to, std::size_t limit, Scan what,
                            FunctionRef<bool(const Entry&)> each) {
  std::array<Entry, kGather> entries;
  bool after = false;
  while (limit > 0) {
    const std::size_t asked = std::min(limit, kGather);
    const std::size_t size = gather(from, after, to, std::span(entries).first(asked));
    for (std::size_t i = 0; i < size; ++i) {
      if (what == Scan::keys) entries[i].value = {};
      if (!each(entries[i])) return {};
    }
    if (size < asked) return {};
    limit -= size;
    from = entries[size - 1].key;
    after = true;
  }
  return {};
}

Result<std::unique_ptr<Snapshot>> Memory::snapshot() {
  return std::unique_ptr<Snapshot>(std::make_unique<MemorySnapshot>(*this));
}

void Memory::commit(std::span<const Batch* const> group, GroupObserver& observer,
                    std::span<CommitResult> results) {
  MutexLock lock(mutex_);
  bool any = false;
  for (std::size_t i = 0; i < group.size(); ++i) {
    if (!holds(*group[i])) {
      results[i] = {Outcome::conflict, 0};
    } else if (!observer.admit(i)) {
      results[i] = {Outcome::bound, 0};
    } else {
      results[i] = {Outcome::committed, index_ + 1};
      apply(*group[i], index_ + 1, &observer);
      ++index_;
      any = true;
    }
  }
  if (any) {
    Batch tail;
    observer.finish(index_, tail);
    apply(tail, index_, nullptr);
  }
  collect();
}

std::optional<Found> Memory::newest(ByteView key) const {
  const auto found = records_.find(key);
  if (found == records_.end()) return std::nullopt;
  const Version& version = found->second.back();
  if (!version.value) return std::nullopt;
  return Found{*version.value, version.mod};
}

bool Memory::holds(const Batch& batch) const {
  for (std::size_t i = 0; i < batch.size(); ++i) {
    const auto operation = batch[i];
    if (operation.kind == Batch::Kind::version) {
      const auto found = newest(operation.key);
      if ((found ? found->mod : 0) != operation.mod) return false;
    } else if (operation.kind == Batch::Kind::empty) {
      const auto end = records_.lower_bound(operation.value);
      for (auto next = records_.lower_bound(operation.key); next != end; ++next)
        if (next->second.back().value) return false;
    }
  }
  return true;
}

void Memory::apply(const Batch& batch, std::uint64_t mod, GroupObserver* observer) {
  for (std::size_t i = 0; i < batch.size(); ++i) {
    const auto operation = batch[i];
    const bool put = operation.kind == Batch::Kind::put;
    if (!put && operation.kind != Batch::Kind::erase) continue;
    const auto before = newest(operation.key);
    if (!put && !before) continue;
    if (observer != nullptr) {
      const auto after = put ? std::optional<ByteView>(operation.value) : std::nullopt;
      observer->changed(operation.key, before, after, mod);
    }
    Versions& versions = records_[to_bytes(operation.key)];
    if (!versions.empty()) garbage_.emplace_back(mod, to_bytes(operation.key));
    auto value = put ? std::make_unique<const Bytes>(to_bytes(operation.value)) : nullptr;
    versions.push_back({mod, std::move(value)});
  }
}

// Lets go of the versions that no live snapshot and no later one can see.
void Memory::collect() {
  const std::uint64_t oldest = live_.empty() ? index_ : *live_.begin();
  while (!garbage_.empty() && garbage_.front().first <= oldest) {
    trim(garbage_.front().second, oldest);
    garbage_.pop_front();
  }
}

void Memory::trim(const Bytes& key, std::uint64_t oldest) {
  const auto found = records_.find(key);
  if (found == records_.end()) return;
  Versions& versions = found->second;
  std::size_t hidden = 0;
  while (hidden + 1 < versions.size() && versions[hidden + 1].mod <= oldest) ++hidden;
  versions.erase(versions.begin(), versions.begin() + static_cast<std::ptrdiff_t>(hidden));
  if (versions.size() == 1 && !versions[0].value && versions[0].mod <= oldest)
    records_.erase(found);
}

}  // namespace

std::unique_ptr<Storage> make_memory_storage() { return std::make_unique<Memory>(); }

}  // namespace leasehold::storage
