#include "backends/keyhost/client.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <fstream>
#include <thread>

#include "tests/keyhost/processes.h"
#include "tests/support/null_log.h"
#include "tests/support/temporary_folder.h"

using namespace leasehold;
using namespace leasehold::keyhost;
using leasehold::testing::settings;
using leasehold::testing::TemporaryFolder;
using leasehold::testing::test_key_host;

namespace {

struct Fixture {
  SystemClock clock;
  NullLog log;
  TemporaryFolder folder;

  std::unique_ptr<KeyHost> host(const std::string& mode) {
    return std::make_unique<KeyHost>(test_key_host(), "faulty",
                                     settings({{"mode", mode}, {"mark", folder.path() + "/mark"}}),
                                     clock, log);
  }
};

seal::Request random_request() {
  seal::Request request;
  request.operation = seal::HostCall::random;
  request.count = 16;
  return request;
}

constexpr Millis kLong{20'000};

}  // namespace

TEST_CASE("client: a key host is started when it is first needed, and answers") {
  Fixture fixture;
  const auto host = fixture.host("ok");
  CHECK(host->pid() == 0);
  const auto reply = host->call(random_request(), kLong);
  REQUIRE_MESSAGE(reply.answer.ok(), reply.answer.message, " ", reply.answer.detail);
  CHECK(reply.secret.size() == 16);
  const pid_t pid = host->pid();
  CHECK(host->call(random_request(), kLong).answer.ok());
  CHECK(host->pid() == pid);
}

TEST_CASE("client: a killed key host is started again") {
  Fixture fixture;
  const auto host = fixture.host("ok");
  REQUIRE(host->call(random_request(), kLong).answer.ok());
  const pid_t pid = host->pid();
  ::kill(pid, SIGKILL);
  CHECK(host->call(random_request(), kLong).answer.ok());
  CHECK(host->pid() != pid);
}

TEST_CASE("client: an operation that crashed the key host is tried once more") {
  Fixture fixture;
  const auto host = fixture.host("crash-once");
  CHECK(host->call(random_request(), kLong).answer.ok());
}

TEST_CASE("client: a key host that always crashes is left alone for a while") {
  Fixture fixture;
  const auto host = fixture.host("crash");
  const auto reply = host->call(random_request(), kLong);
  CHECK(reply.answer.state == DeviceState::failed);
  CHECK(reply.answer.detail.find("signal 6") != std::string::npos);
  CHECK(host->pid() == 0);
  CHECK(host->call(random_request(), kLong).answer.message.find("keeps ending") !=
        std::string::npos);
}

TEST_CASE("client: a key host that hangs is killed at the deadline, and replaced") {
  Fixture fixture;
  const auto host = fixture.host("hang");
  const auto before = fixture.clock.instant();
  const auto reply = host->call(random_request(), Millis(200));
  CHECK(reply.answer.state == DeviceState::wedged);
  CHECK((fixture.clock.instant().ns - before.ns) / 1'000'000 < 10'000);
  CHECK(host->pid() == 0);
}

TEST_CASE("client: one hung device does not hold up another") {
  Fixture fixture;
  const auto hung = fixture.host("hang");
  const auto well = fixture.host("ok");
  CHECK(hung->call(random_request(), Millis(100)).answer.state == DeviceState::wedged);
  CHECK(well->call(random_request(), kLong).answer.ok());
}

TEST_CASE("client: a key host ends with the vault, also while its device hangs") {
  Fixture fixture;
  auto host = fixture.host("ok");
  REQUIRE(host->call(random_request(), kLong).answer.ok());
  const int process = static_cast<int>(::syscall(SYS_pidfd_open, host->pid(), 0));
  REQUIRE(process >= 0);
  host.reset();
  pollfd ended{process, POLLIN, 0};
  CHECK(::poll(&ended, 1, 10'000) == 1);
  ::close(process);
}

TEST_CASE("client: a call that waits ends when the vault stops, and no other begins") {
  Fixture fixture;
  const auto host = fixture.host("hang");
  seal::Reply reply;
  std::thread waiting([&] { reply = host->call(random_request(), Millis(600'000)); });
  host->stop();
  waiting.join();
  CHECK(reply.answer.state == DeviceState::failed);
  CHECK(reply.answer.message.find("stopping") != std::string::npos);
  CHECK(host->call(random_request(), kLong).answer.state == DeviceState::failed);
  CHECK(host->pid() == 0);
}

TEST_CASE("client: settings that are wrong are reported, not retried") {
  Fixture fixture;
  KeyHost host(test_key_host(), "faulty", {}, fixture.clock, fixture.log);
  const auto reply = host.call(random_request(), kLong);
  CHECK(reply.answer.state == DeviceState::unsupported);
  CHECK(reply.answer.message == "no mode");
  KeyHost unknown(test_key_host(), "abacus", {}, fixture.clock, fixture.log);
  CHECK(unknown.call(random_request(), kLong).answer.state == DeviceState::unsupported);
}

TEST_CASE("client: an executable that is missing is reported") {
  Fixture fixture;
  KeyHost host({"/nonexistent/keyhost", {"keyhost"}}, "faulty", {}, fixture.clock, fixture.log);
  const auto reply = host.call(random_request(), kLong);
  CHECK(reply.answer.state == DeviceState::failed);
  CHECK(reply.answer.detail.find("/nonexistent/keyhost") != std::string::npos);
  KeyHost other({"/bin/true", {"true"}}, "faulty", {}, fixture.clock, fixture.log);
  CHECK(other.call(random_request(), kLong).answer.state == DeviceState::failed);
}

TEST_CASE("client: a key host cannot be traced, dumps no core and holds no foreign descriptor") {
  Fixture fixture;
  const auto host = fixture.host("ok");
  const int leaked = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  REQUIRE(host->call(random_request(), kLong).answer.ok());
  const std::string process = "/proc/" + std::to_string(host->pid());
  std::ifstream limits(process + "/limits");
  std::string line;
  bool no_core = false;
  while (std::getline(limits, line))
    no_core |= line.find("Max core file size") == 0 && line.find(" 0 ") != std::string::npos;
  CHECK(no_core);
  // Only root may look at the descriptors of a process that cannot be traced.
  std::error_code denied;
  std::filesystem::directory_iterator each(process + "/fd", denied);
  if (denied) {
    CHECK(::getuid() != 0);
  } else {
    CHECK(std::distance(each, {}) == 4);  // the standard three and the socket
  }
  ::close(leaked);
}

TEST_CASE("client: its own executable stays reachable through a descriptor") {
  const std::string path = own_executable();
  CHECK(path.find("/proc/self/fd/") == 0);
  CHECK(::access(path.c_str(), X_OK) == 0);
}

TEST_CASE("client: a key host sees what its library needs and what is named, and nothing else") {
  Fixture fixture;
  ::setenv("VAULT_TOKEN", "hvs.a-secret", 1);
  ::setenv("LD_PRELOAD_TEST", "/x.so", 1);
  ::setenv("SOFTHSM2_CONF", "/etc/softhsm2.conf", 1);
  ::setenv("MY_VENDOR_CONF", "/etc/vendor.conf", 1);
  KeyHostOptions options = test_key_host();
  options.environment = {"MY_VENDOR_CONF", "MY_NUMBER=7", "NOT_SET_HERE"};
  KeyHost host(options, "faulty", settings({{"mode", "ok"}}), fixture.clock, fixture.log);
  seal::Request request;
  request.operation = seal::HostCall::enroll;
  const std::string seen = host.call(std::move(request), kLong).identity;
  for (const char* wanted :
       {"SOFTHSM2_CONF=/etc/softhsm2.conf\n", "MY_VENDOR_CONF=/etc/vendor.conf\n", "MY_NUMBER=7\n"})
    CHECK_MESSAGE(seen.find(wanted) != std::string::npos, wanted);
  for (const char* unwanted : {"VAULT_TOKEN", "LD_PRELOAD_TEST", "NOT_SET_HERE", "LEASEHOLD_BIN"})
    CHECK_MESSAGE(seen.find(unwanted) == std::string::npos, unwanted);
}
