#include "tests/support/fake_target.h"

#include <algorithm>

namespace leasehold::testing {

void AccountServer::set(const std::string& step, Fault fault) {
  const Lock lock(mutex_);
  faults_[step] = fault;
}
void AccountServer::down(bool is_down) {
  const Lock lock(mutex_);
  down_ = is_down;
}
void AccountServer::keep(std::set<std::string> accounts) {
  const Lock lock(mutex_);
  kept_ = std::move(accounts);
}
void AccountServer::held_up_by(const std::string& account) {
  const Lock lock(mutex_);
  holder_ = account;
}
void AccountServer::hang(const std::string& step) {
  const Lock lock(mutex_);
  hung_.insert(step);
}
void AccountServer::release(const std::string& step) {
  const Lock lock(mutex_);
  hung_.erase(step);
  changed_.notify_all();
}
void AccountServer::release_all() {
  const Lock lock(mutex_);
  hung_.clear();
  changed_.notify_all();
}
void AccountServer::at(const std::string& step, std::function<void()> then) {
  const Lock lock(mutex_);
  callbacks_[step] = std::move(then);
}

std::set<std::string> AccountServer::accounts() const {
  const Lock lock(mutex_);
  std::set<std::string> names;
  for (const auto& [name, account] : accounts_) names.insert(name);
  return names;
}
WallTime AccountServer::end_of(const std::string& account) const {
  const Lock lock(mutex_);
  const auto found = accounts_.find(account);
  return found == accounts_.end() ? WallTime{} : found->second.end;
}
int AccountServer::visits(const std::string& step) const {
  const Lock lock(mutex_);
  const auto found = visits_.find(step);
  return found == visits_.end() ? 0 : found->second;
}
int AccountServer::inside(const std::string& step) const {
  const Lock lock(mutex_);
  const auto found = inside_.find(step);
  return found == inside_.end() ? 0 : found->second;
}
int AccountServer::created() const {
  const Lock lock(mutex_);
  return created_;
}

void AccountServer::rename(const std::string& from, const std::string& to) {
  const Lock lock(mutex_);
  const auto found = accounts_.find(from);
  VAULT_ASSERT(found != accounts_.end());
  const Account account = found->second;
  accounts_.erase(found);
  accounts_[to] = account;
}
void AccountServer::drop(const std::string& account) {
  const Lock lock(mutex_);
  accounts_.erase(account);
}
void AccountServer::add(const std::string& account) {
  const Lock lock(mutex_);
  accounts_[account] = {std::to_string(++created_), {}};
}

void AccountServer::be(const std::string& identity) {
  const Lock lock(mutex_);
  identity_ = identity;
  for (const auto& session : sessions_) *session.second = true;
  changed_.notify_all();
}

void AccountServer::restart() {
  const Lock lock(mutex_);
  ++starts_;
  for (const auto& session : sessions_) *session.second = true;
  changed_.notify_all();
}

// By the handle when there is one: the name may have become another's.
AccountServer::Accounts::iterator AccountServer::find(const target::RevokeOrder& order) {
  if (order.handle.empty()) return accounts_.find(order.account);
  return std::find_if(accounts_.begin(), accounts_.end(),
                      [&](const auto& one) { return one.second.handle == order.handle; });
}

AccountServer::Fault AccountServer::fault_of(const std::string& step) const {
  if (down_) return Fault::unreachable;
  const auto found = faults_.find(step);
  return found == faults_.end() ? Fault::none : found->second;
}

Status AccountServer::enter(Lock& lock, const std::string& step, const bool& ended) {
  ++visits_[step];
  ++inside_[step];
  if (const auto found = callbacks_.find(step); found != callbacks_.end()) {
    const auto then = found->second;
    lock.unlock();
    then();
    lock.lock();
  }
  changed_.wait(lock, [&] { return hung_.count(step) == 0 || ended; });
  --inside_[step];
  if (ended) return failure(Code::deadline, "the session was ended");
  switch (fault_of(step)) {
    case Fault::refuse:
      return failure(Code::denied, "permission denied");  // as the vault itself would say it
    case Fault::unreachable:
      return failure(Code::unavailable, "connection refused");
    case Fault::conflict:
      return failure(Code::conflict, "somebody else changed it");
    case Fault::busy:
      return failure(Code::deadline, "the account is in use", holder_);
    case Fault::lose_answer:
    case Fault::none:
      return {};
  }
  return {};
}

class AccountConnection final : public target::Connection {
 public:
  AccountConnection(std::shared_ptr<AccountServer> server, const target::Tag& tag)
      : server_(std::move(server)), incarnation_(tag.incarnation) {
    const Lock lock(server_->mutex_);
    server_->sessions_.emplace(incarnation_, &ended_);
    identity_ = server_->identity_;
    started_ = std::to_string(server_->starts_);
  }
  std::string identity() const override { return identity_; }
  std::string started() const override { return started_; }
  bool usable() const override {
    const Lock lock(server_->mutex_);
    return !ended_;
  }
  ~AccountConnection() override {
    const Lock lock(server_->mutex_);
    for (auto at = server_->sessions_.begin(); at != server_->sessions_.end(); ++at)
      if (at->second == &ended_) {
        server_->sessions_.erase(at);
        return;
      }
  }

