#pragma once
// Whether the records of storage are all that its head record says, and none of them older: at
// each unseal, since whoever can write the files can put back an older copy of them with the newest
// head in it. A store of some ten thousand records is compared before the vault opens; a larger one
// right after, by a thread of its own that works half of the time. What is committed meanwhile does
// no harm: one snapshot is compared with the head that stands in it, and a record that was put back
// is missed in every later one too. Whoever can write the files can also make them unreadable in
// part: what cannot be compared to the end counts as changed.
//
//   VAULT_TRY(check.at_once(StoreCheck::kAtOnce));   … check.start(); …   check.outcome()
//
// Thread safety: outcome() from any thread, the rest from one.

#include <memory>
#include <thread>

#include "vault/barrier/barrier.h"
#include "vault/base/clock.h"
#include "vault/base/log.h"
#include "vault/base/mutex.h"
#include "vault/storage/storage.h"

namespace leasehold::core {

class StoreCheck {
 public:
  struct Parts {
    storage::Storage& storage;
    const barrier::Barrier& barrier;
    Clock& clock;
    LogSink& log;
  };
  explicit StoreCheck(const Parts& parts) : parts_(parts) {}
  ~StoreCheck() { stop(); }
  StoreCheck(const StoreCheck&) = delete;
  StoreCheck& operator=(const StoreCheck&) = delete;

  // How long an unseal may wait for it.
  static constexpr Nanos kAtOnce{std::chrono::milliseconds(50)};
  static constexpr Nanos kToTheEnd = Nanos::max();
  // Code::invalid: the storage was changed. Of a storage that takes longer nothing is said yet, and
  // start() compares it.
  Status at_once(Nanos at_most);
  void start();  // nothing to do when at_once() has seen all of it
  void stop();
  // What the thread found so far: an error, and the vault must not stay open.
  Status outcome() const;

 private:
  void run();
  Status compare();
  Result<std::unique_ptr<storage::Snapshot>> snapshot();
  bool rest();  // as long as it worked since the last rest; false: to stop

  const Parts parts_;
  bool compared_ = false;
  Instant worked_since_;  // of the thread alone
  std::thread thread_;
  mutable Mutex mutex_;
  Condition wake_;
  bool stopping_ GUARDED_BY(mutex_) = false;
  Status outcome_ GUARDED_BY(mutex_);
};

}  // namespace leasehold::core
