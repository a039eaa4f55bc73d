#pragma once
// An engine for tests of the core: notes (a small key/value store with an existence check), a
// guarded counter, roles over AccountServers, and their credentials.
//
//   roles/:name    {target, ttl, max_ttl, renewable, revoked_by}
//   creds/:name    issues under a lease
//   tried/:name    the same as roles, after a probe       notes/:path*  read, write, list, delete
//   checked/:name  the same, after looking at the target
//   counters/:name adds one to a record that it read      open/:name    unauthenticated
//   slow           on a worker                            broken        fails with a detail

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>

#include "tests/support/fake_target.h"
#include "vault/core/contract/router.h"

namespace leasehold::testing {

// The machines behind the engine's targets, by name (at most 8 characters); outlives the vaults.
class AccountServers {
 public:
  explicit AccountServers(Clock& clock) : clock_(clock) {}
  // The server of this name, made when it is asked for first.
  std::shared_ptr<AccountServer> operator[](const std::string& name);
  void release_all();
  // Whether the settings of this server's targets can be opened; they can unless a test says so.
  void lose_settings(const std::string& name, bool lost);
  bool settings_lost(const std::string& name);
  int looks() const { return looks_; }  // for settings, so far
  // How often the handler of counters/ ran, conflicts included.
  int counted() const { return counted_; }
  void count() { ++counted_; }
  // What happens, once, while the handler of counters/ or slow runs: its snapshot is taken, nothing
  // of it is committed.
  void meanwhile(std::function<void()> then);
  void in_handler();
  // What happens, each time, while the vault looks over its mounts or opens a target's settings: in
  // between a snapshot that it took and what it does with it. When this returns, none runs any
  // more of what was set before.
  void between(std::function<void()> then);
  void in_between();
  // The same machine as in another world.
  void share(const std::string& name, std::shared_ptr<AccountServer> server);

 private:
  Clock& clock_;
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<AccountServer>> servers_;
  std::set<std::string> lost_;
  std::function<void()> meanwhile_;
  std::recursive_mutex between_mutex_;  // held while it runs; it may come to a settings again
  std::function<void()> between_;
  std::atomic<int> looks_{0}, counted_{0};
};

std::unique_ptr<core::EngineKind> make_test_engine_kind(AccountServers& servers);

}  // namespace leasehold::testing
