#pragma once
// A small HTTP server inside the test, over cpp-httplib: answers by a table of "METHOD path" and
// keeps what it was asked. On a free port of loopback, or on a unix socket; with TLS when given
// files.

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace leasehold::testing {

struct SeenRequest {
  std::string method;
  std::string target;  // with the query
  std::string body;
  std::multimap<std::string, std::string> headers;  // names in lower case

  std::string header(const std::string& name) const {
    const auto found = headers.find(name);
    return found == headers.end() ? "" : found->second;
  }
};

struct CannedResponse {
  int status = 200;
  std::string body{};
  std::multimap<std::string, std::string> headers{};
  std::string content_type = "application/json";
};

class VaultServer {
 public:
  VaultServer();                                  // http on loopback
  explicit VaultServer(const std::string& path);  // unix socket
  VaultServer(const std::string& certificate, const std::string& key);
  ~VaultServer();
  VaultServer(const VaultServer&) = delete;
  VaultServer& operator=(const VaultServer&) = delete;

  // "GET /v1/secret/a" (path without the query). Several responses for one key are given in turn;
  // the last one stays. Before the first request only.
  void on(const std::string& request, CannedResponse response);
  std::string address() const;
  int port() const;
  std::vector<SeenRequest> seen() const;
  SeenRequest last() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace leasehold::testing
