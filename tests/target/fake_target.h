#pragma once
// A target whose connections do what the test says: answer, refuse, lose the connection, hang.

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <utility>

#include "tests/support/fake_clock.h"
#include "tests/support/postgres.h"
#include "vault/target/lane.h"

namespace leasehold::testing {

// The machine behind all targets and connections of a test; outlives them all.
class FakeMachine {
 public:
  // What is done at "connect", "ping", "fence", "revoke", "work": how often, and how it ends.
  Status visit(const std::string& what) {
    std::unique_lock lock(mutex_);
    ++visits_[what];
    log_.push_back(what);
    ++inside_[what];
    changed_.notify_all();
    changed_.wait(lock, [&] { return hung_.count(what) == 0; });
    --inside_[what];
    changed_.notify_all();
    return fault_of(what);
  }
  // Of "whole": that new connections end accounts only.
  Status fault(const std::string& what) {
    std::unique_lock lock(mutex_);
    return fault_of(what);
  }
  void fail(const std::string& what, Code code) {
    with_lock([&] { faults_[what] = code; });
  }
  void heal(const std::string& what) {
    with_lock([&] { faults_.erase(what); });
  }
  void hang(const std::string& what) {
    with_lock([&] { hung_.insert(what); });
  }
  void release(const std::string& what) {
    with_lock([&] { hung_.erase(what); });
  }
  int visits(const std::string& what) {
    std::unique_lock lock(mutex_);
    return visits_[what];
  }
  int inside(const std::string& what) {
    std::unique_lock lock(mutex_);
    return inside_[what];
  }
  std::vector<std::string> log() {
    std::unique_lock lock(mutex_);
    return log_;
  }

 private:
  Status fault_of(const std::string& what) const {
    const auto fault = faults_.find(what);
    return fault == faults_.end() ? Status() : Status(failure(fault->second, "made to fail"));
  }
  template <class Change>
  void with_lock(Change change) {
    std::unique_lock lock(mutex_);
    change();
    changed_.notify_all();
  }
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, int> visits_, inside_;
  std::map<std::string, Code> faults_;
  std::set<std::string> hung_;
  std::vector<std::string> log_;
};

class FakeConnection final : public target::Connection {
 public:
  explicit FakeConnection(std::shared_ptr<FakeMachine> machine)
      : machine_(std::move(machine)), ends_only_(machine_->fault("whole")) {}
  Status ends_only() const override { return ends_only_; }
  Result<std::string> create(const target::CreateOrder&, Instant) override {
    VAULT_TRY(machine_->visit("create"));
    return std::string("handle");
  }
  Status renew(const target::RenewOrder&, Instant) override { return machine_->visit("renew"); }
  Result<target::Revoked> revoke(const target::RevokeOrder&, Instant) override {
    VAULT_TRY(machine_->visit("revoke"));
    return target::Revoked{};
  }
  Status end_other_incarnations(Instant) override { return machine_->visit("fence"); }
  Result<std::vector<std::string>> list(const std::string&, Instant) override {
    return std::vector<std::string>();
  }
  Status set_password(const std::string&, const SecretBytes&, const std::vector<std::string>&,
                      Instant) override {
    return {};
  }
  Status ping(Instant) override { return machine_->visit("ping"); }

 private:
  const std::shared_ptr<FakeMachine> machine_;
  const Status ends_only_;
};

class FakeTarget final : public target::Target {
 public:
  explicit FakeTarget(std::shared_ptr<FakeMachine> machine, Nanos lifetime = {})
      : machine_(std::move(machine)), lifetime_(lifetime) {}
  Result<std::unique_ptr<target::Connection>> connect(const target::Tag&, Instant) override {
    VAULT_TRY(machine_->visit("connect"));
    return std::unique_ptr<target::Connection>(std::make_unique<FakeConnection>(machine_));
  }
  std::string account_name(const target::Tag&, std::string_view, std::string_view) const override {
    return "account";
  }
  std::string_view kind() const override { return "fake"; }
  unsigned connections_max() const override { return 3; }
  Nanos connection_lifetime() const override { return lifetime_; }

 private:
  const std::shared_ptr<FakeMachine> machine_;
  const Nanos lifetime_;
};

// Revocations that are due, taken in order. What was not tried is due again; what failed is held
// back until the test says so.
class DueList final : public target::RevocationSource {
 public:
  void add(int count) {
    std::unique_lock lock(mutex_);
    for (int i = 0; i < count; ++i) due_.push_back(std::to_string(next_++));
  }
  std::vector<Item> next(std::size_t limit) override {
    std::unique_lock lock(mutex_);
    std::vector<Item> items;
    while (!due_.empty() && items.size() < limit) {
      items.push_back({due_.front(), {"account-" + due_.front(), {}, {}}});
      due_.erase(due_.begin());
    }
    return items;
  }
  void done(const Item& item, const Result<target::Revoked>& result) override {
    std::unique_lock lock(mutex_);
    if (result.ok())
      ++revoked_;
    else if (result.is(Code::unavailable))
      due_.push_back(item.id);
    else
      held_.push_back(item.id);
  }
  void connected(target::Connection&, bool after_failure) override {
    std::unique_lock lock(mutex_);
    if (after_failure) ++came_back_;
  }
  void reached(target::Connection&) override {
    std::unique_lock lock(mutex_);
    ++reached_;
  }
  int came_back() {
    std::unique_lock lock(mutex_);
    return came_back_;
  }
  int reached() {
    std::unique_lock lock(mutex_);
    return reached_;
  }
  void release_held() {
    std::unique_lock lock(mutex_);
    due_.insert(due_.end(), held_.begin(), held_.end());
    held_.clear();
  }
  int revoked() {
    std::unique_lock lock(mutex_);
    return revoked_;
  }
  // Tried and failed; and not taken, or given back untried.
  std::pair<std::size_t, std::size_t> held_and_due() {
    std::unique_lock lock(mutex_);
    return {held_.size(), due_.size()};
  }

 private:
  std::mutex mutex_;
  int came_back_ = 0, reached_ = 0;
  std::vector<std::string> due_, held_;
  int next_ = 0, revoked_ = 0;
};

// A job that visits "work" and remembers how it ended.
struct TestJob : target::Job {
  std::mutex mutex;
  int ends = 0;
  Status result;
  bool started = false;

  int ended() {
    std::unique_lock lock(mutex);
    return ends;
  }
};

// A renewal visits "renew" instead.
inline std::shared_ptr<TestJob> make_test_job(std::shared_ptr<FakeMachine> machine,
                                              Instant deadline, bool renews = false) {
  auto job = std::make_shared<TestJob>();
  job->deadline = deadline;
  job->renews = renews;
  job->work = [machine = std::move(machine), renews](target::Connection&, Instant) {
    return machine->visit(renews ? "renew" : "work");
  };
  TestJob* self = job.get();
  job->done = [self](Status status, bool started) {
    std::unique_lock lock(self->mutex);
    ++self->ends;
    self->result = std::move(status);
    self->started = started;
  };
  return job;
}

}  // namespace leasehold::testing
