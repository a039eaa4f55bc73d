#include "vault/core/road/due_work.h"

#include <algorithm>
#include <utility>

#include "vault/audit/record.h"

namespace leasehold::core {

namespace {

constexpr Seconds kFirst{60};  // after the start, and of a new mount
constexpr Millis kTurn{500};
constexpr int kTriesOfSlice = 5;

std::string due_event(const Mount& mount, std::int64_t done, WallTime now) {
  Json fields = Json::object();
  fields.set("path", mount.info.path).set("type", mount.info.type);
  fields.set("accessor", mount.info.accessor).set("count", done);
  return audit::event_body("due-work", now, fields.dump());
}

}  // namespace

void DueWork::start() {
  thread_ = std::thread([this] { run(); });
}

void DueWork::stop() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    wake_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

void DueWork::ask(const barrier::Space& space) {
  MutexLock lock(mutex_);
  asked_.insert(space);
  wake_.notify_all();
}

void DueWork::run() {
  while (wait()) call_due();
}

bool DueWork::wait() {
  MutexLock lock(mutex_);
  if (!stopping_ && asked_.empty()) wake_.wait_for(mutex_, kTurn);
  return !stopping_;
}

bool DueWork::stopping() {
  MutexLock lock(mutex_);
  return stopping_;
}

void DueWork::call_due() {
  for (const auto& mount : due_now()) {
    if (stopping()) return;
    work_in(*mount);
    next_[mount->info.space] =
        add(parts_.clock.instant(), Nanos(*mount->kind->engine->due_every()));
  }
}

std::vector<std::shared_ptr<const Mount>> DueWork::due_now() {
  std::vector<std::shared_ptr<const Mount>> due;
  auto held = parts_.snapshots.take();
  if (!held.ok()) return due;  // tried again in the next pass
  ReadTxn txn(**held, parts_.barrier, barrier::kCoreSpace);
  const auto compiled = parts_.mounts.at(txn);
  if (!compiled.ok()) return due;
  std::set<barrier::Space> asked;
  {
    MutexLock lock(mutex_);
    asked.swap(asked_);
  }
  const Instant now = parts_.clock.instant();
  std::map<barrier::Space, Instant> next;
  for (const auto& entry : (*compiled)->mounts.all()) {
    const auto every =
        entry.second->kind == nullptr ? std::nullopt : entry.second->kind->engine->due_every();
    if (!every) continue;
    const barrier::Space& space = entry.second->info.space;
    const auto known = next_.find(space);
    const Instant at =
        known != next_.end() ? known->second : add(now, Nanos(std::min(kFirst, *every)));
    next[space] = at;
    if (now >= at || asked.count(space) != 0) due.push_back(entry.second);
  }
  next_ = std::move(next);
  asked_for_ = std::move(asked);
  return due;
}

void DueWork::work_in(const Mount& mount) {
  std::string from;
  std::int64_t total = 0;
  do {
    Result<DueSlice> done = slice(mount, from);
    for (int i = 1; i < kTriesOfSlice && !done.ok() && done.error().code == Code::conflict; ++i)
      done = slice(mount, from);
    if (!done.ok()) {
      parts_.log.warn("the due work of {} stops until its next pass: {}", mount.info.path,
                      done.error().message);
      return;
    }
    from = done->next;
    total += done->done;
  } while (!from.empty() && !stopping());
  if (total > 0 || asked_for_.count(mount.info.space) != 0)
    parts_.log.info("the due work of {} is done: {} ended", mount.info.path, total);
}

Result<DueSlice> DueWork::slice(const Mount& mount, const std::string& from) {
  const WallTime now = parts_.clock.now();
  commit::Changes changes;
  changes.background = true;
  std::optional<DueSlice> done;
  {
    VAULT_TRY_ASSIGN(auto held, parts_.snapshots.take());
    WriteTxn txn(*held, parts_.barrier, mount.info.space, changes);
    VAULT_TRY_ASSIGN(done, mount.kind->engine->due(txn, from, now));
  }
  if (!changes.changes_something()) return *std::move(done);
  const commit::Batch batch(std::move(changes), due_event(mount, done->done, now));
  VAULT_TRY(parts_.committer.commit(batch).status());
  return *std::move(done);
}

}  // namespace leasehold::core
