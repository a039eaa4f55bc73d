#pragma once
// What the threads of a lane share and decide under one mutex; lane_worker.cpp is what they do
// without it. Threads are detached and own the state, so a lane can leave a hung one behind. What
// they borrow (the source, the log) is used only through enter() and leave(), which stop() closes.
// Its three clocks (status.retry_at, revoke_after, ask_source_at) and its pace: the table "Who
// slows whom at a target" in docs/architecture.md.

#include <limits>
#include <optional>

#include "vault/base/mutex.h"
#include "vault/target/lane.h"
#include "vault/target/lane_pace.h"
#include "vault/target/lane_queue.h"

namespace leasehold::target {

inline constexpr Nanos kQueueWait = std::chrono::seconds(10);
inline constexpr Nanos kConnectLimit = std::chrono::seconds(5);
inline constexpr Nanos kProbeLimit = std::chrono::seconds(15);  // connecting and fencing
inline constexpr Nanos kPingLimit = std::chrono::seconds(2);
inline constexpr Nanos kRevokeLimit = std::chrono::seconds(20);
inline constexpr Nanos kPingAfter = std::chrono::seconds(5);  // of idleness
inline constexpr Nanos kIdleLimit = std::chrono::minutes(5);
inline constexpr Nanos kBackoffMin = std::chrono::seconds(1);
inline constexpr Nanos kBackoffMax = std::chrono::seconds(30);
inline constexpr std::size_t kRevokeBatch = 16;

inline constexpr Instant kNever{std::numeric_limits<std::int64_t>::max()};

struct Task {
  enum class Kind : std::uint8_t { quit, probe, issue, revoke, disconnect };
  Kind kind = Kind::quit;
  std::shared_ptr<Job> job;
  std::size_t count = 0;               // of revoke
  std::uint64_t probe = 0;             // its number
  std::shared_ptr<Target> target;      // to connect to
  std::uint64_t settings_version = 0;  // of `target`
  std::uint64_t outages = 0;           // so far
};

// One thread's own connection.
struct Link {
  std::unique_ptr<Connection> connection;
  std::uint64_t settings_version = 0;
  std::uint64_t outages = 0;  // when the connection was last known to answer
  Instant opened, used;
};

struct Lane::State : std::enable_shared_from_this<Lane::State> {
  State(std::string n, std::shared_ptr<Target> first, Tag t, RevocationSource& s, Clock& c,
        LogSink& l)
      : name(std::move(n)),
        tag(std::move(t)),
        source(s),
        clock(c),
        log(l),
        target(std::move(first)),
        pace(c.instant()) {}

  // Asked by a thread that has nothing to do; waits until there is something.
  Task next_task(const Link& link);
  void finished(const Task& task);
  void probe_succeeded(const Task& task);
  // Opens the breaker: refuses what waits, and says so.
  void unreachable(const Task& task, const Error& why);
  // Told how an attempt to connect ended, it says whether the one before failed.
  bool connected_or_not(bool succeeded);
  // A new connection, and whether it is one that ends accounts only: then what waits is refused.
  void connected_to(const Task& task, const Status& ends_only);
  void revoked();
  // An item failed while its connection lives: others go on, the source is asked again soon.
  void revocation_failed();
  // The connection was lost over an item: the lane slows down.
  void lost_in_revocation();
  void ask_source_again();
  void succeeded();

  // Whether `job` is still to be told how it ended; then leave() must follow.
  bool claim(const std::shared_ptr<Job>& job);
  bool enter();  // false: the lane is closed, what it borrowed is gone
  void leave();
  void say(LogLevel level, const std::string& message);

  void start_threads() REQUIRES(mutex);
  void spawn(void (*body)(const std::shared_ptr<State>&)) REQUIRES(mutex);
  void keep();  // the keeper's loop
  Error refusal() REQUIRES(mutex);
  bool only_ends_now() REQUIRES(mutex) {
    return status.ends_only && clock.instant() < status.retry_at;
  }
  void open_breaker(const Error& why) REQUIRES(mutex);
  std::optional<Task> takeable(Instant now, const Link& link) REQUIRES(mutex);
  std::size_t takeable_count(Instant now) REQUIRES(mutex);
  Nanos until_next_event(Instant now) REQUIRES(mutex);
  void notice_retries(Instant now) REQUIRES(mutex);
  bool has_work() REQUIRES(mutex) { return !jobs.empty() || revocations_due; }
  std::size_t each_max() REQUIRES(mutex);  // of issuing, of revoking: one less than all

  enum class Health : std::uint8_t { unknown, healthy, open };

  const std::string name;
  const Tag tag;
  RevocationSource& source;
  Clock& clock;  // outlives every thread
  LogSink& log;

  Mutex mutex;
  Condition work;                                    // workers wait here
  Condition watch;                                   // the keeper and stop()
  std::shared_ptr<Target> target GUARDED_BY(mutex);  // an older one lives while a task has it
  std::uint64_t settings_version GUARDED_BY(mutex) = 1;
  std::uint64_t fenced GUARDED_BY(mutex) = 0;  // the one that was fenced
  LaneQueue jobs GUARDED_BY(mutex);
  Jobs running GUARDED_BY(mutex);
  bool revocations_due GUARDED_BY(mutex) = true;     // perhaps: what an earlier process left
  Instant ask_source_at GUARDED_BY(mutex) = kNever;  // an item that failed may be tried again
  Instant revoke_after GUARDED_BY(mutex);
  Nanos revoke_pause GUARDED_BY(mutex){0};
  RevocationPace pace GUARDED_BY(mutex);
  Health health GUARDED_BY(mutex) = Health::unknown;
  std::uint64_t outages GUARDED_BY(mutex) = 0;
  bool connect_failed GUARDED_BY(mutex) = false;  // the last attempt
  bool probing GUARDED_BY(mutex) = false;
  std::uint64_t probe GUARDED_BY(mutex) = 0;
  Instant probe_began GUARDED_BY(mutex);
  LaneStatus status GUARDED_BY(mutex);
  std::size_t workers GUARDED_BY(mutex) = 0, waiting GUARDED_BY(mutex) = 0,
                      revoking GUARDED_BY(mutex) = 0;
  LaneQueue::Running issuing GUARDED_BY(mutex);
  std::size_t connected GUARDED_BY(mutex) = 0;  // of those that wait: who has a connection
  bool keeper GUARDED_BY(mutex) = false;
  bool stopping GUARDED_BY(mutex) = false, closed GUARDED_BY(mutex) = false;
  std::size_t inside GUARDED_BY(mutex) = 0;  // threads using what is borrowed
};

// The life of one worker thread.
void run_lane_worker(const std::shared_ptr<Lane::State>& state);
void refuse(const Jobs& jobs, const Error& why);

}  // namespace leasehold::target
