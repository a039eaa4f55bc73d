#include "backends/audit/queued_device.h"

#include <chrono>
#include <utility>

namespace leasehold::audit {
namespace {

constexpr std::size_t kQueueBytesMax = 16u << 20;
constexpr int kAttemptsMax = 3;
constexpr Nanos kBetweenAttempts = std::chrono::seconds(1);
constexpr std::chrono::milliseconds kLook{
    100};  // how often a wait that has a bound looks at the clock

}  // namespace

QueuedDevice::QueuedDevice(std::unique_ptr<Outlet> outlet, std::optional<View> view, Nanos patience,
                           Clock& clock)
    : outlet_(std::move(outlet)), view_(std::move(view)), patience_(patience), clock_(clock) {}

QueuedDevice::~QueuedDevice() {
  if (!thread_.joinable()) return;
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    work_.notify_all();
  }
  thread_.join();
}

// Waits once, at the start; later it only says how things stand, since requests wait for it.
Result<Tail> QueuedDevice::open() {
  MutexLock lock(mutex_);
  if (!thread_.joinable()) {
    thread_ = std::thread([this] { run(); });
    while (peer_ == Peer::unknown) settled_.wait(mutex_);
    attempts_ = peer_ == Peer::lost ? kAttemptsMax : 0;
  }
  VAULT_TRY(failing());
  return Tail{};
}

Status QueuedDevice::failing() {
  if (dropped_) return *std::exchange(dropped_, std::nullopt);
  if (overflowed_)
    return failure(Code::internal, where() + ": is too slow",
                   "more lines wait for it than are kept");
  if (attempts_ >= kAttemptsMax && error_) return *error_;
  return {};
}

Status QueuedDevice::write(std::string_view lines) {
  MutexLock lock(mutex_);
  VAULT_TRY(failing());
  overflowed_ = bytes_ + lines.size() > kQueueBytesMax;
  VAULT_TRY(failing());
  queue_.emplace_back(lines);
  bytes_ += lines.size();
  work_.notify_one();
  return {};
}

Status QueuedDevice::confirm() {
  MutexLock lock(mutex_);
  const Instant until = add(clock_.instant(), patience_);
  while (!queue_.empty() || sending_) {
    VAULT_TRY(failing());
    if (clock_.instant() >= until)
      return failure(Code::internal, where() + ": is too slow", "its lines were not taken in time");
    settled_.wait_for(mutex_, kLook);
  }
  return failing();
}

// A file that was moved is begun anew before the next line.
Result<bool> QueuedDevice::reopen() {
  MutexLock lock(mutex_);
  connect_anew_ = true;
  work_.notify_one();
  return false;
}

void QueuedDevice::note(Peer peer, std::optional<Error> error) {
  MutexLock lock(mutex_);
  peer_ = peer;
  attempts_ = peer == Peer::lost ? attempts_ + 1 : 0;
  error_ = std::move(error);
  settled_.notify_all();
}

bool QueuedDevice::connect() {
  const Status connected = outlet_->connect(patience_);
  if (connected.ok())
    note(Peer::connected, std::nullopt);
  else
    note(Peer::lost, connected.error());
  return connected.ok();
}

// False when the connection was lost; `sent_` says how far it came.
bool QueuedDevice::send_all(std::string_view lines) {
  while (sent_ < lines.size()) {
    const std::string_view rest = lines.substr(sent_);
    const std::string_view line = rest.substr(0, rest.find('\n'));
    std::optional<std::string> shown;
    if (view_) shown = view_->shown(line);
    if (!view_ || shown) {
      const Status sent = outlet_->send(view_ ? *shown : line, patience_);
      if (sent.is(Code::limited)) {
        MutexLock lock(mutex_);
        dropped_ = sent.error();
      } else if (!sent.ok()) {
        note(Peer::lost, sent.error());
        return false;
      }
    }
    sent_ += line.size() + 1;
  }
  return true;
}

// What is written meanwhile is no reason to try sooner.
void QueuedDevice::pause() {
  const Instant until = add(clock_.instant(), kBetweenAttempts);
  while (!stopping_ && clock_.instant() < until) work_.wait_for(mutex_, kLook);
}

void QueuedDevice::run() {
  bool connected = connect();
  std::string lines;
  std::optional<Instant> end;
  for (;;) {
    {
      MutexLock lock(mutex_);
      if (stopping_ && !end) end = add(clock_.instant(), patience_);
      if (!connected && attempts_ > 1) pause();
      while (connected && lines.empty() && queue_.empty() && !stopping_ && !connect_anew_)
        work_.wait(mutex_);
      const bool is_done = lines.empty() && queue_.empty();
      if (stopping_ && (is_done || !connected || clock_.instant() >= *end)) return;
      if (lines.empty() && !queue_.empty()) {
        lines = std::move(queue_.front());
        queue_.pop_front();
        sending_ = true;
      }
      if (std::exchange(connect_anew_, false)) connected = false;
    }
    if (connected && outlet_->moved()) connected = false;
    if (!connected) connected = connect();
    if (!connected) continue;
    connected = send_all(lines);
    if (!connected) continue;
    MutexLock lock(mutex_);
    bytes_ -= lines.size();
    lines.clear();
    sent_ = 0;
    sending_ = false;
    if (queue_.empty()) overflowed_ = false;
    settled_.notify_all();
  }
}

}  // namespace leasehold::audit
