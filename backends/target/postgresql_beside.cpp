// Where the configured database refuses the manager (docs/decisions/163). Its owner may close it to
// all but superusers, and an account may be a member of that owner: so accounts lose what they can
// do from another database of the same server, and are seen gone from their own once it opens.

#include <fmt/core.h>

#include "backends/target/postgresql_accounts.h"

namespace leasehold::postgresql {
namespace {

// As libpq says it: "FATAL:  53300: too many connections for database ...".
struct Refusal {
  std::string_view state, opens;  // {0}: the database, {1}: the manager
};
constexpr Refusal kRefusals[] = {
    {" 53300: ", "let it in with: ALTER DATABASE {0} CONNECTION LIMIT -1"},
    {" 55000: ", "let it in with: ALTER DATABASE {0} ALLOW_CONNECTIONS true"},
    {" 42501: ", "let it in with: GRANT CONNECT ON DATABASE {0} TO {1}"},
    {" 3D000: ",
     "the database {0} was dropped or has another name now: make it anew, or write its "
     "name in connection_url"},
};
constexpr std::string_view kEveryServers[] = {"postgres", "template1"};

}  // namespace

std::string opens_again(const Error& refused, std::string_view database, std::string_view user) {
  for (const Refusal& one : kRefusals)
    if (refused.message.find(one.state) != std::string::npos)
      return fmt::format(fmt::runtime(one.opens), quote_identifier(database),
                         quote_identifier(user));
  return {};
}

Result<Server::Opened> Server::open_beside(const target::Tag& tag, std::string_view refusing,
                                           Instant deadline) {
  Result<Opened> opened = failure(Code::unavailable, "no other database");
  for (const std::string_view database : kEveryServers)
    if (!opened.ok() && database != refusing) opened = open(tag, database, deadline);
  return opened;
}

// What owns nothing anywhere, and has no rights in the database that refuses, is dropped. That it
// is gone is believed once the database itself says so.
Result<target::Revoked> Accounts::revoke_beside(target::RevokeOrder order, Instant deadline) {
  order.statements.clear();  // they are for the database that refuses
  const auto revoked = revoke_again_if_lost(order, deadline);
  // In use, and tried again soon; a database that refuses, too, is no such thing.
  if (revoked.is(Code::deadline) &&
      opens_again(revoked.error(), closed_->database, manager_.user).empty())
    return revoked;
  const std::string from = "from the database " + manager_.database + " of the same server ";
  return with_advice(
      failure(Code::denied, closed_->why.message),
      revoked.ok()
          ? from + "the account was removed, and is seen gone there"
          : from + "it was tried to take the account its access: " + revoked.error().message);
}

}  // namespace leasehold::postgresql
