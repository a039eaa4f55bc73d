#include "vault/core/road/sweeper.h"

#include <algorithm>
#include <system_error>
#include <tuple>

#include "vault/base/encoding.h"

namespace leasehold::core {

namespace {

constexpr Seconds kFirst{60};  // after the start, when what expired meanwhile is on its way
constexpr Seconds kBetweenDoubts{10};
constexpr Millis kTurn{500};
constexpr std::size_t kAtOnce = 4;  // targets

std::string in_words(const MountInfo& mount, const Compared& compared) {
  return "target " + mount.path + compared.name;
}

}  // namespace

Sweeper::Sweeper(const Parts& parts) : parts_(parts), comparison_(parts.comparison) {}

void Sweeper::start() {
  if (parts_.period.count() == 0) return;
  const Instant now = parts_.comparison.clock.instant();
  const Instant first = add(now, Nanos(std::min(kFirst, parts_.period)));
  thread_ = std::thread([this, first] { run(first); });
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

void Sweeper::run(Instant next_pass) {
  Clock& clock = parts_.comparison.clock;
  for (;;) {
    {
      MutexLock lock(mutex_);
      if (!stopping_) wake_.wait_for(mutex_, kTurn);
      if (stopping_) return;
    }
    queue_doubted();
    const bool all = clock.instant() >= next_pass;
    if (all) queue_all();
    take_turns_together();
    if (all) next_pass = add(clock.instant(), Nanos(parts_.period));
  }
}

std::shared_ptr<const Compiled> Sweeper::mounts() const {
  auto held = parts_.comparison.snapshots.take();
  if (!held.ok()) return nullptr;
  ReadTxn txn(**held, parts_.comparison.barrier, barrier::kCoreSpace);
  auto compiled = parts_.mounts.at(txn);
  return compiled.ok() ? std::move(compiled).value() : nullptr;
}

// Before all others, and now and then only: what makes doubts may go on.
void Sweeper::queue_doubted() {
  const Instant now = parts_.comparison.clock.instant();
  {
    MutexLock lock(mutex_);
    if (now < next_doubted_) return;
  }
  const auto compiled = mounts();
  if (!compiled) return;  // what was noted stays
  const auto doubted = parts_.comparison.revoker.take_doubts();
  std::vector<Turn> turns;
  for (const auto& [place, why] : doubted) {
    const Mount* mount = compiled->mounts.by_space(place.first);
    if (mount == nullptr || mount->tainted || mount->kind == nullptr) continue;
    for (Turn& turn : turns_of(compiled, *mount)) {
      if (turn.target.id != place.second) continue;
      turn.doubt = why;
      turns.push_back(std::move(turn));
    }
  }
  MutexLock lock(mutex_);
  if (!doubted.empty()) next_doubted_ = add(now, Nanos(kBetweenDoubts));
  queue_.insert(queue_.begin(), std::make_move_iterator(turns.begin()),
                std::make_move_iterator(turns.end()));
}

std::vector<Sweeper::Turn> Sweeper::turns_of(const std::shared_ptr<const Compiled>& compiled,
                                             const Mount& mount) const {
  std::vector<Turn> turns;
  auto targets = targets_of(mount);
  if (!targets.ok()) {
    parts_.log.warn("{} could not be swept: {}", mount.info.path, targets.error().message);
    return turns;
  }
  for (std::size_t i = 0; i < targets->size(); ++i)
    turns.push_back({{compiled, &mount}, std::move((*targets)[i]), {}, i, {}});
  return turns;
}

void Sweeper::queue_all() {
  const auto compiled = mounts();
  if (!compiled) return;
  std::vector<Turn> turns;
  for (const auto& entry : compiled->mounts.all()) {
    const Mount& mount = *entry.second;
    if (mount.kind == nullptr || !mount.kind->engine->has_targets()) continue;
    auto more = turns_of(compiled, mount);
    std::move(more.begin(), more.end(), std::back_inserter(turns));
  }
  std::map<TargetId, std::int64_t> failed;
  MutexLock lock(mutex_);
  for (Turn& turn : turns)
    if (const auto known = failed_.find(turn.target.id); known != failed_.end())
      failed.emplace(turn.target.id, turn.failed.emplace(known->second));
  failed_ = std::move(failed);  // without those that are there no more
  std::stable_sort(turns.begin(), turns.end(), [](const Turn& one, const Turn& other) {
    return std::tie(one.failed, one.place) < std::tie(other.failed, other.place);
  });
  std::move(turns.begin(), turns.end(), std::back_inserter(queue_));
  failed_until_ = add(parts_.comparison.clock.instant(), Nanos(parts_.period));
}

void Sweeper::take_turns_together() {
  std::size_t turns = 0;
  {
    MutexLock lock(mutex_);
    turns = queue_.size();
  }
  std::vector<std::thread> beside;
  try {
    while (beside.size() + 1 < std::min(kAtOnce, turns))
      beside.emplace_back([this] { take_turns(); });
  } catch (const std::system_error&) {
    // No thread now: those that there are do it.
  }
  take_turns();
  for (std::thread& one : beside) one.join();
}

void Sweeper::take_turns() {
  for (Turn turn; next(turn);) take(turn);
}

// Of those that failed, the ones that are left over have failed longest in the next pass.
bool Sweeper::next(Turn& turn) {
  queue_doubted();
  const Instant now = parts_.comparison.clock.instant();
  MutexLock lock(mutex_);
  if (!queue_.empty() && queue_.front().failed && now >= failed_until_) queue_.clear();
  if (stopping_ || queue_.empty()) return false;
  turn = std::move(queue_.front());
  queue_.pop_front();
  return true;
}

void Sweeper::take(const Turn& turn) {
  const std::string& path = turn.mount->info.path;
  if (!turn.doubt.empty())
    parts_.log.info("a target of {} is compared with the leases: {}", path, turn.doubt);
  Swept swept;
  const std::int64_t began = parts_.comparison.clock.instant().ns;
  const Status status = sweep_one(turn.mount->info, turn.target, Asked::nothing, swept);
  if (!status.ok()) parts_.log.warn("{} could not be swept: {}", path, status.error().message);
  for (const std::string& warning : swept.warnings) parts_.log.warn("{}", warning);
  MutexLock lock(mutex_);
  if (swept.targets.back().status.ok())
    failed_.erase(turn.target.id);
  else
    failed_[turn.target.id] = began;
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

Result<Sweeper::Swept> Sweeper::sweep(const Mount& mount, Asked asked) {
  VAULT_TRY_ASSIGN(const auto targets, targets_of(mount));
  Swept swept;
  for (const Named& target : targets) {
    // It is told to its end at a stop, too: it may have ended accounts before.
    VAULT_TRY(sweep_one(mount.info, target, asked, swept));
  }
  std::sort(swept.ending.begin(), swept.ending.end());
  return swept;
}

Status Sweeper::sweep_one(const MountInfo& mount, const Named& target, Asked asked, Swept& swept) {
  const Comparison::UnderWay under_way(comparison_);
  Compared compared = comparison_.compare(mount, target.id);
  compared.name = target.name;
  Status settled;
  if (compared.status.ok())
    settled = settle(mount, compared, asked, swept);
  else if (asked != Asked::nothing)  // else its lane has said so
    swept.warnings.push_back(in_words(mount, compared) +
                             " was not compared: " + compared.status.error().message);
  swept.targets.push_back(std::move(compared));
  return settled;
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
