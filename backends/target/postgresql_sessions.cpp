// Ending sessions (docs/decisions/136). A back end shows itself in pg_stat_activity once it has
// started; between the check that its role may log in and that moment it may sleep for as long as
// its client asked for (post_auth_delay), and then go on as a session of a role that may not log in
// any more. What it does have by then is a lock on its database; whose it is cannot be seen.

#include <algorithm>
#include <set>

#include "backends/target/postgresql_accounts.h"

namespace leasehold::postgresql {
namespace {

// A back end needs moments to start. One that takes longer is ended, whosever it is.
constexpr Nanos kStartsWithin = std::chrono::milliseconds(500);
constexpr std::string_view kLockNotAvailable = "55P03";
constexpr const char* kPause = "SELECT pg_catalog.pg_sleep(0.02)";

std::string terminate(const std::string& pid) {
  return "pg_catalog.pg_terminate_backend(" + pid + ")";
}

// The sessions first, and the locks behind them: who shows itself in between is in both. A physical
// replication connection has no database. The server's own processes have no role, and show what
// they are: a vacuum that takes long is none that starts.
std::string sessions_and_starting(const std::string& oid, bool replicates) {
  const std::string what = replicates ? "l.locktype IN ('object', 'virtualxid')"
                                      : "l.locktype = 'object' AND l.classid = "
                                        "'pg_catalog.pg_database'::pg_catalog.regclass";
  return "SELECT pid, false, " + terminate("pid") +
         " FROM pg_catalog.pg_stat_activity WHERE pid <> pg_catalog.pg_backend_pid()"
         " AND usesysid = " +
         oid + " UNION ALL SELECT l.pid, true, false FROM pg_catalog.pg_locks l WHERE " + what +
         " AND l.pid NOT IN (SELECT a.pid FROM pg_catalog.pg_stat_activity a WHERE a.usesysid IS "
         "NOT NULL OR a.backend_type NOT IN ('client backend', 'walsender'))";
}

struct Look {
  std::set<std::string> sessions, starting;  // pids
};

Look look_of(const Rows& rows) {
  Look look;
  for (const Row& row : rows) (row[1] == "t" ? look.starting : look.sessions).insert(row[0]);
  return look;
}

void keep_common(std::set<std::string>& kept, const std::set<std::string>& with) {
  for (auto one = kept.begin(); one != kept.end();)
    one = with.count(*one) != 0 ? std::next(one) : kept.erase(one);
}

Error not_ended() {
  return failure(Code::unavailable, "sessions were told to end and have not ended yet");
}

}  // namespace

Result<std::uint32_t> Accounts::end_sessions(const std::string& which, Instant deadline) {
  const std::string sql = "SELECT " + terminate("pid") +
                          " FROM pg_catalog.pg_stat_activity WHERE pid <> "
                          "pg_catalog.pg_backend_pid() AND " +
                          which;
  std::size_t most = 0;
  while (true) {
    VAULT_TRY_ASSIGN(const Rows rows, run(sql, deadline));
    if (rows.empty()) return static_cast<std::uint32_t>(most);
    most = std::max(most, rows.size());
    if (server_->clock().instant() >= deadline) return not_ended();
    VAULT_TRY(run(kPause, deadline));
  }
}

// Of what is starting, only what was there at the first look counts: who comes later is refused.
Result<std::uint32_t> Accounts::end_all_of(const Found& account, Instant deadline) {
  const std::string sql = sessions_and_starting(account.oid, account.replicates);
  const Instant patience = add(server_->clock().instant(), kStartsWithin);
  std::set<std::string> starting;
  std::size_t most = 0;
  for (bool first = true, started = false;; first = false) {
    VAULT_TRY_ASSIGN(const Rows rows, run(sql, deadline, 2));
    Look look = look_of(rows);
    if (first)
      starting = std::move(look.starting);
    else
      keep_common(starting, look.starting);
    most = std::max(most, look.sessions.size());
    // One that has started between the two parts of a look is in the next one.
    if (look.sessions.empty() && starting.empty() && (first || started))
      return static_cast<std::uint32_t>(most);
    started = starting.empty();
    const Instant now = server_->clock().instant();
    if (now >= deadline) return not_ended();
    if (now >= patience) VAULT_TRY(end_starting(account, starting, deadline));
    VAULT_TRY(run(kPause, deadline));
  }
}

// One by one: a superuser's is refused to others, and is not the account's. What may not be ended
// is not waited for, unless it may be the account's.
Status Accounts::end_starting(const Found& account, std::set<std::string>& pids, Instant deadline) {
  for (auto pid = pids.begin(); pid != pids.end();) {
    const auto told = run("SELECT " + terminate(*pid), deadline);
    if (told.ok()) {
      ++pid;
      continue;
    }
    if (manager_.session->last_state() != kInsufficientPrivilege) return told.error();
    VAULT_TRY_ASSIGN(const Rows may,
                     run("SELECT coalesce(pg_catalog.pg_has_role('pg_signal_backend', 'USAGE') OR "
                         "pg_catalog.pg_has_role(" +
                             account.oid + "::pg_catalog.oid, 'USAGE'), false)",
                         deadline, 1));
    if (may.empty()) return not_postgresql();
    if (may[0][0] != "t") return told.error();
    pid = pids.erase(pid);
  }
  return {};
}

Result<std::uint32_t> Accounts::end_sessions_of(const Found& account, Instant deadline) {
  auto ended = end_all_of(account, deadline);
  if (ended.ok() || !ended.is(Code::denied)) return ended;
  // A member of the role may end its sessions, too.
  if (!account.name.empty() && become_member(account, deadline).ok())
    ended = end_all_of(account, deadline);
  if (!ended.is(Code::denied)) return ended;
  return with_advice(ended.error(), "grant it with: GRANT pg_signal_backend TO " +
                                        quote_identifier(manager_.user));
}

// Who has what an account's end waited for in vain: a lock on the role, as everybody has who grants
// it something and has not committed, or on what belongs to it here. pg_blocking_pids() would say
// it only while somebody waits.
Error Accounts::about_lock(Server::Opened& where, const Found& account, const Error& why,
                           Instant deadline) {
  if (why.message.find(kLockNotAvailable) == std::string::npos || where.session->broken())
    return why;
  const auto rows = run_in(
      where,
      "SELECT coalesce(l.pid::text, ''), coalesce(a.usename, p.owner), coalesce(quote_literal("
      "p.gid), ''), coalesce(quote_ident(p.database), '') FROM pg_catalog.pg_locks l"
      " LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid"
      " LEFT JOIN pg_catalog.pg_locks t ON l.pid IS NULL AND t.pid IS NULL AND t.locktype ="
      "  'transactionid' AND t.granted AND t.virtualtransaction = l.virtualtransaction"
      " LEFT JOIN pg_catalog.pg_prepared_xacts p ON p.transaction = t.transactionid"
      " WHERE l.granted AND l.pid IS DISTINCT FROM pg_catalog.pg_backend_pid()"
      " AND coalesce(a.usename, p.owner) <> current_user AND (l.locktype = 'object' AND l.classid ="
      "  'pg_catalog.pg_authid'::pg_catalog.regclass AND l.objid = " +
          account.oid +
          " OR l.locktype = 'relation' AND l.database = (SELECT d.oid FROM pg_catalog.pg_database d"
          "  WHERE d.datname = current_database()) AND l.relation IN (SELECT s.objid FROM"
          "  pg_catalog.pg_shdepend s WHERE s.dbid = l.database AND s.classid ="
          "  'pg_catalog.pg_class'::pg_catalog.regclass AND s.refobjid = " +
          account.oid + ")) ORDER BY l.pid LIMIT 1",
      deadline, 4);
  if (!rows.ok() || rows->empty()) return why;
  const Row& row = rows->front();
  const std::string who = "an open transaction of " + quote_identifier(printable(row[1]));
  const std::string how =
      row[2].empty() ? " has it locked: SELECT pg_terminate_backend(" + row[0] + ") ends it"
                     : " that was prepared has it locked: let a superuser run, in the database " +
                           printable(row[3]) + ": ROLLBACK PREPARED " + printable(row[2]);
  Error error = with_advice(why, who + how);
  if (target::is_account_of(tag_, row[1])) error.detail = row[1];
  return error;
}

}  // namespace leasehold::postgresql
