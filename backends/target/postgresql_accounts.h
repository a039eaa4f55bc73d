#pragma once
// Accounts of a PostgreSQL server through one managing session. Revocation, the longest procedure,
// is in postgresql_revoke.cpp, in postgresql_password.cpp what a new password needs, in
// postgresql_sessions.cpp how sessions end, and in postgresql_left_behind.cpp what becomes of an
// account's objects, in postgresql_hand_over.cpp and postgresql_take_back.cpp the parts of that, in
// postgresql_beside.cpp what is done when the database does not let the manager in.
// Thread safety: none.

#include <optional>
#include <set>

#include "backends/target/postgresql_server.h"
#include "backends/target/statements.h"

namespace leasehold::postgresql {

// Objects that one transaction touches, so that it ends in time whatever an account made.
inline constexpr unsigned kPart = 500;

// How many standbys the server has: streaming to anybody whom no logical slot belongs to, or kept
// for one that is away. A scalar expression.
inline constexpr const char* kStandbys =
    "((SELECT count(*) FROM pg_catalog.pg_stat_replication r WHERE r.pid NOT IN (SELECT"
    " s.active_pid FROM pg_catalog.pg_replication_slots s WHERE s.slot_type = 'logical'"
    "  AND s.active_pid IS NOT NULL))"
    " + (SELECT count(*) FROM pg_catalog.pg_replication_slots s WHERE s.slot_type = 'physical'"
    "  AND NOT s.active))";

// What stands in the comment of a role that was made as `account`, whatever it is called by now.
inline std::string mark_of(std::string_view account) {
  return "[leasehold " + std::string(account) + "]";
}

// A name that somebody chose, for a log.
inline std::string printable(std::string name) {
  for (char& c : name)
    if (c < ' ' || c > '~') c = '?';
  return name;
}

class Accounts final : public target::Connection {
 public:
  // The database that the manager was to be in, and is beside.
  struct Closed {
    std::string database;
    Error why;
  };
  Accounts(std::shared_ptr<Server> server, target::Tag tag, Server::Opened opened,
           std::optional<Closed> closed = std::nullopt)
      : server_(std::move(server)),
        tag_(std::move(tag)),
        manager_(std::move(opened)),
        closed_(std::move(closed)) {}

  // "<system identifier>/<database>".
  std::string started() const override { return manager_.started; }
  std::string identity() const override {
    return manager_.server + "/" + (closed_ ? closed_->database : manager_.database);
  }
  Status ends_only() const override { return closed_ ? Status(closed_->why) : Status(); }
  bool took_next_password() const override { return manager_.with_next; }
  bool got_in_with(const SecretBytes& next) const override {
    return manager_.with_next && next == server_->settings().next_password;
  }
  // The handle is "<oid>@<system identifier>".
  Result<std::string> create(const target::CreateOrder& order, Instant deadline) override;
  Status renew(const target::RenewOrder& order, Instant deadline) override;
  Result<target::Revoked> revoke(const target::RevokeOrder& order, Instant deadline) override;
  Status end_other_incarnations(Instant deadline) override;
  Result<std::vector<std::string>> list(const std::string& prefix, Instant deadline) override;
  Status set_password(const std::string& account, const SecretBytes& password,
                      const std::vector<std::string>& statements, Instant deadline) override;
  Status try_login(const std::string& account, const SecretBytes& password,
                   Instant deadline) override {
    return server_->try_login(account, password, deadline, manager_);
  }
  std::vector<std::string> advice_on(const target::CreateOrder& order, Instant deadline) override;
  std::vector<std::string> advice(Instant deadline) override;
  Status ping(Instant deadline) override;
  bool usable() const override {
    return !manager_.session->broken() && !manager_.session->has_ended();
  }

 private:
  struct Around {  // statements of ours, in the same transaction
    std::string first, last;
  };
  struct Found {  // an account as revocation finds it
    std::string oid;
    std::string name;  // that it has now
    std::string quoted;
    std::string keeper;  // the role that is to own what the account leaves behind
    bool replicates = false;
  };

  struct Has {                                      // what an account has in one database
    bool owns = false;                              // there, or anywhere
    bool many_owned = false, many_granted = false;  // more than one transaction is to touch
  };
  struct Lent {                 // to the keeper, for one transaction
    std::string before, after;  // statements
    std::string missing;        // a right that could not be lent, and is not one on a schema
  };

