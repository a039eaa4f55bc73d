#include "backends/target/postgresql_session.h"

#include <libpq-fe.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>

namespace leasehold::postgresql {
namespace {

constexpr std::string_view kNoAnswer = "PostgreSQL did not answer in time";
constexpr std::size_t kMessageMax = 500;
constexpr int kLooksMax = 16;         // at what came unasked
constexpr std::size_t kFoundMin = 4;  // a secret that is shorter is in every other text
// What one message may return: more than a million accounts' names.
constexpr std::size_t kAnswerMax = std::size_t{128} << 20;

bool starts_with(std::string_view text, std::string_view prefix) {
  return text.substr(0, prefix.size()) == prefix;
}

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  if (from.empty()) return;
  for (auto at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
}

std::string clipped(std::string_view text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.remove_suffix(1);
  return std::string(text.substr(0, kMessageMax));
}

// libpq says why a connection failed in words only; asked for verbosity it adds "FATAL:  28P01: ".
std::string state_in(std::string_view message) {
  const auto at = message.rfind("FATAL:  ");
  if (at == std::string_view::npos || message.size() < at + 14 || message[at + 13] != ':')
    return {};
  return std::string(message.substr(at + 8, 5));
}

// pgbouncer says "protocol violation" of all that it refuses.
bool refused_by_pooler(std::string_view state, std::string_view message) {
  if (!starts_with(state, "08")) return false;
  const auto says = [&](std::string_view what) {
    return message.find(what) != std::string_view::npos;
  };
  return says("authentication failed") || says("auth failed") || says("no such user") ||
         says("login rejected");
}

std::string without_location(std::string_view message) {
  return clipped(message.substr(0, message.find("\nLOCATION:")));
}

// Returns how much memory it takes.
std::size_t append_row(const PGresult* result, Rows& rows) {
  Row& row = rows.emplace_back();
  std::size_t size = sizeof(Row);
  for (int column = 0; column < PQnfields(result); ++column) {
    row.emplace_back(PQgetvalue(result, 0, column));
    size += sizeof(std::string) + row.back().size();
  }
  return size;
}

// Not a directory, so nothing is below it.
constexpr const char* kNoFile = "/dev/null/none";

}  // namespace

Session::Session(PGconn* connection, Clock& clock) : connection_(connection), clock_(clock) {
  PQsetNoticeReceiver(connection_, take_notice, this);
  PQsetErrorVerbosity(connection_, PQERRORS_VERBOSE);
}

Session::~Session() { PQfinish(connection_); }

Result<std::unique_ptr<Session>> Session::open(const Parameters& parameters, Clock& clock,
                                               Instant deadline) {
  std::vector<const char*> keywords, values;
  for (const auto& [keyword, value] : parameters.all()) {
    keywords.push_back(keyword.c_str());
    values.push_back(value.c_str());
  }
  // What the service's own user keeps for itself is not for whatever server a configuration names.
  for (const char* const keyword : {"passfile", "sslcert"}) {
    keywords.push_back(keyword);
    values.push_back(kNoFile);
  }
  keywords.push_back(nullptr);
  values.push_back(nullptr);
  PGconn* const connection = PQconnectStartParams(keywords.data(), values.data(), 0);
  if (connection == nullptr) return failure(Code::unavailable, "out of memory for a connection");
  std::unique_ptr<Session> session(new Session(connection, clock));
  session->hide(parameters.get("password"));
  VAULT_TRY(session->finish_connecting(deadline));
  return session;
}

Status Session::finish_connecting(Instant deadline) {
  PostgresPollingStatusType step = PGRES_POLLING_WRITING;
  if (PQstatus(connection_) == CONNECTION_BAD) step = PGRES_POLLING_FAILED;
  while (step == PGRES_POLLING_READING || step == PGRES_POLLING_WRITING) {
    const Status waited = wait(step == PGRES_POLLING_READING ? POLLIN : POLLOUT, deadline);
    // Nothing was asked of the server yet, so nothing can happen.
    if (!waited.ok()) return failure(Code::unavailable, waited.error().message);
    step = PQconnectPoll(connection_);
  }
  if (step == PGRES_POLLING_OK && PQsetnonblocking(connection_, 1) == 0) return {};
  broken_ = true;
  const std::string_view message = PQerrorMessage(connection_);
  const std::string state = state_in(message);
  const bool refused = PQconnectionNeedsPassword(connection_) != 0 ||
                       (!state.empty() && code_of_state(state) == Code::denied) ||
                       refused_by_pooler(state, message);
  return failure(refused ? Code::denied : Code::unavailable,
                 without_secrets(without_location(message)));
}

Status Session::wait(int events, Instant deadline) {
  const std::int64_t left = deadline.ns - clock_.instant().ns;
  pollfd waiting{PQsocket(connection_), static_cast<short>(events), 0};
  const std::int64_t ms = std::clamp<std::int64_t>((left + 999'999) / 1'000'000, 0, 3'600'000);
  int ready = 0;
  do {
    ready = poll(&waiting, 1, static_cast<int>(ms));
  } while (ready < 0 && errno == EINTR);
  if (ready > 0 && left > 0) return {};  // one that never stops talking has not answered either
  broken_ = true;
  return failure(Code::deadline, std::string(kNoAnswer));
}

// A session that is ended while it has nothing to do is told so in a message nobody asked for.
void Session::take_notice(void* session, const PGresult* notice) {
  const char* const severity = PQresultErrorField(notice, PG_DIAG_SEVERITY_NONLOCALIZED);
  const std::string_view how = severity != nullptr ? severity : "";
  if (how == "FATAL" || how == "PANIC") static_cast<Session*>(session)->ending_ = true;
}

bool Session::has_ended() {
  pollfd waiting{PQsocket(connection_), POLLIN, 0};
  for (int look = 0; look < kLooksMax && !broken_ && poll(&waiting, 1, 0) > 0; ++look) {
    const bool there = PQconsumeInput(connection_) == 1;
    PQisBusy(connection_);  // reads the messages
    broken_ = lost_ = !there || ending_ || PQstatus(connection_) != CONNECTION_OK;
  }
  return lost_;
}

Result<Rows> Session::run(const std::string& sql, Instant deadline) {
  last_state_.clear();
  if (broken_) return failure(Code::unavailable, "the connection to PostgreSQL is broken");
  VAULT_TRY(send(sql, deadline));
  Result<Rows> rows = receive(deadline);
  if (broken_ || PQtransactionStatus(connection_) == PQTRANS_IDLE) return rows;
  const std::string state = last_state_;
  VAULT_TRY(send("ROLLBACK", deadline));
  VAULT_TRY(receive(deadline));
  last_state_ = state;
  if (rows.ok())
    return failure(Code::denied, "the statements began a transaction and left it open");
  return rows;
}

Status Session::send(const std::string& sql, Instant deadline) {
  if (PQsendQuery(connection_, sql.c_str()) != 1) return lost();
  PQsetSingleRowMode(connection_);  // so that an answer is measured before all of it is in memory
  while (true) {
    const int left = PQflush(connection_);
    if (left < 0) return lost();
    if (left == 0) return {};
    VAULT_TRY(wait(POLLIN | POLLOUT, deadline));
    if (PQconsumeInput(connection_) != 1) return lost();
  }
}

Result<Rows> Session::receive(Instant deadline) {
  Rows rows, coming;
  std::size_t size = 0;
  const std::size_t before = bytes_received();
  std::optional<Error> error;
  while (!broken_) {
    while (!broken_ && PQisBusy(connection_) != 0) {
      VAULT_TRY(wait(POLLIN, deadline));
      if (PQconsumeInput(connection_) != 1 && !error) return lost();
      // A row that has not ended: libpq keeps all of it.
      if (bytes_received() - before > kAnswerMax) error = too_long();
    }
    if (broken_) break;
    PGresult* const result = PQgetResult(connection_);
    if (result == nullptr) break;
    const ExecStatusType status = PQresultStatus(result);
    if (status == PGRES_SINGLE_TUPLE) {
      size += append_row(result, coming);
      if (size > kAnswerMax) error = too_long();
    } else if (status == PGRES_TUPLES_OK) {
      rows = std::exchange(coming, {});
    } else if (status == PGRES_COPY_IN || status == PGRES_COPY_OUT || status == PGRES_COPY_BOTH) {
      // It would wait for data for ever.
      error = unusable(Code::denied, "a statement must not use COPY ... FROM STDIN or TO STDOUT");
    } else if (status != PGRES_COMMAND_OK && status != PGRES_EMPTY_QUERY && !error) {
      error = failed(result);
    }
    PQclear(result);
  }
  if (error) return *error;
  return rows;
}

std::size_t Session::bytes_received() const {
  tcp_info info{};
  socklen_t size = sizeof info;
  if (getsockopt(PQsocket(connection_), IPPROTO_TCP, TCP_INFO, &info, &size) != 0) return 0;
  return info.tcpi_bytes_received;
}

Error Session::too_long() {
  return unusable(Code::deadline, "the answer of PostgreSQL is too long");
}

Error Session::unusable(Code code, std::string_view why) {
  broken_ = true;
  return failure(code, std::string(why));
}

Error Session::failed(const PGresult* result) {
  const auto field = [&](int code) {
    const char* const text = PQresultErrorField(result, code);
    return std::string(text != nullptr ? text : "");
  };
  last_state_ = field(PG_DIAG_SQLSTATE);
  // FATAL ends the session, and without a state it is libpq that speaks: whether the statement
  // had been committed is not known.
  if (field(PG_DIAG_SEVERITY_NONLOCALIZED) != "ERROR" || last_state_.empty()) return lost();
  // Message and detail only: LINE and CONTEXT quote the statement.
  std::string text = field(PG_DIAG_MESSAGE_PRIMARY);
  for (const int part : {+PG_DIAG_MESSAGE_DETAIL, +PG_DIAG_MESSAGE_HINT})
    if (const std::string more = field(part); !more.empty()) text += ": " + more;
  return failure(code_of_state(last_state_),
                 without_secrets(clipped(text)) + " (SQLSTATE " + last_state_ + ")");
}

Error Session::lost() {
  broken_ = lost_ = true;
  return failure(Code::deadline, "the connection to PostgreSQL was lost before it had answered",
                 without_secrets(without_location(PQerrorMessage(connection_))));
}

int Session::server_version() const { return PQserverVersion(connection_); }
int Session::backend() const { return PQbackendPID(connection_); }

void Session::hide(std::string_view secret) { hidden_.emplace_back(secret); }

std::string Session::without_secrets(std::string text) const {
  for (const auto& secret : hidden_) {
    const std::string_view found = as_text(secret.reveal());
    // It may stand in any word, and what is left of the words would tell it.
    if (!found.empty() && found.size() < kFoundMin && text.find(found) != std::string::npos)
      return "what PostgreSQL says is not shown: the password is so short that it is in it";
    replace_all(text, found, "<password>");
  }
  return text;
}

std::string quote_identifier(std::string_view name) {
  std::string quoted = "\"";
  for (const char c : name) {
    if (c == '"') quoted += '"';
    quoted += c;
  }
  return quoted + '"';
}

std::string quote_literal(std::string_view text) {
  const bool escaped = text.find('\\') != std::string_view::npos;
  std::string quoted = escaped ? " E'" : "'";
  for (const char c : text) {
    if (c == '\'' || c == '\\') quoted += c;
    quoted += c;
  }
  return quoted + '\'';
}

Code code_of_state(std::string_view state) {
  // Class 08 connection, 53 resources, 57 operator intervention, 40 rollback, 55P03 lock timeout;
  // XX000 is "tuple concurrently updated", when two sessions change one role.
  if (starts_with(state, "08") || starts_with(state, "53") || starts_with(state, "57") ||
      starts_with(state, "40") || state == "55P03" || state == "XX000")
    return Code::unavailable;
  return Code::denied;
}

}  // namespace leasehold::postgresql
