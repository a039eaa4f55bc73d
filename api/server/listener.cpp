#include "api/server/listener.h"

#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>

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

// Files, targets and the key host need descriptors too: connections must not take the last one.
constexpr rlim_t kOtherDescriptors = 256;

// Raises the soft limit as far as it goes; returns how many connections fit under it.
unsigned connections_that_fit(unsigned wanted) {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return wanted;
  const rlim_t needed = wanted + kOtherDescriptors;
  if (limit.rlim_cur < needed) {
    limit.rlim_cur = std::min(needed, limit.rlim_max);
    ::setrlimit(RLIMIT_NOFILE, &limit);
  }
  if (limit.rlim_cur >= needed) return wanted;
  const rlim_t half = limit.rlim_cur / 2;
  return static_cast<unsigned>(
      limit.rlim_cur > 2 * kOtherDescriptors ? limit.rlim_cur - kOtherDescriptors : half);
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
  ListenerLimits fitting = limits;
  fitting.connections = connections_that_fit(limits.connections);
  if (fitting.connections < limits.connections)
    log.warn(
        "only {} connections at once fit under the limit of open files; raise it (ulimit -n, "
        "LimitNOFILE) for {}",
        fitting.connections, limits.connections);
  listener->shared_ = std::make_unique<Shared>(fitting, handler, clock, log);
  for (unsigned i = 0; i < thread_count(limits); ++i)
    listener->io_.push_back(std::make_unique<IoThread>(*listener->shared_));
  for (ListenerSettings& one : settings) VAULT_TRY(listener->open_endpoint(std::move(one)));
  return listener;
}

void Listener::look_at_dates() const {
  for (const auto& endpoint : endpoints_) {
    const TlsContext context = endpoint->tls();
    if (!context) continue;
    const std::string trouble = endpoint->dates().look(*context, shared_->clock.now());
    if (!trouble.empty()) shared_->log.warn("listener {}: {}", endpoint->address(), trouble);
  }
}

Status Listener::open_endpoint(ListenerSettings settings) {
  auto endpoint = std::make_unique<Endpoint>(std::move(settings));
  VAULT_TRY(endpoint->open(static_cast<unsigned>(io_.size())));
  if (endpoint->plain_beyond_loopback())
    shared_->log.warn("{}", plain_http_warning(endpoint->address()));
  for (std::size_t i = 0; i < io_.size(); ++i)
    io_[i]->accept_from(*endpoint, endpoint->socket_of(static_cast<unsigned>(i)));
  endpoints_.push_back(std::move(endpoint));
  look_at_dates();
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
    Status loaded = reload(*endpoint);
    if (!loaded.ok()) result = std::move(loaded);
  }
  look_at_dates();
  return result;
}

Status Listener::reload(Endpoint& endpoint) {
  Status loaded = endpoint.load_tls();
  endpoint.dates().forget();
  if (!loaded.ok())
    shared_->log.error("listener {} keeps its certificate: {}", endpoint.address(),
                       loaded.error().message);
  return loaded;
}

void Listener::look_at_files() {
  bool changed = false;
  for (const auto& endpoint : endpoints_) {
    if (!endpoint->files_changed()) continue;
    changed = true;
    if (reload(*endpoint).ok())
      shared_->log.info("listener {}: its certificate was read again, its files had changed",
                        endpoint->address());
  }
  if (changed) look_at_dates();
}

Seconds Listener::reload_interval() const {
  Seconds shortest{0};
  for (const auto& endpoint : endpoints_) {
    const Seconds one = endpoint->settings().reload_interval;
    if (one.count() != 0 && (shortest.count() == 0 || one < shortest)) shortest = one;
  }
  return shortest;
}

void Listener::stop_intake() {
  if (running_.empty() || std::exchange(intake_stopped_, true)) return;
  std::latch closed(static_cast<std::ptrdiff_t>(io_.size()));
  for (const auto& io : io_) io->stop_intake(closed);
  closed.wait();  // what was issued and did not arrive is told to the handler
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
