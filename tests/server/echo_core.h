#pragma once
// A core that says back what it was asked, at once or when told to, behind a real listener on a
// loopback port; and a client of raw bytes.

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "api/server/listener.h"
#include "tests/support/eventually.h"
#include "tests/support/null_log.h"
#include "vault/base/mutex.h"

namespace leasehold::testing {

// Paths: "held" waits for release(); "big" answers 16 MiB; "block" stops the loop until unblock();
// all else is echoed. The request id is how many requests have come.
class EchoCore final : public server::Handler {
 public:
  void handle(core::Request&& request, core::Exchange& exchange) override;
  void undelivered(core::Issued&& lost) override;
  const core::AskedHeaders* asked_headers() const override { return &asked; }

  core::AskedHeaders asked;

  // Answers the oldest held request, on its own loop; waits until there is one.
  void release();
  // The same without waiting; false when none is held.
  bool release_one();
  bool wait_for_held(std::size_t count);
  bool wait_for_block();
  void unblock();
  bool wait_for_undelivered(std::size_t count);
  std::vector<std::string> undelivered_leases();

 private:
  struct Held;
  void block();
  std::atomic<int> requests_{0};
  Mutex mutex_;
  Condition changed_;
  std::vector<Held*> held_ GUARDED_BY(mutex_);
  std::vector<std::string> undelivered_ GUARDED_BY(mutex_);
  bool blocked_ GUARDED_BY(mutex_) = false;
};

struct Reply {
  int status = 0;
  std::string head, body;
  std::string header(std::string_view name) const;  // empty when absent
};

// How many requests had come to the core when the one did that was answered with this.
int order_of(std::string_view answer);

class RawClient {
 public:
  explicit RawClient(const std::string& address);  // host:port, or a path
  struct Later {};
  explicit RawClient(Later);  // connect() follows
  void connect(const std::string& address);
  RawClient(RawClient&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;
  ~RawClient() { hang_up(); }

  void send(std::string_view bytes);
  void finish_sending();  // a FIN; still reads
  void hang_up();
  void reset();  // closes with a RST
  // The next whole answer; status 0 when the connection ended or 30 s passed.
  Reply reply(bool to_head = false);
  Reply ask(std::string_view bytes) {
    send(bytes);
    return reply();
  }
  bool ended();  // waits up to 30 s for the end
  int fd() const { return fd_; }

 private:
  bool fill();
  int fd_ = -1;
  std::string buffer_;
};

struct ServerOptions {
  server::ListenerSettings settings;
  server::ListenerLimits limits;
  ServerOptions() {
    settings.address = "127.0.0.1:0";
    limits.threads = 2;
  }
};

class TestServer {
 public:
  explicit TestServer(const ServerOptions& options = {});
  ~TestServer();
  RawClient connect() const { return RawClient(address()); }
  std::string address() const { return listener->addresses().at(0); }

  EchoCore core;
  SystemClock clock;
  NullLog log;
  std::unique_ptr<server::Listener> listener;
};

}  // namespace leasehold::testing
