#pragma once
// Notices a call that does not come back: a disk or a network file system that hangs has no error
// to report, and until it answers nothing is stored or recorded, and so nothing answered. look()
// runs once a second; it counts looks, not time, so that a machine that was suspended raises no
// false alarm. A call that hangs is named in the server log and, after minutes, `stuck` is called,
// which ends the process (docs/decisions/015).
//
//   const Watch::Call call(watch, device);
//   device.write(lines);   // has a where(): "file /var/log/…"
//
// Thread safety: every method from any thread; `stuck` is called with no lock held.

#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "vault/base/log.h"
#include "vault/base/mutex.h"

namespace leasehold {

inline constexpr int kLooksUntilNamed = 10;
inline constexpr int kLooksUntilStuck = 300;
static_assert(kLooksUntilNamed < kLooksUntilStuck);

class Watch {
 public:
  // `room`: begins each message ("audit").
  Watch(LogSink& log, std::string_view room, std::function<void()> stuck)
      : log_(log), room_(room), stuck_(std::move(stuck)) {}
  ~Watch() { stop(); }
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;

  void start() EXCLUDES(mutex_);  // a thread that looks each second
  void stop() EXCLUDES(mutex_);   // safe to call twice
  void look() EXCLUDES(mutex_);

  // Around one call of `thing`, on the thread that makes it.
  class Call {
   public:
    template <class Thing>
    Call(Watch& watch, const Thing& thing)
        : watch_(watch),
          thing_(&thing),
          where_([](const void* it) { return static_cast<const Thing*>(it)->where(); }) {
      begin();
    }
    ~Call();
    Call(const Call&) = delete;
    Call& operator=(const Call&) = delete;

   private:
    friend class Watch;
    void begin();
    std::string where() const { return where_(thing_); }

    Watch& watch_;
    const void* const thing_;
    std::string (*const where_)(const void*);
    int looks_ = 0;
  };

 private:
  void run() EXCLUDES(mutex_);

  LogSink& log_;
  const std::string room_;
  const std::function<void()> stuck_;
  Mutex mutex_;
  Condition stopped_;
  bool running_ GUARDED_BY(mutex_) = false;
  std::vector<Call*> calls_ GUARDED_BY(mutex_);
  std::thread thread_;
};

}  // namespace leasehold
