// Revocation on PostgreSQL. DROP ROLE neither ends sessions nor works while the role owns something
// or was granted something directly, in any database; VALID UNTIL stops new logins only. So:
// disable, end sessions, the operator's own statements, clean up where the catalog says there is
// something to clean, drop, look. Every step may be run again. The account is found by its oid: it
// may have another name by now, another role may have its name, and of a role that somebody dropped
// sessions may be left.

#include <fmt/core.h>

#include <algorithm>
#include <charconv>

#include "backends/target/postgresql_accounts.h"
#include "backends/target/statements.h"
#include "vault/base/encoding.h"
#include "vault/crypto/hash.h"

namespace leasehold::postgresql {
namespace {

constexpr std::string_view kUndefinedObject = "42704";

constexpr std::size_t kKeptMax = 58;     // of the account's name, so that "kept-" fits before it
constexpr std::size_t kDigestSize = 32;  // of its digest, where it does not fit

// CREATEROLE is not enough any more: who made a role, and whom it was granted to so, may change it.
constexpr int kCreatorsAdminister = 160000;

constexpr Millis kPatienceMin{20}, kPatienceMax{1000};

// While a session waits for a lock on a table, who comes later waits behind it, and so do the other
// accounts that this connection has to remove: so the first attempt waits for moments only.
Millis patience_after(unsigned failed_attempts) {
  return std::min(kPatienceMin * (1 << std::min(failed_attempts, 10U)), kPatienceMax);
}

std::uint32_t count_of(const std::string& text) {
  std::uint32_t count = 0;
  std::from_chars(text.data(), text.data() + text.size(), count);
  return count;
}

// A server that was put back from a copy gives the oids it gave before to other roles. So one of
// another name is the account only if it bears the account's mark, too.
Error not_surely_it(const std::string& role, const std::string& account) {
  const std::string name = quote_identifier(printable(role));
  return failure(Code::denied,
                 "the role " + name +
                     " has the account's oid, but not its mark: the server was replaced or put "
                     "back from a copy, or somebody removed the mark. If it is the account under "
                     "another name, drop it, or say so with COMMENT ON ROLE " +
                     name + " IS '" + mark_of(account) +
                     "'; if it is not, forget the lease with revoke-force");
}

// The end of a name tells accounts apart, but for names of an operator's template that are long.
std::string keeper_of(const std::string& account) {
  if (account.size() <= kKeptMax) return "kept-" + account;
  const std::string digest = hex(crypto::sha256(as_bytes(account))).substr(0, kDigestSize);
  const std::size_t left = kKeptMax - kDigestSize - 1;
  return "kept-" + digest + "-" + account.substr(account.size() - left);
}

}  // namespace

Result<target::Revoked> Accounts::revoke(const target::RevokeOrder& order, Instant deadline) {
  lock_patience_ = patience_after(order.failed_attempts);
  auto revoked = closed_ ? revoke_beside(order, deadline) : revoke_again_if_lost(order, deadline);
  lock_patience_ = kLockPatience;
  return revoked;
}

Result<target::Revoked> Accounts::revoke_again_if_lost(const target::RevokeOrder& order,
                                                       Instant deadline) {
  VAULT_TRY(be_connected(deadline));
  Result<target::Revoked> revoked = revoke_now(order, deadline);
  if (!revoked.ok() && again(revoked.error().code, deadline)) {
    revoked = revoke_now(order, deadline);
    if (revoked.ok()) revoked->was_absent = false;  // the attempt that was lost may have removed it
  }
  // A lock that was not free, a session that does not end: the server is there, this account waits.
  if (revoked.is(Code::unavailable) && !manager_.session->broken())
    revoked.error().code = Code::deadline;
  return revoked;
}

std::string Accounts::oid_here(const std::string& handle) const {
  const std::size_t at = handle.find('@');
  return at != std::string::npos && handle.substr(at + 1) == manager_.server ? handle.substr(0, at)
                                                                             : std::string();
}

Result<std::vector<Accounts::Found>> Accounts::find(const target::RevokeOrder& order,
                                                    Instant deadline) {
  // A server that was made anew from a dump has other oids; one that was upgraded has the same.
  const std::string here = oid_here(order.handle),
                    oid = order.handle.substr(0, order.handle.find('@'));
  std::string which = "rolname = " + quote_literal(order.account);
  if (!oid.empty()) which += " OR oid = " + oid;
  VAULT_TRY_ASSIGN(const Rows rows,
                   run("SELECT oid, rolname, strpos(coalesce(pg_catalog.shobj_description(oid, "
                       "'pg_authid'), ''), " +
                           quote_literal(mark_of(order.account)) +
                           ") > 0, rolreplication FROM pg_catalog.pg_roles WHERE " + which,
                       deadline, 4));
  std::vector<Found> found;
  for (const Row& row : rows) {
    if (row[1] != order.account && (here.empty() || row[2] != "t"))
      return not_surely_it(row[1], order.account);
    found.push_back(
        {row[0], row[1], quote_identifier(row[1]), keeper_of(order.account), row[3] == "t"});
  }
  return found;
}

Result<target::Revoked> Accounts::revoke_now(const target::RevokeOrder& order, Instant deadline) {
  VAULT_TRY(end_abandoned(deadline));
  VAULT_TRY_ASSIGN(const auto found, find(order, deadline));
  const std::string oid = oid_here(order.handle);
  target::Revoked revoked;
  revoked.was_absent = true;
  for (const Found& account : found) {
    const bool is_it = oid.empty() || account.oid == oid;
    if (is_it) revoked.was_absent = false;
    if (is_it && account.name != order.account) revoked.renamed = printable(account.name);
    VAULT_TRY_ASSIGN(const std::uint32_t ended, remove(order, account, deadline));
    revoked.sessions_ended += ended;
  }
  // drop() has looked already for an account that was found as it was left.
  if (revoked.was_absent || found.size() > 1 || !revoked.renamed.empty()) {
    VAULT_TRY_ASSIGN(const std::uint32_t ended, see_nothing_left(order, deadline));
    revoked.sessions_ended += ended;
  }
  revoked.verified_at = server_->clock().now();
  revoked.standbys = standbys_;
  return revoked;
}

Result<std::uint32_t> Accounts::remove(const target::RevokeOrder& order, const Found& account,
                                       Instant deadline) {
  Status disabled = disable(account, deadline);
  VAULT_TRY_ASSIGN(std::uint32_t ended, end_sessions_of(account, deadline));
  if (!disabled.ok()) {
    // A role may change its own password: a session of it that did, and has not committed, holds
    // what disabling waits for. Now that the sessions are gone, whoever came since goes, too.
    if (disabled.is(Code::denied)) return disabled.error();
    disabled = disable(account, deadline);
    VAULT_TRY_ASSIGN(const std::uint32_t more, end_sessions_of(account, deadline));
    ended += more;
  }
  if (!disabled.ok()) return about_prepared(disabled.error(), account, deadline);
  const Status removed = remove_what_it_has(order, account, deadline);
  if (removed.ok()) return ended;
  if (!manager_.session->broken()) leave_groups(account, deadline);
  return removed.error();
}

// A prepared transaction outlives its session and keeps its locks; only its owner or a superuser
// may roll it back.
Error Accounts::about_prepared(const Error& why, const Found& account, Instant deadline) {
  const auto rows =
      run("SELECT quote_literal(gid), quote_ident(database) FROM pg_catalog.pg_prepared_xacts"
          " WHERE owner = " +
              quote_literal(account.name) + " ORDER BY prepared",
          deadline, 2);
  if (!rows.ok() || rows->empty()) return why;
  return with_advice(why,
                     "the account left a prepared transaction that holds the lock; let a "
                     "superuser run, in the database " +
                         printable((*rows)[0][1]) + ": ROLLBACK PREPARED " +
                         printable((*rows)[0][0]));
}

// A role that others dropped may still have sessions, which go on with all it could read.
Result<std::uint32_t> Accounts::see_nothing_left(const target::RevokeOrder& order,
                                                 Instant deadline) {
  std::uint32_t ended = 0;
  if (const std::string oid = oid_here(order.handle); !oid.empty()) {
    VAULT_TRY_ASSIGN(ended, end_sessions_of({oid, {}, {}, {}, false}, deadline));
  }
  VAULT_TRY_ASSIGN(const Rows rows, run(std::string("SELECT ") + kStandbys, deadline, 1));
  if (!rows.empty()) standbys_ = count_of(rows.front().front());
  VAULT_TRY_ASSIGN(const auto found, find(order, deadline));
  if (found.empty()) return ended;
  return failure(Code::unavailable, "the account was dropped and is still there");
}

Status Accounts::remove_what_it_has(const target::RevokeOrder& order, const Found& account,
                                    Instant deadline) {
  Status custom;
  const bool renamed = account.name != order.account;
  if (!order.statements.empty() && !renamed) {
    if (!stays_quoted(order.account))
      return failure(Code::denied, "the account's name cannot be put in revocation statements");
    const auto rows = run_operators(order.statements, {order.account, {}, {}}, deadline);
    // They may fail because what they drop is gone already; what counts is what is left afterwards.
    if (!rows.ok()) custom = rows.error();
    if (rows.is(Code::deadline)) return custom;
  }
  Status done = drop_owned(account, deadline);
  if (done.ok()) done = drop(account, deadline);
  if (done.ok() || custom.ok()) return done;
  return with_advice(done.error(),
                     "the revocation statements failed as well: " + custom.error().message);
}

Status Accounts::disable(const Found& account, Instant deadline) {
  // One that may have to stay for long is left with nothing to log in with.
  const std::string also = closed_ ? " PASSWORD NULL VALID UNTIL 'epoch'" : "";
  const auto rows = run("ALTER ROLE " + account.quoted + " NOLOGIN" + also, deadline);
  if (rows.ok() || manager_.session->last_state() == kUndefinedObject) return {};
  if (manager_.session->last_state() != kInsufficientPrivilege) return rows.error();
  const std::string manager = quote_identifier(manager_.user);
  std::string grant = "grant it with: ALTER ROLE " + manager + " CREATEROLE";
  if (manager_.session->server_version() >= kCreatorsAdminister)
    grant += "; GRANT " + account.quoted + " TO " + manager + " WITH ADMIN OPTION";
  return with_advice(rows.error(), grant);
}

Status Accounts::drop(const Found& account, Instant deadline) {
  // Committed before the look, so that what is seen is what everybody sees.
  const auto rows =
      run(fmt::format(
              "BEGIN; DROP ROLE IF EXISTS {}; COMMIT;"
              "SELECT (SELECT count(*) FROM pg_catalog.pg_roles WHERE oid = {} OR rolname = {}),"
              " (SELECT count(*) FROM pg_catalog.pg_stat_activity WHERE usesysid = {}), {}",
              account.quoted, account.oid, quote_literal(account.name), account.oid, kStandbys),
          deadline, 3);
  if (!rows.ok()) {
    if (code_of_state(manager_.session->last_state()) != Code::denied)
      return about_lock(manager_, account, rows.error(), deadline);
    return with_advice(rows.error(),
                       "make " + quote_identifier(manager_.user) +
                           " a member of the owner of these objects, or let a superuser run DROP "
                           "OWNED BY " +
                           account.quoted + " in these databases");
  }
  if (rows->empty()) return not_postgresql();
  const Row& left = rows->front();
  standbys_ = count_of(left[2]);
  if (left[0] != "0")
    return failure(Code::unavailable, "the account was dropped and is still there");
  // Somebody who was logging in while login was taken away.
  if (left[1] != "0") VAULT_TRY(end_sessions("usesysid = " + account.oid, deadline));
  return {};
}

}  // namespace leasehold::postgresql
