#include "api/server/endpoint.h"

#include <unistd.h>

#include <utility>

namespace leasehold::server {

Endpoint::~Endpoint() {
  const bool opened = !sockets_.empty();
  if (opened && settings_.kind == ListenerSettings::Kind::unix_socket)
    ::unlink(settings_.address.c_str());
}

Status Endpoint::open(unsigned threads) {
  if (settings_.tls) VAULT_TRY(load_tls());
  if (settings_.kind == ListenerSettings::Kind::unix_socket) {
    VAULT_TRY_ASSIGN(Descriptor fd, listen_unix(settings_.address, settings_.socket));
    sockets_.push_back(std::move(fd));
    address_ = settings_.address;
    loopback_ = true;
    return {};
  }
  VAULT_TRY_ASSIGN(TcpSockets opened, listen_tcp(settings_.address, threads));
  sockets_ = std::move(opened.sockets);
  address_ = std::move(opened.address);
  loopback_ = opened.loopback;
  return {};
}

Status Endpoint::load_tls() {
  if (!settings_.tls) return {};
  files_ = TlsFiles::look(settings_.tls_settings);  // first: a change meanwhile is seen later
  VAULT_TRY_ASSIGN(TlsContext fresh, make_tls_context(settings_.tls_settings));
  const MutexLock lock(mutex_);
  context_.swap(fresh);
  return {};
}

bool Endpoint::files_changed() const {
  return settings_.tls && settings_.reload_interval.count() != 0 &&
         TlsFiles::look(settings_.tls_settings) != files_;
}

bool Endpoint::plain_beyond_loopback() const { return !settings_.tls && !loopback_; }

int Endpoint::socket_of(unsigned thread) const {
  return sockets_.size() == 1 ? sockets_[0].get() : sockets_[thread].get();
}

TlsContext Endpoint::tls() const {
  const MutexLock lock(mutex_);
  if (context_) SSL_CTX_up_ref(context_.get());
  return TlsContext(context_.get());
}

}  // namespace leasehold::server
