#include "backends/target/postgresql_accounts.h"

#include <fmt/core.h>

#include <algorithm>
#include "backends/target/scram.h"
#include "backends/target/statements.h"

namespace leasehold::postgresql {
namespace {

constexpr Seconds kGrace{5};  // an account outlives its lease by this much if nobody can revoke it
constexpr Nanos kStatementTimeout = std::chrono::seconds(10);
constexpr Nanos kSkewIgnored = std::chrono::seconds(2);
// Whoever holds a lease may lock its role and renew: others' new accounts wait behind that.
constexpr Millis kRenewPatience{200};

// With the role's oid as its answer, or with this as its error: then nothing was committed.
constexpr std::string_view kNoSuchRole = "the statements made no role of this name";

// Names and operators in full: an operator's statements may have left any search path.
std::string oid_statement(const std::string& oid = {}) {
  const std::string also =
      oid.empty() ? "" : " AND r.oid OPERATOR(pg_catalog.=) " + oid + "::pg_catalog.oid";
  return fmt::format(
      "SELECT coalesce((SELECT r.oid::pg_catalog.text FROM pg_catalog.pg_roles r"
      " WHERE r.rolname OPERATOR(pg_catalog.=) '{{{{name}}}}'::pg_catalog.name{}), '{}')"
      "::pg_catalog.oid",
      also, kNoSuchRole);
}

// Marks the role in its comment, behind what the operator's statements put there. Where that is not
// allowed the account is made all the same, and is not known again once somebody renames it.
std::string mark_statement() {
  return "DO $mark$ DECLARE said pg_catalog.text; BEGIN"
         " SELECT pg_catalog.shobj_description(r.oid, 'pg_authid') INTO said"
         " FROM pg_catalog.pg_roles r WHERE r.rolname OPERATOR(pg_catalog.=) "
         "'{{name}}'::pg_catalog.name;"
         " EXECUTE pg_catalog.format('COMMENT ON ROLE %I IS %L', '{{name}}',"
         " pg_catalog.concat_ws(' ', said, '" +
         mark_of("{{name}}") +
         "'));"
         " EXCEPTION WHEN OTHERS THEN NULL; END $mark$;";
}

Error refused_name() {
  return failure(Code::denied,
                 "the account name or password has a character that cannot be put in a statement");
}

}  // namespace

Result<Rows> Accounts::ask(Server::Opened& where, const std::string& sql, Instant deadline,
                           std::size_t columns) {
  Result<Rows> rows = where.session->run(sql, deadline);
  // Ended by the server's own limit, or by ours: nothing of ours may still be at work there.
  if (rows.is(Code::deadline)) server_->abandon(tag_, where);
  if (!rows.ok()) return rows;
  for (const Row& row : *rows)
    if (row.size() < columns) return not_postgresql();
  return rows;
}

std::string Accounts::expiration(WallTime not_after) const {
  WallTime at = add(not_after, kGrace);
  // The server compares with its own clock.
  const bool skewed = manager_.ahead > kSkewIgnored || manager_.ahead < -kSkewIgnored;
  return expiration_text(skewed ? add(at, manager_.ahead) : at);
}

Result<Rows> Accounts::run_with_password(const std::vector<std::string>& statements,
                                         const std::string& account, const SecretBytes& password,
                                         std::string_view until, Instant deadline,
                                         const Around& around) {
  if (!stays_quoted(account) || !stays_quoted(as_text(password.reveal()))) return refused_name();
  const SecretBytes sent =
      server_->settings().scram ? scram_verifier(password, server_->random()) : password.clone();
  manager_.session->hide(as_text(password.reveal()));
  manager_.session->hide(as_text(sent.reveal()));
  Result<Rows> rows =
      run_operators(statements, {account, as_text(sent.reveal()), until}, deadline, around);
  manager_.session->unhide();
  return rows;
}

// What the same statements left behind before is theirs; but who we are, our settings and the name
// by which the session can be ended are set again, at the cost of no round trip.
Result<Rows> Accounts::run_operators(const std::vector<std::string>& statements,
                                     const Substitutions& values, Instant deadline,
                                     const Around& around) {
  std::string mine;
  for (const std::string& statement : statements) (mine += statement) += '\0';
  if (manager_.used_by != mine) make_as_new(manager_, deadline);
  manager_.used_by = std::move(mine);
  std::vector<std::string> all{"SET SESSION AUTHORIZATION DEFAULT",
                               settings_statements(manager_.session->server_version()) +
                                   "SET application_name = " + quote_literal(manager_.name) + "; " +
                                   lock_statement(lock_patience_),
                               around.first};
  for (std::string& statement : on_operators_path(statements)) all.push_back(std::move(statement));
  // Theirs may be a path that somebody else wrote, where PostgreSQL's own functions, up to version
  // 13, look for operators.
  if (!around.last.empty()) all.emplace_back("SET LOCAL search_path = pg_catalog, pg_temp");
  all.push_back(around.last);
  std::string sql = render(all, values);
  Result<Rows> rows = ask(manager_, sql, deadline, 0);
  wipe(sql);
  return rows;
}

// An operator's statements may leave a role, settings, temporary objects or locks in the session,
// which must not be there for another's, nor for ours. A session that cannot be made as new is not
// used again.
void Accounts::make_as_new(Server::Opened& where, Instant deadline) {
  Session& session = *where.session;
  if (where.used_by.empty() || session.broken()) return;
  Result<Rows> rows = session.run("DISCARD ALL", deadline);  // takes no other statement beside it
  if (rows.ok()) rows = session.run(set_up_statements(session.server_version()), deadline);
  const bool as_new = rows.ok() && !rows->empty() && rows->front().size() >= kSetUpColumns &&
                      rows->front()[kUser] == where.user && rows->front()[kServer] == where.server;
  if (!as_new) return session.give_up();
  where.used_by.clear();
  where.lock_patience = kLockPatience;
}

Status Accounts::be_patient(Server::Opened& where, Instant deadline) {
  if (where.lock_patience == lock_patience_) return {};
  VAULT_TRY(ask(where, lock_statement(lock_patience_), deadline, 0));
  where.lock_patience = lock_patience_;
  return {};
}

Result<std::string> Accounts::create(const target::CreateOrder& order, Instant deadline) {
  if (order.statements.empty()) return failure(Code::denied, "empty creation statements");
  VAULT_TRY(be_connected(deadline));
  const std::int64_t left = deadline.ns - server_->clock().instant().ns;
  if (left <= 0) return failure(Code::unavailable, "no time was left to create the account");
  // The server gives up before we do.
  const std::string limit = fmt::format(
      "SET LOCAL statement_timeout = {}",
      std::max<std::int64_t>(1, std::min(left, kStatementTimeout.count()) * 9 / 10 / 1'000'000));
  const Result<Rows> rows = run_with_password(
      order.statements, order.account, order.password, expiration(order.not_after), deadline,
      {limit, (manager_.marks ? mark_statement() : "") + oid_statement()});
  if (rows.is(Code::deadline)) return rows.error();
  if (!rows.ok()) return after_failed_create(order, rows.error(), deadline);
  if (rows->empty() || rows->front().empty()) return not_postgresql();
  return rows->front()[0] + "@" + manager_.server;
}

// The statements are one transaction unless they commit by themselves; then a part has happened.
Error Accounts::after_failed_create(const target::CreateOrder& order, const Error& why,
                                    Instant deadline) {
  if (!stays_quoted(order.account)) return why;
  const bool no_right = manager_.session->last_state() == kInsufficientPrivilege;
  if (!order.rollback_statements.empty()) {
    // Its own failure says nothing: the look below does.
    [[maybe_unused]] const auto rolled_back =
        run_operators(order.rollback_statements, {order.account, {}, {}}, deadline);
  }
  if (manager_.session->broken() && server_->abandon(tag_, manager_)) {
    // Given up for what it was told, not for its server: another one may look.
    Result<Server::Opened> another = server_->open(tag_, {}, deadline, &manager_);
    if (another.ok()) manager_ = std::move(another).value();
  }
  const Result<std::string> oid = oid_of(order.account, deadline);
  if (oid.ok() && oid->empty() && why.message.find(kNoSuchRole) != std::string::npos)
    return failure(Code::denied, std::string(kNoSuchRole) + R"(: write it in quotes, "{{name}}")");
  if (oid.ok() && oid->empty()) return no_right ? about_kept(why, order.statements, deadline) : why;
  return failure(Code::deadline, why.message, "the account may exist: " + why.detail);
}

Status Accounts::be_connected(Instant deadline) {
  if (!manager_.session->has_ended()) return {};
  VAULT_TRY_ASSIGN(Server::Opened another, server_->open(tag_, {}, deadline, &manager_));
  manager_ = std::move(another);
  return {};
}

Status Accounts::renew(const target::RenewOrder& order, Instant deadline) {
  if (!stays_quoted(order.account)) return refused_name();
  VAULT_TRY(be_connected(deadline));
  lock_patience_ = kRenewPatience;
  Status renewed = renew_now(order, deadline);
  const bool may_run_twice = order.statements.empty();  // ours may
  if (!renewed.ok() && may_run_twice && again(renewed.error().code, deadline))
    renewed = renew_now(order, deadline);
  lock_patience_ = kLockPatience;
  return renewed;
}

Status Accounts::renew_now(const target::RenewOrder& order, Instant deadline) {
  const std::string until = expiration(order.not_after);
  static const std::vector<std::string> kOwn{
      "ALTER ROLE \"{{name}}\" VALID UNTIL '{{expiration}}'"};
  const auto& statements = order.statements.empty() ? kOwn : order.statements;
  // Another account of the same name is not the one that is renewed.
  const std::string last = oid_statement(oid_here(order.handle));
  VAULT_TRY(run_operators(statements, {order.account, {}, until}, deadline, {{}, last}));
  return {};
}

Result<std::vector<std::string>> Accounts::list(const std::string& prefix, Instant deadline) {
  VAULT_TRY(be_connected(deadline));
  VAULT_TRY_ASSIGN(
      const Rows rows,
      run(fmt::format("SELECT rolname FROM pg_catalog.pg_roles WHERE left(rolname::text, {}) = {}"
                      " ORDER BY 1",
                      prefix.size(), quote_literal(prefix)),
          deadline, 1));
  std::vector<std::string> names;
  for (const Row& row : rows) names.push_back(row[0]);
  return names;
}

Status Accounts::ping(Instant deadline) {
  VAULT_TRY(run("SELECT 1", deadline));
  return {};
}

Result<std::string> Accounts::oid_of(std::string_view account, Instant deadline) {
  VAULT_TRY_ASSIGN(const Rows rows, run("SELECT oid FROM pg_catalog.pg_roles WHERE rolname = " +
                                            quote_literal(account),
                                        deadline, 1));
  return rows.empty() ? std::string() : rows[0][0];
}

Status Accounts::end_other_incarnations(Instant deadline) {
  const std::string cluster = application_prefix(tag_);
  const std::string own = cluster + tag_.incarnation + "-";
  VAULT_TRY(end_sessions(
      fmt::format("{} AND left(application_name, {}) = {} AND left(application_name, {}) <> {}",
                  is_managers(manager_.user_oid), cluster.size(), quote_literal(cluster),
                  own.size(), quote_literal(own)),
      deadline));
  return {};
}

Status Accounts::end_abandoned(Instant deadline) {
  std::vector<std::string> names = server_->take_abandoned();
  for (std::size_t i = 0; i < names.size(); ++i) {
    const auto ended = end_sessions(
        is_managers(manager_.user_oid) + " AND application_name = " + quote_literal(names[i]),
        deadline);
    if (ended.ok()) continue;
    server_->give_back_abandoned({names.begin() + static_cast<std::ptrdiff_t>(i), names.end()});
    return ended.error();
  }
  return {};
}

}  // namespace leasehold::postgresql
