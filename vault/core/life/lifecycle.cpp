#include "vault/core/life/lifecycle.h"

#include <algorithm>

#include "vault/audit/record.h"
#include "vault/base/encoding.h"
#include "vault/core/life/configured.h"
#include "vault/core/road/key_rotation.h"
#include "vault/core/sys/system.h"
#include "vault/core/sys/version_history.h"

namespace leasehold::core {

namespace {

constexpr Seconds kDeviceRetryMax{30};
constexpr Millis kDrainPoll{5};
constexpr Nanos kHealthEvery{Seconds{60}};
constexpr Millis kHealthTimeout{10'000};  // for one device; ending waits for it
constexpr Millis kLookEvery{500};         // at what may make an open vault seal itself

std::string unsealed_event(const seal::Opened& opened, const Unsealed& live, WallTime now) {
  Json fields = Json::object();
  fields.set("by", opened.by).set("degraded", opened.degraded);
  if (live.clock_doubt)
    fields.set("clock", rfc3339(live.clock_doubt->clock))
        .set("last_written", rfc3339(live.clock_doubt->seen));
  return audit::event_body("unsealed", now, fields.dump());
}

// A way into the vault that was not there before, or is another now.
std::string slot_event(const seal::SlotRecord& slot, WallTime now) {
  Json fields = Json::object();
  fields.set("id", hex(slot.id)).set("kind", slot.kind).set("identity", slot.identity);
  fields.set("generation", static_cast<std::int64_t>(slot.generation));
  fields.set("may_unseal", slot.may_unseal());
  const bool added = slot.generation == 1;
  return audit::event_body(added ? "seal-slot-added" : "seal-slot-changed", now, fields.dump());
}

std::string sealed_event(std::string_view by, std::string_view because, WallTime now) {
  Json fields = Json::object();
  fields.set("by", by);
  if (!because.empty()) fields.set("because", because);
  return audit::event_body("sealed", now, fields.dump());
}

Status note_this_version(Unsealed& live, std::string_view version, std::string_view build_date,
                         commit::Changes& changes) {
  VAULT_TRY_ASSIGN(auto held, live.snapshots.take());
  WriteTxn txn(*held, live.barrier, barrier::kCoreSpace, changes);
  return note_version(txn, version, build_date, live.environment.clock.now());
}

}  // namespace

Lifecycle::Lifecycle(Environment environment, seal::Seal& seal, seal::RecoveryMode recovery_mode,
                     std::string cluster_name, const std::string& product_version,
                     std::string build_date)
    : environment_(std::move(environment)),
      seal_(seal),
      recovery_mode_(recovery_mode),
      drill_(environment_.restored == Restored::drill),
      cluster_name_(std::move(cluster_name)),
      product_version_(product_version),
      build_date_(std::move(build_date)) {
  environment_.request_seal = [this] { this->seal(); };
  environment_.seal = &seal_;
}

Lifecycle::~Lifecycle() { stop(); }

void Lifecycle::start() {
  thread_ = std::thread([this] { run(); });
  devices_thread_ = std::thread([this] { watch_devices(); });
}

void Lifecycle::stop() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  seal_.stop_devices();  // a thread that waits for one ends now
  for (std::thread* one : {&thread_, &devices_thread_})
    if (one->joinable()) one->join();
  TurnLock turn(turn_);
  tear_down();
}

void Lifecycle::seal() {
  live_.store(nullptr);  // from here on every request is told that the vault is sealed
  {
    MutexLock lock(mutex_);
    seal_wanted_ = true;
    sealed_by_operator_ = true;
  }
  wake_.notify_all();
}

// Opens with the devices while sealed, with growing pauses; seals when asked to, or when it must.
void Lifecycle::run() {
  Seconds pause{1};
  for (;;) {
    seal_if_wanted();
    const bool broke = seal_if_broken();
    if (!broke && live_.load() == nullptr && seal_.initialized() && seal_.has_device_slot())
      open_with_devices();
    const bool open = live_.load() != nullptr;
    const bool busy = open && rewrap();
    pause = open ? Seconds{1} : std::min(pause * 2, kDeviceRetryMax);
    MutexLock lock(mutex_);
    if (stopping_) return;
    if (!seal_wanted_ && !busy) wake_.wait_for(mutex_, open ? Nanos(kLookEvery) : Nanos(pause));
  }
}

// One step of what follows a rotation of the data key. True: there is more to do now.
bool Lifecycle::rewrap() {
  Unsealed* live = enter();
  if (live == nullptr) return false;
  const bool done = live->rotation->tick();
  leave();
  return !done;
}

// Soon after the vault was opened, then once a minute.
void Lifecycle::watch_devices() {
  Instant next;
  for (;;) {
    enroll_missing();
    const Instant now = environment_.clock.instant();
    if (live_.load() == nullptr) {
      next = now;
    } else if (now >= next && seal_.has_device_slot()) {
      seal_.check_health(kHealthTimeout);
      next = add(now, kHealthEvery);
    }
    MutexLock lock(mutex_);
    if (stopping_) return;
    wake_.wait_for(mutex_, kLookEvery);
  }
}

Unsealed* Lifecycle::enter() {
  users_.fetch_add(1);
  Unsealed* live = live_.load();
  if (live == nullptr) users_.fetch_sub(1);
  return live;
}
void Lifecycle::leave() { users_.fetch_sub(1); }

bool Lifecycle::may_open_by_itself() const {
  MutexLock lock(mutex_);
  return !stopping_ && !sealed_by_operator_;
}

// While the devices work, shares may open the vault, an operator may seal it, and init may take
// back what it began: so all of it is looked at again.
void Lifecycle::open_with_devices() {
  if (!may_open_by_itself()) return;
  auto opened = seal_.open_with_devices();
  if (!opened) return;
  TurnLock turn(turn_);
  if (live_.load() != nullptr || !may_open_by_itself()) return;
  tear_down();
  const Status live = go_live(std::move(*opened), nullptr, {});
  if (live.ok())
    environment_.log.info("unsealed by its device");
  else
    report_refusal(live.error());
}

// In the log, and in seal-status until it is open.
void Lifecycle::report_refusal(const Error& why) {
  environment_.log.error("cannot start: {} {}", why.message, why.detail);
  MutexLock lock(mutex_);
  sealed_because_ = "cannot be unsealed: " + why.message;
}

// Not when it was unsealed again meanwhile: go_live() has then seen to what was asked for.
void Lifecycle::seal_if_wanted() {
  TurnLock turn(turn_);
  {
    MutexLock lock(mutex_);
    if (!std::exchange(seal_wanted_, false)) return;
  }
  tear_down();
}

// Empty: it need not.
std::string Lifecycle::why_it_must_seal() {
  if (!owned_) return {};
  const Status compared = owned_->store_check.outcome();
  if (!compared.ok()) {
    environment_.storage_in_doubt = true;
    const std::string& detail = compared.error().detail;
    if (!detail.empty()) environment_.log.error("storage: {}", detail);
    return "sealed by itself: " + compared.error().message;
  }
  if (!owned_->committer.broken()) return {};
  return "sealed by itself: storage could not say whether a write happened; when the log shows "
         "that it works again, unseal";
}

bool Lifecycle::seal_if_broken() {
  TurnLock turn(turn_);
  const std::string because = why_it_must_seal();
  if (because.empty()) return false;
  live_.store(nullptr);  // at once for new requests
  std::string event;
  {
    MutexLock lock(mutex_);
    sealed_because_ = because;
    environment_.log.error("{}", sealed_because_);
    event = sealed_event("itself", sealed_because_, environment_.clock.now());
  }
  const std::string_view lines[] = {event};
  owned_->audit->append(lines).ignore();  // its own log says why not
  tear_down();
  return true;
}

void Lifecycle::tear_down() {
  live_.store(nullptr);
  if (!owned_) return;
  // Requests in flight end by themselves: whatever they wait for, they look whether it is time.
  owned_->begin_sealing();
  {
    MutexLock lock(mutex_);
    to_enroll_.reset();
    while (users_.load() > 0) wake_.wait_for(mutex_, kDrainPoll);
  }
  owned_.reset();
  environment_.log.info("vault is sealed");
}

Status Lifecycle::reopen_audit() {
  Unsealed* live = enter();
  if (live == nullptr) return {};
  const Status status = live->audit->reopen();
  leave();
  return status;
}

Status Lifecycle::go_live(seal::Opened opened, SecretBytes* root_token,
                          std::string_view wanted_root) {
  {
    MutexLock lock(mutex_);
    if (stopping_) return failure(Code::unavailable, "the vault is stopping");
  }
  VAULT_TRY(environment_.storage.ready());
  VAULT_TRY(seal_.confirm(opened));
  StoreIdentity identity;
  identity.store = opened.store.id;
  identity.cluster_name = opened.store.cluster_name;
  identity.cluster_id = opened.store.cluster_id;
  identity.created = opened.store.created;
  VAULT_TRY_ASSIGN(
      auto live, Unsealed::make(environment_, identity, std::move(opened.keys), all_engine_kinds));
  live->registry_key = opened.registry_key.clone();
  if (root_token != nullptr) {
    VAULT_TRY_ASSIGN(*root_token, live->write_initial(wanted_root, environment_.dev_kv_version));
  }
  // It opens also where only the reserve is left: what is due has to end.
  commit::Changes opening;
  opening.background = true;
  const Status version = note_this_version(*live, product_version_, build_date_, opening);
  if (!version.ok())
    environment_.log.warn("sys/version-history does not have this version: {}",
                          version.error().message);
  const commit::Batch on_record(std::move(opening),
                                unsealed_event(opened, *live, environment_.clock.now()));
  VAULT_TRY(live->committer.commit(on_record).status());
  VAULT_TRY(list_slots(*live, opened));
  const Status noted = note_configuration(*live);
  if (!noted.ok())
    environment_.log.warn("whether the configuration changed is not on record: {}",
                          noted.error().message);
  if (!live->drill()) {
    live->revoker->start();
    live->sweeper->start();
    live->due_work->start();
  }
  live->store_check.start();
  const bool enrolls = seal_.has_to_enroll(opened);
  owned_ = std::move(live);
  {
    // Before it opens: what is asked for from then on counts.
    MutexLock lock(mutex_);
    seal_wanted_ = sealed_by_operator_ = false;
    sealed_because_.clear();
    if (!drill_) environment_.restored = Restored::no;  // it was said of this one unsealing
    if (enrolls) to_enroll_ = std::move(opened);
  }
  live_.store(owned_.get());
  wake_.notify_all();
  revoke_undelivered();
  return {};
}

// A store of an earlier version: from now on a slot that is taken away or put back is found.
Status Lifecycle::list_slots(Unsealed& live, const seal::Opened& opened) {
  commit::Changes changes;
  changes.background = true;
  VAULT_TRY(seal_.list_slots(changes.storage, opened));
  if (!changes.changes_something()) return {};
  const auto event = audit::event_body("seal-slots-listed", environment_.clock.now(), "{}");
  VAULT_TRY(live.committer.commit(commit::Batch(std::move(changes), event)).status());
  return seal_.registry_changed();
}

// Beside the open vault: a device that hangs delays its own slot only.
void Lifecycle::enroll_missing() {
  std::optional<seal::Opened> opened;
  {
    MutexLock lock(mutex_);
    opened = std::exchange(to_enroll_, std::nullopt);
  }
  if (!opened) return;
  const auto write = [this](const storage::Batch& batch, const seal::SlotRecord& slot) {
    return write_slot(batch, slot);
  };
  seal_.enroll_missing(*opened, write);
}

Status Lifecycle::write_slot(const storage::Batch& batch, const seal::SlotRecord& slot) {
  Unsealed* live = enter();
  if (live == nullptr) return failure(Code::unavailable, "the vault was sealed meanwhile");
  commit::Changes changes;
  changes.storage = batch;
  const commit::Batch whole(std::move(changes), slot_event(slot, environment_.clock.now()));
  const Status written = live->committer.commit(whole).status();
  leave();
  return written;
}

void Lifecycle::revoke(Issued lost) {
  {
    MutexLock lock(mutex_);
    undelivered_.push_back(std::move(lost));
  }
  revoke_undelivered();
}

void Lifecycle::revoke_undelivered() {
  Unsealed* live = enter();
  if (live == nullptr) return;
  std::vector<Issued> lost;
  {
    MutexLock lock(mutex_);
    lost.swap(undelivered_);
  }
  for (const Issued& one : lost) {
    if (const auto id = live->leases.id_of(one.lease_id)) live->revoker->revoke_soon(*id);
    for (const std::string& accessor : {one.accessor, one.wrapping_accessor})
      if (const auto id = live->tokens.id_of_accessor(accessor))
        live->revoker->revoke_token_soon(*id);
  }
  leave();
}

}  // namespace leasehold::core
