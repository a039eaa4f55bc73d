// Revocation on PostgreSQL. DROP ROLE neither ends sessions nor works while the role owns something
// or was granted something directly, in any database; VALID UNTIL stops new logins only. So:
// disable, end sessions, the operator's own statements, clean up where the catalog says there is
// something to clean, drop, look. Every step may be run again.

#include <fmt/format.h>

#include <algorithm>

#include "backends/target/postgresql_accounts.h"
#include "backends/target/statements.h"

namespace leasehold::postgresql {
namespace {

constexpr std::string_view kUndefinedObject = "42704";

constexpr std::size_t kKeptMax = 58;  // of the account's name, so that "kept-" fits before it

// The end of the name is what tells accounts apart.
std::string keeper_of(const std::string& account) {
  return "kept-" + account.substr(account.size() - std::min(account.size(), kKeptMax));
}

}  // namespace

Result<target::Revoked> Accounts::revoke(const target::RevokeOrder& order, Instant deadline) {
  Result<target::Revoked> revoked = revoke_now(order, deadline);
  // A lock that was not free, a session that does not end: the server is there, this account waits.
  if (revoked.is(Code::unavailable) && !manager_.session->broken())
    revoked.error().code = Code::deadline;
  return revoked;
}

Result<target::Revoked> Accounts::revoke_now(const target::RevokeOrder& order, Instant deadline) {
  VAULT_TRY(end_abandoned(deadline));
  target::Revoked revoked;
  VAULT_TRY_ASSIGN(const std::string oid, oid_of(order.account, deadline));
  revoked.was_absent = oid.empty();
  if (!oid.empty()) {
    const Found account{oid, quote_identifier(order.account), keeper_of(order.account)};
    VAULT_TRY(disable(account, deadline));
    VAULT_TRY_ASSIGN(revoked.sessions_ended, end_sessions_of(account, deadline));
    VAULT_TRY(see_absent(order, account, deadline));
  }
  revoked.verified_at = server_->clock().now();
  return revoked;
}

Status Accounts::see_absent(const target::RevokeOrder& order, const Found& account,
                            Instant deadline) {
  Status custom;
  if (!order.statements.empty()) {
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
  const auto rows = run("ALTER ROLE " + account.quoted + " NOLOGIN", deadline);
  if (rows.ok() || manager_.session->last_state() == kUndefinedObject) return {};
  if (manager_.session->last_state() != kInsufficientPrivilege) return rows.error();
  return with_advice(
      rows.error(), "grant it with: ALTER ROLE " + quote_identifier(manager_.user) + " CREATEROLE");
}

Result<std::uint32_t> Accounts::end_sessions_of(const Found& account, Instant deadline) {
  const std::string which = "usesysid = " + account.oid;
  auto ended = end_sessions(which, deadline);
  if (ended.ok() || manager_.session->last_state() != kInsufficientPrivilege) return ended;
  // A member of the role may end its sessions, too.
  if (become_member(account, deadline).ok()) ended = end_sessions(which, deadline);
  if (ended.ok()) return ended;
  return with_advice(ended.error(), "grant it with: GRANT pg_signal_backend TO " +
                                        quote_identifier(manager_.user));
}

Status Accounts::drop(const Found& account, Instant deadline) {
  // Committed before the look, so that what is seen is what everybody sees.
  const auto rows =
      run(fmt::format("BEGIN; DROP ROLE IF EXISTS {}; COMMIT;"
                      "SELECT (SELECT count(*) FROM pg_catalog.pg_roles WHERE oid = {}),"
                      " (SELECT count(*) FROM pg_catalog.pg_stat_activity WHERE usesysid = {})",
                      account.quoted, account.oid, account.oid),
          deadline, 2);
  if (!rows.ok()) {
    if (code_of_state(manager_.session->last_state()) != Code::denied) return rows.error();
    return with_advice(rows.error(),
                       "make " + quote_identifier(manager_.user) +
                           " a member of the owner of these objects, or let a superuser run DROP "
                           "OWNED BY " +
                           account.quoted + " in these databases");
  }
  if (rows->empty()) return not_postgresql();
  const Row& left = rows->front();
  if (left[0] != "0")
    return failure(Code::unavailable, "the account was dropped and is still there");
  // Somebody who was logging in while login was taken away.
  if (left[1] != "0") VAULT_TRY(end_sessions("usesysid = " + account.oid, deadline));
  return {};
}

}  // namespace leasehold::postgresql
