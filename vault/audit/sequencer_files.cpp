// What happens to the files of devices that work: begun anew, moved away, cut by somebody.

#include <utility>

#include "vault/audit/sequencer.h"

namespace leasehold::audit {

bool Sequencer::reopen(Status& first_failure) {
  MutexLock lock(busy_);
  bool begun = false;
  for (Slot& slot : slots_) {
    if (slot.health != Health::works) continue;
    const Watch::Call call(watch_, *slot.device);
    if (slot.device->lost())
      log_.error("audit: {}: the file was deleted while the server wrote to it: its lines are lost",
                 slot.device->where());
    const auto fresh = slot.device->reopen();
    if (!fresh.ok()) {
      if (first_failure.ok()) first_failure = fresh.error();
      not_reopened(slot, fresh.error());
      continue;
    }
    slot.not_begun.clear();
    slot.begins = *fresh;
    begun = begun || *fresh;
  }
  return begun;
}

// The file that is open stays in use while whoever renamed it will look for its lines there. They
// would go with one that was deleted, and out of sight with one whose folder is another now.
void Sequencer::not_reopened(Slot& slot, const Error& why) {
  if (slot.device->lost() || slot.device->astray()) return fail(slot, why);
  const Instant now = clock_.instant();
  if (slot.not_begun.empty()) slot.moved_at = now;
  if (now >= add(slot.moved_at, kRotationGrace)) return fail(slot, why);
  if (std::exchange(slot.not_begun, why.message) == why.message) return;
  log_.error("audit: {}: {}; the file that is open stays in use for a minute", why.message,
             why.detail);
}

bool Sequencer::find_moved() {
  bool found = false;
  for (Slot& slot : slots_) {
    const bool moved = slot.health == Health::works && slot.device->moved();
    if (!moved) slot.not_begun.clear();
    found = found || moved;
  }
  return found;
}

bool Sequencer::rotate(WallTime now) {
  bool rotated = false;
  for (Slot& slot : slots_) {
    if (slot.health != Health::works) continue;
    const auto aside = slot.device->rotate(now);
    if (aside.ok()) {
      rotated = rotated || *aside;
      continue;
    }
    const std::string why = aside.error().message + ": " + aside.error().detail;
    if (std::exchange(slot.not_rotated, why) != why) log_.error("audit: {}; it grows on", why);
  }
  return rotated;
}

void Sequencer::prune() {
  for (Slot& slot : slots_) {
    if (slot.health != Health::works) continue;
    const Status pruned = slot.device->prune();
    if (!pruned.ok()) log_.warn("audit: {}: {}", pruned.error().message, pruned.error().detail);
  }
}

bool Sequencer::find_shrunk() {
  bool found = false;
  for (Slot& slot : slots_) {
    if (slot.health != Health::works || !slot.device->shrunk()) continue;
    found = true;
    log_.error(
        "audit: {}: somebody cut the file while the server writes to it; the log says so from now "
        "on, and does not verify as whole",
        slot.device->where());
    const Position held = slot.last;
    retry(slot);
    if (slot.health == Health::failed) continue;
    if (slot.holds_since == 0) slot.last = {};  // nothing is left
    slot.holds_since = 0;
    slot.cut = held;
  }
  return found;
}

}  // namespace leasehold::audit
