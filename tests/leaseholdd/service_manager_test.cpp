// What a service manager hears, on a socket of the test.

#include "cli/leaseholdd/service_manager.h"

#include <doctest/doctest.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstddef>
#include <cstring>
#include <string>

using leasehold::Nanos;
using leasehold::server_process::ServiceManager;

namespace {

// Hears at "@…": of the abstract namespace, so that no file stays behind.
class Ear {
 public:
  Ear() {
    file_ = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string name = "leasehold-test-" + std::to_string(::getpid());
    std::memcpy(address.sun_path + 1, name.data(), name.size());
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
    REQUIRE(::bind(file_, reinterpret_cast<const sockaddr*>(&address), size) == 0);
    name_ = "@" + name;
  }
  ~Ear() { ::close(file_); }
  Ear(const Ear&) = delete;
  Ear& operator=(const Ear&) = delete;

  const std::string& name() const { return name_; }
  // The next thing said; "": nothing was.
  std::string hear() const {
    char text[256];
    const ssize_t size = ::recv(file_, text, sizeof text, 0);
    return size < 0 ? "" : std::string(text, static_cast<std::size_t>(size));
  }

 private:
  int file_ = -1;
  std::string name_;
};

// Variables as systemd sets them, gone with the test.
struct Environment {
  Environment(const std::string& socket, const std::string& micros, const std::string& process) {
    ::setenv("NOTIFY_SOCKET", socket.c_str(), 1);
    ::setenv("WATCHDOG_USEC", micros.c_str(), 1);
    ::setenv("WATCHDOG_PID", process.c_str(), 1);
  }
  ~Environment() {
    for (const char* name : {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"}) ::unsetenv(name);
  }
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;
};

std::string own_process() { return std::to_string(::getpid()); }

}  // namespace

TEST_CASE("the service manager hears of the start, a reload and the end, each by itself") {
  const Ear ear;
  const ServiceManager manager(ear.name());
  manager.ready();
  manager.reloading();
  manager.ready();
  manager.stopping();
  for (const char* said : {"READY=1", "RELOADING=1", "READY=1", "STOPPING=1", ""})
    CHECK(ear.hear() == said);
}

TEST_CASE("the watchdog hears a word within half of its patience") {
  const Ear ear;
  const Environment environment(ear.name(), "60000000", own_process());
  const ServiceManager manager = ServiceManager::of_environment();
  manager.alive();
  CHECK(ear.hear() == "WATCHDOG=1");
  REQUIRE(manager.silence_max());
  CHECK(*manager.silence_max() == Nanos(30'000'000'000));
}

TEST_CASE("a watchdog of another process, of no time or of no number gets no word") {
  const Ear ear;
  for (const auto& [micros, process] :
       {std::pair{"60000000", "1"}, std::pair{"0", ""}, std::pair{"60s", ""}, std::pair{"", ""},
        std::pair{"-5", ""}, std::pair{"99999999999999999999", ""}}) {
    const Environment environment(ear.name(), micros, process);
    const ServiceManager manager = ServiceManager::of_environment();
    manager.alive();
    CHECK(ear.hear().empty());
    CHECK_FALSE(manager.silence_max());
    manager.ready();
    CHECK(ear.hear() == "READY=1");
  }
}

TEST_CASE("what starts later finds no socket to speak to") {
  const Environment environment("/run/systemd/notify", "1000000", "");
  ServiceManager::of_environment();
  CHECK(std::string(::getenv("NOTIFY_SOCKET")).empty());
}

TEST_CASE("where nobody listens nothing happens") {
  for (const std::string& place : {std::string(), std::string("/nonexistent/notify"),
                                   std::string("relative"), std::string(200, '/')}) {
    const ServiceManager manager(place, Nanos(1'000'000));
    manager.ready();
    manager.alive();
    manager.stopping();
  }
  CHECK_FALSE(ServiceManager("", Nanos(1'000'000)).silence_max());
}
