#pragma once
// The lane of one target: its own threads, its own connections, its own breaker, so that a database
// that is down holds up nothing but its own work. One of its connections is no job's and one no
// revocation's; more are opened on demand up to the target's limit. Idle ones are closed but for
// the last: where an account takes every session that the server gives, that one still ends it.
//
// A job is a function on a Connection. `issue` jobs wait at most 10 s for a connection and are
// refused at once while the breaker is open. `revoke` jobs are drawn from a source (the due queue),
// oldest first: after an outage one probe, then doubling up to a rate cap. Waiting for a connection
// is never an attempt. A thread hung in its driver is left behind at shutdown, never waited for
// without bound. Thread safety: every method from any thread.

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "vault/base/log.h"
#include "vault/base/loop.h"
#include "vault/target/target.h"

namespace leasehold::target {

// Shared by the lane and whoever waits: a job may outlive its waiter, whose deadline passed, so its
// functions own all they need.
struct Job {
  // Runs on a lane thread. `connection` is healthy when handed over.
  std::function<Status(Connection&, Instant deadline)> work;
  // Runs on the lane thread afterwards, exactly once: with the result of work(), or with why it
  // never ran. `started` says whether work() began: an error with started == false means nothing
  // happened.
  std::function<void(Status, bool started)> done;
  Instant deadline;
  bool renews = false;  // the account itself may make it slow (lane_queue.h)
};
using Jobs = std::vector<std::shared_ptr<Job>>;

struct LaneStatus {
  bool breaker_open = false;
  std::string last_error;      // for operators; no secret
  std::uint64_t failures = 0;  // in a row
  WallTime last_success;
  bool ends_only = false;  // Connection::ends_only: jobs are refused, revocations are tried
  Instant retry_at;        // while the breaker is open, or revocations alone are tried
};

// Where revocations come from. next() is called on a lane thread, done() after each attempt. An
// item that failed is the source's to hold back: the lane asks for others at once.
// Code::unavailable says that the target was lost before this item was tried; any other error is
// about the item.
class RevocationSource {
 public:
  virtual ~RevocationSource() = default;
  struct Item {
    std::string id;  // the source's own
    RevokeOrder order;
  };
  // Up to `limit` due items that are not in work, oldest first.
  virtual std::vector<Item> next(std::size_t limit) = 0;
  virtual void done(const Item& item, const Result<Revoked>& result) = 0;
  // Called with every new connection, for what it says it leads to (Connection::identity). An
  // error: not to the server that the accounts of this target are on, and it is not used.
  virtual Status met(const Connection& connection) {
    static_cast<void>(connection);
    return {};
  }
  // Called with every new connection that is used. `after_failure`: the attempt before was refused,
  // or found nobody.
  virtual void connected(Connection& connection, bool after_failure) {
    static_cast<void>(connection), static_cast<void>(after_failure);
  }
  // Called when a new connection got in with the next password of a rotation.
  virtual void rotated(Connection& connection) { static_cast<void>(connection); }
  // Called with a connection before the first job of a process, or after an outage: the sessions of
  // earlier processes have ended.
  virtual void reached(Connection& connection) { static_cast<void>(connection); }
};

class Lane {
 public:
  // Other incarnations' sessions are ended before the first job, and after new settings.
  Lane(std::string name, std::unique_ptr<Target> target, Tag tag, RevocationSource& revocations,
       Clock& clock, LogSink& log);
  ~Lane();
  Lane(const Lane&) = delete;
  Lane& operator=(const Lane&) = delete;

  // Code::unavailable at once when the breaker is open or stopping, Code::busy when the queue (256,
  // half of it of renewals) is full.
  Status submit(std::shared_ptr<Job> job);
  void wake_revocations();  // something fell due
  // A changed configuration: new connections use it, old ones are closed when idle.
  void replace(std::unique_ptr<Target> target);
  LaneStatus status() const;
  // Shared, because new settings may replace it at any moment.
  std::shared_ptr<const Target> target() const;
  // Bounded: threads that do not end within `limit` are left behind and own what they use (all but
  // the clock). Their jobs end here, with Code::deadline; they call nobody afterwards.
  void stop(Nanos limit);

  struct State;  // what the lane's threads share

 private:
  // Shared with the threads: one that hangs in its driver outlives the lane.
  std::shared_ptr<State> state_;
};

}  // namespace leasehold::target
