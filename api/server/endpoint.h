#pragma once
// One address of the listener: its settings, its sockets (one per io thread, or one for all when it
// is a unix socket) and the TLS context of the moment. Thread safety: open by one thread; the rest
// by any.

#include <memory>
#include <string>
#include <vector>

#include "api/server/listener_stanza.h"
#include "api/server/listening.h"
#include "api/server/tls.h"
#include "vault/base/mutex.h"

namespace leasehold::server {

class Endpoint {
 public:
  explicit Endpoint(ListenerSettings settings) : settings_(std::move(settings)) {}
  Endpoint(const Endpoint&) = delete;
  Endpoint& operator=(const Endpoint&) = delete;
  ~Endpoint();

  Status open(unsigned threads);
  // Certificates and keys from their files; the old ones stay on an error.
  Status load_tls();
  // Their files are others than those last read, as far as is looked for. Of the thread that opens
  // and reloads.
  bool files_changed() const;

  const ListenerSettings& settings() const { return settings_; }
  const std::string& address() const { return address_; }
  bool plain_beyond_loopback() const;
  int socket_of(unsigned thread) const;
  // For a new connection; null: plain.
  TlsContext tls() const;
  DatesWatch& dates() { return dates_; }  // of the thread that opens and reloads

 private:
  const ListenerSettings settings_;
  std::string address_;
  bool loopback_ = false;
  std::vector<Descriptor> sockets_;
  DatesWatch dates_;
  TlsFiles files_;  // when they were last read
  mutable Mutex mutex_;
  TlsContext context_ GUARDED_BY(mutex_);
};

}  // namespace leasehold::server
