#pragma once
// One connection, from accept to close: bytes to requests, answers to bytes, in order, one request
// at a time. Nothing is read while an answer is being made or sent; a client that sends much at
// once is read in turns with the others. Between requests it keeps no buffer. It lives on its io
// thread; the core holds it as an Exchange from handle() to deliver(). Thread safety: its io
// thread.

#include "api/server/deadlines.h"
#include "api/server/http_parser.h"
#include "api/server/io_thread.h"
#include "api/server/socket.h"
#include "api/server/wiped_buffer.h"

namespace leasehold::server {

class Connection final : public Pollable, public core::Exchange, public Deadline {
 public:
  Connection(IoThread& thread, Gate& gate, int fd, Peer peer);
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection();

  void begin();
  // The listener is closing: now if idle, else after the answer.
  void finish_soon();
  // Another needs the memory.
  void give_way();
  void close();
  // Its turn to have its body parsed has come.
  void parse_now();
  std::size_t keeps() const { return accounted_; }

  void ready(std::uint32_t epoll_events) override;
  void deliver(core::Response&& answer) override;
  bool has_gone() const override { return hung_up_; }
  void deadline_passed() override;

  Connection* previous = nullptr;  // in the list of its thread
  Connection* next = nullptr;

 private:
  // confirming: all is sent and both sides said that they send no more; whether it arrives.
  enum class Phase : std::uint8_t { announcement, handshake, open, lingering, confirming, closed };
  struct NextTurn : Timer {
    Connection* owner = nullptr;
  };

  void advance();
  bool reads() const;
  bool discards() const;
  void wait_for_next_turn();
  void hear_proxy();
  void shake_hands();
  bool next_kept_message();
  bool receive();
  void digest(std::span<char> bytes);
  void take_message(std::span<char> bytes);
  bool read(const HttpMessage& message, core::Request& request, WireError& refusal) const;
  void start(core::Request&& request);
  bool carry(std::size_t weight);
  void invite_body();
  void refuse(int status, std::string_view message);
  void answer_here(const WireError& refusal);
  void send_reply(core::Response&& answer, bool from_core, std::string_view location = {});
  Io write_some(std::string_view& bytes);
  void flush();
  void after_reply();
  bool discard_some();
  void await_arrival(const core::Response& answer);
  void end_of_input();
  void confirm();
  void choose_deadline();
  void account();

  IoThread& thread_;
  Gate& gate_;
  Socket socket_;
  HttpParser parser_;
  Phase phase_;
  bool advancing_ = false;
  bool busy_ = false;         // the core has a request of ours
  bool peer_closed_ = false;  // its FIN was seen
  bool hung_up_ = false;
  bool spoke_ = false;        // sent a whole request before
  bool fresh_input_ = false;  // kept_ holds what the parser has not seen
  bool waits_to_parse_ = false;
  bool close_after_ = false;
  bool head_request_ = false;
  bool http_1_0_ = false;
  bool invited_ = false;
  std::size_t accounted_ = 0;
  std::size_t in_flight_ = 0;  // what the body of the request in flight takes
  WipedBuffer kept_;           // the message that is not whole yet
  WipedBuffer unsent_;         // of an answer
  std::size_t unsent_from_ = 0;
  std::size_t answered_ = 0;  // bytes, in this turn
  // By answers that are not sent, or were sent behind the peer's FIN.
  std::vector<core::Issued> unarrived_;
  Peer peer_;
  NextTurn next_turn_;
};

}  // namespace leasehold::server
