#include "api/server/socket.h"

#include <linux/sockios.h>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/x509.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>

#include "vault/base/result.h"

namespace leasehold::server {

// OpenSSL reads and writes through these two, so that it never makes a system call that is known to
// find nothing.
int socket_bio_read(BIO* bio, char* into, int size) {
  auto* socket = static_cast<Socket*>(BIO_get_data(bio));
  BIO_clear_retry_flags(bio);
  const IoResult got = socket->receive_records({into, static_cast<std::size_t>(size)});
  if (got.status == Io::done) return static_cast<int>(got.bytes);
  if (got.status == Io::would_block) BIO_set_retry_read(bio);
  return got.status == Io::ended ? 0 : -1;
}

int socket_bio_write(BIO* bio, const char* from, int size) {
  auto* socket = static_cast<Socket*>(BIO_get_data(bio));
  BIO_clear_retry_flags(bio);
  const IoResult sent = socket->send({from, static_cast<std::size_t>(size)});
  if (sent.status == Io::done) return static_cast<int>(sent.bytes);
  if (sent.status == Io::would_block) BIO_set_retry_write(bio);
  return -1;
}

namespace {

long socket_bio_control(BIO*, int command, long, void*) {
  return command == BIO_CTRL_FLUSH ? 1 : 0;
}

BIO_METHOD* make_bio_method() {
  BIO_METHOD* method =
      BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "leasehold connection");
  VAULT_ASSERT(method != nullptr);
  BIO_meth_set_read(method, socket_bio_read);
  BIO_meth_set_write(method, socket_bio_write);
  BIO_meth_set_ctrl(method, socket_bio_control);
  return method;
}

BIO* make_bio(Socket* socket) {
  static BIO_METHOD* const kMethod = make_bio_method();  // for the life of the process
  BIO* bio = BIO_new(kMethod);
  VAULT_ASSERT(bio != nullptr);
  BIO_set_data(bio, socket);
  BIO_set_init(bio, 1);
  return bio;
}

int int_size(std::size_t size) { return static_cast<int>(std::min<std::size_t>(size, INT_MAX)); }

}  // namespace

Socket::Socket(int fd, SSL_CTX* context) : fd_(fd) {
  if (context == nullptr) return;
  tls_.reset(SSL_new(context));
  VAULT_ASSERT(tls_ != nullptr);
  BIO* bio = make_bio(this);
  SSL_set_bio(tls_.get(), bio, bio);
  SSL_set_accept_state(tls_.get());
}

Socket::~Socket() {
  if (tls_ && !broken_ && SSL_is_init_finished(tls_.get())) {
    ERR_clear_error();
    SSL_shutdown(tls_.get());  // one close_notify, not waited for
  }
  ::close(fd_);
}

// What errno says of a call that moved nothing.
bool Socket::lost() {
  const bool waits = errno == EAGAIN || errno == EWOULDBLOCK;
  lost_ = lost_ || !waits;
  return !waits;
}

IoResult Socket::receive(std::span<char> into) {
  if (!readable_) return {Io::would_block};
  const ssize_t got = ::recv(fd_, into.data(), into.size(), 0);
  if (got > 0) {
    const auto bytes = static_cast<std::size_t>(got);
    // A short read has emptied the socket: the next data, not another recv, says when to go on. An
    // end that is already known has to be read.
    if (bytes < into.size()) readable_ = peer_closed_;
    return {Io::done, bytes};
  }
  if (got == 0) return {Io::ended};
  if (errno == EINTR) return receive(into);
  if (lost()) return {Io::failed};
  readable_ = false;
  return {Io::would_block};
}

// A hello comes first, and once more where TLS 1.3 asks for another: until the handshake is over,
// or the version is known to be an older one. Their next messages may be encrypted.
bool Socket::may_send_hello() const {
  return !SSL_is_init_finished(tls_.get()) && SSL_version(tls_.get()) >= TLS1_3_VERSION;
}

