#pragma once
// Notices a device that does not come back from a call: a disk or a network file system that hangs
// has no error to report, and until it answers nothing can be recorded and so nothing answered.
// look() runs once a second; it counts looks, not time, so that a machine that slept accuses
// nobody. The device is named in the server log, and at last the owner of the process is told.
//
//   const Watch::Call call(watch, device);
//   device.write(lines);
//
// Thread safety: every method from any thread; `stuck` is called with no lock held.

#include <functional>
#include <thread>
#include <vector>

#include "vault/audit/log.h"
#include "vault/base/mutex.h"

namespace leasehold::audit {

inline constexpr int kLooksUntilNamed = 10;
inline constexpr int kLooksUntilStuck = 300;
static_assert(kLooksUntilNamed < kLooksUntilStuck);

class Watch {
 public:
  Watch(LogSink& log, std::function<void()> stuck) : log_(log), stuck_(std::move(stuck)) {}
  ~Watch() { stop(); }
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;

  void start() EXCLUDES(mutex_);  // a thread that looks each second
  void stop() EXCLUDES(mutex_);   // safe to call twice
  void look() EXCLUDES(mutex_);

  // Around one call of a device, on the thread that makes it.
  class Call {
   public:
    Call(Watch& watch, const Device& device);
    ~Call();
    Call(const Call&) = delete;
    Call& operator=(const Call&) = delete;

   private:
    friend class Watch;
    Watch& watch_;
    const Device& device_;
    int looks_ = 0;
  };

 private:
  void run() EXCLUDES(mutex_);

  LogSink& log_;
  const std::function<void()> stuck_;
  Mutex mutex_;
  Condition stopped_;
  bool running_ GUARDED_BY(mutex_) = false;
  std::vector<Call*> calls_ GUARDED_BY(mutex_);
  std::thread thread_;
};

}  // namespace leasehold::audit
