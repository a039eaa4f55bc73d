#include "api/client/answer_stream.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <climits>

namespace leasehold::client {

bool AnswerStream::is_ready(short events) const {
  pollfd watched{socket_, events, 0};
  const auto millis = std::min<std::chrono::milliseconds::rep>(
      std::chrono::milliseconds(patience_).count(), INT_MAX);
  int ready = 0;
  do {
    ready = ::poll(&watched, 1, static_cast<int>(millis));
  } while (ready < 0 && errno == EINTR);
  return ready > 0;
}

bool AnswerStream::is_readable() const {
  return from_ < to_ || (tls_ != nullptr && SSL_pending(tls_) > 0) || is_ready(POLLIN);
}

bool AnswerStream::is_writable() const { return is_ready(POLLOUT); }

ssize_t AnswerStream::read(char* to, std::size_t size) {
  const std::size_t most = progress_.head_is_over ? kAnswerBytesMax : kHeadBytesMax;
  progress_.too_large = handed_over_ >= most;
  if (progress_.too_large) return -1;
  size = std::min(size, most - handed_over_);
  if (from_ == to_ && size < buffer_.size()) {
    const ssize_t got = receive(buffer_.data(), buffer_.size());
    if (got <= 0) return got;
    from_ = 0;
    to_ = static_cast<std::size_t>(got);
  }
  std::size_t given = std::min(size, to_ - from_);
  if (given > 0) {
    std::copy_n(buffer_.data() + from_, given, to);
    wipe(buffer_.data() + from_, given);
    from_ += given;
  } else {
    const ssize_t got = receive(to, size);
    if (got <= 0) return got;
    given = static_cast<std::size_t>(got);
  }
  handed_over_ += given;
  if (!progress_.head_is_over) progress_.head.append(to, given);
  return static_cast<ssize_t>(given);
}

ssize_t AnswerStream::receive(char* to, std::size_t size) {
  for (;;) {
    if (!is_readable()) return -1;
    if (tls_ == nullptr) {
      const ssize_t got = ::recv(socket_, to, size, 0);
      if (got >= 0 || errno != EINTR) return got;
      continue;
    }
    const int got = SSL_read(tls_, to, static_cast<int>(std::min<std::size_t>(size, INT_MAX)));
    if (got > 0) return got;
    const int why = SSL_get_error(tls_, got);
    if (why == SSL_ERROR_ZERO_RETURN) return 0;
    if (why == SSL_ERROR_WANT_WRITE && !is_writable()) return -1;
    if (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE) return -1;
  }
}

ssize_t AnswerStream::write(const char* bytes, std::size_t size) {
  for (;;) {
    if (!is_writable()) return -1;
    if (tls_ == nullptr) {
      const ssize_t sent = ::send(socket_, bytes, size, MSG_NOSIGNAL);
      if (sent >= 0 || errno != EINTR) return sent;
      continue;
    }
    const int sent = SSL_write(tls_, bytes, static_cast<int>(std::min<std::size_t>(size, INT_MAX)));
    if (sent > 0) return sent;
    const int why = SSL_get_error(tls_, sent);
    if (why == SSL_ERROR_WANT_READ && !is_ready(POLLIN)) return -1;
    if (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE) return -1;
  }
}

// Nothing of ours asks for these.
void AnswerStream::get_remote_ip_and_port(std::string& ip, int& port) const {
  ip.clear();
  port = 0;
}
void AnswerStream::get_local_ip_and_port(std::string& ip, int& port) const {
  ip.clear();
  port = 0;
}

}  // namespace leasehold::client
