#include "tests/client/vault_server.h"

#include <httplib.h>

#include <algorithm>
#include <mutex>
#include <thread>

namespace leasehold::testing {

struct VaultServer::State {
  std::unique_ptr<httplib::Server> server;
  std::string address;
  int port = 0;
  std::thread thread;
  mutable std::mutex mutex;
  std::map<std::string, std::vector<CannedResponse>> responses;
  std::vector<SeenRequest> seen;

  void answer(const httplib::Request& request, httplib::Response& response) {
    const std::lock_guard lock(mutex);
    SeenRequest asked{request.method, request.target, request.body, {}};
    for (const auto& header : request.headers) {
      std::string name = header.first;
      std::transform(name.begin(), name.end(), name.begin(), ::tolower);
      asked.headers.emplace(name, header.second);
    }
    seen.push_back(asked);
    const auto found =
        responses.find(request.method + " " + request.target.substr(0, request.target.find('?')));
    CannedResponse canned{404, R"({"errors":[]})"};
    if (found != responses.end()) {
      canned = found->second.front();
      if (found->second.size() > 1) found->second.erase(found->second.begin());
    }
    response.status = canned.status;
    response.set_content(canned.body, canned.content_type.c_str());
    for (const auto& header : canned.headers) response.set_header(header.first, header.second);
  }

  void start() {
    const auto handler = [this](const httplib::Request& request, httplib::Response& response) {
      answer(request, response);
    };
    const char* every = R"([\s\S]*)";  // an escaped line break, too
    server->Get(every, handler);
    server->Put(every, handler);
    server->Post(every, handler);
    server->Delete(every, handler);
    server->Patch(every, handler);
    thread = std::thread([this] { server->listen_after_bind(); });
    while (!server->is_running()) std::this_thread::yield();
  }
};

VaultServer::VaultServer() : state_(std::make_unique<State>()) {
  state_->server = std::make_unique<httplib::Server>();
  state_->port = state_->server->bind_to_any_port("127.0.0.1");
  state_->address = "http://127.0.0.1:" + std::to_string(state_->port);
  state_->start();
}

VaultServer::VaultServer(const std::string& path) : state_(std::make_unique<State>()) {
  state_->server = std::make_unique<httplib::Server>();
  state_->server->set_address_family(AF_UNIX);
  state_->server->bind_to_port(path, 80);
  state_->address = "unix://" + path;
  state_->start();
}

VaultServer::VaultServer(const std::string& certificate, const std::string& key)
    : state_(std::make_unique<State>()) {
  state_->server = std::make_unique<httplib::SSLServer>(certificate.c_str(), key.c_str());
  state_->port = state_->server->bind_to_any_port("127.0.0.1");
  state_->address = "https://127.0.0.1:" + std::to_string(state_->port);
  state_->start();
}

VaultServer::~VaultServer() {
  state_->server->stop();
  state_->thread.join();
}

void VaultServer::on(const std::string& request, CannedResponse response) {
  const std::lock_guard lock(state_->mutex);
  state_->responses[request].push_back(std::move(response));
}

std::string VaultServer::address() const { return state_->address; }
int VaultServer::port() const { return state_->port; }

std::vector<SeenRequest> VaultServer::seen() const {
  const std::lock_guard lock(state_->mutex);
  return state_->seen;
}

SeenRequest VaultServer::last() const {
  const auto all = seen();
  return all.empty() ? SeenRequest{} : all.back();
}

}  // namespace leasehold::testing
