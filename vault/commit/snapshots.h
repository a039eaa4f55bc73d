#pragma once
// Snapshots kept for reuse, because renewing one costs a tenth of making one. A Held gives its
// snapshot back when it goes out of scope. Thread-safe.

#include <memory>
#include <vector>

#include "vault/base/mutex.h"
#include "vault/storage/storage.h"

namespace leasehold::commit {

class Snapshots {
 public:
  explicit Snapshots(storage::Storage& storage) : storage_(storage) {}

  class Held {
   public:
    Held(Snapshots& home, std::unique_ptr<storage::Snapshot> snapshot)
        : home_(&home), snapshot_(std::move(snapshot)) {}
    Held(Held&&) noexcept = default;
    Held& operator=(Held&&) = delete;
    ~Held() {
      if (snapshot_) home_->give(std::move(snapshot_));
    }
    storage::Snapshot& operator*() { return *snapshot_; }

   private:
    Snapshots* home_;
    std::unique_ptr<storage::Snapshot> snapshot_;
  };

  // Shows the newest committed state.
  Result<Held> take() {
    std::unique_ptr<storage::Snapshot> kept;
    {
      MutexLock lock(mutex_);
      if (!kept_.empty()) {
        kept = std::move(kept_.back());
        kept_.pop_back();
      }
    }
    if (kept) {
      VAULT_TRY(kept->renew());
      return Held(*this, std::move(kept));
    }
    VAULT_TRY_ASSIGN(auto fresh, storage_.snapshot());
    return Held(*this, std::move(fresh));
  }

 private:
  static constexpr std::size_t kKeptMax = 64;
  void give(std::unique_ptr<storage::Snapshot> snapshot) {
    snapshot->release();
    MutexLock lock(mutex_);
    if (kept_.size() < kKeptMax) kept_.push_back(std::move(snapshot));
  }

  storage::Storage& storage_;
  Mutex mutex_;
  std::vector<std::unique_ptr<storage::Snapshot>> kept_ GUARDED_BY(mutex_);
};

}  // namespace leasehold::commit
