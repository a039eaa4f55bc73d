#include "cli/leaseholdd/service_manager.h"

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <charconv>
#include <cstddef>
#include <cstring>
#include <string_view>

#include "vault/base/environment.h"

namespace leasehold::server_process {

namespace {

// With a manager whose queue is full: this thread also ends the process when that is asked for.
constexpr Seconds kPatience{2};
// More than a year is no watchdog, and would not fit the arithmetic.
constexpr std::uint64_t kMicrosMax = 366ULL * 24 * 3600 * 1'000'000;

std::string variable(const char* name) {
  const char* const value = find_in_environment(name);
  return value == nullptr ? std::string() : value;
}

std::optional<std::uint64_t> to_number(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

std::optional<Nanos> watchdog_of_environment() {
  const std::string process = variable("WATCHDOG_PID");
  if (!process.empty() && to_number(process) != static_cast<std::uint64_t>(::getpid()))
    return std::nullopt;
  const auto micros = to_number(variable("WATCHDOG_USEC"));
  if (!micros || *micros == 0 || *micros > kMicrosMax) return std::nullopt;
  return Nanos(static_cast<std::int64_t>(*micros) * 1000);
}

}  // namespace

ServiceManager ServiceManager::of_environment() {
  ServiceManager manager(variable("NOTIFY_SOCKET"), watchdog_of_environment());
  forget_in_environment("NOTIFY_SOCKET");
  return manager;
}

void ServiceManager::alive() const {
  if (watchdog_) tell("WATCHDOG=1");
}

std::optional<Nanos> ServiceManager::silence_max() const {
  if (!watchdog_ || socket_.empty()) return std::nullopt;
  return *watchdog_ / 2;
}

void ServiceManager::tell(const std::string& what) const {
  sockaddr_un address{};
  const bool has_place = !socket_.empty() && (socket_[0] == '/' || socket_[0] == '@');
  if (!has_place || socket_.size() >= sizeof address.sun_path) return;
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, socket_.data(), socket_.size());
  if (socket_[0] == '@') address.sun_path[0] = '\0';
  const int file = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (file < 0) return;
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + socket_.size());
  const timeval patience{kPatience.count(), 0};
  ::setsockopt(file, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  (void)::sendto(file, what.data(), what.size(), MSG_NOSIGNAL,
                 reinterpret_cast<const sockaddr*>(&address), size);
  ::close(file);
}

}  // namespace leasehold::server_process
