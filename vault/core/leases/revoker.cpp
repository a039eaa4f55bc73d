#include "vault/core/leases/revoker.h"

namespace leasehold::core {

using barrier::OrderedId;

namespace {

constexpr Millis kTick{200};

}  // namespace

Revoker::Revoker(Parts parts)
    : endings_(std::move(parts)),
      waits_(endings_.parts.snapshots, endings_.parts.barrier),
      lanes_(endings_, waits_),
      expirer_(endings_),
      jobs_(endings_, waits_),
      removals_(endings_, lanes_) {}
Revoker::~Revoker() { stop(); }

void Revoker::start() {
  thread_ = std::thread([this] { run(); });
}

void Revoker::stop() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
  // What was asked for since its last pass stands nowhere else.
  if (!endings_.parts.drill) expirer_.move_expired(endings_.parts.clock.now());
  lanes_.stop();
  waits_.refuse_all(
      failure(Code::unavailable, "shutting down; revocation goes on after the restart"));
}

void Revoker::wake() {
  {
    MutexLock lock(mutex_);
    woken_ = true;
  }
  wake_.notify_one();
}

void Revoker::run() {
  for (;;) {
    const bool more = tick(endings_.parts.clock.now());
    MutexLock lock(mutex_);
    if (stopping_) return;
    if (!more && !woken_) wake_.wait_for(mutex_, kTick);
    woken_ = false;
    if (stopping_) return;
  }
}

bool Revoker::tick(WallTime now) {
  if (endings_.parts.drill) return false;
  waits_.tick();
  // A full disk that has room again: found out here when nobody writes, and sys/health says so.
  static_cast<void>(endings_.parts.storage.low_on_space());
  bool more = lanes_.recover();
  more = expirer_.tick(now) || more;
  more = jobs_.tick(now) || more;
  more = removals_.empty_removed_mounts(now) || more;
  more = removals_.retire_targets() || more;
  lanes_.wake_due();
  lanes_.tell_of_outages();
  return more;
}

void Revoker::release(const OrderedId& id) {
  endings_.claims.release(id);
  wake();
}

void Revoker::revoke_soon(const OrderedId& id) {
  expirer_.revoke_soon(id);
  wake();
}

void Revoker::revoke_token_soon(const OrderedId& id) {
  expirer_.revoke_token_soon(id);
  wake();
}

bool Revoker::wait(RevocationWait* wait) {
  const bool waits = waits_.wait(wait);
  wake();
  return waits;
}

}  // namespace leasehold::core
