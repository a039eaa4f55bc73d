#pragma once
// A proxy on loopback that serves one connection: it keeps the request for a tunnel (RFC 9110,
// section 9.3.6) and then passes bytes to `port` and back.

#include <string>
#include <thread>

namespace leasehold::testing {

class Tunnel {
 public:
  explicit Tunnel(int port);
  Tunnel(const Tunnel&) = delete;
  Tunnel& operator=(const Tunnel&) = delete;
  ~Tunnel();

  std::string address() const;  // "127.0.0.1:4711"
  // What the client asked for; call it when the client is done.
  std::string request();

 private:
  void serve(int port);
  int listener_ = -1;
  std::string request_;
  std::thread thread_;
};

}  // namespace leasehold::testing
