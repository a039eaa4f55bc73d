#include "vault/target/own_threads.h"

#include <atomic>
#include <memory>
#include <thread>

namespace leasehold::target {

namespace {

std::atomic<std::size_t> threads{0};  // detached, so nobody else counts them

struct Counted {
  Counted() { ++threads; }
  ~Counted() { --threads; }
  Counted(const Counted&) = delete;
  Counted& operator=(const Counted&) = delete;
};

}  // namespace

void run_on_own_thread(std::function<void()> body) {
  std::thread([body = std::move(body), counted = std::make_shared<Counted>()]() mutable {
    body();
    body = nullptr;  // what it owns goes before it counts as ended
  }).detach();
}

std::size_t own_threads() { return threads; }

}  // namespace leasehold::target
