#pragma once
// A PostgreSQL server of its own for a test, of version 15 or whose programs the environment's
// LEASEHOLD_POSTGRES_BIN names: real, throwaway, on a free loopback port and a unix
// socket in a temporary folder. It runs as an unprivileged user, dies with the test program and is
// removed at the end. initdb runs once per program; later servers start from a copy.
//
//   Postgres server;
//   server.query("SELECT 1");                       // as the superuser
//   server.url("app")                               // "postgresql://{{username}}:{{password}}@..."
//
// It has the databases `app` and `other`, the group role `app_ro` (NOLOGIN) that may read `items`
// in `app`, and the login role `vaultmgr`: CREATEROLE, pg_signal_backend, ADMIN OPTION on app_ro.
// A server that cannot be started ends the program: a test without its counterpart fails.

#include <sys/types.h>

#include <string>

#include "tests/support/eventually.h"

namespace leasehold::testing {

inline constexpr const char* kManager = "vaultmgr";
inline constexpr const char* kManagerPassword = "manager-password/with:odd@characters";

class Postgres {
 public:
  struct Options {
    bool tls = false;           // a self-signed certificate for "localhost"; see certificate()
    bool replica = false;       // writes what a standby needs; see become_standby()
    bool own_identity = false;  // a system identifier of its own: the others share one
    int port = 0;               // 0: a free one
  };
  Postgres() : Postgres(Options{}) {}
  explicit Postgres(Options options);
  ~Postgres();
  Postgres(const Postgres&) = delete;
  Postgres& operator=(const Postgres&) = delete;

  // For tests that leave the server as it is: one per program.
  static Postgres& shared();

  int port() const { return port_; }
  std::string socket_folder() const { return folder_; }
  std::string certificate() const { return folder_ + "/data/server.crt"; }
  // With {{username}} and {{password}}, over TCP and over the socket.
  std::string url(const std::string& database = "app") const;
  std::string socket_url(const std::string& database = "app") const;
  // The first column of the first row, "" without rows. A failing statement fails the test.
  std::string query(const std::string& sql, const std::string& database = "postgres");
  int version();  // 15
  bool has_role(const std::string& name);
  // The superuser made the role: the manager may change it, as from version 16 on those only that
  // it made itself.
  void let_manage(const std::string& quoted_role);
  int sessions_of(const std::string& role);

  void start();
  void stop();            // as an orderly shutdown; open sessions are ended
  void kill9();           // the postmaster; what its backends were doing is lost
  void become_standby();  // starts again, without a primary
  void pause();           // accepts connections and never answers them
  void resume();

 private:
  void prepare_data();
  void write_certificate();
  bool try_start();
  void set_up();

  Options options_;
  std::string folder_;
  int port_ = 0;
  pid_t pid_ = -1;
};

long steady_milliseconds();

}  // namespace leasehold::testing
