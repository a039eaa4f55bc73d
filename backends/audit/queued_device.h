#pragma once
// A device that sends from a thread of its own, so that a peer that is slow or gone holds up
// neither requests nor other devices. Lines wait in a queue of 16 MiB, across lost connections too;
// a device whose queue is full, or whose peer was not reached three times in a row, says so
// (the log then counts it as failed, tries it once a second, and a gap record names what it
// missed). `confirm` waits until what waits has left: the log asks where no other device keeps
// lines. Thread safety: as Device says.

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "backends/audit/outlet.h"
#include "backends/audit/view.h"
#include "vault/audit/log.h"
#include "vault/base/mutex.h"

namespace leasehold::audit {

class QueuedDevice final : public Device {
 public:
  // `patience`: how long a connect, one send, or what waits at the end may take.
  QueuedDevice(std::unique_ptr<Outlet> outlet, std::optional<View> view, Nanos patience,
               Clock& clock);
  ~QueuedDevice() override;

  Result<Tail> open() override EXCLUDES(mutex_);
  Status write(std::string_view lines) override EXCLUDES(mutex_);
  Status confirm() override EXCLUDES(mutex_);
  Status sync() override { return {}; }
  Result<bool> reopen() override EXCLUDES(mutex_);
  bool keeps_lines() const override { return false; }
  bool counts() const override { return !view_; }
  std::string where() const override { return outlet_->where(); }

 private:
  enum class Peer { unknown, connected, lost };
  void run() EXCLUDES(mutex_);
  bool connect() EXCLUDES(mutex_);
  bool send_all(std::string_view lines) EXCLUDES(mutex_);
  void pause() REQUIRES(mutex_);
  Status failing() REQUIRES(mutex_);
  void note(Peer peer, std::optional<Error> error) EXCLUDES(mutex_);

  const std::unique_ptr<Outlet> outlet_;
  const std::optional<View> view_;
  const Nanos patience_;
  Clock& clock_;

  Mutex mutex_;
  Condition work_;     // for the thread: lines, a new file, or the end
  Condition settled_;  // for open() and confirm()
  std::deque<std::string> queue_ GUARDED_BY(mutex_);
  std::size_t bytes_ GUARDED_BY(mutex_) = 0;
  bool sending_ GUARDED_BY(mutex_) = false;  // lines that are in the queue no more, nor away yet
  bool connect_anew_ GUARDED_BY(mutex_) = false;
  bool stopping_ GUARDED_BY(mutex_) = false;
  Peer peer_ GUARDED_BY(mutex_) = Peer::unknown;
  int attempts_ GUARDED_BY(mutex_) = 0;              // that failed, since it was last reached
  std::optional<Error> error_ GUARDED_BY(mutex_);    // of the last
  std::optional<Error> dropped_ GUARDED_BY(mutex_);  // a line it could not take; told once
  bool overflowed_ GUARDED_BY(mutex_) = false;       // until the queue is empty again
  std::size_t sent_ = 0;                             // of the lines it is at; the thread's
  std::thread thread_;
};

}  // namespace leasehold::audit
