// Taking back what others granted an account. Whoever owns an object may grant rights on it to any
// role, and then only he, or whoever has his rights, takes them back: DROP OWNED BY, run by
// another, leaves them, and a role that has any cannot be dropped. So the manager is for a moment,
// in a transaction nobody else sees, a member of who granted.

#include <fmt/core.h>

#include <algorithm>

#include "backends/target/postgresql_accounts.h"

namespace leasehold::postgresql {
namespace {

constexpr Nanos kPartsTime = std::chrono::seconds(5);  // of one attempt
constexpr unsigned kFetched = 40 * kPart;              // rights on large objects
constexpr int kGrantorsCount = 160000;                 // a membership has a grantor of its own
constexpr const char* kAuthId = "'pg_catalog.pg_authid'::pg_catalog.regclass";
constexpr const char* kLargeObject = "'pg_catalog.pg_largeobject'::pg_catalog.regclass";
constexpr const char* kHere =
    "(0, (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database()))";

// Rights, and policies that name it.
std::string rights_of(const std::string& oid) {
  return fmt::format(
      "pg_catalog.pg_shdepend s WHERE s.dbid IN {} AND s.refclassid = {} AND s.refobjid = {}"
      " AND s.deptype IN ('a', 'r')",
      kHere, kAuthId, oid);
}

// A condition on the role r: the manager is a member of it already, and stays so.
std::string is_member(int server_version) {
  return std::string(
             "EXISTS (SELECT FROM pg_catalog.pg_auth_members m JOIN pg_catalog.pg_roles me"
             " ON me.rolname = current_user WHERE m.roleid = r.oid AND m.member = me.oid") +
         (server_version >= kGrantorsCount ? " AND m.grantor = me.oid)" : ")");
}

// Roles that a superuser need not be asked for.
std::string may_be_joined(const std::string& oid) {
  return "NOT r.rolsuper AND left(r.rolname::text, 3) <> 'pg_' AND r.rolname <> current_user"
         " AND r.oid <> " +
         oid;
}

// Owners first; then who has rights on the same objects, and may have granted them. Nobody where
// the account still owns something: DROP OWNED would drop that.
std::string who_granted(const std::string& oid, int server_version) {
  return fmt::format(
      "SELECT quote_ident(r.rolname), {} FROM (SELECT o.refobjid AS role, o.deptype = 'o' AS owner"
      "  FROM pg_catalog.pg_shdepend o WHERE o.refclassid = {} AND o.deptype IN ('o', 'a')"
      "  AND (o.dbid, o.classid, o.objid) IN (SELECT s.dbid, s.classid, s.objid FROM {})"
      " UNION ALL SELECT c.relowner, true FROM pg_catalog.pg_policy p"
      "  JOIN pg_catalog.pg_class c ON c.oid = p.polrelid WHERE {} = ANY (p.polroles)) g"
      " JOIN pg_catalog.pg_roles r ON r.oid = g.role WHERE {}"
      " AND NOT EXISTS (SELECT FROM pg_catalog.pg_shdepend s WHERE s.dbid IN {} AND s.refclassid ="
      "  {} AND s.refobjid = {} AND s.deptype = 'o' AND s.dbid <> 0)"
      " GROUP BY r.oid, r.rolname ORDER BY bool_or(g.owner) DESC LIMIT 64",
      is_member(server_version), kAuthId, rights_of(oid), oid, may_be_joined(oid), kHere, kAuthId,
      oid);
}

std::string rights_on_large_objects(const std::string& oid, int server_version) {
  return fmt::format(
      "SELECT s.objid, quote_ident(r.rolname), {} FROM pg_catalog.pg_shdepend s"
      " JOIN pg_catalog.pg_shdepend o ON o.dbid = s.dbid AND o.classid = s.classid"
      "  AND o.objid = s.objid AND o.refclassid = {} AND o.deptype = 'o'"
      " JOIN pg_catalog.pg_roles r ON r.oid = o.refobjid"
      " WHERE s.dbid IN {} AND s.refclassid = {} AND s.refobjid = {} AND s.deptype = 'a'"
      " AND s.classid = {} AND {} ORDER BY 2 LIMIT {}",
      is_member(server_version), kAuthId, kHere, kAuthId, oid, kLargeObject, may_be_joined(oid),
      kFetched);
}

struct Join {
  std::string before, after;
};

Join join(const std::string& role, bool is_member_already) {
  if (is_member_already) return {};
  return {"GRANT " + role + " TO CURRENT_USER;", "REVOKE " + role + " FROM CURRENT_USER;"};
}

}  // namespace

std::string Accounts::left_statement(const Found& account) {
  return "SELECT EXISTS (SELECT FROM " + rights_of(account.oid) + ")";
}

// As each of them, who for this needs to be a member of the account. One by one, and what fails is
// told by who drops the role: what one granted keeps nothing of the others.
Status Accounts::take_back(Server::Opened& where, const Found& account, Instant deadline) {
  VAULT_TRY_ASSIGN(
      const Rows roles,
      run_in(where, who_granted(account.oid, where.session->server_version()), deadline, 2));
  for (const Row& row : roles) {
    const Join joined = join(row[0], row[1] == "t");
    const auto rows = run_in(
        where,
        joined.before + "GRANT " + account.quoted + " TO " + row[0] + "; SET LOCAL ROLE " + row[0] +
            "; DROP OWNED BY " + account.quoted + "; SET LOCAL ROLE NONE; REVOKE " +
            account.quoted + " FROM " + row[0] + ";" + joined.after + left_statement(account),
        deadline, 1);
    if (rows.is(Code::deadline)) return rows.error();
    if (rows.ok() && !rows->empty() && rows->front()[0] != "t") return {};
  }
  return {};
}

// Of large objects there can be as many as an account likes.
Status Accounts::take_back_parts(Server::Opened& where, const Found& account, Instant deadline) {
  const Instant until = add(server_->clock().instant(), kPartsTime);
  const std::string sql = rights_on_large_objects(account.oid, where.session->server_version());
  std::string last;
  while (true) {
    VAULT_TRY_ASSIGN(const Rows rights, run_in(where, sql, deadline, 3));
    if (rights.empty() || rights.back()[0] == last) return {};  // or not the owner's to take
    last = rights.back()[0];
    for (std::size_t done = 0; done < rights.size();) {
      if (server_->clock().instant() >= until)
        return failure(Code::unavailable,
                       "others granted the account so many rights that they are taken back in "
                       "parts: it goes on with the next attempt");
      const std::string owner = rights[done][1];
      const Join joined = join(owner, rights[done][2] == "t");
      std::string objects;
      const std::size_t end = std::min<std::size_t>(done + kPart, rights.size());
      for (; done < end && rights[done][1] == owner; ++done)
        objects += (objects.empty() ? "" : ",") + rights[done][0];
      VAULT_TRY(run_in(where,
                       joined.before + "REVOKE ALL ON LARGE OBJECT " + objects + " FROM " +
                           account.quoted + ";" + joined.after,
                       deadline));
    }
  }
}

}  // namespace leasehold::postgresql
