#include "api/server/io_thread.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "api/server/connection.h"

namespace leasehold::server {
namespace {

constexpr std::size_t kScratchBytes = 64u << 10;
constexpr std::size_t kParsedPerTurn = 64u << 10;
constexpr int kHandshakesPerTurn = 2;
constexpr std::size_t kSilentShare = 4;     // one silent connection to so many idle ones is welcome
constexpr std::size_t kHandshakeShare = 4;  // of the memory; more only while nobody needs it
constexpr int kAcceptsPerTurn = 64;         // so that a flood does not starve those who are in
constexpr Nanos kPauseWithoutDescriptors = Millis{100};
constexpr std::string_view kFull =
    "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\n"
    "Connection: close\r\nDate: ";

Descriptor spare_descriptor() { return Descriptor(::open("/dev/null", O_RDONLY | O_CLOEXEC)); }

}  // namespace

Gate::Gate(IoThread& thread, Endpoint& endpoint, int fd)
    : handshake(thread.loop(), thread.shared().clock, thread.shared().limits.handshake),
      head(thread.loop(), thread.shared().clock, endpoint.settings().read_header_timeout),
      body(thread.loop(), thread.shared().clock, endpoint.settings().read_timeout),
      idle(thread.loop(), thread.shared().clock, endpoint.settings().idle_timeout),
      writing(thread.loop(), thread.shared().clock, endpoint.settings().write_timeout),
      linger(thread.loop(), thread.shared().clock, thread.shared().limits.linger),
      thread_(thread),
      endpoint_(endpoint),
      fd_(fd),
      spare_(spare_descriptor()) {
  pause_.owner = this;
  pause_.expired = [](Timer* timer) { static_cast<Pause*>(timer)->owner->watch(); };
  watch();
}

Gate::~Gate() { shut(); }

void Gate::shut() {
  const int fd = std::exchange(fd_, -1);
  if (fd < 0) return;
  if (pause_.armed())
    thread_.loop().disarm(pause_);
  else
    thread_.loop().remove(fd);
}

void Gate::watch() {
  const bool own_socket = endpoint_.settings().kind == ListenerSettings::Kind::tcp;
  thread_.loop().add(fd_, this, own_socket ? EPOLLIN : EPOLLIN | EPOLLEXCLUSIVE);
}

// Out of descriptors the socket would stay ready for ever and the thread would spin. Another thread
// may take the one that is given up here, and keep it.
bool Gate::drop_one() {
  spare_.reset();
  const bool dropped = Descriptor(::accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC)).get() >= 0;
  spare_ = spare_descriptor();
  return dropped;
}

void Gate::pause() {
  thread_.loop().remove(fd_);
  thread_.loop().arm(pause_, kPauseWithoutDescriptors);
}

