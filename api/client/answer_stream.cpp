#include "api/client/answer_stream.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <climits>

namespace leasehold::client {
namespace {

bool is_worth_another(int error) { return error == EINTR || error == EAGAIN; }

}  // namespace

bool AnswerStream::is_readable() const {
  return from_ < to_ || (tls_ != nullptr && SSL_pending(tls_) > 0) ||
         deadline_.is_ready(socket_, POLLIN);
}

bool AnswerStream::is_writable() const { return deadline_.is_ready(socket_, POLLOUT); }

std::string_view AnswerStream::too_large() const {
  if (progress_.head_is_over)
    return handed_over_ < kAnswerBytesMax ? "" : "the answer is larger than 64 MiB";
  const std::string_view line = std::string_view(progress_.head).substr(line_);
  // Behind "100 Continue" comes another first line.
  if (line.starts_with("HTTP/") && line.size() >= kFirstLineMax)
    return "the first line of the answer is larger than 1 KiB";
  return handed_over_ < kHeadBytesMax ? "" : "the head of the answer is larger than 64 KiB";
}

ssize_t AnswerStream::read(char* to, std::size_t size) {
  progress_.too_large = too_large();
  if (!progress_.too_large.empty()) return -1;
  // Of the head a byte, as the library asks for it: no line is handed over beyond its bound.
  size = progress_.head_is_over ? std::min(size, kAnswerBytesMax - handed_over_) : 1;
  if (from_ == to_ && size < buffer_.size() && progress_.reads_ahead) {
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
  if (!progress_.head_is_over) {
    progress_.head.append(to, given);
    if (to[given - 1] == '\n') line_ = progress_.head.size();
  }
  return static_cast<ssize_t>(given);
}

ssize_t AnswerStream::receive(char* to, std::size_t size) {
  for (;;) {
    if (!is_readable()) return -1;
    if (tls_ == nullptr) {
      const ssize_t got = ::recv(socket_, to, size, 0);
      if (got >= 0 || !is_worth_another(errno)) return got;
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
      if (sent >= 0 || !is_worth_another(errno)) return sent;
      continue;
    }
    const int sent = SSL_write(tls_, bytes, static_cast<int>(std::min<std::size_t>(size, INT_MAX)));
    if (sent > 0) return sent;
    const int why = SSL_get_error(tls_, sent);
    if (why == SSL_ERROR_WANT_READ && !deadline_.is_ready(socket_, POLLIN)) return -1;
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
