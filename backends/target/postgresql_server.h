#pragma once
// A PostgreSQL server as its target's settings name it: sessions of its manager, tagged, with our
// own limits and search path, known by the server's system identifier. Thread safety: all of it;
// it is shared by the connections of a target.

#include <memory>
#include <string>
#include <vector>

#include "backends/target/memory_file.h"
#include "backends/target/postgresql_session.h"
#include "vault/base/json.h"
#include "vault/base/mutex.h"
#include "vault/base/random.h"
#include "vault/target/target.h"

namespace leasehold::postgresql {

struct Settings {
  std::string url;
  std::string username;
  SecretBytes password;
  SecretBytes next_password;       // of a rotation that may have happened; empty: none
  std::string options;             // of the session, as libpq takes them
  std::vector<std::string> notes;  // on what is not taken as it is written
  bool escape = true;              // percent-encode what is substituted into a URL
  bool scram = false;
  unsigned connections_max = 4;
  Seconds connection_lifetime{0};               // 0: as long as it works
  std::shared_ptr<const MemoryFile> authority;  // `tls_ca`; null: the machine's own

  static Result<Settings> parse(const Json& settings);
  Result<Parameters> parameters() const { return parameters_with(password); }
  Result<Parameters> parameters_with(const SecretBytes& secret) const;
};

// How long a statement waits for a lock, but for revocations (postgresql_revoke.cpp).
inline constexpr Millis kLockPatience{5000};

// Outlives its target while a connection is open, hence shared.
class Server {
 public:
  Server(Settings settings, Clock& clock, Random& random)
      : settings_(std::move(settings)), clock_(clock), random_(random) {}

  // A tagged session with our own limits set. `database`: another one than the settings name.
  struct Opened {
    std::unique_ptr<Session> session;
    std::string name;     // its application_name
    std::string used_by;  // the operator's statements that ran in it last; empty: it is as new
    std::string user, user_oid, database;
    std::string server;      // its system identifier
    std::string started;     // when, in seconds since the epoch
    bool with_next = false;  // it took the next password, and not the one before
    bool superuser = false;
    bool pooled = false;                   // what it was told of its process is not so: a pooler
    bool marks = false;                    // PL/pgSQL is there, with which accounts are marked
    Nanos ahead{0};                        // of the server's clock
    Millis lock_patience = kLockPatience;  // its lock_timeout
  };
  // `beside`: a session that it must be on the same server with; several may have one name.
  Result<Opened> open(const target::Tag& tag, std::string_view database, Instant deadline,
                      const Opened* beside = nullptr);
  // In a database that every server has, beside `refusing`.
  Result<Opened> open_beside(const target::Tag& tag, std::string_view refusing, Instant deadline);
  // Code::unavailable: another server than `beside` let it in.
  Status try_login(const std::string& account, const SecretBytes& password, Instant deadline,
                   const Opened& beside);

  // A session of ours that was given up while the server may still be at work in it: one of the
  // manager's with this name, which others may use, too. Whether it is known to have ended.
  bool abandon(const target::Tag& tag, const Opened& session);
  std::vector<std::string> take_abandoned();
  void give_back_abandoned(std::vector<std::string> names);

  const Settings& settings() const { return settings_; }
  Clock& clock() { return clock_; }
  Random& random() { return random_; }

 private:
  Result<std::unique_ptr<Session>> log_in(Parameters& parameters, bool& with_next,
                                          Instant deadline);
  Result<std::unique_ptr<Session>> log_in_as_set(Parameters& parameters, int known_version,
                                                 bool& with_next, Instant deadline);
  Result<std::unique_ptr<Session>> log_in_with_all_set(Parameters& parameters, bool& with_next,
                                                       Instant deadline);
  // Behind a pooler: no other client has its session at the server.
  Status see_it_is_alone(const Opened& opened, Instant deadline);
  // Logged in and set up: the session's row.
  Result<Row> set_up(Parameters& parameters, Opened& opened, Instant deadline);
  bool takes_options();
  int known_version();
  void know_version(int version);

  const Settings settings_;
  Clock& clock_;
  Random& random_;
  Mutex mutex_;
  std::vector<std::string> abandoned_ GUARDED_BY(mutex_);
  bool takes_options_ GUARDED_BY(mutex_) = true;
  int known_version_ GUARDED_BY(mutex_) = 0;  // 0: none yet
};

// Our limits, by which nothing of ours waits long, and the search path.
std::string settings_statements(int server_version);
// The same and all else that could stop us, with one row that says who and where the session is: a
// column each of `SetUp`.
std::string set_up_statements(int server_version);
enum SetUp : std::size_t {
  kTheirMillis,
  kUser,
  kDatabase,
  kSuperuser,
  kUserOid,
  kServer,
  kStandby,
  kMarks,
  kBackend,
  kStarted,
  kSetUpColumns
};
std::string lock_statement(Millis patience);
// What begins every application_name of a cluster's sessions.
std::string application_prefix(const target::Tag& tag);
// Why a database would not let the manager in, if it was the database and not the server: its
// owner, and whoever is a member of that, may close it. The words that open it again; empty: it was
// not the database (postgresql_beside.cpp).
std::string opens_again(const Error& refused, std::string_view database, std::string_view user);
// A condition on pg_stat_activity: anybody may give a session any name, not this.
std::string is_managers(std::string_view user_oid);

// What answers the protocol, and not as PostgreSQL does.
inline Error not_postgresql() {
  return failure(Code::unavailable, "the server does not answer as PostgreSQL does");
}

inline constexpr std::string_view kInsufficientPrivilege = "42501";

inline Error with_advice(Error error, const std::string& advice) {
  error.message += "; " + advice;
  return error;
}

}  // namespace leasehold::postgresql
