#include "tests/server/echo_core.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <utility>

namespace leasehold::testing {
namespace {

constexpr int kPatienceMs = 30'000;  // for a busy machine; a test that passes does not wait

std::string_view name_of(core::Operation operation) {
  constexpr std::string_view kNames[] = {"read",  "list",   "create", "update",
                                         "patch", "remove", "help",   "head"};
  return kNames[static_cast<std::size_t>(operation)];
}

core::Response echo(const core::Request& request, int number) {
  Json data = Json::object();
  data.set("operation", Json(name_of(request.operation)));
  data.set("path", Json(request.path));
  data.set("token", Json(request.token));
  data.set("body", request.body);
  if (request.wrap_ttl) data.set("wrap_ttl", Json(request.wrap_ttl->count()));
  data.set("address", Json(request.remote_address));
  data.set("open_rekey", request.listener.unauthenticated_rekey);
  data.set("certificate_serial", request.certificate_serial);
  Json headers = Json::array();
  for (const auto& header : request.headers) headers.push(Json(header.first + "=" + header.second));
  data.set("headers", std::move(headers));
  core::Response answer;
  answer.status = 200;
  answer.data = SecretBytes(data.dump());
  answer.request_id = std::to_string(number);
  return answer;
}

// More than the buffers of both ends of a connection take in.
core::Response big() {
  core::Response answer = echo({}, 0);
  answer.data = SecretBytes("\"" + std::string(16u << 20, 'x') + "\"");
  answer.lease_id = "big/lease";
  return answer;
}

}  // namespace

struct EchoCore::Held : Waiter {
  core::Exchange* exchange = nullptr;
  core::Response answer;
};

void EchoCore::handle(core::Request&& request, core::Exchange& exchange) {
  const int number = ++requests_;
  if (request.late_body) VAULT_ASSERT(request.late_body->read(request.body).ok());
  if (request.path == "block") block();
  if (request.path == "big") return exchange.deliver(big());
  if (request.path != "held") return exchange.deliver(echo(request, number));
  auto* held = new Held;
  held->home = Loop::current();
  held->exchange = &exchange;
  held->answer = echo(request, number);
  held->answer.lease_id = "held/lease";
  held->resume = [](Waiter* waiter) {
    const std::unique_ptr<Held> self(static_cast<Held*>(waiter));
    self->exchange->deliver(std::move(self->answer));
  };
  const MutexLock lock(mutex_);
  held_.push_back(held);
  changed_.notify_all();
}

void EchoCore::undelivered(core::Issued&& lost) {
  const MutexLock lock(mutex_);
  undelivered_.push_back(lost.lease_id);
  changed_.notify_all();
}

void EchoCore::block() {
  const MutexLock lock(mutex_);
  blocked_ = true;
  changed_.notify_all();
  while (blocked_)
    if (!changed_.wait_for(mutex_, Millis(kPatienceMs))) return;
}

bool EchoCore::wait_for_block() {
  const MutexLock lock(mutex_);
  while (!blocked_)
    if (!changed_.wait_for(mutex_, Millis(kPatienceMs))) return blocked_;
  return true;
}

void EchoCore::unblock() {
  const MutexLock lock(mutex_);
  blocked_ = false;
  changed_.notify_all();
}

bool EchoCore::wait_for_held(std::size_t count) {
  const MutexLock lock(mutex_);
  while (held_.size() < count)
    if (!changed_.wait_for(mutex_, Millis(kPatienceMs))) return held_.size() >= count;
  return true;
}

bool EchoCore::wait_for_undelivered(std::size_t count) {
  const MutexLock lock(mutex_);
  while (undelivered_.size() < count)
    if (!changed_.wait_for(mutex_, Millis(kPatienceMs))) return undelivered_.size() >= count;
  return true;
}

std::vector<std::string> EchoCore::undelivered_leases() {
  const MutexLock lock(mutex_);
  return undelivered_;
}

void EchoCore::release() {
  REQUIRE(wait_for_held(1));
  REQUIRE(release_one());
}

bool EchoCore::release_one() {
  Held* oldest = nullptr;
  {
    const MutexLock lock(mutex_);
    if (held_.empty()) return false;
    oldest = held_.front();
    held_.erase(held_.begin());
  }
  complete(oldest);
  return true;
}

std::string Reply::header(std::string_view name) const {
  const std::string key = "\r\n" + std::string(name) + ": ";
  const std::size_t at = head.find(key);
  if (at == std::string::npos) return {};
  const std::size_t from = at + key.size();
  return head.substr(from, head.find("\r\n", from) - from);
}

int order_of(std::string_view answer) {
  constexpr std::string_view kMark = R"("request_id":")";
  const std::size_t at = answer.find(kMark);
  REQUIRE(at != std::string_view::npos);
  return std::stoi(std::string(answer.substr(at + kMark.size())));
}

RawClient::RawClient(const std::string& address) {
  if (address.front() == '/') {
    sockaddr_un to{};
    to.sun_family = AF_UNIX;
    std::strcpy(to.sun_path, address.c_str());
    fd_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    REQUIRE(::connect(fd_, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0);
    return;
  }
  fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  connect(address);
}

RawClient::RawClient(Later) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {}

void RawClient::connect(const std::string& address) {
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port =
      htons(static_cast<std::uint16_t>(std::stoi(address.substr(address.rfind(':') + 1))));
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  REQUIRE(::connect(fd_, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0);
}

void RawClient::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return;  // the server has answered and closed: the answer tells
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
}

void RawClient::finish_sending() { ::shutdown(fd_, SHUT_WR); }

void RawClient::hang_up() {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

void RawClient::reset() {
  const linger now{1, 0};
  ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
  hang_up();
}

bool RawClient::fill() {
  pollfd waits{fd_, POLLIN, 0};
  if (::poll(&waits, 1, kPatienceMs) != 1) return false;
  char bytes[65536];
  const ssize_t got = ::recv(fd_, bytes, sizeof bytes, 0);
  if (got <= 0) return false;
  buffer_.append(bytes, static_cast<std::size_t>(got));
  return true;
}

Reply RawClient::reply(bool to_head) {
  Reply result;
  std::size_t end = 0;
  while ((end = buffer_.find("\r\n\r\n")) == std::string::npos)
    if (!fill()) return result;
  result.head = buffer_.substr(0, end + 2);
  buffer_.erase(0, end + 4);
  const std::string length = to_head ? "" : result.header("Content-Length");
  const std::size_t size = length.empty() ? 0 : std::stoul(length);
  while (buffer_.size() < size)
    if (!fill()) return {};
  result.body = buffer_.substr(0, size);
  buffer_.erase(0, size);
  result.status = std::stoi(result.head.substr(9, 3));
  return result;
}

bool RawClient::ended() {
  pollfd waits{fd_, POLLIN, 0};
  char byte = 0;
  return ::poll(&waits, 1, kPatienceMs) == 1 && ::recv(fd_, &byte, 1, 0) <= 0;
}

TestServer::TestServer(const ServerOptions& options) {
  auto opened = server::Listener::open({options.settings}, options.limits, core, clock, log);
  REQUIRE_MESSAGE(opened.ok(), opened.error().message);
  listener = std::move(opened).value();
  listener->start();
}

TestServer::~TestServer() {
  listener->stop_intake();
  listener->join();
}

}  // namespace leasehold::testing
