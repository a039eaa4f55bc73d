#include "api/server/connection.h"

#include <sys/epoll.h>

#include <array>
#include <optional>
#include <utility>

#include "vault/base/bound.h"
#include "vault/base/bytes.h"

namespace leasehold::server {
namespace {

constexpr std::uint32_t kEvents = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
constexpr std::string_view kNotTls =
    "HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n";
constexpr Bound kLarge{"large requests are in flight"};
constexpr Bound kInFlight{"requests are in flight"};
// Messages, or blocks of one, and bytes of answers: so that nobody starves the others.
constexpr int kStepsPerTurn = 16;
constexpr std::size_t kAnsweredPerTurn = 64u << 10;

// What a body takes in memory, which may be many times its text.
std::size_t weight_of(const Json& value) {
  std::size_t bytes = value.text().size();
  for (const Json& item : value.items()) bytes += sizeof item + weight_of(item);
  for (const Json::Member& member : value.members())
    bytes += sizeof member + member.first.size() + weight_of(member.second);
  return bytes;
}

// As Vault, whatever token comes with the request.
std::optional<OpenPage> open_page(const ListenerSettings& settings, const core::Request& request) {
  if (request.operation != core::Operation::read || !request.name_space.empty())
    return std::nullopt;
  if (settings.open_metrics && request.path == "sys/metrics") return OpenPage::metrics;
  if (settings.open_requests && request.path == "sys/in-flight-req") return OpenPage::requests;
  return std::nullopt;
}

}  // namespace

Connection::Connection(IoThread& thread, Gate& gate, int fd, Peer peer)
    : thread_(thread),
      gate_(gate),
      socket_(fd, gate.endpoint().tls().get()),
      parser_(gate.endpoint().settings().http),
      phase_(gate.endpoint().settings().peers.proxy != ProxyProtocol::none ? Phase::announcement
             : socket_.secure()                                            ? Phase::handshake
                                                                           : Phase::open),
      peer_(std::move(peer)) {
  next_turn_.owner = this;
  next_turn_.expired = [](Timer* timer) { static_cast<NextTurn*>(timer)->owner->advance(); };
}

Connection::~Connection() { VAULT_ASSERT(phase_ == Phase::closed && !busy_); }

void Connection::begin() {
  thread_.loop().add(socket_.fd(), this, kEvents);
  choose_deadline();
}

void Connection::ready(std::uint32_t epoll_events) {
  if ((epoll_events & EPOLLIN) != 0) socket_.note_readable();
  if ((epoll_events & EPOLLRDHUP) != 0 && !peer_closed_) {
    peer_closed_ = true;
    socket_.note_peer_closed();
  }
  // Both sides have sent their FIN in this phase: that is no hang-up.
  const std::uint32_t gone = phase_ == Phase::confirming ? EPOLLERR : EPOLLHUP | EPOLLERR;
  if ((epoll_events & gone) != 0) hung_up_ = true;
  if (busy_ || phase_ == Phase::closed) return;
  if (hung_up_) return close();
  if (phase_ == Phase::confirming) return confirm();
  if (!unsent_.empty()) flush();
  // A handshake waits for the end of the turn: those who are in come first.
  if (phase_ == Phase::handshake && socket_.readable()) return wait_for_next_turn();
  advance();
}

// As far as it goes without waiting, and in one turn.
void Connection::advance() {
  advancing_ = true;
  socket_.begin_turn();
  if (phase_ == Phase::announcement) hear_proxy();
  if (phase_ == Phase::handshake) shake_hands();
  answered_ = 0;
  for (int steps = 0; reads() && (next_kept_message() || receive());)
    if (++steps == kStepsPerTurn || answered_ > kAnsweredPerTurn) wait_for_next_turn();
  for (int steps = 0; discards() && discard_some();)
    if (++steps == kStepsPerTurn) wait_for_next_turn();
  advancing_ = false;
  if (phase_ == Phase::closed) return;
  account();
  choose_deadline();
  thread_.make_space(0);
}

bool Connection::reads() const {
  return phase_ == Phase::open && !busy_ && unsent_.empty() && !next_turn_.armed() &&
         !waits_to_parse_;
}

bool Connection::discards() const { return phase_ == Phase::lingering && !next_turn_.armed(); }

void Connection::wait_for_next_turn() {
  if (phase_ != Phase::closed && !next_turn_.armed()) thread_.loop().arm(next_turn_, Nanos{0});
}

// The PROXY header, before anything else: whose connection it is that a proxy passes on.
void Connection::hear_proxy() {
  const PeerRules& rules = gate_.endpoint().settings().peers;
  const bool believed =
      rules.proxy == ProxyProtocol::use_always || is_in_any(rules.proxies, peer_.address);
  if (!believed && rules.proxy == ProxyProtocol::deny_unauthorized) return close();
  std::array<char, kProxyHeaderMax> bytes;
  const IoResult seen = socket_.peek(bytes);
  if (seen.status == Io::would_block) return;
  if (seen.status != Io::done) return close();
  ProxySays says;
  const ProxyHeader header = read_proxy_header({bytes.data(), seen.bytes}, says);
  if (header == ProxyHeader::incomplete && !peer_closed_) return socket_.rest();
  if (header == ProxyHeader::incomplete || header == ProxyHeader::malformed) return close();
  if (header == ProxyHeader::present) {
    socket_.take(std::span<char>(bytes).first(says.size));
    if (believed && !says.peer.address.empty()) {
      says.peer.listener = peer_.listener;
      peer_ = std::move(says.peer);
    }
  }
  phase_ = socket_.secure() ? Phase::handshake : Phase::open;
}

void Connection::shake_hands() {
  if (socket_.readable() && !thread_.may_shake_hands()) return wait_for_next_turn();
  const Io result = socket_.handshake();
  if (result == Io::would_block && socket_.turn_is_over()) return wait_for_next_turn();
  if (result == Io::would_block) return;
  if (result == Io::done) {
    const TlsSettings& tls = gate_.endpoint().settings().tls_settings;
    if (tls.require_client_certificate) peer_.certificate_serial = socket_.certificate_serial();
    phase_ = Phase::open;
    return;
  }
  if (socket_.plain_http_seen()) socket_.write_plain(kNotTls);
  close();
}

bool Connection::next_kept_message() {
  if (!fresh_input_) return false;
  digest(kept_.bytes());
  return true;
}

bool Connection::receive() {
  const IoResult got = socket_.read(thread_.scratch());
  if (got.status == Io::would_block) {
    if (socket_.turn_is_over()) wait_for_next_turn();
    return false;
  }
  if (got.status != Io::done) {
    end_of_input();
    return false;
  }
  const std::span<char> bytes(thread_.scratch().data(), got.bytes);
  if (kept_.empty()) {
    digest(bytes);
  } else {
    kept_.append({bytes.data(), bytes.size()});
    digest(kept_.bytes());
  }
  wipe(bytes.data(), bytes.size());
  return true;
}

// `bytes` is the message so far: kept_ itself, or the thread's buffer when nothing was kept.
void Connection::digest(std::span<char> bytes) {
  const bool from_kept = bytes.data() == kept_.data();
  fresh_input_ = false;
  bytes = bytes.first(parser_.parse(bytes));
  if (from_kept) kept_.shorten(bytes.size());
  if (parser_.state() == HttpParser::State::refused)
    return refuse(parser_.refusal_status(), parser_.refusal());
  const bool whole = parser_.state() == HttpParser::State::complete;
  const std::size_t body = whole ? parser_.message_size() - parser_.head_size() : 0;
  if (whole && (body == 0 || thread_.may_parse(*this, body))) return take_message(bytes);
  if (!from_kept) kept_.append({bytes.data(), bytes.size()});
  if (whole) {
    fresh_input_ = waits_to_parse_ = true;
    return;
  }
  if (parser_.state() == HttpParser::State::body) invite_body();
}

void Connection::parse_now() {
  waits_to_parse_ = false;
  advance();
}

void Connection::take_message(std::span<char> bytes) {
  core::Request request;
  WireError refusal;
  const HttpMessage message = parser_.message(bytes.data());
  const bool readable = read(message, request, refusal);
  head_request_ = message.method == "HEAD";
  http_1_0_ = parser_.http_1_0();
  close_after_ = !parser_.keep_alive() || thread_.closing();
  if (bytes.data() == kept_.data())
    kept_.drop_front(parser_.message_size());
  else
    kept_.append(std::string_view(bytes.data(), bytes.size()).substr(parser_.message_size()));
  fresh_input_ = !kept_.empty();
  parser_.reset();
  invited_ = false;
  spoke_ = true;
  if (!readable) return answer_here(refusal);
  start(std::move(request));
}

bool Connection::read(const HttpMessage& message, core::Request& request,
                      WireError& refusal) const {
  const PeerRules& rules = gate_.endpoint().settings().peers;
  const core::AskedHeaders::Names& asked = thread_.asked_headers();
  if (!rules.forwarded) return read_request(message, peer_, request, refusal, asked);
  Peer peer = peer_;
  if (forwarded_peer(rules, message.forwarded_for(), peer, refusal.message))
    return read_request(message, peer, request, refusal, asked);
  refusal.status = 400;
  return false;
}

void Connection::start(core::Request&& request) {
  if (thread_.closing()) return answer_here({503, "the server is shutting down"});
  if (thread_.in_flight_full()) return answer_here({503, kInFlight.hit().message});
  const std::size_t weight =
      request.late_body ? request.late_body->weight() : weight_of(request.body);
  if (!carry(weight)) return answer_here({503, kLarge.hit().message});
  busy_ = true;
  ++thread_.loop().live;
  Handler& handler = thread_.shared().handler;
  if (const auto page = open_page(gate_.endpoint().settings(), request))
    return handler.show(*page, std::move(request), *this);
  handler.handle(std::move(request), *this);
}

// The body stays in memory until the answer: a large one only where there is space.
bool Connection::carry(std::size_t weight) {
  if (weight > thread_.kept().share()) {
    leave_deadline();
    account();
    if (!thread_.make_space(weight)) return false;
  }
  in_flight_ = weight;
  return true;
}

void Connection::invite_body() {
  if (!parser_.expects_continue() || invited_) return;
  invited_ = true;
  const bool body_came_anyway = kept_.size() > parser_.head_size();
  if (body_came_anyway) return;
  std::string_view line = kContinue;
  if (write_some(line) == Io::failed || !line.empty()) close();
}

void Connection::deadline_passed() {
  const bool in_message = phase_ == Phase::open && unsent_.empty() && parser_.started();
  if (!in_message) return close();
  refuse(408, "the request did not arrive in time");
  if (phase_ != Phase::closed) advance();
}

void Connection::choose_deadline() {
  DeadlineQueue* queue = &gate_.idle;
  if (phase_ == Phase::handshake || phase_ == Phase::announcement)
    queue = &gate_.handshake;
  else if (phase_ == Phase::lingering)
    queue = &gate_.linger;
  else if (busy_)
    return leave_deadline();
  else if (!unsent_.empty() || phase_ == Phase::confirming)
    queue = &gate_.writing;
  else if (parser_.started() && parser_.state() != HttpParser::State::head)
    queue = &gate_.body;
  else if (parser_.started() || !spoke_)
    queue = &gate_.head;
  // Each phase has its time as a whole, however slowly its bytes come.
  if (queue != deadline_queue() || queue == &gate_.idle) queue->enter(*this);
}

void Connection::account() {
  const std::size_t handshake = phase_ == Phase::handshake ? KeptBytes::kHandshake : 0;
  const std::size_t now = kept_.capacity() + unsent_.capacity() + in_flight_ + handshake;
  thread_.kept().change(accounted_, now);
  accounted_ = now;
}

void Connection::finish_soon() {
  const bool idle = !busy_ && unsent_.empty() && !parser_.started();
  const bool issued = !busy_ && !unarrived_.empty();  // what did not arrive ends before the seal
  if (idle || issued || phase_ != Phase::open) close();
}

void Connection::give_way() {
  if (phase_ == Phase::handshake || !unsent_.empty()) return close();
  refuse(503, kLarge.hit().message);
  if (phase_ != Phase::closed) advance();
}

}  // namespace leasehold::server
