// Servers that speak PostgreSQL's protocol and are none: the vault goes on.

#include <doctest/doctest.h>

#include <atomic>

#include "backends/target/postgresql.h"
#include "backends/target/postgresql_session.h"
#include "tests/target/talking_server.h"
#include "vault/target/target.h"

namespace leasehold::postgresql {
namespace {

using testing::TalkingServer;
using Answer = TalkingServer::Answer;

struct Hostile {
  explicit Hostile(TalkingServer::Answers answers, TalkingServer::Refusal refusal = {})
      : server(std::move(answers), std::move(refusal)) {
    Json settings = Json::object();
    settings.set("connection_url", server.url());
    auto made = make_target(settings, clock, random);
    VAULT_ASSERT(made.ok());
    target = std::move(made).value();
  }
  Instant soon() { return add(clock.instant(), std::chrono::seconds(10)); }
  Result<std::unique_ptr<target::Connection>> connect() {
    return target->connect({"test01", "thisincarnation0"}, soon());
  }
  Result<Rows> run(Instant deadline) {
    const auto session = Session::open(*Parameters::parse(server.url()), clock, soon());
    REQUIRE(session.ok());
    return (*session)->run("SELECT 1", deadline);
  }

  SystemClock clock;
  SystemRandom random;
  TalkingServer server;
  std::unique_ptr<target::Target> target;
};

std::string set_up_answer(Clock& clock, const std::string& backend = "1") {
  return TalkingServer::one_row({std::to_string(clock.now().millis()), "someone", "app", "f", "10",
                                 "7", "f", "f", backend, "1.5"});
}

bool begins_set_up(const std::string& query) { return query.rfind("SET search_path", 0) == 0; }

}  // namespace

TEST_CASE("hostile server: whatever it says of itself, it is unavailable and nothing ends") {
  std::string said;
  SUBCASE("no row") { said = TalkingServer::columns(4) + TalkingServer::end(); }
  SUBCASE("nothing") { said = TalkingServer::end(); }
  SUBCASE("a row of no column") { said = TalkingServer::one_row({}); }
  SUBCASE("too few columns") { said = TalkingServer::one_row({"1", "me"}); }
  SUBCASE("no number") {
    said = TalkingServer::one_row({"soon", "me", "app", "f", "10", "7", "f", "f", "1", "1.5"});
  }
  SUBCASE("no time") {
    said = TalkingServer::one_row({"", "me", "app", "f", "10", "7", "f", "f", "1", "1.5"});
  }
  SUBCASE("a number beyond all") {
    said = TalkingServer::one_row(
        {"99999999999999999999999", "me", "app", "f", "10", "7", "f", "f", "1", "1.5"});
  }
  SUBCASE("the end of time") {
    said = TalkingServer::one_row(
        {"9223372036854775807", "me", "app", "f", "10", "7", "f", "f", "1", "1.5"});
  }
  SUBCASE("before all time") {
    said = TalkingServer::one_row(
        {"-9223372036854775808", "me", "app", "f", "10", "7", "f", "f", "1", "1.5"});
  }
  Hostile hostile([&](const std::string&) { return Answer{said}; });
  CHECK(hostile.connect().is(Code::unavailable));
}

TEST_CASE("hostile server: short rows are no account, and no reason to stop") {
  SystemClock clock;
  std::string said;
  SUBCASE("rows of no column") { said = TalkingServer::one_row({}); }
  SUBCASE("no row at all") { said = TalkingServer::columns(2) + TalkingServer::end(); }
  SUBCASE("one column each") { said = TalkingServer::one_row({"1"}); }
  Hostile hostile([&](const std::string& query) {
    if (begins_set_up(query)) return Answer{set_up_answer(clock)};
    // An account, without sessions, that owns nothing: then it is dropped and looked for.
    if (query.find("SELECT oid, rolname, strpos(") == 0)
      return Answer{TalkingServer::one_row({"9", "v-test01-x", "f"})};
    if (query.find("BEGIN; DROP ROLE") != 0) return Answer{TalkingServer::end()};
    return Answer{said};
  });
  const auto connection = hostile.connect();
  REQUIRE(connection.ok());
  CHECK_FALSE((*connection)->revoke({"v-test01-x", {}}, hostile.soon()).ok());
}

TEST_CASE("hostile server: an account without an id, and names without a name, are refused") {
  SystemClock clock;
  Hostile hostile([&](const std::string& query) {
    return Answer{begins_set_up(query) ? set_up_answer(clock) : TalkingServer::one_row({})};
  });
  const auto connection = hostile.connect();
  REQUIRE(connection.ok());
  CHECK(hostile.target->connect({"test01", "i"}, hostile.soon()).ok());
  CHECK_FALSE((*connection)->revoke({"v-test01-x", {}}, hostile.soon()).ok());
  CHECK((*connection)->list("v-", hostile.soon()).is(Code::unavailable));
}

TEST_CASE("hostile server: an answer without end is cut off, as one row after another") {
  const std::string part = [] {
    std::string rows;
    const std::string one = TalkingServer::row({std::string(64 * 1024, 'x')});
    for (int i = 0; i < 16; ++i) rows += one;
    return rows;
  }();
  std::atomic<int> parts{0};
  Hostile hostile([&](const std::string&) {
    const bool first = parts.fetch_add(1) == 0;
    return Answer{(first ? TalkingServer::columns(1) : std::string()) + part, true};
  });
  const auto rows = hostile.run(add(hostile.clock.instant(), std::chrono::seconds(60)));
  REQUIRE_FALSE(rows.ok());
  CHECK(rows.error().message == "the answer of PostgreSQL is too long");
  CHECK(parts < 200);  // of a MiB each
}

TEST_CASE("hostile server: one row without end is cut off, too") {
  std::string begun = TalkingServer::columns(1) + "D";
  for (const unsigned size : {0x3fU, 0xffU, 0xffU, 0xffU}) begun += static_cast<char>(size);
  const std::string part(1 << 20, 'x');
  std::atomic<int> parts{0};
  Hostile hostile([&](const std::string&) {
    return Answer{parts.fetch_add(1) == 0 ? begun : part, true};
  });
  const auto rows = hostile.run(add(hostile.clock.instant(), std::chrono::seconds(60)));
  REQUIRE_FALSE(rows.ok());
  CHECK(rows.error().message == "the answer of PostgreSQL is too long");
  // Of a MiB each. libpq reads on while bytes come as fast as it reads, to the end of the row that
  // was announced: a GiB at most.
  CHECK(parts < 1100);
}

TEST_CASE("hostile server: one that never stops talking has not answered in time") {
  std::string notices;
  for (int i = 0; i < 1000; ++i)
    notices += TalkingServer::message('N', std::string("SNOTICE\0C00000\0Mwait\0\0", 22));
  Hostile hostile([&](const std::string&) { return Answer{notices, true}; });
  const auto rows = hostile.run(add(hostile.clock.instant(), std::chrono::milliseconds(300)));
  REQUIRE(rows.is(Code::deadline));
  CHECK(rows.error().message == "PostgreSQL did not answer in time");
}

TEST_CASE("hostile server: a pooler that takes no options at the start is used without them") {
  std::atomic<int> refused{0};
  std::string code;
  SUBCASE("as a violation of the protocol") { code = "08P01"; }
  SUBCASE("as something that is not supported") { code = "0A000"; }
  SystemClock clock;
  Hostile pooler([&](const std::string&) { return Answer{set_up_answer(clock)}; },
                 [&](const std::string& begin) -> std::string {
                   if (begin.find(std::string("options\0", 8)) == std::string::npos) return {};
                   ++refused;
                   const std::string why = "SFATAL" + std::string(1, '\0') + "C" + code +
                                           std::string(1, '\0') + "Munsupported startup parameter" +
                                           std::string(2, '\0');
                   return TalkingServer::message('E', why);
                 });
  CHECK(pooler.connect().ok());
  CHECK(pooler.connect().ok());
  CHECK(refused == 1);  // and is not asked again
}

// Its clients are told of processes that are none of the server's.
TEST_CASE(
    "hostile server: a pooler that shares its sessions is refused, one that does not is used") {
  std::vector<std::string> asked;  // of ours, of a second client's, of ours: which session it is
  bool shared = true;
  SUBCASE("both have one") { asked = {"70", "70", "70"}; }
  SUBCASE("ours has another later") { asked = {"70", "71", "72"}; }
  SUBCASE("each has its own") { asked = {"70", "71", "70"}, shared = false; }
  SUBCASE("there is none for the second") { asked = {"70", "", "70"}, shared = false; }
  SystemClock clock;
  std::atomic<unsigned> next{0};
  Hostile pooler([&](const std::string& query) {
    if (begins_set_up(query)) return Answer{set_up_answer(clock, "70")};
    const unsigned at = next++;
    return Answer{at < asked.size() && !asked[at].empty() ? TalkingServer::one_row({asked[at]})
                                                          : std::string()};
  });
  const auto connected = pooler.connect();
  CHECK(connected.ok() != shared);
  CHECK(next == asked.size());
  if (connected.ok()) return;
  CHECK(connected.is(Code::denied));
  CHECK(connected.error().message.find("pool_mode=session") != std::string::npos);
}

TEST_CASE("hostile server: a password that a pooler refuses is refused, whatever its SQLSTATE") {
  std::string why;
  Code code = Code::denied;
  SUBCASE("by itself") { why = "SASL authentication failed"; }
  SUBCASE("by the server") { why = "password authentication failed for user \"someone\""; }
  SUBCASE("unknown to it") { why = "no such user: someone"; }
  SUBCASE("only that the server is away") {
    why = "server login has been failing, try again later (server_login_retry)";
    code = Code::unavailable;
  }
  Hostile pooler({}, [&](const std::string&) {
    const std::string end(1, '\0');
    return TalkingServer::message('E', "SFATAL" + end + "C08P01" + end + "M" + why + end + end);
  });
  CHECK(pooler.connect().is(code));
}

}  // namespace leasehold::postgresql