IoResult Socket::receive_records(std::span<char> into) {
  if (idle_bytes_ >= kIdleBytes) return {Io::failed};
  if (left_in_turn_ == 0) return {Io::would_block};
  const IoResult got = receive(into.first(std::min(into.size(), left_in_turn_)));
  left_in_turn_ -= got.bytes;
  idle_bytes_ += got.bytes;
  if (may_send_hello() && !hello_.passes({into.data(), got.bytes})) return {Io::failed};
  return got;
}

IoResult Socket::peek(std::span<char> into) {
  if (!readable_) return {Io::would_block};
  const ssize_t got = ::recv(fd_, into.data(), into.size(), MSG_PEEK);
  if (got > 0) return {Io::done, static_cast<std::size_t>(got)};
  if (got == 0) return {Io::ended};
  if (errno == EINTR) return peek(into);
  if (errno != EAGAIN && errno != EWOULDBLOCK) return {Io::failed};
  readable_ = false;
  return {Io::would_block};
}

void Socket::take(std::span<char> into) {
  while (!into.empty()) {
    const ssize_t got = ::recv(fd_, into.data(), into.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return;  // seen before, so only a broken connection ends here
    into = into.subspan(static_cast<std::size_t>(got));
  }
}

IoResult Socket::send(std::string_view what) {
  const ssize_t sent = ::send(fd_, what.data(), what.size(), MSG_NOSIGNAL);
  if (sent >= 0) return {Io::done, static_cast<std::size_t>(sent)};
  if (errno == EINTR) return send(what);
  return {lost() ? Io::failed : Io::would_block};
}

IoResult Socket::tls_outcome(int result) {
  switch (SSL_get_error(tls_.get(), result)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
      return {Io::would_block};
    case SSL_ERROR_ZERO_RETURN:
      return {Io::ended};
    default:
      broken_ = true;
      plain_http_ = ERR_GET_REASON(ERR_peek_error()) == SSL_R_HTTP_REQUEST;
      ERR_clear_error();
      return {Io::failed};
  }
}

Io Socket::handshake() {
  ERR_clear_error();
  const int result = SSL_do_handshake(tls_.get());
  if (result != 1) return tls_outcome(result).status;
  idle_bytes_ = 0;
  return Io::done;
}

std::string Socket::certificate_serial() const {
  const X509* certificate = SSL_get0_peer_certificate(tls_.get());
  if (certificate == nullptr) return {};
  BIGNUM* number = ASN1_INTEGER_to_BN(X509_get0_serialNumber(certificate), nullptr);
  char* digits = number != nullptr ? BN_bn2dec(number) : nullptr;
  std::string text = digits != nullptr ? digits : "";
  OPENSSL_free(digits);
  BN_free(number);
  return text;
}

IoResult Socket::read(std::span<char> into) {
  if (!tls_) return receive(into);
  ERR_clear_error();
  const int got = SSL_read(tls_.get(), into.data(), int_size(into.size()));
  if (got <= 0) return tls_outcome(got);
  idle_bytes_ = 0;
  return {Io::done, static_cast<std::size_t>(got)};
}

IoResult Socket::write(std::string_view what) {
  if (!tls_) return send(what);
  ERR_clear_error();
  const int sent = SSL_write(tls_.get(), what.data(), int_size(what.size()));
  if (sent > 0) return {Io::done, static_cast<std::size_t>(sent)};
  return tls_outcome(sent);
}

bool Socket::all_arrived() const {
  int unread = 0;
  return !lost_ && ::ioctl(fd_, SIOCOUTQ, &unread) == 0 && unread == 0;
}

void Socket::write_plain(std::string_view what) { (void)send(what); }

void Socket::shut_writing() {
  if (tls_ && !broken_ && SSL_is_init_finished(tls_.get())) {
    ERR_clear_error();
    SSL_shutdown(tls_.get());
  }
  ::shutdown(fd_, SHUT_WR);
}

}  // namespace leasehold::server
