#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "backends/audit/queued_device.h"
#include "backends/audit/socket.h"
#include "tests/audit/support.h"
#include "vault/base/descriptor.h"
#include "vault/base/hcl.h"

using namespace leasehold;
using namespace leasehold::audit;

namespace {

Clock& own_clock() {
  static SystemClock clock;
  return clock;
}

constexpr Nanos kPatience = std::chrono::seconds(20);

// A peer on a port of its own; it reads only when it is told to.
class Peer {
 public:
  explicit Peer(int kind) : kind_(kind), listening_(::socket(AF_INET, kind, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* any = reinterpret_cast<sockaddr*>(&address);
    const int small = 4096;
    ::setsockopt(listening_.get(), SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    REQUIRE(::bind(listening_.get(), any, size) == 0);
    REQUIRE(::getsockname(listening_.get(), any, &size) == 0);
    port_ = ntohs(address.sin_port);
    if (kind == SOCK_STREAM) REQUIRE(::listen(listening_.get(), 8) == 0);
  }
  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }
  void accept() { connection_ = Descriptor(::accept(listening_.get(), nullptr, nullptr)); }
  void hang_up() { connection_.reset(); }
  void close() { listening_.reset(); }
  // Until the other side hangs up.
  std::string read_all() {
    char some[65536];
    for (ssize_t count = 1; count > 0;) {
      count = ::recv(connection_.get(), some, sizeof some, 0);
      if (count > 0) text_.append(some, static_cast<std::size_t>(count));
    }
    return text_;
  }
  // Until it has seen `end`, at most 60 s.
  std::string read_until(const std::string& end) {
    REQUIRE(eventually([&] {
      const int fd = kind_ == SOCK_STREAM ? connection_.get() : listening_.get();
      char some[65536];
      const ssize_t count = ::recv(fd, some, sizeof some, MSG_DONTWAIT);
      if (count > 0) text_.append(some, static_cast<std::size_t>(count));
      return text_.find(end) != std::string::npos;
    }));
    return text_;
  }

 private:
  const int kind_;
  Descriptor listening_, connection_;
  int port_ = 0;
  std::string text_;
};

std::unique_ptr<QueuedDevice> queued(Transport transport, const std::string& address,
                                     std::optional<View> view = {}) {
  return std::make_unique<QueuedDevice>(make_socket_outlet(transport, address, own_clock()),
                                        std::move(view), kPatience, own_clock());
}

Result<std::unique_ptr<Device>> from(const std::string& kind, const std::string& options) {
  const auto parsed = parse_hcl("audit \"" + kind + "\" {\n options {\n" + options + "\n }\n}\n",
                                {"audit", "options"});
  REQUIRE(parsed.ok());
  Stanza stanza("vault.hcl", parsed->blocks.at(0));
  const std::string no_storage;
  const Setting setting{no_storage, own_clock()};
  return kind == "socket" ? make_socket_device(stanza, setting)
                          : make_syslog_device(stanza, setting);
}

bool refused(const std::string& kind, const std::string& options, const std::string& message) {
  const auto device = from(kind, options);
  if (device.ok()) return false;
  CAPTURE(device.error().message);
  CHECK(device.error().message.find("vault.hcl:") == 0);
  return device.error().message.find(message) != std::string::npos;
}

std::vector<std::unique_ptr<Device>> beside_a_file(const std::string& file,
                                                   std::unique_ptr<Device> device) {
  auto devices = Running::one(file);
  devices.push_back(std::move(device));
  return devices;
}

}  // namespace

TEST_CASE("audit socket: the whole log goes to a TCP peer and verifies there") {
  Folder folder;
  Peer peer(SOCK_STREAM);
  std::vector<std::unique_ptr<Device>> devices;
  devices.push_back(queued(Transport::tcp, peer.address()));
  Running running(std::move(devices));
  REQUIRE(running.start().ok());
  peer.accept();
  CHECK(running.add("a").ok());
  CHECK(running.add("b").ok());
  running.log->close();
  running.log.reset();
  write_file(folder / "received", peer.read_all());
  CHECK(verified({folder / "received"}).whole);
  CHECK(verified({folder / "received"}).records == 6);
}

TEST_CASE("audit socket: alone, it has sent a line when the line counts as recorded") {
  Peer peer(SOCK_DGRAM);
  std::vector<std::unique_ptr<Device>> devices;
  devices.push_back(queued(Transport::udp, peer.address()));
  Running running(std::move(devices));
  REQUIRE(running.start().ok());
  CHECK(running.add("only").ok());
  peer.read_until("\"only\"");
}

TEST_CASE("audit socket: a peer that takes nothing holds up nobody who has a file") {
  Folder folder;
  Peer peer(SOCK_STREAM);
  Running running(beside_a_file(folder / "audit.log", queued(Transport::tcp, peer.address())));
  REQUIRE(running.start().ok());
  peer.accept();
  const std::string much(1 << 20, 'x');
  for (int i = 0; i < 40; ++i) CHECK(running.add(much).ok());  // more than is kept for it
  CHECK(eventually([&] { return running.sink.text().find("is too slow") != std::string::npos; }));
  CHECK(running.log->can_record());
  peer.hang_up();
  peer.close();
  running.log->close();
  CHECK(verified({folder / "audit.log"}).whole);
}

TEST_CASE("audit socket: lines wait for a peer that comes back") {
  Folder folder;
  Peer peer(SOCK_STREAM);
  Running running(beside_a_file(folder / "audit.log", queued(Transport::tcp, peer.address())));
  REQUIRE(running.start().ok());
  peer.accept();
  CHECK(running.add("before").ok());
  peer.read_until("\"before\"");
  peer.hang_up();
  CHECK(running.add("after").ok());
  peer.accept();
  peer.read_until("\"after\"");
}

TEST_CASE("audit socket: alone and out of reach, nothing can be recorded, until it is back") {
  Folder folder;
  const std::string path = folder / "peer";
  std::vector<std::unique_ptr<Device>> devices;
  devices.push_back(queued(Transport::unix_stream, path));
  Running running(std::move(devices));
  CHECK(running.start().is(Code::unavailable));
  CHECK_FALSE(running.log->can_record());
  CHECK(running.sink.text().find("cannot connect") != std::string::npos);

  const Descriptor listening(::socket(AF_UNIX, SOCK_STREAM, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, path.size());
  REQUIRE(::bind(listening.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  REQUIRE(::listen(listening.get(), 8) == 0);
  CHECK(eventually([&] {
    running.clock.advance(std::chrono::seconds(1));
    return running.log->can_record();
  }));
}

TEST_CASE("audit socket: a record that no datagram can hold is not on record there") {
  Peer peer(SOCK_DGRAM);
  std::vector<std::unique_ptr<Device>> devices;
  devices.push_back(queued(Transport::udp, peer.address()));
  Running running(std::move(devices));
  REQUIRE(running.start().ok());
  CHECK_FALSE(running.add(std::string(100'000, 'x')).ok());
  CHECK(running.sink.text().find("too long for a datagram") != std::string::npos);
  CHECK(eventually([&] {
    running.clock.advance(std::chrono::seconds(1));
    return running.add("short").ok();
  }));
  peer.read_until("\"short\"");
}

TEST_CASE("audit syslog: lines come with priority, time and tag") {
  Folder folder;
  const std::string path = folder / "log";
  const Descriptor listening(::socket(AF_UNIX, SOCK_DGRAM, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, path.size());
  REQUIRE(::bind(listening.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  auto device =
      from("syslog", "facility = \"local3\"\n tag = \"vault\"\n address = \"" + path + "\"");
  REQUIRE(device.ok());
  CHECK((*device)->type == "syslog");
  CHECK((*device)->path == "syslog/");
  std::vector<std::unique_ptr<Device>> devices;
  devices.push_back(std::move(*device));
  Running running(std::move(devices));
  REQUIRE(running.start().ok());
  CHECK(running.add("hello").ok());
  std::string text;
  CHECK(eventually([&] {
    char some[65536];
    const ssize_t count = ::recv(listening.get(), some, sizeof some, MSG_DONTWAIT);
    if (count > 0) text.assign(some, static_cast<std::size_t>(count));
    return text.find("\"hello\"") != std::string::npos;
  }));
  CHECK(text.starts_with("<158>"));  // local3 is 19, info 6
  CHECK(text.find(" vault[" + std::to_string(::getpid()) + "]: {\"seq\":") != std::string::npos);
}

TEST_CASE("audit socket: a view takes its part, and alone records nothing") {
  Folder folder;
  const auto parsed = parse_hcl("options {\n filter = \"operation == read\"\n}\n", {"options"});
  Stanza options("vault.hcl", parsed->blocks.at(0));
  auto view = View::take(options);
  const auto file_view = [&] {
    return std::make_unique<QueuedDevice>(make_file_outlet(folder / "view", 0600), view, kPatience,
                                          own_clock());
  };
  const auto record = [](Running& running, const std::string& operation) {
    const std::string body =
        "{\"time\":\"t\",\"type\":\"request\",\"request\":{\"operation\":\"" + operation + "\"}}";
    const std::string_view bodies[] = {body};
    return running.log->append(bodies);
  };
  SUBCASE("beside the log") {
    Running running(beside_a_file(folder / "audit.log", file_view()));
    REQUIRE(running.start().ok());
    CHECK(record(running, "update").ok());
    CHECK(record(running, "read").ok());
    running.log.reset();
    const auto lines = lines_of(read_file(folder / "view"));
    REQUIRE(lines.size() == 1);
    CHECK(lines[0] ==
          "{\"request\":{\"operation\":\"read\"},\"seq\":4,\"time\":\"t\",\"type\":\"request\"}");
    CHECK(verified({folder / "audit.log"}).whole);
  }
  SUBCASE("alone") {
    std::vector<std::unique_ptr<Device>> devices;
    devices.push_back(file_view());
    Running running(std::move(devices));
    CHECK(running.start().is(Code::unavailable));
    CHECK_FALSE(running.log->can_record());
  }
}

TEST_CASE("audit view: a file that was moved is begun anew, also without a signal") {
  Folder folder;
  QueuedDevice device(make_file_outlet(folder / "view", 0600), std::nullopt, kPatience,
                      own_clock());
  REQUIRE(device.open().ok());
  REQUIRE(device.write("one\n").ok());
  REQUIRE(device.confirm().ok());
  std::filesystem::rename(folder / "view", folder / "view.1");
  REQUIRE(device.write("two\n").ok());
  REQUIRE(device.confirm().ok());
  CHECK(read_file(folder / "view.1") == "one\n");
  CHECK(read_file(folder / "view") == "two\n");
}

TEST_CASE("audit socket and syslog: what cannot be meant is refused where it stands") {
  CHECK(refused("socket", "", "needs \"address\""));
  CHECK(refused("socket", "address = \"host\"", "must be host:port"));
  CHECK(refused("socket", "address = \"host:\"", "must be host:port"));
  CHECK(refused("socket", "address = \"a:1\"\n socket_type = \"sctp\"", "\"socket_type\" is"));
  CHECK(refused("socket", "address = \"a\"\n socket_type = \"unix\"", "absolute path"));
  CHECK(refused("socket", "address = \"a:1\"\n write_timeout = \"1h\"", "may be 1s to 30s"));
  CHECK(refused("socket", "address = \"a:1\"\n log_raw = true", "never logged in clear"));
  CHECK(refused("socket", "address = \"a:1\"\n adress = \"x\"", "adress"));
  CHECK(refused("syslog", "facility = \"PRINTER\"", "\"facility\" is"));
  CHECK(refused("syslog", "tag = \"a b\"", "\"tag\" is"));
}
