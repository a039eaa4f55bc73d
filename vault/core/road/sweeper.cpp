#include "vault/core/road/sweeper.h"

#include <algorithm>

#include "vault/base/encoding.h"

namespace leasehold::core {

namespace {

constexpr Seconds kFirst{60};  // after the start, when what expired meanwhile is on its way
constexpr Seconds kBetweenDoubts{10};
constexpr Millis kTurn{500};

std::string in_words(const MountInfo& mount, const Compared& compared) {
  return "target " + mount.path + compared.name;
}

}  // namespace

Sweeper::Sweeper(const Parts& parts) : parts_(parts), comparison_(parts.comparison) {}

void Sweeper::start() {
  if (parts_.period.count() > 0) thread_ = std::thread([this] { run(); });
}

void Sweeper::ask_to_stop() {
  comparison_.stop();
  MutexLock lock(mutex_);
  stopping_ = true;
  wake_.notify_all();
}

void Sweeper::stop() {
  ask_to_stop();
  if (thread_.joinable()) thread_.join();
}

bool Sweeper::stopping() {
  MutexLock lock(mutex_);
  return stopping_;
}

void Sweeper::run() {
  Clock& clock = parts_.comparison.clock;
  Instant next = add(clock.instant(), Nanos(std::min(kFirst, parts_.period)));
  Instant next_doubted = clock.instant();
  for (;;) {
    {
      MutexLock lock(mutex_);
      if (!stopping_) wake_.wait_for(mutex_, kTurn);
      if (stopping_) return;
    }
    if (clock.instant() >= next_doubted && sweep_doubted())
      next_doubted = add(clock.instant(), Nanos(kBetweenDoubts));
    if (clock.instant() < next) continue;
    sweep_all();
    next = add(clock.instant(), Nanos(parts_.period));
  }
}

std::shared_ptr<const Compiled> Sweeper::mounts() const {
  auto held = parts_.comparison.snapshots.take();
  if (!held.ok()) return nullptr;
  ReadTxn txn(**held, parts_.comparison.barrier, barrier::kCoreSpace);
  auto compiled = parts_.mounts.at(txn);
  return compiled.ok() ? std::move(compiled).value() : nullptr;
}

void Sweeper::sweep_all() {
  const auto compiled = mounts();
  if (!compiled) return;
  for (const auto& entry : compiled->mounts.all())
    if (entry.second->kind != nullptr && entry.second->kind->engine->has_targets())
      sweep_unasked(*entry.second, nullptr);
}

bool Sweeper::sweep_doubted() {
  const auto compiled = mounts();
  if (!compiled) return false;  // what was noted stays
  const auto doubted = parts_.comparison.revoker.take_doubts();
  if (doubted.empty()) return false;
  for (const auto& entry : doubted) {
    const Mount* mount = compiled->mounts.by_space(entry.first.first);
    if (mount == nullptr || mount->tainted || mount->kind == nullptr) continue;
    parts_.log.info("a target of {} is compared with the leases: {}", mount->info.path,
                    entry.second);
    sweep_unasked(*mount, &entry.first.second);
  }
  return true;
}

void Sweeper::sweep_unasked(const Mount& mount, const TargetId* only) {
  const auto swept = sweep(mount, Asked::nothing, only);
  if (!swept.ok())
    return parts_.log.warn("{} could not be swept: {}", mount.info.path, swept.error().message);
  for (const std::string& warning : swept->warnings) parts_.log.warn("{}", warning);
}

Result<std::vector<Sweeper::Named>> Sweeper::targets_of(const Mount& mount) const {
  VAULT_TRY_ASSIGN(auto held, parts_.comparison.snapshots.take());
  ReadTxn txn(*held, parts_.comparison.barrier, mount.info.space);
  VAULT_TRY_ASSIGN(const auto names, txn.list(kTargets));
  std::vector<Named> targets;
  for (const std::string& name : names)
    if (const auto id = array_from_hex<TargetId>(name))
      targets.push_back({*id, mount.kind->engine->target_name(*id, txn)});
  return targets;
}

Result<Sweeper::Swept> Sweeper::sweep(const Mount& mount, Asked asked, const TargetId* only) {
  VAULT_TRY_ASSIGN(const auto targets, targets_of(mount));
  Swept swept;
  for (const Named& target : targets) {
    if (only != nullptr && target.id != *only) continue;
    // What somebody asked for is told to its end: it may have ended accounts before.
    if (asked == Asked::nothing && stopping())
      return failure(Code::unavailable, "the vault is shutting down");
    Compared compared = comparison_.compare(mount.info, target.id);
    compared.name = target.name;
    if (compared.status.ok())
      VAULT_TRY(settle(mount.info, compared, asked, swept));
    else if (asked != Asked::nothing)  // else its lane has said so
      swept.warnings.push_back(in_words(mount.info, compared) +
                               " was not compared: " + compared.status.error().message);
    swept.targets.push_back(std::move(compared));
  }
  std::sort(swept.ending.begin(), swept.ending.end());
  return swept;
}

bool Sweeper::may_mend(const MountInfo& mount, const TargetId& target, Asked asked) const {
  if (asked != Asked::nothing) return asked == Asked::to_mend;
  auto held = parts_.comparison.snapshots.take();
  if (!held.ok()) return false;
  ReadTxn core(**held, parts_.comparison.barrier, barrier::kCoreSpace);
  return parts_.restoration.may_issue(core, mount.space, target).ok();
}

Status Sweeper::settle(const MountInfo& mount, Compared& compared, Asked asked, Swept& swept) {
  bool on_leases = compared.only_at_target.empty();
  if (!compared.agree() && asked == Asked::nothing) tell(mount, compared);
  if (!compared.agree() && may_mend(mount, compared.target, asked)) {
    auto ending = comparison_.mend(mount, compared, asked == Asked::to_mend);
    if (ending.ok()) {
      on_leases = true;
      compared.mended = true;
      swept.ending.insert(swept.ending.end(), ending->begin(), ending->end());
    } else {
      swept.warnings.push_back(in_words(mount, compared) + ": " + ending.error().message);
    }
  }
  if (!on_leases || compared.unreadable) return {};
  return parts_.restoration.reconciled(mount.space, compared.target);
}

void Sweeper::tell(const MountInfo& mount, const Compared& compared) {
  for (const std::string& account : compared.only_at_target)
    parts_.log.warn("{} has the account {}, which is on no lease", in_words(mount, compared),
                    account);
  for (const Compared::Unfounded& one : compared.only_in_leases)
    parts_.log.warn(
        "{} does not have the account {} of the lease {}; `leasehold lease reconcile -fix {}` ends "
        "the lease",
        in_words(mount, compared), one.account, one.lease_id, mount.path);
}

}  // namespace leasehold::core
