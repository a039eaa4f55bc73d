// Giving what an account owns to its keeper, in one database. PostgreSQL wants rights of the new
// owner that it is to have for a moment only: they are lent, in a transaction nobody else sees.

#include <fmt/core.h>

#include <algorithm>

#include "backends/target/postgresql_accounts.h"

namespace leasehold::postgresql {
namespace {

// Of one attempt: then other accounts have their turn.
constexpr Nanos kPartsTime = std::chrono::seconds(5);
constexpr unsigned kTables = kPart / 5;    // each takes more than one lock
constexpr unsigned kFetched = 40 * kPart;  // ids of large objects

struct InSchema {
  std::string_view catalog, column;
};
constexpr InSchema kInSchemas[] = {
    {"pg_class", "relnamespace"},         {"pg_proc", "pronamespace"},
    {"pg_type", "typnamespace"},          {"pg_operator", "oprnamespace"},
    {"pg_opclass", "opcnamespace"},       {"pg_opfamily", "opfnamespace"},
    {"pg_collation", "collnamespace"},    {"pg_conversion", "connamespace"},
    {"pg_ts_config", "cfgnamespace"},     {"pg_ts_dict", "dictnamespace"},
    {"pg_statistic_ext", "stxnamespace"},
};

std::string class_of(std::string_view catalog) {
  return fmt::format("'pg_catalog.{}'::pg_catalog.regclass", catalog);
}

std::string owned_by(const std::string& oid) {
  return "s.dbid = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())"
         " AND s.refclassid = " +
         class_of("pg_authid") + " AND s.deptype = 'o' AND s.refobjid = " + oid;
}

std::string schemas_of_owned() {
  std::string sql;
  for (const InSchema& one : kInSchemas)
    sql += fmt::format(
        "{}SELECT c.{} FROM s JOIN pg_catalog.{} c ON s.classid = {} AND c.oid = s.objid",
        sql.empty() ? "" : " UNION ", one.column, one.catalog, class_of(one.catalog));
  return sql;
}

// A group that the manager may make others members of, and that has the right.
std::string group_with(const std::string& right) {
  return "(SELECT quote_ident(min(r.rolname::text)) FROM pg_catalog.pg_roles r WHERE NOT r.rolsuper"
         " AND r.rolname <> current_user AND pg_has_role(r.oid, 'MEMBER WITH ADMIN OPTION') AND " +
         right + ")";
}

// Rights that the new owner needs: whether the account has them as their owner, whether they are
// the manager's to grant, and a group that has them. Large objects are in no schema.
std::string needed_rights(const std::string& oid) {
  return "WITH s AS (SELECT s.classid, s.objid FROM pg_catalog.pg_shdepend s WHERE " +
         owned_by(oid) + " AND s.classid <> " + class_of("pg_largeobject") +
         ") SELECT 'CREATE ON SCHEMA ' || quote_ident(n.nspname), n.nspowner = " + oid +
         ", pg_has_role(n.nspowner, 'USAGE'), " +
         group_with("has_schema_privilege(r.oid, n.oid, 'CREATE')") +
         " FROM pg_catalog.pg_namespace n WHERE n.oid IN (" + schemas_of_owned() +
         ") UNION ALL SELECT 'CREATE ON DATABASE ' || quote_ident(d.datname), false,"
         " has_database_privilege(d.oid, 'CREATE WITH GRANT OPTION'), " +
         group_with("has_database_privilege(r.oid, d.oid, 'CREATE')") +
         " FROM pg_catalog.pg_database d WHERE d.datname = current_database()"
         " AND EXISTS (SELECT FROM s WHERE s.classid = " +
         class_of("pg_publication") +
         ") UNION ALL SELECT 'USAGE ON FOREIGN DATA WRAPPER ' || quote_ident(w.fdwname), false,"
         " has_foreign_data_wrapper_privilege(w.oid, 'USAGE WITH GRANT OPTION'), " +
         group_with("has_foreign_data_wrapper_privilege(r.oid, w.oid, 'USAGE')") +
         " FROM pg_catalog.pg_foreign_data_wrapper w WHERE w.oid IN (SELECT f.srvfdw FROM s JOIN "
         "pg_catalog.pg_foreign_server f ON s.classid = " +
         class_of("pg_foreign_server") + " AND f.oid = s.objid)";
}

// What accounts can make by the thousand. A sequence of a column goes with its table, a multirange
// with its range.
std::string some_owned(const std::string& oid) {
  return fmt::format(
      "SELECT upper(o.type), o.identity FROM (SELECT s.classid, s.objid FROM"
      " pg_catalog.pg_shdepend s WHERE {} AND s.classid IN ({}, {}, {})"
      " AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = s.classid"
      "  AND d.objid = s.objid AND d.deptype IN ('a', 'i') AND d.refobjsubid > 0)"
      " AND NOT EXISTS (SELECT FROM pg_catalog.pg_type t WHERE s.classid = {}"
      "  AND t.oid = s.objid AND t.typtype = 'm') LIMIT {}) s"
      " CROSS JOIN LATERAL pg_catalog.pg_identify_object(s.classid, s.objid, 0) o",
      owned_by(oid), class_of("pg_class"), class_of("pg_proc"), class_of("pg_type"),
      class_of("pg_type"), kTables);
}

}  // namespace

// A superuser needs nothing lent.
Result<Accounts::Lent> Accounts::lend(Server::Opened& where, const Found& account,
                                      Instant deadline) {
  Lent lent;
  if (where.superuser) return lent;
  VAULT_TRY_ASSIGN(const Rows rights, run_in(where, needed_rights(account.oid), deadline, 4));
  const std::string keeper = quote_identifier(account.keeper);
  lent.before = "GRANT " + keeper + " TO CURRENT_USER;";
  for (const Row& row : rights) {
    const bool its_own = row[1] == "t", may_grant = row[2] == "t";
    const std::string& right = may_grant ? row[0] : row[3];
    if (right.empty()) {  // tables can be given all the same
      if (row[0].find(" ON SCHEMA ") == std::string::npos) lent.missing = row[0];
      continue;
    }
    lent.before += "GRANT " + right + " TO " + keeper + ";";
    if (!its_own) lent.after += "REVOKE " + right + " FROM " + keeper + ";";
  }
  lent.after += "REVOKE " + keeper + " FROM CURRENT_USER;";
  return lent;
}

// Each part is a transaction of its own, so that an attempt which does not come to the end is not
// for nothing.
Status Accounts::hand_over_parts(Server::Opened& where, const Found& account, const Lent& lent,
                                 Instant deadline) {
  const Instant until = add(server_->clock().instant(), kPartsTime);
  for (bool more = true; more;) {
    VAULT_TRY_ASSIGN(more, hand_over_large_objects(where, account, until));
    if (!more) {
      VAULT_TRY_ASSIGN(more, hand_over_part(where, account, lent, deadline));
    }
    if (more && server_->clock().instant() >= until)
      return failure(Code::unavailable,
                     "the account left so many objects that they are handed over in parts: it "
                     "goes on with the next attempt");
  }
  return {};
}

// False: there was none.
Result<bool> Accounts::hand_over_part(Server::Opened& where, const Found& account, const Lent& lent,
                                      Instant deadline) {
  VAULT_TRY_ASSIGN(const Rows objects, run_in(where, some_owned(account.oid), deadline, 2));
  if (objects.empty()) return false;
  std::string sql = lent.before;
  for (const Row& row : objects)
    sql += "ALTER " + row[0] + " " + row[1] + " OWNER TO " + quote_identifier(account.keeper) + ";";
  VAULT_TRY(run_in(where, sql + lent.after, deadline));
  return true;
}

// Many ids at a time: to look for them costs more with each that was handed over.
Result<bool> Accounts::hand_over_large_objects(Server::Opened& where, const Found& account,
                                               Instant until) {
  const Instant deadline = add(until, kPartsTime);
  const std::string keeper = quote_identifier(account.keeper);
  VAULT_TRY_ASSIGN(const Rows objects,
                   run_in(where,
                          fmt::format("SELECT s.objid FROM pg_catalog.pg_shdepend s WHERE {} AND "
                                      "s.classid = {} LIMIT {}",
                                      owned_by(account.oid), class_of("pg_largeobject"), kFetched),
                          deadline, 1));
  for (std::size_t done = 0; done < objects.size() && server_->clock().instant() < until;) {
    const std::size_t end = std::min<std::size_t>(done + kPart, objects.size());
    std::string sql = where.superuser ? "" : "GRANT " + keeper + " TO CURRENT_USER;";
    for (; done < end; ++done)
      sql += "ALTER LARGE OBJECT " + objects[done][0] + " OWNER TO " + keeper + ";";
    if (!where.superuser) sql += "REVOKE " + keeper + " FROM CURRENT_USER;";
    VAULT_TRY(run_in(where, sql, deadline));
  }
  return !objects.empty();
}

}  // namespace leasehold::postgresql
