#include "vault/core/road/store_check.h"

#include <pthread.h>

#include "vault/commit/head.h"

namespace leasehold::core {

namespace {

constexpr Nanos kTryAgain{std::chrono::seconds(1)};

// Fit for strangers: seal-status shows it.
Error changed_storage() {
  return failure(Code::invalid,
                 "the storage was changed by somebody else: its records are not those that its "
                 "head record counts, one was removed, put back or exchanged. Keep the files as "
                 "evidence and restore a backup");
}

// The same, but for the detail.
Error not_compared(const Error& why) {
  return failure(Code::internal,
                 "the storage cannot be compared with its head record, so somebody else may have "
                 "changed it: " +
                     why.message,
                 why.detail);
}

}  // namespace

Status StoreCheck::at_once(Nanos at_most) {
  const Instant begun = parts_.clock.instant();
  VAULT_TRY_ASSIGN(auto snapshot, parts_.storage.snapshot());
  const auto verified = commit::verify_store(*snapshot, parts_.barrier, [&](std::uint64_t) {
    return at_most == kToTheEnd || parts_.clock.instant() < add(begun, at_most);
  });
  if (verified.is(Code::deadline)) return {};
  if (!verified.ok()) return verified.error();
  if (!verified->matches) return changed_storage();
  compared_ = true;
  return {};
}

void StoreCheck::start() {
  if (!compared_) thread_ = std::thread([this] { run(); });
}

void StoreCheck::stop() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    wake_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

Status StoreCheck::outcome() const {
  MutexLock lock(mutex_);
  return outcome_;
}

void StoreCheck::run() {
  pthread_setname_np(pthread_self(), "store-check");
  Status compared = compare();
  MutexLock lock(mutex_);
  if (!stopping_) outcome_ = std::move(compared);
}

Status StoreCheck::compare() {
  const Instant begun = worked_since_ = parts_.clock.instant();
  auto shown = snapshot();
  if (!shown.ok()) return not_compared(shown.error());
  const auto verified =
      commit::verify_store(**shown, parts_.barrier, [this](std::uint64_t) { return rest(); });
  if (!verified.ok()) return not_compared(verified.error());
  if (!verified->matches) return changed_storage();
  parts_.log.info("storage: its {} records are those that its head counts; compared in {} ms",
                  verified->records, (parts_.clock.instant().ns - begun.ns) / 1'000'000);
  return {};
}

// While too many requests are reading it waits for its turn.
Result<std::unique_ptr<storage::Snapshot>> StoreCheck::snapshot() {
  for (;;) {
    auto taken = parts_.storage.snapshot();
    if (!taken.is(Code::busy)) return taken;
    MutexLock lock(mutex_);
    if (stopping_) return taken;
    wake_.wait_for(mutex_, kTryAgain);
  }
}

bool StoreCheck::rest() {
  const Nanos worked{parts_.clock.instant().ns - worked_since_.ns};
  MutexLock lock(mutex_);
  if (!stopping_ && worked > Nanos{0}) wake_.wait_for(mutex_, worked);
  worked_since_ = parts_.clock.instant();
  return !stopping_;
}

}  // namespace leasehold::core
