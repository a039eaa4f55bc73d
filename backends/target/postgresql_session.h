#pragma once
// One session with a PostgreSQL server. A session that missed a deadline or lost its connection is
// broken and stays so; what it was doing may still happen at the server until its back end has
// ended. Error messages are PostgreSQL's own first line and detail, without the statement and
// without any of the session's secrets. Thread safety: none.

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "vault/base/bytes.h"
#include "vault/base/clock.h"
#include "vault/base/result.h"

struct pg_conn;
struct pg_result;

namespace leasehold::postgresql {

// Keywords and values as libpq takes them; holds the password, so it is wiped.
class Parameters {
 public:
  Parameters() = default;
  Parameters(Parameters&&) = default;
  Parameters& operator=(Parameters&&) = default;
  Parameters(const Parameters&) = default;
  Parameters& operator=(const Parameters&) = default;
  ~Parameters();

  // `text` is a URL or a keyword string.
  static Result<Parameters> parse(const std::string& text);
  // Puts the manager where {{username}} and {{password}} stand: values, in which no character means
  // anything, whatever the form of the text was and its quotes.
  Status fill(std::string_view username, std::string_view password);
  std::string_view get(std::string_view keyword) const;  // empty when absent
  void set(std::string_view keyword, std::string value);
  const std::vector<std::pair<std::string, std::string>>& all() const { return values_; }
  // Of several hosts the one that takes changes, unless it says otherwise.
  void want_primary();
  // Every host is this machine: loopback or a unix socket.
  bool is_local() const;

 private:
  Status check_addresses() const;
  std::vector<std::pair<std::string, std::string>> values_;
};

// What other drivers' users write in a connection_url and libpq does not know. search_path and
// timezone are what the operator's statements run with; what only concerns other drivers, or is set
// by us, is left out with a note; anything else is refused by its name.
struct OtherDrivers {
  std::string url;                 // without them
  std::string options;             // for libpq's parameter of that name
  std::vector<std::string> notes;  // for who wrote it

  static Result<OtherDrivers> take_from(const std::string& url);
};

// %41 is A; what is no such code stays as it is.
std::string percent_decoded(std::string_view text);
// "-c name=value", where a space or backslash of the value is escaped.
std::string startup_option(std::string_view name, std::string_view value);

using Row = std::vector<std::string>;  // NULL reads as ""
using Rows = std::vector<Row>;

class Session {
 public:
  static Result<std::unique_ptr<Session>> open(const Parameters& parameters, Clock& clock,
                                               Instant deadline);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // One message to the server: several statements are one transaction unless they say otherwise.
  // The rows are those of the last statement that returned any.
  Result<Rows> run(const std::string& sql, Instant deadline);
  // SQLSTATE of the last failed run().
  const std::string& last_state() const { return last_state_; }
  bool broken() const { return broken_; }
  // Looks, without waiting, whether the server has ended it while nothing was asked of it: then
  // nothing can have begun. It is broken from then on.
  bool has_ended();
  // Broken because it was lost, not because somebody gave it up.
  bool lost_it() const { return lost_; }
  void give_up() { broken_ = true; }
  int server_version() const;  // 150014
  int backend() const;         // its process, as it was told when it began; 0: it was not
  // What must not appear in an error message from now on, besides the session's own password.
  void hide(std::string_view secret);
  void unhide() { hidden_.resize(1); }

 private:
  Session(pg_conn* connection, Clock& clock);
  Status finish_connecting(Instant deadline);
  Status wait(int events, Instant deadline);
  Status send(const std::string& sql, Instant deadline);
  Result<Rows> receive(Instant deadline);
  Error failed(const pg_result* result);
  Error lost();
  static void take_notice(void* session, const pg_result* notice);
  std::size_t bytes_received() const;  // by TCP; 0 on a unix socket
  Error too_long();
  Error unusable(Code code, std::string_view why);
  std::string without_secrets(std::string text) const;

  pg_conn* const connection_;
  Clock& clock_;
  std::vector<SecretBytes> hidden_;
  std::string last_state_;
  bool broken_ = false, lost_ = false;
  bool ending_ = false;  // the server said so
};

std::string quote_identifier(std::string_view name);  // "na""me"
std::string quote_literal(std::string_view text);     // 'te''xt', or E'…' with backslashes

// Which Code a SQLSTATE is: denied unless the server was only not able to do it now.
Code code_of_state(std::string_view state);

}  // namespace leasehold::postgresql