  Result<std::string> create(const target::CreateOrder& order, Instant) override {
    std::string handle;
    VAULT_TRY(step("create", [&] {
      handle = std::to_string(++server_->created_);
      server_->accounts_[order.account] = {handle, order.not_after};
    }));
    return handle;
  }
  Status renew(const target::RenewOrder& order, Instant) override {
    VAULT_TRY(step("renew", [&] {
      const auto found = server_->accounts_.find(order.account);
      if (found != server_->accounts_.end()) found->second.end = order.not_after;
    }));
    return step("renewed", [] {});
  }
  Result<target::Revoked> revoke(const target::RevokeOrder& order, Instant) override {
    target::Revoked revoked;
    bool kept = false;
    VAULT_TRY(step("revoke", [&] {
      kept = server_->kept_.count(order.account) > 0;
      if (kept) return;
      const auto found = server_->find(order);
      revoked.was_absent = found == server_->accounts_.end();
      if (revoked.was_absent) return;
      if (found->first != order.account) revoked.renamed = found->first;
      server_->accounts_.erase(found);
    }));
    VAULT_TRY(step("look", [&] { revoked.verified_at = server_->clock_.now(); }));
    if (kept) return failure(Code::denied, "the account is needed by others");
    return revoked;
  }
  Status end_other_incarnations(Instant) override {
    return step("fence", [&] {
      for (const auto& session : server_->sessions_)
        if (session.first != incarnation_) *session.second = true;
      server_->changed_.notify_all();
    });
  }
  Result<std::vector<std::string>> list(const std::string& prefix, Instant) override {
    std::vector<std::string> names;
    VAULT_TRY(step("list", [&] {
      for (const auto& account : server_->accounts_)
        if (account.first.starts_with(prefix)) names.push_back(account.first);
    }));
    return names;
  }
  Status set_password(const std::string&, const SecretBytes&, const std::vector<std::string>&,
                      Instant) override {
    return {};
  }
  Status ping(Instant) override {
    return step("ping", [] {});
  }

 private:
  using Lock = AccountServer::Lock;
  template <class Work>
  Status step(const std::string& name, Work work) {
    Lock lock(server_->mutex_);
    VAULT_TRY(server_->enter(lock, name, ended_));
    work();
    if (server_->fault_of(name) == AccountServer::Fault::lose_answer)
      return failure(Code::deadline, "no answer in time");
    return {};
  }

  const std::shared_ptr<AccountServer> server_;
  const std::string incarnation_;
  std::string identity_, started_;
  bool ended_ = false;
};

class AccountTarget final : public target::Target {
 public:
  explicit AccountTarget(std::shared_ptr<AccountServer> server) : server_(std::move(server)) {}

  Result<std::unique_ptr<target::Connection>> connect(const target::Tag& tag, Instant) override {
    const bool never = false;
    AccountServer::Lock lock(server_->mutex_);
    VAULT_TRY(server_->enter(lock, "connect", never));
    lock.unlock();
    return std::unique_ptr<target::Connection>(std::make_unique<AccountConnection>(server_, tag));
  }
  std::string account_name(const target::Tag& tag, std::string_view role,
                           std::string_view id) const override {
    return target::account_prefix(tag) + std::string(role.substr(0, 8)) + "-" + std::string(id);
  }
  std::string_view kind() const override { return "accounts"; }
  unsigned connections_max() const override { return 4; }

 private:
  const std::shared_ptr<AccountServer> server_;
};

std::unique_ptr<target::Target> make_account_target(std::shared_ptr<AccountServer> server) {
  return std::make_unique<AccountTarget>(std::move(server));
}

}  // namespace leasehold::testing
