#include "backends/target/postgresql_server.h"

#include <fmt/core.h>

#include <charconv>
#include <optional>

#include "vault/base/encoding.h"

namespace leasehold::postgresql {
namespace {

constexpr Nanos kEndingTimeout = std::chrono::seconds(2);
constexpr std::int64_t kSkewMaxMillis = 10LL * 366 * 24 * 3600 * 1000;
constexpr int kAttemptsMax = 3;  // an older server, one that tells its version, and all set
constexpr int kHasConnectionCheck = 140000;  // client_connection_check_interval

// Whoever owns a database says what its sessions begin with (ALTER DATABASE ... SET), and an
// account may be a member of its owner. So what could stop the manager's is asked for at the start,
// which is stronger, and set once more behind a pooler that takes no such options. The search path
// is not among them: operators' statements run with the server's.
struct Setting {
  std::string_view name, value;
  int since = 0;           // a server that does not know it ends the session
  bool may_be_set = true;  // later than at the start
};
constexpr Setting kSettings[] = {
    {"role", "none"},
    {"statement_timeout", "10s"},
    {"lock_timeout", "5000"},
    {"idle_in_transaction_session_timeout", "10s"},
    {"default_transaction_read_only", "off"},
    {"default_transaction_isolation", "read committed"},
    {"default_transaction_deferrable", "off"},
    {"standard_conforming_strings", "on"},
    {"row_security", "on"},
    {"quote_all_identifiers", "off"},
    {"client_min_messages", "warning"},
    {"local_preload_libraries", "", 0, false},
    {"idle_session_timeout", "0", 140000},
    {"transaction_timeout", "0", 170000},
};
constexpr const char* kWhichServer = "SELECT system_identifier FROM pg_catalog.pg_control_system()";

std::string application_name(const target::Tag& tag, Random& random) {
  return application_prefix(tag) + tag.incarnation + "-" + hex(random.take<4>());
}

// How far the server's clock is ahead of ours, from its milliseconds since the epoch.
std::optional<Nanos> ahead_of(const std::string& millis, WallTime now) {
  std::int64_t theirs = 0;
  const char* const end = millis.data() + millis.size();
  const auto parsed = std::from_chars(millis.data(), end, theirs);
  if (parsed.ec != std::errc() || parsed.ptr != end || theirs < 0) return std::nullopt;
  const std::int64_t ahead = theirs - now.millis();
  if (ahead > kSkewMaxMillis || ahead < -kSkewMaxMillis) return std::nullopt;
  return Millis(ahead);
}

std::string startup_options(int server_version) {
  std::string options;
  for (const Setting& one : kSettings)
    if (one.since <= server_version) options += " " + startup_option(one.name, one.value);
  return options;
}

// A pooler, or what else stands before a server: protocol violation, feature not supported.
bool refuses_options(const Error& error) {
  return error.message.find(" 08P01: ") != std::string::npos ||
         error.message.find(" 0A000: ") != std::string::npos;
}

bool is_unknown_setting(const Error& error) {
  return error.message.find(" 42704: ") != std::string::npos;
}

Error another_server() {
  return failure(Code::unavailable, "another server answers now than a moment before");
}

Error not_set_up(const Session& session, const Error& why, std::string_view user) {
  Error error = failure(Code::unavailable, why.message, why.detail);
  if (session.last_state() != kInsufficientPrivilege) return error;
  return with_advice(std::move(error),
                     "grant it with: GRANT EXECUTE ON FUNCTION pg_catalog.pg_control_system() TO " +
                         quote_identifier(user));
}

}  // namespace

std::string application_prefix(const target::Tag& tag) { return "leasehold-" + tag.cluster + "-"; }

// First of all the search path: with the server's own, a function or operator that somebody put
// into a schema of it could be taken for PostgreSQL's, and would run with the manager's rights.
std::string settings_statements(int server_version) {
  std::string sql =
      "SET search_path = pg_catalog, pg_temp;"
      "SET statement_timeout = '10s'; SET lock_timeout = 5000;"
      "SET idle_in_transaction_session_timeout = '10s'; SET standard_conforming_strings = on;";
  // A server that notices a lost client does not finish what the client had begun.
  if (server_version >= kHasConnectionCheck) sql += "SET client_connection_check_interval = '1s';";
  return sql;
}

static_assert(kLockPatience.count() == 5000, "as settings_statements() says it");
std::string lock_statement(Millis patience) {
  return fmt::format("SET lock_timeout = {}", patience.count());
}

std::string set_up_statements(int server_version) {
  std::string sql = settings_statements(server_version);
  for (const Setting& one : kSettings)
    if (one.may_be_set && one.since <= server_version)
      sql += fmt::format("SET {} = '{}';", one.name, one.value);
  // What is said to be gone does not come back with a crash of the server.
  sql +=
      "SELECT pg_catalog.set_config('synchronous_commit', 'local', false)"
      " WHERE pg_catalog.current_setting('synchronous_commit') = 'off';";
  return sql +
         "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint, r.rolname,"
         " current_database(), r.rolsuper, r.oid,"
         " (SELECT system_identifier FROM pg_catalog.pg_control_system()), pg_is_in_recovery(),"
         " coalesce((SELECT has_language_privilege(l.oid, 'USAGE') FROM pg_catalog.pg_language l"
         "  WHERE l.lanname = 'plpgsql'), false), pg_backend_pid(),"
         " extract(epoch FROM pg_postmaster_start_time())"
         " FROM pg_catalog.pg_roles r WHERE r.rolname = current_user";
}

// Anybody may give a session any name.
std::string is_managers(std::string_view user_oid) { return "usesysid = " + std::string(user_oid); }

bool Server::takes_options() {
  MutexLock lock(mutex_);
  return takes_options_;
}

int Server::known_version() {
  MutexLock lock(mutex_);
  return known_version_;
}

void Server::know_version(int version) {
  MutexLock lock(mutex_);
  known_version_ = version;
}

// With the other password where one is refused: of a rotation that was begun, one of the two is the
// manager's.
Result<std::unique_ptr<Session>> Server::log_in(Parameters& parameters, bool& with_next,
                                                Instant deadline) {
  Result<std::unique_ptr<Session>> session = Session::open(parameters, clock_, deadline);
  if (!session.is(Code::denied) || settings_.next_password.empty()) return session;
  VAULT_TRY_ASSIGN(const Parameters next, settings_.parameters_with(settings_.next_password));
  parameters.set("password", std::string(next.get("password")));
  session = Session::open(parameters, clock_, deadline);
  with_next = session.ok();
  return session;
}

Result<std::unique_ptr<Session>> Server::log_in_as_set(Parameters& parameters, int known_version,
                                                       bool& with_next, Instant deadline) {
  if (!takes_options()) return log_in(parameters, with_next, deadline);
  Parameters set = parameters;
  set.set("options", std::string(parameters.get("options")) + startup_options(known_version));
  auto session = log_in(set, with_next, deadline);
  if (session.ok() || !refuses_options(session.error())) return session;
  session = log_in(parameters, with_next, deadline);
  MutexLock lock(mutex_);
  if (session.ok()) takes_options_ = false;
  return session;
}

// What only later versions know can be asked for at the start once the version is known. So the
// first session of a server tells its version and no more: its own limits would come back with
// DISCARD ALL.
Result<std::unique_ptr<Session>> Server::log_in_with_all_set(Parameters& parameters,
                                                             bool& with_next, Instant deadline) {
  for (int attempt = 1;; ++attempt) {
    const int known = known_version();
    auto session = log_in_as_set(parameters, known, with_next, deadline);
    if (attempt == kAttemptsMax) return session;
    if (session.ok()) {
      const int version = (*session)->server_version();
      if (!takes_options() || startup_options(version) == startup_options(known)) return session;
      know_version(version);
    } else if (known != 0 && is_unknown_setting(session.error())) {
      know_version(0);  // an older server answers now
    } else {
      return session;
    }
  }
}

Result<Row> Server::set_up(Parameters& parameters, Opened& opened, Instant deadline) {
  VAULT_TRY_ASSIGN(opened.session, log_in_with_all_set(parameters, opened.with_next, deadline));
  Result<Rows> rows =
      opened.session->run(set_up_statements(opened.session->server_version()), deadline);
  if (!rows.ok()) return not_set_up(*opened.session, rows.error(), parameters.get("user"));
  if (rows->empty() || rows->front().size() < kSetUpColumns) return not_postgresql();
  return std::move(rows->front());
}

Result<Server::Opened> Server::open(const target::Tag& tag, std::string_view database,
                                    Instant deadline, const Opened* beside) {
  VAULT_TRY_ASSIGN(Parameters parameters, settings_.parameters());
  Opened opened;
  opened.name = application_name(tag, random_);
  parameters.set("application_name", opened.name);
  if (!database.empty()) parameters.set("dbname", std::string(database));
  VAULT_TRY_ASSIGN(const Row row, set_up(parameters, opened, deadline));
  opened.user = row[kUser];
  opened.database = row[kDatabase];
  opened.superuser = row[kSuperuser] == "t";
  opened.user_oid = row[kUserOid];
  opened.server = row[kServer];
  opened.started = row[kStarted];
  opened.marks = row[kMarks] == "t";
  const int told = opened.session->backend();
  opened.pooled = told != 0 && row[kBackend] != std::to_string(told);
  if (beside != nullptr && opened.server != beside->server) return another_server();
  // What it shows may be older than what its primary has: nothing is absent because of it.
  if (row[kStandby] == "t")
    return failure(Code::unavailable, "the server is a standby; name its primary");
  const auto ahead = ahead_of(row[kTheirMillis], clock_.now());
  if (!ahead) return failure(Code::unavailable, "the clock of PostgreSQL is ten years from ours");
  opened.ahead = *ahead;
  if (beside == nullptr && opened.pooled) VAULT_TRY(see_it_is_alone(opened, deadline));
  return opened;
}

Status Server::try_login(const std::string& account, const SecretBytes& password, Instant deadline,
                         const Opened& beside) {
  VAULT_TRY_ASSIGN(Parameters parameters, settings_.parameters());
  parameters.set("application_name", "leasehold-login-trial");
  parameters.set("user", account);
  parameters.set("password", std::string(as_text(password.reveal())));
  VAULT_TRY_ASSIGN(const auto session, Session::open(parameters, clock_, deadline));
  const auto rows = session->run(kWhichServer, deadline);
  // Where not every role may ask, the login has to do.
  if (!rows.ok() || rows->empty() || rows->front().empty()) return {};
  return rows->front().front() == beside.server ? Status() : Status(another_server());
}

bool Server::abandon(const target::Tag& tag, const Opened& session) {
  // Asked of the server on another connection: bounded and encrypted, unlike libpq's own cancel.
  const Instant deadline = add(clock_.instant(), kEndingTimeout);
  Result<Opened> opened = open(tag, {}, deadline, &session);
  while (opened.ok()) {
    const auto rows = opened->session->run(
        "SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity WHERE " +
            is_managers(opened->user_oid) +
            " AND application_name = " + quote_literal(session.name),
        deadline);
    if (!rows.ok()) break;
    if (rows->empty()) return true;
    if (!opened->session->run("SELECT pg_catalog.pg_sleep(0.02)", deadline).ok()) break;
  }
  give_back_abandoned({session.name});
  return false;
}

std::vector<std::string> Server::take_abandoned() {
  MutexLock lock(mutex_);
  return std::exchange(abandoned_, {});
}

void Server::give_back_abandoned(std::vector<std::string> names) {
  MutexLock lock(mutex_);
  abandoned_.insert(abandoned_.end(), names.begin(), names.end());
}

}  // namespace leasehold::postgresql
