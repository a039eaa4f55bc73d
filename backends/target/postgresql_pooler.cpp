// Poolers before a server. A pooler may hand a session of the server to another client after each
// transaction: what was set in it, a role of an operator's statements with it, would be the next
// client's, and what we count on, the search path first, could be anybody's. So the manager's
// sessions must be its own (docs/decisions/160).

#include <algorithm>

#include "backends/target/postgresql_server.h"

namespace leasehold::postgresql {
namespace {

// A pool that has no session left lets a client wait.
constexpr Nanos kAskedFor = std::chrono::seconds(1);
constexpr const char* kWhichSession = "SELECT pg_catalog.pg_backend_pid()";

Result<std::string> backend_of(Session& session, Instant deadline) {
  VAULT_TRY_ASSIGN(const Rows rows, session.run(kWhichSession, deadline));
  if (rows.empty() || rows.front().empty()) return not_postgresql();
  return rows.front().front();
}

Error session_is_shared(std::string_view user) {
  return failure(Code::denied,
                 "the pooler before the server gives a session to another client after each "
                 "transaction, so the vault's settings and limits would not hold; give the vault "
                 "sessions of its own (pgbouncer: pool_mode=session for the user " +
                     quote_identifier(user) +
                     ", or for a database entry that only the vault uses), or name the server "
                     "itself in connection_url");
}

}  // namespace

// While ours has nothing to do, a second client is given the same session where they are shared.
// One that is not let in, or not in time, shows nothing: then the pool has no more of them to give.
Status Server::see_it_is_alone(const Opened& opened, Instant deadline) {
  VAULT_TRY_ASSIGN(Parameters parameters, opened.with_next
                                              ? settings_.parameters_with(settings_.next_password)
                                              : settings_.parameters());
  parameters.set("application_name", "leasehold-session-trial");
  const Instant soon = std::min(deadline, add(clock_.instant(), kAskedFor));
  const auto second = Session::open(parameters, clock_, soon);
  if (!second.ok()) return {};
  VAULT_TRY_ASSIGN(const std::string before, backend_of(*opened.session, deadline));
  const auto seconds = backend_of(**second, soon);
  VAULT_TRY_ASSIGN(const std::string after, backend_of(*opened.session, deadline));
  if (before == after && (!seconds.ok() || *seconds != before)) return {};
  return session_is_shared(opened.user);
}

}  // namespace leasehold::postgresql
