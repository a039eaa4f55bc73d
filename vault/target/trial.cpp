#include "vault/target/trial.h"

#include <system_error>

#include "vault/base/mutex.h"
#include "vault/target/own_threads.h"

namespace leasehold::target {

namespace {

constexpr Nanos kLookEvery = std::chrono::milliseconds(100);
constexpr Nanos kGrace = std::chrono::seconds(1);  // the target says itself that time is over

// Shared with the thread, which may go on when nobody waits any more.
struct Trial {
  Trial(std::unique_ptr<Target> to_try, Tag as, Instant until)
      : candidate(std::move(to_try)), tag(std::move(as)), deadline(until) {}
  const std::unique_ptr<Target> candidate;
  const Tag tag;
  const Instant deadline;
  Mutex mutex;
  Condition changed;
  bool ended GUARDED_BY(mutex) = false;
  Tried tried GUARDED_BY(mutex);
};

Tried look_at(Trial& trial) {
  auto connection = trial.candidate->connect(trial.tag, trial.deadline);
  if (!connection.ok()) return {connection.error(), {}, {}};
  if (Status only = (*connection)->ends_only(); !only.ok()) return {std::move(only), {}, {}};
  Status answers = (*connection)->ping(trial.deadline);
  if (!answers.ok()) return {std::move(answers), {}, {}};
  return {{}, (*connection)->identity(), (*connection)->advice(trial.deadline)};
}

void run(Trial& trial) {
  Tried tried = look_at(trial);
  MutexLock lock(trial.mutex);
  trial.tried = std::move(tried);
  trial.ended = true;
  trial.changed.notify_all();
}

}  // namespace

Tried try_target(std::unique_ptr<Target> candidate, const Tag& tag, Clock& clock, Instant deadline,
                 FunctionRef<bool()> given_up) {
  const auto trial = std::make_shared<Trial>(std::move(candidate), tag, deadline);
  try {
    run_on_own_thread([trial] { run(*trial); });
  } catch (const std::system_error&) {
    return {failure(Code::unavailable, "there is no thread for a connection"), {}, {}};
  }
  MutexLock lock(trial->mutex);
  while (!trial->ended) {
    if (given_up()) return {failure(Code::unavailable, "nobody waits for it any more"), {}, {}};
    if (clock.instant() >= add(deadline, kGrace))
      return {failure(Code::deadline, "the server did not answer in time"), {}, {}};
    trial->changed.wait_for(trial->mutex, kLookEvery);
  }
  return std::move(trial->tried);
}

}  // namespace leasehold::target
