#pragma once
// The listener: io threads that accept, frame, bound and answer. It knows requests and answers, not
// what they mean: each whole request goes to the `Handler` on the io thread it arrived on.
//
//   VAULT_TRY_ASSIGN(const auto listener, Listener::open(stanzas, limits, handler, clock, log));
//   listener->start();
//   ...
//   listener->stop_intake();   // first of the shutdown: nothing new comes in
//   listener->join();          // once everything that may complete a request has run dry
//
// A client that is gone before its answer has left is reported by Handler::undelivered, so that
// what was issued can be revoked. Its FIN alone only says that no further request follows: those
// before it are answered, and what they issued is reported unless the client's machine acknowledges
// the answers (docs/decisions/200-behind-a-clients-fin.md).
//
// Limits on what a stranger can send or hold: head, headers, body, each phase's time, connections,
// requests in flight, bytes kept, work in one turn of a loop. When all connections or the memory
// are taken, the connection that has held them longest is closed
// (docs/decisions/024-who-gives-way.md). Thread safety: open, start, stop_intake, join and
// destruction by one thread; reload by any.

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "api/server/http_parser.h"
#include "api/server/listener_stanza.h"
#include "vault/base/clock.h"
#include "vault/base/log.h"
#include "vault/base/loop.h"
#include "vault/core/contract/asked_headers.h"
#include "vault/core/contract/request.h"
#include "vault/core/contract/response.h"

namespace leasehold::server {

// What a listener may show to callers without a token.
enum class OpenPage : std::uint8_t { metrics, requests };

class Handler {
 public:
  // On the loop's thread. exchange.deliver() comes exactly once, now or later, on the same thread.
  virtual void handle(core::Request&& request, core::Exchange& exchange) = 0;
  // As handle(), of a page that the listener's stanza opens to everybody.
  virtual void show(OpenPage /*page*/, core::Request&& request, core::Exchange& exchange) {
    handle(std::move(request), exchange);
  }
  // The headers that requests are to carry; null: none.
  virtual const core::AskedHeaders* asked_headers() const { return nullptr; }
  // The answer that handed this out did not reach the client.
  virtual void undelivered(core::Issued&& lost) = 0;

 protected:
  ~Handler() = default;
};

struct ListenerLimits {
  unsigned threads = 0;  // 0: one per core
  unsigned connections = 4096;
  long in_flight_per_thread = 8192;
  std::size_t buffered_bytes_per_thread = 256u << 20;
  Nanos handshake = Seconds{10};
  Nanos linger = Seconds{2};
};

class Endpoint;
class IoThread;
struct Shared;

class Listener {
 public:
  // Opens every address; nothing is accepted before start().
  static Result<std::unique_ptr<Listener>> open(std::vector<ListenerSettings> settings,
                                                const ListenerLimits& limits, Handler& handler,
                                                Clock& clock, LogSink& log);
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;
  ~Listener();  // stops and joins what still runs

  void start();
  // Reads certificates and keys again; on an error the old ones stay in use.
  Status reload();
  // Reads those again whose files changed (tls_auto_reload); what cannot be read keeps the old one,
  // and is told once a change. On the thread of open() and reload(), every `reload_interval`.
  void look_at_files();
  // The shortest of the listeners; 0: none looks.
  Seconds reload_interval() const;
  // Warns of certificates that end soon, once for each of some numbers of days (DatesWatch). To be
  // called now and then, on the thread of open() and reload().
  void look_at_dates() const;
  void stop_intake();
  void join();

  // As bound: "127.0.0.1:8200", "/run/leasehold.sock".
  std::vector<std::string> addresses() const;
  std::size_t threads() const { return io_.size(); }
  Loop& loop(std::size_t i);
  unsigned connections() const;

 private:
  Listener();
  Status reload(Endpoint& endpoint);
  Status open_endpoint(ListenerSettings settings);

  std::unique_ptr<Shared> shared_;
  std::vector<std::unique_ptr<Endpoint>> endpoints_;
  std::vector<std::unique_ptr<IoThread>> io_;
  std::vector<std::thread> running_;
  bool intake_stopped_ = false;
};

}  // namespace leasehold::server
