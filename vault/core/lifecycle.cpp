#include "vault/core/lifecycle.h"

#include <algorithm>

#include "vault/audit/record.h"

namespace leasehold::core {

namespace {

constexpr Seconds kDeviceRetryMax{30};
constexpr Millis kDrainPoll{5};
constexpr Nanos kHealthEvery{Seconds{60}};
constexpr Millis kHealthTimeout{10'000};  // for one device; ending waits for it
constexpr Millis kLookEvery{500};         // at what may make an open vault seal itself

}  // namespace

Lifecycle::Lifecycle(Environment environment, seal::Seal& seal, seal::RecoveryMode recovery_mode,
                     std::string cluster_name, const std::string& product_version,
                     std::string build_date)
    : environment_(std::move(environment)),
      seal_(seal),
      recovery_mode_(recovery_mode),
      cluster_name_(std::move(cluster_name)),
      version_("1.17.0+leasehold." + product_version),
      build_date_(std::move(build_date)) {
  environment_.request_seal = [this] { this->seal(); };
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
  for (std::thread* one : {&thread_, &devices_thread_})
    if (one->joinable()) one->join();
  do_seal();
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
    pause = open ? Seconds{1} : std::min(pause * 2, kDeviceRetryMax);
    MutexLock lock(mutex_);
    if (stopping_) return;
    if (!seal_wanted_) wake_.wait_for(mutex_, open ? Nanos(kLookEvery) : Nanos(pause));
  }
}

// Soon after the vault was opened, then once a minute.
void Lifecycle::watch_devices() {
  Instant next;
  for (;;) {
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

void Lifecycle::open_with_devices() {
  MutexLock changing(changing_);
  {
    MutexLock lock(mutex_);
    if (stopping_ || sealed_by_operator_) return;
  }
  if (live_.load() != nullptr) return;
  tear_down();
  auto opened = seal_.open_with_devices();
  if (!opened) return;
  const Status live = go_live(std::move(*opened), nullptr, {});
  if (live.ok())
    environment_.log.info("unsealed by its device");
  else
    environment_.log.error("cannot start: {} {}", live.error().message, live.error().detail);
}

// Not when it was unsealed again meanwhile: go_live() has then seen to what was asked for.
void Lifecycle::seal_if_wanted() {
  MutexLock changing(changing_);
  {
    MutexLock lock(mutex_);
    if (!std::exchange(seal_wanted_, false)) return;
  }
  tear_down();
}

bool Lifecycle::seal_if_broken() {
  MutexLock changing(changing_);
  if (!owned_ || !owned_->committer.broken()) return false;
  {
    MutexLock lock(mutex_);
    sealed_because_ =
        "sealed by itself: storage could not say whether a write happened; when the log shows that "
        "it works again, unseal";
    environment_.log.error("{}", sealed_because_);
  }
  tear_down();
  return true;
}

void Lifecycle::do_seal() {
  MutexLock changing(changing_);
  tear_down();
}

void Lifecycle::tear_down() {
  live_.store(nullptr);
  if (!owned_) return;
  {
    // Requests in flight end by themselves: their stations are bounded.
    MutexLock lock(mutex_);
    while (users_.load() > 0) wake_.wait_for(mutex_, kDrainPoll);
  }
  owned_.reset();
  environment_.log.info("vault is sealed");
}

std::string Lifecycle::why_sealed() const { return "Vault is sealed"; }

Status Lifecycle::reopen_audit() {
  Unsealed* live = enter();
  if (live == nullptr) return {};
  const Status status = live->audit->reopen();
  leave();
  return status;
}

Status Lifecycle::go_live(seal::Opened opened, SecretBytes* root_token,
                          std::string_view wanted_root) {
  seal_.enroll_missing(opened, [this](const storage::Batch& batch) {
    return seal::commit_alone(environment_.storage, batch);
  });
  StoreIdentity identity;
  identity.store = opened.store.id;
  identity.cluster_name = opened.store.cluster_name;
  identity.cluster_id = opened.store.cluster_id;
  VAULT_TRY_ASSIGN(auto live, Unsealed::make(environment_, identity, std::move(opened.keys)));
  if (root_token != nullptr) {
    VAULT_TRY_ASSIGN(*root_token, live->write_initial(wanted_root, environment_.dev_mode));
  }
  Json fields = Json::object();
  fields.set("by", opened.by).set("degraded", opened.degraded);
  const std::string event = audit::event_body("unsealed", environment_.clock.now(), fields.dump());
  const std::string_view lines[] = {event};
  VAULT_TRY(live->audit->append(lines));
  live->revoker->start();
  owned_ = std::move(live);
  {
    // Before it opens: what is asked for from then on counts.
    MutexLock lock(mutex_);
    seal_wanted_ = sealed_by_operator_ = false;
    sealed_because_.clear();
  }
  live_.store(owned_.get());
  revoke_undelivered();
  return {};
}

void Lifecycle::revoke(Undelivered lost) {
  {
    MutexLock lock(mutex_);
    undelivered_.push_back(std::move(lost));
  }
  revoke_undelivered();
}

void Lifecycle::revoke_undelivered() {
  Unsealed* live = enter();
  if (live == nullptr) return;
  std::vector<Undelivered> lost;
  {
    MutexLock lock(mutex_);
    lost.swap(undelivered_);
  }
  for (const Undelivered& one : lost) {
    if (const auto id = live->leases.id_of(one.lease_id)) live->revoker->revoke_soon(*id);
    if (const auto id = live->tokens.id_of_accessor(one.accessor))
      live->revoker->revoke_token_soon(*id);
  }
  leave();
}

}  // namespace leasehold::core
