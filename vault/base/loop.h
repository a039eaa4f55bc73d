#pragma once
// The bridge between threads: the thread that finishes something posts its `Waiter`, and resume()
// always runs on the loop that owns the Waiter, on that loop's own thread. A Waiter without a home
// is resumed on the thread that completes it (a blocked thread wakes itself).
//
// `Loop` is one io thread: epoll, an eventfd mailbox and timers. The mailbox is drained after the
// epoll array: a completion may end a connection that is named later in that very array; so what a
// turn posts to its own loop is resumed once all its events are handled. Thread
// safety: post() and stop() from any thread; everything else on the loop's own thread.

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "vault/base/clock.h"

namespace leasehold {

class Loop;

struct Waiter {
  Waiter* next = nullptr;
  Loop* home = nullptr;
  void (*resume)(Waiter*) = nullptr;
};

// Resumes `waiter` on its home, or here and now when it has none.
void complete(Waiter* waiter);

// First in, first out; not thread-safe.
class WaiterQueue {
 public:
  void push(Waiter* waiter);
  Waiter* pop();
  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

 private:
  Waiter* head_ = nullptr;
  Waiter* tail_ = nullptr;
  std::size_t size_ = 0;
};

// Something with a file descriptor in a loop.
class Pollable {
 public:
  virtual void ready(std::uint32_t epoll_events) = 0;

 protected:
  ~Pollable() = default;
};

// Intrusive; lives in what waits. Armed and disarmed on the loop's thread.
struct Timer {
  Timer* previous = nullptr;
  Timer* next = nullptr;
  Instant due;
  void (*expired)(Timer*) = nullptr;
  bool armed() const { return previous != nullptr; }
};

// Frames of one thread's coroutines by size class; never shared between threads.
class FramePool {
 public:
  FramePool() = default;
  FramePool(const FramePool&) = delete;
  FramePool& operator=(const FramePool&) = delete;
  ~FramePool();
  void* take(std::size_t size);
  void give(void* frame, std::size_t size);
  long live() const { return live_; }

 private:
  struct Node {
    Node* next;
  };
  static constexpr std::size_t kClassSize = 256;
  static constexpr std::size_t kClasses = 32;
  Node* free_[kClasses] = {};
  long live_ = 0;
};

class Loop {
 public:
  explicit Loop(Clock& clock);
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;
  ~Loop();

  // The loop whose thread this is, or null.
  static Loop* current();

  void post(Waiter* one) { post(one, one); }
  // A chain linked newest first, as one wake-up.
  void post(Waiter* first, Waiter* last);
  // Runs until stop() was called and `live` is 0.
  void run();
  void stop();
  bool stopping() const { return stopping_.load(std::memory_order_acquire); }

  void add(int fd, Pollable* who, std::uint32_t epoll_events);
  void change(int fd, Pollable* who, std::uint32_t epoll_events);
  void remove(int fd);
  void arm(Timer& timer, Nanos delay);
  void disarm(Timer& timer);

  FramePool& frames() { return frames_; }
  long live = 0;  // requests begun here and not answered; own thread only

 private:
  int timeout_ms() const;
  void expire();
  bool drain();

  Clock& clock_;
  const int epoll_;
  const int event_;
  std::atomic<Waiter*> inbox_{nullptr};
  std::atomic<bool> stopping_{false};
  Timer timers_;
  FramePool frames_;
};

}  // namespace leasehold