void Gate::ready(std::uint32_t) {
  if (spare_.get() < 0) spare_ = spare_descriptor();
  for (int i = 0; i < kAcceptsPerTurn; ++i) {
    sockaddr_storage address{};
    socklen_t size = sizeof address;
    Descriptor fd(
        ::accept4(fd_, reinterpret_cast<sockaddr*>(&address), &size, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (fd.get() >= 0) {
      Peer peer = peer_of(address);
      peer.listener = endpoint_.settings().traits;
      thread_.welcome(*this, std::move(fd), std::move(peer));
      continue;
    }
    if (errno == EINTR || errno == ECONNABORTED) continue;
    if (errno != EMFILE && errno != ENFILE) return;
    if (!drop_one()) pause();
    return;
  }
}

IoThread::IoThread(Shared& shared)
    : shared_(shared),
      loop_(shared.clock),
      scratch_(kScratchBytes),
      kept_(shared.limits.buffered_bytes_per_thread, shared.limits.connections) {
  turn_end_.owner = this;
  turn_end_.expired = [](Timer* timer) {
    IoThread& owner = *static_cast<TurnEnd*>(timer)->owner;
    owner.parsed_ = 0;
    owner.handshakes_ = 0;
    owner.call_waiting();
  };
  reaper_.owner = stop_request_.owner = this;
  reaper_.home = stop_request_.home = &loop_;
  reaper_.resume = [](Waiter* waiter) { static_cast<Note*>(waiter)->owner->reap(); };
  stop_request_.resume = [](Waiter* waiter) { static_cast<Note*>(waiter)->owner->close_intake(); };
}

IoThread::~IoThread() {
  loop_.disarm(turn_end_);
  while (connections_ != nullptr) connections_->close();
  reap();
}

void IoThread::accept_from(Endpoint& endpoint, int fd) {
  gates_.push_back(std::make_unique<Gate>(*this, endpoint, fd));
}

void IoThread::run() {
  loop_.run();
  while (connections_ != nullptr) connections_->close();
  reap();
}

void IoThread::stop_intake(std::latch& closed) {
  intake_closed_ = &closed;
  loop_.post(&stop_request_);
}

void IoThread::close_intake() {
  closing_ = true;
  for (const auto& gate : gates_) gate->shut();
  for (Connection* one = connections_; one != nullptr;) {
    Connection* next = one->next;
    one->finish_soon();
    one = next;
  }
  intake_closed_->count_down();
}

// Of those in one of the queues who keep so much: who has been there longest, or null.
Connection* IoThread::longest(Queues queues, std::size_t least_kept) const {
  Deadline* result = nullptr;
  for (const auto& gate : gates_)
    for (DeadlineQueue Gate::*const queue : queues) {
      Deadline* one = (*gate.*queue).first();
      while (one != nullptr && static_cast<Connection*>(one)->keeps() < least_kept)
        one = one->next_deadline();
      const bool longer =
          result == nullptr || (one != nullptr && one->waiting_since() < result->waiting_since());
      if (longer) result = one;
    }
  return static_cast<Connection*>(result);
}

// Who has asked for nothing gives way first, so that silence costs only the silent; but when they
// are few the house is full of others, and newcomers would only push each other out. Then who loses
// least: the idle, those who have their answer, those still sending, those still reading. Only
// requests in flight stay, and the newcomer goes.
bool IoThread::make_room() {
  if (shared_.connections.load() < shared_.limits.connections) return true;
  std::size_t silent = 0, idle = 0;
  for (const auto& gate : gates_) {
    silent += gate->handshake.size() + gate->head.size();
    idle += gate->idle.size();
  }
  Connection* one = nullptr;
  if (silent < idle / kSilentShare) one = longest({&Gate::idle}, 0);
  if (one == nullptr) one = longest({&Gate::handshake, &Gate::head}, 0);
  for (DeadlineQueue Gate::*const queue : {&Gate::idle, &Gate::linger, &Gate::body, &Gate::writing})
    if (one == nullptr) one = longest({queue}, 0);
  if (one == nullptr) return false;
  one->close();
  return true;
}

// Honest handshakes are few and short: when there are many, the longest gives way.
Connection* IoThread::longest_of_many_handshakes() const {
  std::size_t count = 0;
  for (const auto& gate : gates_) count += gate->handshake.size();
  const bool many = count * KeptBytes::kHandshake > kept_.limit() / kHandshakeShare;
  return many ? longest({&Gate::handshake}, 1) : nullptr;
}

// Who sends or reads something large gives way to the next, the slowest first.
bool IoThread::make_space(std::size_t more) {
  if (kept_.fits(more) || std::exchange(making_space_, true)) return kept_.fits(more);
  while (!kept_.fits(more)) {
    Connection* one = longest_of_many_handshakes();
    if (one == nullptr)
      one = longest({&Gate::head, &Gate::body, &Gate::writing}, kept_.share() + 1);
    if (one == nullptr) break;
    one->give_way();
  }
  making_space_ = false;
  return kept_.fits(more);
}

// Parsing is the dearest thing that a stranger may ask for: whoever asks for little is not to wait
// until all bodies that came at once are parsed. Nor does a body that came later go first: who
// keeps sending them would keep others from ever being parsed.
bool IoThread::may_parse(Connection& asker, std::size_t bytes) {
  in_this_turn();
  const bool called = std::exchange(called_, nullptr) == &asker;
  if (!called && (parsed_ >= kParsedPerTurn || !to_parse_.empty())) {
    to_parse_.push_back(&asker);
    return false;
  }
  parsed_ += bytes;
  return true;
}

void IoThread::stop_waiting(Connection& asker) {
  to_parse_.erase(std::remove(to_parse_.begin(), to_parse_.end(), &asker), to_parse_.end());
}

void IoThread::call_waiting() {
  while (!to_parse_.empty() && parsed_ < kParsedPerTurn) {
    Connection* const next = to_parse_.front();
    to_parse_.pop_front();
    called_ = next;
    next->parse_now();
    called_ = nullptr;
  }
  if (!to_parse_.empty()) in_this_turn();
}

// A step takes a signature, which costs a stranger one packet. Those who wait take their steps in
// the order in which they came.
bool IoThread::may_shake_hands() {
  if (handshakes_ == kHandshakesPerTurn) return false;
  in_this_turn();
  ++handshakes_;
  return true;
}

void IoThread::in_this_turn() {
  if (!turn_end_.armed()) loop_.arm(turn_end_, Nanos{0});
}

const core::AskedHeaders::Names& IoThread::asked_headers() {
  const core::AskedHeaders* all = shared_.handler.asked_headers();
  const std::uint64_t version = all != nullptr ? all->version() : 0;
  if (version != asked_version_) {
    asked_ = all->names();  // these, or newer ones, which are fetched once more then
    asked_version_ = version;
  }
  return *asked_;
}

void IoThread::welcome(Gate& gate, Descriptor fd, Peer peer) {
  if (closing_) return;
  if (!make_room()) {
    if (!gate.endpoint().settings().tls) {
      const std::string answer = std::string(kFull).append(date()).append("\r\n\r\n");
      (void)!::send(fd.get(), answer.data(), answer.size(), MSG_NOSIGNAL);
    }
    return;
  }
  const int one = 1;
  if (gate.endpoint().settings().kind == ListenerSettings::Kind::tcp)
    ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  auto* connection = new Connection(*this, gate, fd.release(), std::move(peer));
  connection->next = connections_;
  if (connections_ != nullptr) connections_->previous = connection;
  connections_ = connection;
  ++shared_.connections;
  connection->begin();
}

// Deleted at the end of the turn: whoever closes a connection may still be inside one of its
// functions.
void IoThread::bury(Connection& connection) {
  (connection.previous != nullptr ? connection.previous->next : connections_) = connection.next;
  if (connection.next != nullptr) connection.next->previous = connection.previous;
  connection.next = dead_;
  dead_ = &connection;
  --shared_.connections;
  if (!std::exchange(reaper_.posted, true)) loop_.post(&reaper_);
}

void IoThread::reap() {
  reaper_.posted = false;
  while (dead_ != nullptr) delete std::exchange(dead_, dead_->next);
}

}  // namespace leasehold::server