  // `columns`: how many every row must have, for who looks into them.
  Result<Rows> run(const std::string& sql, Instant deadline, std::size_t columns = 0) {
    return run_in(manager_, sql, deadline, columns);
  }
  Result<Rows> run_in(Server::Opened& where, const std::string& sql, Instant deadline,
                      std::size_t columns = 0) {
    make_as_new(where, deadline);
    VAULT_TRY(be_patient(where, deadline));
    return ask(where, sql, deadline, columns);
  }
  // The session waits for locks as long as the present call wants to.
  Status be_patient(Server::Opened& where, Instant deadline);
  Result<Rows> ask(Server::Opened& where, const std::string& sql, Instant deadline,
                   std::size_t columns);
  Result<Rows> run_with_password(const std::vector<std::string>& statements,
                                 const std::string& account, const SecretBytes& password,
                                 std::string_view expiration, Instant deadline,
                                 const Around& around = {});
  // What an operator wrote, between statements of ours. What it leaves in the session is there for
  // the same statements only.
  Result<Rows> run_operators(const std::vector<std::string>& statements,
                             const Substitutions& values, Instant deadline,
                             const Around& around = {});
  // A new session in the place of one that the server has ended.
  Status be_connected(Instant deadline);
  // Whether what failed is tried once more, in a new session: it was lost, and to do it twice does
  // no harm.
  bool again(Code code, Instant deadline) {
    return code == Code::deadline && manager_.session->lost_it() && be_connected(deadline).ok();
  }
  Status renew_now(const target::RenewOrder& order, Instant deadline);
  Status change_password(const std::string& account, const SecretBytes& password,
                         const std::vector<std::string>& statements, Instant deadline);
  // The manager's own is again the one that this session logged in with; what to say of it.
  Error put_back_password(const Error& why, const std::vector<std::string>& statements,
                          Instant deadline);
  static void make_as_new(Server::Opened& where, Instant deadline);
  Error after_failed_create(const target::CreateOrder& order, const Error& why, Instant deadline);
  std::string expiration(WallTime not_after) const;
  Result<std::string> oid_of(std::string_view account, Instant deadline);
  // What is there by the handle or by the name: a renamed account and another of its old name are
  // two.
  Result<std::vector<Found>> find(const target::RevokeOrder& order, Instant deadline);
  // The oid in a handle of this very server; empty otherwise.
  std::string oid_here(const std::string& handle) const;
  // Ends the sessions that `which` (a condition on pg_stat_activity) selects, until none is left.
  Result<std::uint32_t> end_sessions(const std::string& which, Instant deadline);
  // The account's, also those that have not shown themselves yet; login was taken away before.
  Result<std::uint32_t> end_sessions_of(const Found& account, Instant deadline);
  Result<std::uint32_t> end_all_of(const Found& account, Instant deadline);
  Status end_starting(const Found& account, std::set<std::string>& pids, Instant deadline);
  Status end_abandoned(Instant deadline);

  Result<target::Revoked> revoke_again_if_lost(const target::RevokeOrder& order, Instant deadline);
  Result<target::Revoked> revoke_beside(target::RevokeOrder order, Instant deadline);
  Result<target::Revoked> revoke_now(const target::RevokeOrder& order, Instant deadline);
  Status disable(const Found& account, Instant deadline);
  Error about_prepared(const Error& why, const Found& account, Instant deadline);

  std::string advice_on_left_behind(const target::CreateOrder& order, Instant deadline);
  // Names the object that keeps a grant on all of a schema from working, and how it is given away.
  Error about_kept(const Error& why, const std::vector<std::string>& statements, Instant deadline);

  Status drop_owned(const Found& account, Instant deadline);
  void leave_groups(const Found& account, Instant deadline);
  Status become_member(const Found& account, Instant deadline);
  Status make_keeper(const Found& account, Instant deadline);
  Status drop_owned_in(const Found& account, const std::string& database, const Has& has,
                       Instant deadline);
  Status clean_up(Server::Opened& where, const Found& account, const Has& has, Instant deadline);
  Error about_clean_up(const Server::Opened& where, const Found& account, const Error& why,
                       const Lent& lent) const;
  Result<Lent> lend(Server::Opened& where, const Found& account, Instant deadline);
  Status hand_over_parts(Server::Opened& where, const Found& account, const Lent& lent,
                         Instant deadline);
  Result<bool> hand_over_part(Server::Opened& where, const Found& account, const Lent& lent,
                              Instant deadline);
  Result<bool> hand_over_large_objects(Server::Opened& where, const Found& account,
                                       Instant deadline);
  // Whether rights are left that the account has from others: one column of one row.
  static std::string left_statement(const Found& account);
  Status take_back(Server::Opened& where, const Found& account, Instant deadline);
  Status take_back_parts(Server::Opened& where, const Found& account, Instant deadline);
  Error about_lock(Server::Opened& where, const Found& account, const Error& why, Instant deadline);
  Status drop(const Found& account, Instant deadline);
  Result<std::uint32_t> remove(const target::RevokeOrder& order, const Found& account,
                               Instant deadline);
  Status remove_what_it_has(const target::RevokeOrder& order, const Found& account,
                            Instant deadline);
  Result<std::uint32_t> see_nothing_left(const target::RevokeOrder& order, Instant deadline);

  const std::shared_ptr<Server> server_;
  const target::Tag tag_;
  Server::Opened manager_;
  const std::optional<Closed> closed_;
  Millis lock_patience_ = kLockPatience;
  std::uint32_t standbys_ = 0;  // at the last look whether an account is gone
};

}  // namespace leasehold::postgresql
