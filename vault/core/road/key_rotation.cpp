#include "vault/core/road/key_rotation.h"

#include <algorithm>

#include "vault/audit/record.h"
#include "vault/core/road/unsealed.h"

namespace leasehold::core {

namespace {

using barrier::PhysicalKey;
using barrier::Table;
using commit::ReadTxn;
using commit::WriteTxn;

constexpr const char* kRecord = "key-rotation";
constexpr std::size_t kPage = 500;                   // records looked at in one snapshot
constexpr std::size_t kRewrappedAtOnce = 32;         // a guard and a put each: a batch takes 100
constexpr std::size_t kRewrappedBytes = 256 * 1024;  // of a batch's 1 MiB
// A rotation holds the ring three times in locked memory, beside what else is there.
constexpr std::size_t kTermsMax = 256;
constexpr std::int64_t kOperationsMax = 3'865'470'566;  // Vault's default
constexpr commit::Unrecorded kSameValue{"the same value under a newer key"};

// The head is sealed anew with every group, the outbox lives for moments, the seal table is not
// sealed by the barrier.
bool is_rewrapped(Table table) {
  return table != Table::head && table != Table::outbox && table != Table::seal;
}

bool is_older(ByteView value, std::uint32_t term) {
  return value.size() >= barrier::kOverhead && value[0] >= barrier::kFormat &&
         get_be(&value[2], 4) < term;
}

// Policies and mounts lie there; what was made of them is known by the version of the record.
bool is_of_core(const PhysicalKey& key) {
  PhysicalKey prefix(Table::value);
  prefix.push(barrier::kCoreSpace);
  return compare(key.view().first(std::min(key.size(), prefix.size())), prefix.view()) == 0;
}

Bytes to_record(const KeyRotation::State& state) {
  Json json = Json::object();
  json.set("term", static_cast<std::int64_t>(state.term)).set("installed", state.installed.ns);
  json.set("installed_at", state.installed_at);
  json.set("rewrapped", static_cast<std::int64_t>(state.rewrapped));
  json.set("operations_max", state.operations_max).set("interval", state.interval.count());
  json.set("enabled", state.enabled);
  return to_bytes(as_bytes(json.dump()));
}

std::string event_of(const KeyRotation::State& state, WallTime now) {
  Json fields = Json::object();
  fields.set("term", static_cast<std::int64_t>(state.term));
  return audit::event_body("key-rotated", now, fields.dump());
}

}  // namespace

Result<KeyRotation::State> KeyRotation::state(ReadTxn& txn) const {
  State state;
  state.installed = live_.identity.created;
  state.operations_max = kOperationsMax;
  VAULT_TRY_ASSIGN(const auto record, txn.get(kRecord));
  if (!record) return state;
  VAULT_TRY_ASSIGN(const Json json, parse_json(as_text(record->value.reveal())));
  state.term = static_cast<std::uint32_t>(json.integer_at("term", 1));
  state.installed = {json.integer_at("installed")};
  state.installed_at = static_cast<std::uint64_t>(json.integer_at("installed_at"));
  state.rewrapped = static_cast<std::uint32_t>(json.integer_at("rewrapped", 1));
  state.operations_max = json.integer_at("operations_max", kOperationsMax);
  state.interval = Seconds(json.integer_at("interval"));
  state.enabled = json.bool_at("enabled", true);
  return state;
}

Status KeyRotation::configure(WriteTxn& txn, const State& wanted) const {
  VAULT_TRY_ASSIGN(State state, this->state(txn));
  state.operations_max = wanted.operations_max;
  state.interval = wanted.interval;
  state.enabled = wanted.enabled;
  return txn.put(kRecord, to_record(state));
}

// The next term is made of the registry as it is stored, never of the keys in memory: two rotations
// that meet would else give one term two keys, and what was sealed with the first would be lost.
Status KeyRotation::rotate(WriteTxn& txn) const {
  VAULT_TRY_ASSIGN(State state, this->state(txn));
  bool full = false;
  VAULT_TRY(live_.environment.seal->change_registry(
      txn.changes().storage, live_.registry_key, [&](seal::Registry& registry) {
        full = registry.keys.data.size() >= kTermsMax;
        if (full) return;
        state.term = ++registry.keys.term;
        live_.environment.random.fill(registry.keys.data[state.term].writable());
      }));
  if (full) return failure(Code::invalid, "the registry holds as many data keys as it can: 256");
  state.installed = live_.environment.clock.now();
  state.installed_at = live_.committer.head().index;
  return txn.put(kRecord, to_record(state));
}

Status KeyRotation::adopt() const {
  return live_.environment.seal->with_stored_keys(
      live_.registry_key, [&](const barrier::KeyRing& keys) { live_.barrier.add_terms(keys); });
}

bool KeyRotation::tick() {
  if (const Status rotated = rotate_when_due(); !rotated.ok() && !rotated.is(Code::conflict))
    live_.environment.log.warn("key rotation: {} {}", rotated.error().message,
                               rotated.error().detail);
  const auto done = rewrap_page();
  if (done.ok()) return *done;
  if (done.error().code != Code::conflict)
    live_.environment.log.warn("sealing under the new key: {} {}", done.error().message,
                               done.error().detail);
  return done.error().code != Code::conflict;  // later again
}

Status KeyRotation::rotate_when_due() {
  VAULT_TRY_ASSIGN(auto held, live_.snapshots.take());
  commit::Changes changes;
  WriteTxn txn(*held, live_.barrier, barrier::kCoreSpace, changes);
  VAULT_TRY_ASSIGN(State state, this->state(txn));
  const WallTime now = live_.environment.clock.now();
  const bool old = state.interval.count() > 0 && !(now < add(state.installed, state.interval));
  const bool used = static_cast<std::int64_t>(live_.committer.head().index - state.installed_at) >=
                    state.operations_max;
  if (!state.enabled || (!old && !used)) return {};
  VAULT_TRY(rotate(txn));
  VAULT_TRY_ASSIGN(state, this->state(txn));
  changes.background = true;
  const commit::Batch batch(std::move(changes), event_of(state, now));
  VAULT_TRY(live_.committer.commit(batch).status());
  return adopt();
}

// True: every record is sealed under the newest term, or one of them cannot be.
Result<bool> KeyRotation::rewrap_page() {
  VAULT_TRY_ASSIGN(const State state, begin());
  if (state.rewrapped >= state.term || unreadable_under_ == state.term) return true;
  std::vector<PhysicalKey> older;
  PhysicalKey last;
  VAULT_TRY_ASSIGN(const std::size_t seen, look_at_page(older, last));
  VAULT_TRY(rewrap(older));
  examined_ += seen;
  if (seen == kPage) {
    next_ = last.successor();
    return false;
  }
  if (unreadable_ == 0) VAULT_TRY(finish(state));
  if (unreadable_ > 0) unreadable_under_ = state.term;  // not whole; the next rotation tries again
  return true;
}

// A rotation begins a new pass. When this returns, nothing more is committed that is sealed under
// an older key: the committer refuses it (Group::admit), and what it had let through before is
// committed when the batch from here is.
Result<KeyRotation::State> KeyRotation::begin() {
  VAULT_TRY_ASSIGN(auto held, live_.snapshots.take());
  ReadTxn look(*held, live_.barrier, barrier::kCoreSpace);
  VAULT_TRY_ASSIGN(State state, this->state(look));
  if (state.rewrapped >= state.term || wrapping_under_ == state.term) return state;
  VAULT_TRY(adopt());
  commit::Changes changes;
  changes.background = true;
  WriteTxn txn(*held, live_.barrier, barrier::kCoreSpace, changes);
  VAULT_TRY_ASSIGN(state, this->state(txn));  // guarded
  VAULT_TRY(txn.put(kRecord, to_record(state)));
  const commit::Batch batch(std::move(changes), kSameValue);
  VAULT_TRY(live_.committer.commit(batch).status());
  wrapping_under_ = state.term;
  next_ = PhysicalKey(Table::head);
  examined_ = 0;
  unreadable_ = 0;
  return state;
}

// How many records it has; those under an older term go to `older`. The snapshot is given back
// before anything is written.
Result<std::size_t> KeyRotation::look_at_page(std::vector<PhysicalKey>& older, PhysicalKey& last) {
  VAULT_TRY_ASSIGN(auto held, live_.snapshots.take());
  ReadTxn txn(*held, live_.barrier, barrier::kCoreSpace);
  std::size_t seen = 0;
  const PhysicalKey end = PhysicalKey(Table{0xff});
  VAULT_TRY(txn.scan(next_, end, kPage, storage::Scan::values, [&](const storage::Entry& entry) {
    last = PhysicalKey::from(entry.key);
    ++seen;
    if (is_rewrapped(last.table()) && is_older(entry.value, wrapping_under_)) older.push_back(last);
    return true;
  }));
  return seen;
}

Status KeyRotation::rewrap(const std::vector<PhysicalKey>& keys) {
  for (std::size_t at = 0; at < keys.size();) {
    VAULT_TRY_ASSIGN(auto held, live_.snapshots.take());
    // Not in the background: what it would take of the last space belongs to revocation.
    commit::Changes changes;
    VAULT_TRY_ASSIGN(const bool of_core, take_some(*held, keys, at, changes));
    if (of_core) {
      WriteTxn txn(*held, live_.barrier, barrier::kCoreSpace, changes);
      VAULT_TRY(Mounts::bump_mounts(txn));
    }
    if (!changes.changes_something()) continue;
    const commit::Batch batch(std::move(changes), kSameValue);
    VAULT_TRY(live_.committer.commit(batch).status());
  }
  return {};
}

// As many from `at` on as one batch takes, by number and by size. True: one of them is the core's.
Result<bool> KeyRotation::take_some(storage::Snapshot& snapshot,
                                    const std::vector<PhysicalKey>& keys, std::size_t& at,
                                    commit::Changes& changes) {
  bool of_core = false;
  for (std::size_t taken = 0; at < keys.size() && taken < kRewrappedAtOnce; ++at, ++taken) {
    VAULT_TRY_ASSIGN(const auto found, snapshot.get(keys[at].view()));
    if (!found || !is_older(found->value, wrapping_under_)) continue;
    const std::size_t bytes = changes.storage.bytes();
    if (bytes > 0 && bytes + found->value.size() > kRewrappedBytes) break;
    const auto opened = live_.barrier.open_named(keys[at], found->value);
    if (!opened.ok()) {  // whoever needs it is told the same
      live_.environment.log.error("a record cannot be sealed under the new key: {}",
                                  opened.error().message);
      ++unreadable_;
      continue;
    }
    Bytes sealed;
    live_.barrier.seal(keys[at], opened->name, opened->value.reveal(), sealed,
                       barrier::name_order(found->value));
    changes.storage.guard(keys[at].view(), found->mod);
    changes.storage.put(keys[at].view(), sealed);
    of_core |= is_of_core(keys[at]);
  }
  return of_core;
}

Status KeyRotation::finish(const State& state) {
  VAULT_TRY_ASSIGN(auto held, live_.snapshots.take());
  commit::Changes changes;
  WriteTxn txn(*held, live_.barrier, barrier::kCoreSpace, changes);
  VAULT_TRY_ASSIGN(State now, this->state(txn));
  if (now.term != state.term) return {};  // rotated meanwhile: the next pass
  now.rewrapped = now.term;
  VAULT_TRY(txn.put(kRecord, to_record(now)));
  changes.background = true;
  Json fields = Json::object();
  fields.set("term", static_cast<std::int64_t>(now.term)).set("records", examined_.load());
  const commit::Batch batch(
      std::move(changes),
      audit::event_body("key-rewrapped", live_.environment.clock.now(), fields.dump()));
  return live_.committer.commit(batch).status();
}

}  // namespace leasehold::core
