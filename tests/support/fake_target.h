#pragma once
// A machine that holds accounts, in memory, and does what the test says: refuses, is not reachable,
// hangs, or does the work and loses the answer. Its sessions are tagged, so a later incarnation can
// end what an earlier one left running. One server may stand behind several vaults.
//
//   auto server = std::make_shared<AccountServer>(clock);
//   server->set("create", AccountServer::Fault::lose_answer);
//   server->accounts();                       // what exists there now
//
// Steps: "connect", "ping", "create", "renew", "revoke", "look", "renewed", "list", "fence".
// Accounts have handles, which are numbers. Thread-safe.

#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>

#include "vault/target/target.h"

namespace leasehold::testing {

class AccountServer {
 public:
  enum class Fault { none, refuse, unreachable, lose_answer, conflict, busy };

  explicit AccountServer(Clock& clock) : clock_(clock) {}

  void set(const std::string& step, Fault fault);
  void down(bool is_down);                    // not reachable by any step
  void keep(std::set<std::string> accounts);  // refuses to revoke these
  // The account that is named as the one by which others are busy.
  void held_up_by(const std::string& account);
  void hang(const std::string& step);
  void release(const std::string& step);
  void release_all();
  // What is called inside a step, before it does anything. Runs on the lane's thread.
  void at(const std::string& step, std::function<void()> then);

  // What a DBA, or an account with many rights, does behind the vault's back.
  void rename(const std::string& from, const std::string& to);
  void drop(const std::string& account);
  void add(const std::string& account);
  // From now on another machine answers at this address; sessions with the one before end.
  void be(const std::string& identity);
  // The same machine, started anew.
  void restart();

  std::set<std::string> accounts() const;
  WallTime end_of(const std::string& account) const;  // as CREATE or RENEW set it; 0 when absent
  int visits(const std::string& step) const;
  int inside(const std::string& step) const;
  // Accounts ever created, and the most that existed at one time.
  int created() const;

 private:
  friend class AccountConnection;
  friend class AccountTarget;
  using Lock = std::unique_lock<std::mutex>;
  struct Account {
    std::string handle;
    WallTime end;
  };
  using Accounts = std::map<std::string, Account>;
  Accounts::iterator find(const target::RevokeOrder& order);
  // Waits while the step hangs; `ended` is set when a fence ends the session meanwhile.
  Status enter(Lock& lock, const std::string& step, const bool& ended);
  Fault fault_of(const std::string& step) const;

  Clock& clock_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, Fault> faults_;
  std::map<std::string, std::function<void()>> callbacks_;
  std::set<std::string> hung_, kept_;
  std::map<std::string, int> visits_, inside_;
  Accounts accounts_;                           // by name
  std::multimap<std::string, bool*> sessions_;  // by incarnation
  std::string identity_ = "first", holder_;
  int starts_ = 1;
  bool down_ = false;
  int created_ = 0;
};

std::unique_ptr<target::Target> make_account_target(std::shared_ptr<AccountServer> server);

}  // namespace leasehold::testing
