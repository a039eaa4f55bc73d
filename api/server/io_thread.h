#pragma once
// One io thread of the listener: its loop, the connections that live and die on it, and what they
// share because only one of them runs at a time: the buffer to read into and the one to answer
// from. Thread safety: made and ended by the Listener; in between the loop's own thread.

#include <atomic>
#include <deque>
#include <initializer_list>
#include <latch>
#include <memory>
#include <vector>

#include "api/server/deadlines.h"
#include "api/server/endpoint.h"
#include "api/server/http_date.h"
#include "api/server/kept_bytes.h"
#include "api/server/listener.h"
#include "api/server/wire.h"
#include "vault/base/loop.h"

namespace leasehold::server {

class Connection;
class IoThread;

// What all io threads share.
struct Shared {
  Shared(const ListenerLimits& limits_in, Handler& handler_in, Clock& clock_in, LogSink& log_in)
      : limits(limits_in), handler(handler_in), clock(clock_in), log(log_in) {}
  const ListenerLimits limits;
  Handler& handler;
  Clock& clock;
  LogSink& log;
  std::atomic<unsigned> connections{0};
};

// One endpoint as one io thread sees it: where its connections arrive, and how long they may take.
class Gate final : public Pollable {
 public:
  Gate(IoThread& thread, Endpoint& endpoint, int fd);
  Gate(const Gate&) = delete;
  Gate& operator=(const Gate&) = delete;
  ~Gate();
  void ready(std::uint32_t epoll_events) override;
  void shut();
  Endpoint& endpoint() { return endpoint_; }

  DeadlineQueue handshake, head, body, idle, writing, linger;

 private:
  struct Pause : Timer {
    Gate* owner = nullptr;
  };
  void watch();
  bool drop_one();
  void pause();

  IoThread& thread_;
  Endpoint& endpoint_;
  int fd_;
  Pause pause_;       // while armed, fd_ is not watched
  Descriptor spare_;  // given up to accept and drop a connection when no descriptor is left
};

class IoThread {
 public:
  explicit IoThread(Shared& shared);
  IoThread(const IoThread&) = delete;
  IoThread& operator=(const IoThread&) = delete;
  ~IoThread();

  void accept_from(Endpoint& endpoint, int fd);
  void run();
  // Another thread, once: no new connections; idle ones close now, others after their answer.
  // Counts down when the idle ones are closed.
  void stop_intake(std::latch& closed);

  // Of gates and connections.
  void welcome(Gate& gate, Descriptor fd, Peer peer);
  void bury(Connection& connection);
  bool in_flight_full() const { return loop_.live >= shared_.limits.in_flight_per_thread; }
  // Whether `more` bytes may be kept; others give way for them.
  bool make_space(std::size_t more);
  bool closing() const { return closing_; }
  // Whether a body of this size may be parsed now. If not, its connection is called as soon as
  // those that asked before it are done.
  bool may_parse(Connection& asker, std::size_t bytes);
  void stop_waiting(Connection& asker);  // of one that was not called yet
  // Whether one more handshake may take a step in this turn; if not, in one of the next.
  bool may_shake_hands();

  Loop& loop() { return loop_; }
  Shared& shared() { return shared_; }
  std::vector<char>& scratch() { return scratch_; }
  ReplyBuffer& reply() { return reply_; }
  KeptBytes& kept() { return kept_; }
  // Those that a request is to carry.
  const core::AskedHeaders::Names& asked_headers();
  std::string_view date() { return date_.text(shared_.clock.now()); }

 private:
  struct Note : Waiter {
    IoThread* owner = nullptr;
    bool posted = false;
  };
  struct TurnEnd : Timer {
    IoThread* owner = nullptr;
  };
  using Queues = std::initializer_list<DeadlineQueue Gate::*>;
  bool make_room();
  Connection* longest(Queues queues, std::size_t least_kept) const;
  Connection* longest_of_many_handshakes() const;
  void reap();
  void close_intake();
  void in_this_turn();
  void call_waiting();

  Shared& shared_;
  Loop loop_;
  std::vector<char> scratch_;
  ReplyBuffer reply_;
  HttpDate date_;
  std::shared_ptr<const core::AskedHeaders::Names> asked_ =
      std::make_shared<const core::AskedHeaders::Names>();
  std::uint64_t asked_version_ = 0;
  KeptBytes kept_;
  bool closing_ = false;
  std::latch* intake_closed_ = nullptr;
  bool making_space_ = false;
  std::size_t parsed_ = 0;            // bytes of bodies, in this turn
  std::deque<Connection*> to_parse_;  // in the order in which they asked
  const Connection* called_ = nullptr;
  int handshakes_ = 0;  // steps of them, in this turn
  TurnEnd turn_end_;
  Note reaper_, stop_request_;
  std::vector<std::unique_ptr<Gate>> gates_;
  Connection* connections_ = nullptr;
  Connection* dead_ = nullptr;
};

}  // namespace leasehold::server
