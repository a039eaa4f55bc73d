#include "api/server/listener.h"

#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <utility>

#include "api/server/endpoint.h"
#include "api/server/io_thread.h"

namespace leasehold::server {
namespace {

unsigned thread_count(const ListenerLimits& limits) {
  return limits.threads > 0 ? limits.threads : std::max(1u, std::thread::hardware_concurrency());
}

// Signals are the main thread's.
void block_signals() {
  sigset_t all;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_BLOCK, &all, nullptr);
}

}  // namespace

Listener::Listener() = default;

Listener::~Listener() {
  stop_intake();
  join();
}

Result<std::unique_ptr<Listener>> Listener::open(std::vector<ListenerSettings> settings,
                                                 const ListenerLimits& limits, Handler& handler,
                                                 Clock& clock, LogSink& log) {
  std::unique_ptr<Listener> listener(new Listener());
  listener->shared_ = std::make_unique<Shared>(limits, handler, clock, log);
  for (unsigned i = 0; i < thread_count(limits); ++i)
    listener->io_.push_back(std::make_unique<IoThread>(*listener->shared_));
  for (ListenerSettings& one : settings) VAULT_TRY(listener->open_endpoint(std::move(one)));
  return listener;
}

Status Listener::open_endpoint(ListenerSettings settings) {
  auto endpoint = std::make_unique<Endpoint>(std::move(settings));
  VAULT_TRY(endpoint->open(static_cast<unsigned>(io_.size())));
  if (endpoint->plain_beyond_loopback())
    shared_->log.warn(
        "listener {} speaks plain HTTP beyond this machine: tokens and secrets can be read on the "
        "network; set tls_cert_file and tls_key_file",
        endpoint->address());
  for (std::size_t i = 0; i < io_.size(); ++i)
    io_[i]->accept_from(*endpoint, endpoint->socket_of(static_cast<unsigned>(i)));
  endpoints_.push_back(std::move(endpoint));
  return {};
}

void Listener::start() {
  for (const auto& io : io_)
    running_.emplace_back([thread = io.get()] {
      block_signals();
      thread->run();
    });
}

Status Listener::reload() {
  Status result;
  for (const auto& endpoint : endpoints_) {
    Status loaded = endpoint->load_tls();
    if (loaded.ok()) continue;
    shared_->log.error("listener {} keeps its certificate: {}", endpoint->address(),
                       loaded.error().message);
    result = std::move(loaded);
  }
  return result;
}

void Listener::stop_intake() {
  if (running_.empty() || std::exchange(intake_stopped_, true)) return;
  for (const auto& io : io_) io->stop_intake();
}

void Listener::join() {
  for (const auto& io : io_) io->loop().stop();
  for (std::thread& thread : running_) thread.join();
  running_.clear();
}

std::vector<std::string> Listener::addresses() const {
  std::vector<std::string> result;
  for (const auto& endpoint : endpoints_) result.push_back(endpoint->address());
  return result;
}

Loop& Listener::loop(std::size_t i) { return io_[i]->loop(); }

unsigned Listener::connections() const { return shared_->connections.load(); }

}  // namespace leasehold::server
