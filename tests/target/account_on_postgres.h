#pragma once
// One account of one test on a real PostgreSQL, with the objects around it.

#include <libpq-fe.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "backends/target/postgresql.h"
#include "tests/support/postgres.h"
#include "tests/support/seeded_random.h"
#include "vault/target/target.h"

namespace leasehold::testing {

// A client's own session, as an application has it.
class Login {
 public:
  Login(Postgres& server, const std::string& user, const SecretBytes& password) {
    const std::string port = std::to_string(server.port());
    const std::string secret(as_text(password.reveal()));
    const char* keywords[] = {"host", "port", "user", "password", "dbname", nullptr};
    const char* values[] = {"127.0.0.1",    port.c_str(), user.c_str(),
                            secret.c_str(), "app",        nullptr};
    connection_ = PQconnectdbParams(keywords, values, 0);
  }
  ~Login() { PQfinish(connection_); }
  Login(const Login&) = delete;
  Login& operator=(const Login&) = delete;

  bool ok() const { return PQstatus(connection_) == CONNECTION_OK; }
  bool ok_after(const char* sql) {
    PQclear(PQexec(connection_, sql));
    return ok();
  }
  std::string query(const char* sql) {
    PGresult* result = PQexec(connection_, sql);
    std::string answer = PQntuples(result) > 0 ? PQgetvalue(result, 0, 0) : "";
    PQclear(result);
    return answer;
  }

 private:
  PGconn* connection_;
};

inline bool login(Postgres& server, const std::string& user, const SecretBytes& password) {
  return Login(server, user, password).ok();
}

inline Json settings_for(const Postgres& server,
                         const std::map<std::string, std::string>& more = {}) {
  Json settings = Json::object();
  settings.set("connection_url", server.url("app"));
  settings.set("username", kManager);
  settings.set("password", kManagerPassword);
  for (const auto& [key, value] : more) settings.set(key, value);
  return settings;
}

struct AccountOnPostgres {
  explicit AccountOnPostgres(const std::string& role,
                             const std::map<std::string, std::string>& more = {},
                             Postgres& on = Postgres::shared())
      : server(on) {
    auto made = postgresql::make_target(settings_for(server, more), clock, random);
    VAULT_ASSERT(made.ok());
    target = std::move(made).value();
    auto opened = target->connect(tag, soon());
    if (!opened.ok()) FAIL("no connection: ", opened.error().message);
    connection = std::move(opened).value();
    account = target->account_name(tag, role, "0123456789abcdefghijklmno");
  }

  Instant soon() { return add(clock.instant(), std::chrono::seconds(15)); }
  WallTime end() { return add(clock.now(), Seconds(600)); }
  SecretBytes password() const { return SecretBytes("Tr0ub4dor-and-Zebra9"); }
  Status create() { return create(end()); }
  Status create(WallTime not_after) {
    auto created =
        connection->create({account, password(), statements, rollback, not_after}, soon());
    if (!created.ok()) return created.error();
    handle = std::move(created).value();
    return {};
  }
  Result<target::Revoked> revoke(std::vector<std::string> custom = {}) {
    return connection->revoke({account, std::move(custom)}, soon());
  }

  Postgres& server;
  SystemClock clock;
  SystemRandom random;
  const target::Tag tag{"test01", "thisincarnation0"};
  std::string account, handle;
  std::vector<std::string> statements{
      "CREATE ROLE \"{{name}}\" WITH LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}'; "
      "GRANT app_ro TO \"{{name}}\";"};
  std::vector<std::string> rollback;
  std::unique_ptr<target::Target> target;
  std::unique_ptr<target::Connection> connection;
};

}  // namespace leasehold::testing
