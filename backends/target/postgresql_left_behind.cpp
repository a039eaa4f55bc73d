// What a revoked account leaves behind. Whoever may make objects may make code: functions that run
// with their owner's rights, views that read with them. So what is left goes to nobody who has any:
// to `kept-<account>`, which cannot log in and is a member of nothing. One per account, because a
// view made by one would otherwise read the tables of another. Tables and their grants stay.

#include <fmt/core.h>

#include <algorithm>

#include "backends/target/postgresql_accounts.h"
#include "vault/base/encoding.h"

namespace leasehold::postgresql {

namespace {

constexpr std::string_view kOutOfLocks = "53200", kStatementTimeout = "57014";

std::string way_into(const Server::Opened& manager, const std::string& database,
                     const Error& refused) {
  std::string grant = opens_again(refused, database, manager.user);
  if (!grant.starts_with("let "))
    grant = "grant access with: GRANT CONNECT ON DATABASE " + quote_identifier(database) + " TO " +
            quote_identifier(manager.user);
  if (!manager.pooled) return grant;
  return "let the pooler before the server pass on that database, too (pgbouncer: a line for it, "
         "or for *, in [databases]), or name the server itself in connection_url; " +
         grant;
}

}  // namespace

Status Accounts::drop_owned(const Found& account, Instant deadline) {
  // '' stands for objects of the whole server: a database the role owns, a right on one.
  VAULT_TRY_ASSIGN(
      const Rows databases,
      run(fmt::format(
              "SELECT coalesce(d.datname, ''), bool_or(s.deptype = 'o'),"
              " count(*) FILTER (WHERE s.deptype = 'o') > {0}, count(*) FILTER (WHERE"
              "  s.deptype = 'a' AND s.classid = 'pg_catalog.pg_largeobject'::pg_catalog.regclass)"
              "  > {0} FROM pg_catalog.pg_shdepend s"
              " LEFT JOIN pg_catalog.pg_database d ON d.oid = s.dbid"
              " WHERE s.refclassid = 'pg_catalog.pg_authid'::pg_catalog.regclass AND s.classid <> "
              "'pg_catalog.pg_auth_members'::pg_catalog.regclass"
              " AND s.refobjid = {1} GROUP BY 1",
              kPart, account.oid),
          deadline, 4));
  if (databases.empty()) return {};
  leave_groups(account, deadline);
  if (const Status member = become_member(account, deadline); !member.ok())
    return with_advice(member.error(),
                       "the account owns objects or was granted rights directly; to let them be "
                       "cleaned up: GRANT " +
                           account.quoted + " TO " + quote_identifier(manager_.user));
  const bool owns =
      std::any_of(databases.begin(), databases.end(), [](const Row& row) { return row[1] == "t"; });
  if (owns) VAULT_TRY(make_keeper(account, deadline));
  for (const Row& row : databases)
    VAULT_TRY(drop_owned_in(account, row[0], {owns, row[2] == "t", row[3] == "t"}, deadline));
  return {};
}

// Should the rest fail, code the account left has lost the rights of its groups all the same, and
// so has whom it made a member of itself.
void Accounts::leave_groups(const Found& account, Instant deadline) {
  const auto groups =
      run("SELECT quote_ident(r.rolname), quote_ident(w.rolname) FROM pg_catalog.pg_auth_members m"
          " JOIN pg_catalog.pg_roles r ON r.oid = m.roleid"
          " JOIN pg_catalog.pg_roles w ON w.oid = m.member"
          " WHERE m.member = " +
              account.oid + " OR (m.roleid = " + account.oid + " AND w.rolname <> current_user)",
          deadline, 2);
  if (!groups.ok()) return;
  // One by one: what was granted by somebody else keeps nothing of the others.
  for (const Row& row : *groups) {
    [[maybe_unused]] const auto left = run("REVOKE " + row[0] + " FROM " + row[1], deadline);
  }
}

Status Accounts::become_member(const Found& account, Instant deadline) {
  if (manager_.superuser) return {};
  VAULT_TRY(run("GRANT " + account.quoted + " TO CURRENT_USER", deadline));
  return {};
}

Status Accounts::make_keeper(const Found& account, Instant deadline) {
  VAULT_TRY_ASSIGN(
      const Rows rows,
      run("SELECT rolsuper OR rolcreaterole OR rolcreatedb OR rolcanlogin OR rolreplication"
          " OR rolbypassrls OR EXISTS (SELECT FROM pg_catalog.pg_auth_members m WHERE m.member = "
          "r.oid)"
          " FROM pg_catalog.pg_roles r WHERE rolname = " +
              quote_literal(account.keeper),
          deadline, 1));
  const std::string quoted = quote_identifier(account.keeper);
  if (rows.empty()) {
    VAULT_TRY(run("CREATE ROLE " + quoted + " NOLOGIN", deadline));
    return {};
  }
  if (rows[0][0] != "t") return {};
  return failure(Code::denied, "the role " + quoted +
                                   ", which is to own what the account leaves behind, has rights "
                                   "of its own; rename it, or take them away");
}

Status Accounts::drop_owned_in(const Found& account, const std::string& database, const Has& has,
                               Instant deadline) {
  if (database.empty() || database == manager_.database) {
    const Status cleaned = clean_up(manager_, account, has, deadline);
    return cleaned.ok() ? cleaned : about_lock(manager_, account, cleaned.error(), deadline);
  }
  const std::string place = "database " + quote_identifier(database);
  auto elsewhere = server_->open(tag_, database, deadline, &manager_);
  if (!elsewhere.ok())
    return with_advice(elsewhere.error(), "the account owns objects or was granted rights in " +
                                              place + "; " +
                                              way_into(manager_, database, elsewhere.error()));
  const Status cleaned = clean_up(*elsewhere, account, has, deadline);
  if (cleaned.ok()) return {};
  return with_advice(about_lock(*elsewhere, account, cleaned.error(), deadline),
                     "while cleaning up in " + place);
}

Status Accounts::clean_up(Server::Opened& where, const Found& account, const Has& has,
                          Instant deadline) {
  Lent lent;
  if (has.owns) {
    VAULT_TRY_ASSIGN(lent, lend(where, account, deadline));
  }
  Status parts;
  if (has.many_owned) parts = hand_over_parts(where, account, lent, deadline);
  if (parts.ok() && has.many_granted) parts = take_back_parts(where, account, deadline);
  if (!parts.ok()) return about_clean_up(where, account, parts.error(), lent);
  const std::string reassign = !has.owns
                                   ? std::string()
                                   : lent.before + "REASSIGN OWNED BY " + account.quoted + " TO " +
                                         quote_identifier(account.keeper) + ";" + lent.after;
  const std::string drop = "DROP OWNED BY " + account.quoted + ";" + left_statement(account);
  Result<Rows> rows = run_in(where, reassign + drop, deadline, 1);
  if (rows.ok() && (rows->empty() || rows->front()[0] != "t")) return {};
  // What others granted is left, or was in the way.
  if (!rows.ok() && where.session->last_state() != kInsufficientPrivilege)
    return about_clean_up(where, account, rows.error(), lent);
  if (!rows.ok() && has.owns) {
    const auto given = run_in(where, reassign, deadline);
    if (!given.ok()) return about_clean_up(where, account, given.error(), lent);
  }
  VAULT_TRY(take_back(where, account, deadline));
  if (rows.ok()) return {};
  rows = run_in(where, drop, deadline, 1);
  return rows.ok() ? Status() : about_clean_up(where, account, rows.error(), lent);
}

// Trying again soon would only take the lock table, or the server's time, from everybody else.
Error Accounts::about_clean_up(const Server::Opened& where, const Found& account, const Error& why,
                               const Lent& lent) const {
  const std::string& state = where.session->last_state();
  const std::string to = quote_identifier(manager_.user);
  if (state == kOutOfLocks)
    return failure(Code::denied,
                   why.message +
                       "; the account has more objects than one transaction can lock here: raise "
                       "max_locks_per_transaction, or let a superuser drop them in parts");
  if (state == kStatementTimeout)
    return failure(Code::denied, why.message +
                                     "; the account left more than can be cleaned up in one "
                                     "statement: let a superuser run DROP OWNED BY " +
                                     account.quoted);
  if (state != kInsufficientPrivilege || lent.before.empty()) return why;
  if (!lent.missing.empty())
    return with_advice(why, "what the account left there cannot be given to " +
                                quote_identifier(account.keeper) + ": GRANT " + lent.missing +
                                " TO " + to + " WITH GRANT OPTION");
  return with_advice(why, "what the account left there cannot be given to " +
                              quote_identifier(account.keeper) + ": make " + to +
                              " a member of the owner of the schema it is in");
}

// A grant ON ALL TABLES is refused as a whole because of one table that is not ours to grant.
Error Accounts::about_kept(const Error& why, const std::vector<std::string>& statements,
                           Instant deadline) {
  std::string text;
  for (const std::string& statement : statements) text += statement;
  const auto rows = run(
      "SELECT o.type, o.identity, quote_ident(k.rolname), coalesce("
      " (SELECT quote_ident(w.rolname) FROM pg_class t JOIN pg_roles w ON w.oid = t.relowner"
      "   WHERE t.relnamespace = n.oid AND NOT w.rolsuper AND left(w.rolname::text, 5) <> 'kept-'"
      "   AND pg_has_role(w.oid, 'USAGE') GROUP BY w.rolname ORDER BY count(*) DESC LIMIT 1),"
      " CASE WHEN c.oid IS NULL THEN quote_ident(pg_get_userbyid(n.nspowner))"
      "  ELSE quote_ident(current_user) END)"
      " FROM pg_shdepend s JOIN pg_roles k ON k.oid = s.refobjid"
      " LEFT JOIN pg_class c ON s.classid = 'pg_class'::regclass AND c.oid = s.objid"
      " LEFT JOIN pg_proc p ON s.classid = 'pg_proc'::regclass AND p.oid = s.objid"
      " JOIN pg_namespace n ON n.oid = coalesce(c.relnamespace, p.pronamespace)"
      " CROSS JOIN LATERAL pg_identify_object(s.classid, s.objid, s.objsubid) o"
      " WHERE s.dbid = (SELECT oid FROM pg_database WHERE datname = current_database())"
      " AND s.refclassid = 'pg_authid'::regclass AND s.deptype = 'o'"
      " AND left(k.rolname::text, 5) = 'kept-'"
      " AND strpos(" +
          quote_literal(why.message) +
          ", coalesce(c.relname, p.proname)::text) > 0"
          " ORDER BY strpos(" +
          quote_literal(text) +  // the error does not say which schema
          ", n.nspname::text) > 0 DESC, length(coalesce(c.relname, p.proname)::text) DESC LIMIT 1",
      deadline, 4);
  if (!rows.ok() || rows->empty()) return why;
  const Row& row = rows->front();
  std::string type = row[0];
  for (char& c : type)
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  return with_advice(why, "the " + row[0] + " " + row[1] + " belongs to " + row[2] +
                              ", as an account that made it is gone; a superuser gives it away, in "
                              "the database " +
                              quote_identifier(manager_.database) + ", with: ALTER " + type + " " +
                              row[1] + " OWNER TO " + row[3]);
}

std::vector<std::string> Accounts::advice_on(const target::CreateOrder& order, Instant deadline) {
  std::vector<std::string> advised = advice(deadline);
  if (std::string one = advice_on_left_behind(order, deadline); !one.empty())
    advised.push_back(std::move(one));
  return advised;
}

std::vector<std::string> Accounts::advice(Instant deadline) {
  const auto standbys = run(std::string("SELECT ") + kStandbys, deadline, 1);
  if (!standbys.ok() || standbys->empty() || standbys->front()[0] == "0") return {};
  return {
      "the server has standbys (pg_stat_replication, pg_replication_slots): sessions that an "
      "account has there are not ended with its lease, as the vault does not log in there; new "
      "logins are refused once the standby has replayed the end of the account"};
}

std::string Accounts::advice_on_left_behind(const target::CreateOrder& order, Instant deadline) {
  bool on_all = false, as_group = false;
  for (const std::string& statement : order.statements) {
    const std::string text = lower_case(statement);
    on_all = on_all || text.find(" on all ") != std::string::npos;
    as_group = as_group || text.find(" set role") != std::string::npos;
  }
  if (!on_all || as_group || manager_.superuser) return {};
  const auto rows = run(
      "SELECT string_agg(quote_ident(nspname), ', ') FROM pg_namespace WHERE left(nspname::text,"
      " 3) <> 'pg_' AND nspname <> 'information_schema' AND has_schema_privilege(" +
          quote_literal(order.account) + ", oid, 'CREATE')",
      deadline, 1);
  if (!rows.ok() || rows->empty() || rows->front()[0].empty()) return {};
  return "accounts of this role may make objects in " + rows->front()[0] +
         "; these stay behind with an owner of their own, kept-<account>, and then a grant ON ALL "
         "... is refused to a manager without superuser until they are given away (ALTER TABLE ... "
         "OWNER TO ...); let the accounts work as a group instead: ALTER ROLE \"{{name}}\" SET "
         "role "
         "= 'app_owner'";
}

}  // namespace leasehold::postgresql
