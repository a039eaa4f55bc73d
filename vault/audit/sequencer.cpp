#include "vault/audit/sequencer.h"

#include <algorithm>
#include <utility>

#include "vault/audit/tail_check.h"

namespace leasehold::audit {

Sequencer::Sequencer(const std::vector<std::unique_ptr<Device>>& devices, Mutex& busy, Watch& watch,
                     Clock& clock, LogSink& log)
    : busy_(busy), watch_(watch), clock_(clock), log_(log) {
  for (const auto& device : devices) {
    slots_.emplace_back();
    slots_.back().device = device.get();
    any_keeps_ = any_keeps_ || device->keeps_lines();
  }
}

void Sequencer::open(const Identity& identity) {
  identity_ = &identity;
  store_commit_ = identity.commit;
  const Position& remembered = identity.remembered;
  for (Slot& slot : slots_) {
    // Another file than the one that held it misses what came behind.
    slot.last = slot.on_disk = known_of(*slot.device);
    const auto tail = open(slot);
    if (!tail.ok()) {
      fail(slot, tail.error());
      continue;
    }
    if (tail->seq == 0 && slot.on_disk.seq != 0)
      log_.warn(
          "audit: {}: it is empty, and held lines up to {}: it was removed, or rotated "
          "while the server was down",
          slot.device->where(), slot.on_disk.seq);
    slot.health = Health::returning;
    if (tail->seq != 0) slot.last = {tail->seq, tail->hash};
    slot.remnant = tail->remnant;
    if (tail->seq > position_.seq) position_ = slot.last;
    held_remembered_ = held_remembered_ || (tail->seq != 0 && tail->seq >= remembered.seq);
  }
  const bool opened = std::any_of(slots_.begin(), slots_.end(),
                                  [](const Slot& slot) { return slot.health != Health::failed; });
  started_ = true;
  if (!has_devices() || remembered.seq <= position_.seq) return;
  if (opened)
    log_.warn(
        "audit: the log ends at line {} but the store remembers line {}: it was cut, or "
        "rotated while the server was down; the chain goes on from line {}",
        position_.seq, remembered.seq, remembered.seq);
  position_ = remembered;
}

Result<Tail> Sequencer::open(Slot& slot) {
  const Watch::Call call(watch_, *slot.device);
  VAULT_TRY_ASSIGN(const Tail tail, slot.device->open());
  if (!slot.checked) {
    VAULT_TRY(examine(slot));
    was_cut(slot, tail);
    if (tail.torn) torn_.push_back(slot.device->where());
  } else if (!was_cut(slot, tail)) {
    Status checked = check(slot, tail);
    slot.changed = !checked.ok();
    VAULT_TRY(std::move(checked));
  }
  slot.checked = true;
  return tail;
}

// What a device is to hold at the start. A single one has whatever was seen on a disk.
Position Sequencer::known_of(const Device& device) const {
  if (!device.keeps_lines()) return {};
  const DeviceId id = id_of(device.where());
  for (const Held& one : identity_->held)
    if (one.device == id) return one.last;
  return slots_.size() == 1 ? identity_->remembered : Position{};
}

// A file that ends before a line it held, and is not another, empty one. It goes on, and says so:
// a file that lost its end to a fault of the disk must not keep the vault shut.
bool Sequencer::was_cut(Slot& slot, const Tail& tail) {
  const Position& held = slot.checked ? slot.last : slot.on_disk;
  if (tail.seq == 0 || tail.seq >= held.seq) return false;
  slot.changed = false;
  if (!slot.cut || slot.cut->seq < held.seq) {
    slot.cut = held;
    log_.error(
        "audit: {}: the log ends at line {} and had held lines up to {}: somebody cut it; "
        "the log says so from now on, and does not verify as whole",
        slot.device->where(), tail.seq, held.seq);
  }
  return true;
}

// Of a device that is opened for the first time: what its log tells of, also where it was changed.
// One that comes later than the start and knows more than the store is not used: what it knows
// cannot be taken into account any more.
Status Sequencer::examine(Slot& slot) {
  const bool foreseen = slot.on_disk.seq != 0;  // else it is new here, or its name is
  TailBounds bounds;
  if (started_) bounds.before_change = 0;  // it is not used, whatever more it tells
  VAULT_TRY_ASSIGN(const TailFound found,
                   examine_tail(*slot.device, *identity_,
                                foreseen ? slot.on_disk : identity_->remembered, bounds));
  const bool knows_more = found.newest > store_commit_ && !identity_->may_be_older;
  if (knows_more) older_ = older_store(*slot.device, found.newest, store_commit_);
  if (knows_more && started_) return *older_;
  commit_at_start_ = std::max(commit_at_start_, found.newest);
  slot.changed = found.changed;
  if (found.changed) return changed_log(*slot.device, "while the server was down");
  return {};
}

// In this run a log ends with the last line that was written, or with one of a write that failed
// half-way; or it is another, empty file.
Status Sequencer::check(const Slot& slot, const Tail& tail) const {
  const Position end{tail.seq, tail.hash};
  if (tail.seq == 0 || end == slot.last ||
      std::find(slot.attempted.begin(), slot.attempted.end(), end) != slot.attempted.end())
    return {};
  return changed_log(*slot.device, "while the server ran");
}

bool Sequencer::any_works() const {
  return std::any_of(slots_.begin(), slots_.end(), [](const Slot& slot) {
    return slot.health == Health::works && slot.device->counts();
  });
}

bool Sequencer::found_changed() const {
  return std::any_of(slots_.begin(), slots_.end(), [](const Slot& slot) { return slot.changed; }) &&
         std::all_of(slots_.begin(), slots_.end(),
                     [](const Slot& slot) { return slot.health == Health::failed; });
}

bool Sequencer::may_retry() const {
  const Instant now = clock_.instant();
  return std::any_of(slots_.begin(), slots_.end(), [&](const Slot& slot) {
    return slot.health != Health::failed || now >= slot.retry_at;
  });
}

// Once a second: a failed device must not slow every request.
void Sequencer::retry_failed() {
  const Instant now = clock_.instant();
  for (Slot& slot : slots_)
    if (slot.health == Health::failed && now >= slot.retry_at) retry(slot);
}

void Sequencer::retry(Slot& slot) {
  MutexLock lock(busy_);
  ++slot.opening;
  const auto tail = open(slot);
  if (!tail.ok()) return fail(slot, tail.error());
  slot.health = Health::returning;
  slot.remnant = tail->remnant;
  slot.begins = tail->seq == 0 && begun_ && slot.device->keeps_lines();
  if (tail->seq != 0) {
    slot.last = {tail->seq, tail->hash};
  } else {  // another file: what it held is not there
    slot.holds_since = 0;
    slot.cut.reset();
  }
  // Whole lines of a write that failed half-way and could not be undone: no one else has them.
  if (!any_works() && slot.last.seq > position_.seq) position_ = slot.last;
}

std::vector<Gap> Sequencer::gaps() const {
  std::vector<Gap> gaps;
  for (const Slot& slot : slots_) {
    if (slot.health != Health::returning || slot.cut) continue;
    const bool missed = slot.last.seq != 0 && !(slot.last == position_);
    if (missed || slot.remnant != 0)
      gaps.push_back({slot.device->where(), slot.last, slot.remnant});
  }
  return gaps;
}

std::vector<Cut> Sequencer::cuts() const {
  std::vector<Cut> cuts;
  for (const Slot& slot : slots_)
    if (slot.health == Health::returning && slot.cut)
      cuts.push_back({slot.device->where(), slot.last, *slot.cut});
  return cuts;
}

std::vector<std::string> Sequencer::beginning() const {
  std::vector<std::string> devices;
  for (const Slot& slot : slots_)
    if (slot.health != Health::failed && slot.begins) devices.push_back(slot.device->where());
  return devices;
}

void Sequencer::chain(Position& at, std::string_view body, const crypto::Digest& hash) {
  ++at.seq;
  append_line(lines_, at.seq, at.hash, body);
  at.hash = line_hash(at.hash, at.seq, hash);
  chained_.push_back(at);
}

Status Sequencer::append(FunctionRef<std::string(const Position&)> make) {
  if (!has_devices()) return {};
  Position after = begin_lines();
  const std::string body = make(after);
  chain(after, body, body_hash(body));
  return write_lines(after);
}

Status Sequencer::append(std::span<const HashedBody> bodies) {
  if (!has_devices() || bodies.empty()) return {};
  Position after = begin_lines();
  for (const HashedBody& one : bodies) chain(after, one.body, one.hash);
  return write_lines(after);
}

Status Sequencer::tell() {
  if (!has_devices()) return {};
  const Position after = begin_lines();
  return lines_.empty() ? Status() : write_lines(after);
}

// In one write: a gap record of this run, or its epoch, counts once a checkpoint of the same run
// signs it, and the server may be killed between two writes.
Result<Position> Sequencer::begin_run(WallTime now) {
  if (!has_devices()) return Position{};
  Position after = begin_lines();
  const Position last = after;
  const auto tell = [&](const std::string& body) { chain(after, body, body_hash(body)); };
  tell(epoch_body(*identity_, now, last, chained_.size()));
  for (const std::string& device : torn_) tell(torn_body(now, device));
  tell(checkpoint_body(*identity_, now, after));
  VAULT_TRY(write_lines(after));
  return last;
}

// A returning device must first be told what it missed, or lost; a new file, which one it follows.
// It is signed in the same write, at a start with the epoch behind it: until then anybody could
// have put it there.
Position Sequencer::begin_lines() {
  retry_failed();
  lines_.clear();
  chained_.clear();
  Position after = position_;
  const auto missed = gaps();
  const auto cut = cuts();
  const auto fresh = beginning();
  if (missed.empty() && cut.empty() && fresh.empty()) return after;
  const WallTime now = clock_.now();
  const auto tell = [&](const std::string& body) { chain(after, body, body_hash(body)); };
  // In the file of a device that missed lines, the gap record is the one that stands behind them.
  if (!missed.empty()) tell(gap_body(*identity_, now, missed));
  if (!cut.empty()) tell(cut_body(now, cut));
  if (!fresh.empty()) tell(continued_body(*identity_, now, after, fresh));
  if (begun_) tell(checkpoint_body(*identity_, now, after));
  return after;
}

Status Sequencer::write_lines(const Position& after) {
  bool kept = false;
  for (Slot& slot : slots_) {
    if (slot.health == Health::failed || !write_to(slot, after)) continue;
    kept = kept || slot.device->keeps_lines();
  }
  if (!kept && !confirmed())
    return failure(Code::internal, "the audit log could not record this request",
                   "no audit device took the lines; the server log names each device");
  position_ = after;
  begun_ = true;
  return {};
}

// By one of those that took lines without keeping them.
bool Sequencer::confirmed() {
  for (Slot& slot : slots_) {
    if (slot.health != Health::works || !slot.device->counts()) continue;
    const Status confirmed = [&] {
      const Watch::Call call(watch_, *slot.device);
      return slot.device->confirm();
    }();
    if (confirmed.ok()) return true;
    fail(slot, confirmed.error());
  }
  return false;
}

bool Sequencer::write_to(Slot& slot, const Position& after) {
  const Status written = [&] {
    const Watch::Call call(watch_, *slot.device);
    return slot.device->write(lines_);
  }();
  if (!written.ok()) {
    slot.attempted = chained_;
    fail(slot, written.error());
    return false;
  }
  if (slot.health == Health::returning) {
    if (!(slot.last == position_) || slot.holds_since == 0) slot.holds_since = position_.seq + 1;
    if (!slot.reported.empty()) log_.info("audit: {} works again", slot.device->where());
    slot.reported.clear();
    slot.remnant = 0;
    slot.cut.reset();
    slot.health = Health::works;
  }
  slot.last = after;
  slot.begins = false;
  slot.attempted.clear();
  return true;
}

void Sequencer::fail(Slot& slot, const Error& error) {
  slot.health = Health::failed;
  slot.retry_at = add(clock_.instant(), kRetryFailedDevice);
  if (slot.reported == error.message) return;
  slot.reported = error.message;
  log_.error("audit: {}: {}; it is tried again until it works", error.message, error.detail);
}

std::vector<Sequencer::SyncTarget> Sequencer::sync_targets() const {
  std::vector<SyncTarget> targets;
  for (std::size_t i = 0; i < slots_.size(); ++i)
    if (slots_[i].health == Health::works)
      targets.push_back({i, slots_[i].device, slots_[i].opening});
  return targets;
}

std::optional<std::uint64_t> Sequencer::holds_since(const SyncTarget& target) const {
  const Slot& slot = slots_[target.slot];
  if (slot.opening != target.opening) return std::nullopt;
  return slot.holds_since;
}

bool Sequencer::settles(const SyncTarget& target) const {
  return !any_keeps_ || target.device->keeps_lines();
}

void Sequencer::synced(const SyncTarget& target, const Position& through) {
  Slot& slot = slots_[target.slot];
  if (slot.opening == target.opening) slot.on_disk = through;
}

std::vector<Held> Sequencer::held() const {
  std::vector<Held> held;
  for (const Slot& slot : slots_)
    if (slot.on_disk.seq != 0 && slot.device->keeps_lines())
      held.push_back({id_of(slot.device->where()), slot.on_disk});
  return held;
}

void Sequencer::sync_failed(const SyncTarget& target, const Error& error) {
  Slot& slot = slots_[target.slot];
  if (slot.opening != target.opening) return;
  // After a failed fdatasync the kernel may have dropped the pages: a later success proves nothing
  // about the lines before it.
  slot.holds_since = slot.last.seq + 1;
  fail(slot, error);
}

}  // namespace leasehold::audit
