#include "vault/base/loop.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <new>
#include <utility>

#include "vault/base/result.h"

namespace leasehold {
namespace {

constexpr int kEventsPerTurn = 128;
// The kernel's timeout stands still while the machine sleeps, ours does not; and a test may move
// its clock: so with a timer armed a loop looks at the clock at least this often.
constexpr std::int64_t kLongestWaitMs = 1000;

thread_local Loop* current_loop = nullptr;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kPooled = false;  // so that a sanitizer sees the use of a dead frame
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
constexpr bool kPooled = false;
#else
constexpr bool kPooled = true;
#endif
#else
constexpr bool kPooled = true;
#endif

Waiter* reversed(Waiter* list) {
  Waiter* result = nullptr;
  while (list != nullptr) {
    Waiter* next = std::exchange(list->next, result);
    result = list;
    list = next;
  }
  return result;
}

}  // namespace

void complete(Waiter* waiter) {
  if (waiter->home == nullptr) return waiter->resume(waiter);
  waiter->home->post(waiter);
}

void WaiterQueue::push(Waiter* waiter) {
  waiter->next = nullptr;
  (tail_ != nullptr ? tail_->next : head_) = waiter;
  tail_ = waiter;
  ++size_;
}

Waiter* WaiterQueue::pop() {
  Waiter* first = head_;
  if (first == nullptr) return nullptr;
  head_ = std::exchange(first->next, nullptr);
  if (head_ == nullptr) tail_ = nullptr;
  --size_;
  return first;
}

FramePool::~FramePool() {
  for (Node*& list : free_)
    while (list != nullptr) std::free(std::exchange(list, list->next));
}

void* FramePool::take(std::size_t size) {
  ++live_;
  const std::size_t size_class = (size + kClassSize - 1) / kClassSize;
  if (size_class < kClasses && free_[size_class] != nullptr)
    return std::exchange(free_[size_class], free_[size_class]->next);
  void* frame = std::malloc(std::max<std::size_t>(size_class, 1) * kClassSize);
  VAULT_ASSERT(frame != nullptr);
  return frame;
}

void FramePool::give(void* frame, std::size_t size) {
  --live_;
  const std::size_t size_class = (size + kClassSize - 1) / kClassSize;
  if (!kPooled || size_class >= kClasses) return std::free(frame);
  free_[size_class] = new (frame) Node{free_[size_class]};
}

Loop::Loop(Clock& clock)
    : clock_(clock),
      epoll_(::epoll_create1(EPOLL_CLOEXEC)),
      event_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  VAULT_ASSERT(epoll_ >= 0 && event_ >= 0);
  timers_.previous = timers_.next = &timers_;
  epoll_event mailbox{};
  mailbox.events = EPOLLIN | EPOLLET;  // edge-triggered: each post wakes, nobody has to read it
  mailbox.data.ptr = nullptr;
  VAULT_ASSERT(::epoll_ctl(epoll_, EPOLL_CTL_ADD, event_, &mailbox) == 0);
}

Loop::~Loop() {
  ::close(event_);
  ::close(epoll_);
}

Loop* Loop::current() { return current_loop; }

void Loop::post(Waiter* first, Waiter* last) {
  // Once `first` is in the inbox it may be resumed and this loop may end, unless it was not empty.
  const int event = event_;
  Waiter* before = inbox_.load(std::memory_order_relaxed);
  do {
    last->next = before;
  } while (!inbox_.compare_exchange_weak(before, first, std::memory_order_acq_rel,
                                         std::memory_order_relaxed));
  // The loop's own thread looks into the inbox before it sleeps again.
  if (before != nullptr || current_loop == this) return;
  const std::uint64_t one = 1;
  (void)!::write(event, &one, sizeof one);
}

bool Loop::drain() {
  if (inbox_.load(std::memory_order_relaxed) == nullptr) return false;
  Waiter* oldest = reversed(inbox_.exchange(nullptr, std::memory_order_acquire));
  while (oldest != nullptr) {
    Waiter* one = std::exchange(oldest, oldest->next);  // resume() may end the life of *one
    one->resume(one);
  }
  return true;
}

void Loop::run() {
  current_loop = this;
  epoll_event events[kEventsPerTurn];
  while (!(stopping() && live == 0)) {
    const int count = ::epoll_wait(epoll_, events, kEventsPerTurn, timeout_ms());
    VAULT_ASSERT(count >= 0 || errno == EINTR);
    for (int i = 0; i < count; ++i)
      if (events[i].data.ptr != nullptr)
        static_cast<Pollable*>(events[i].data.ptr)->ready(events[i].events);
    drain();  // after the array: see the head of loop.h
    expire();
  }
  while (drain()) {
  }
  current_loop = nullptr;
}

void Loop::stop() {
  stopping_.store(true, std::memory_order_release);
  const std::uint64_t one = 1;
  (void)!::write(event_, &one, sizeof one);
}

void Loop::add(int fd, Pollable* who, std::uint32_t epoll_events) {
  epoll_event event{};
  event.events = epoll_events;
  event.data.ptr = who;
  VAULT_ASSERT(::epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) == 0);
}

void Loop::change(int fd, Pollable* who, std::uint32_t epoll_events) {
  epoll_event event{};
  event.events = epoll_events;
  event.data.ptr = who;
  VAULT_ASSERT(::epoll_ctl(epoll_, EPOLL_CTL_MOD, fd, &event) == 0);
}

void Loop::remove(int fd) { VAULT_ASSERT(::epoll_ctl(epoll_, EPOLL_CTL_DEL, fd, nullptr) == 0); }

// Sorted by due time. Most are armed with one delay, so the walk from the end is short.
void Loop::arm(Timer& timer, Nanos delay) {
  disarm(timer);
  timer.due = leasehold::add(clock_.instant(), delay);
  Timer* after = timers_.previous;
  while (after != &timers_ && after->due > timer.due) after = after->previous;
  timer.previous = after;
  timer.next = after->next;
  after->next->previous = &timer;
  after->next = &timer;
}

void Loop::disarm(Timer& timer) {
  if (!timer.armed()) return;
  timer.previous->next = timer.next;
  timer.next->previous = timer.previous;
  timer.previous = timer.next = nullptr;
}

int Loop::timeout_ms() const {
  if (inbox_.load(std::memory_order_acquire) != nullptr) return 0;
  if (timers_.next == &timers_) return -1;
  const std::int64_t left = timers_.next->due.ns - clock_.instant().ns;
  if (left <= 0) return 0;
  return static_cast<int>(std::min(left / 1'000'000 + 1, kLongestWaitMs));
}

// The clock is read once: what falls due meanwhile belongs to the next turn.
void Loop::expire() {
  if (timers_.next == &timers_) return;
  const Instant now = clock_.instant();
  while (timers_.next != &timers_ && timers_.next->due <= now) {
    Timer* timer = timers_.next;
    disarm(*timer);
    timer->expired(timer);
  }
}

}  // namespace leasehold
