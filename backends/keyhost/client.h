#pragma once
// The vault's end of a key host: starts the process, gives it one device, asks, and ends it when it
// does not answer. One process per device, so that a hung TPM does not hold up a token.
//
//   KeyHost host({own_executable(), {"leaseholdd", "keyhost"}}, "tpm", settings, clock, log);
//   seal::Reply reply = host.call(std::move(request), Millis(60'000));
//
// A host that dies during a call is started again and asked once more; one that keeps dying is left
// alone for a growing while. A host that passes the deadline is killed: state `wedged`.
// Thread-safe; calls wait for each other.

#include <sys/types.h>

#include <atomic>

#include "backends/keyhost/device.h"
#include "vault/base/log.h"
#include "vault/base/mutex.h"

namespace leasehold::keyhost {

struct KeyHostOptions {
  std::string executable;              // a path; own_executable() for the vault itself
  std::vector<std::string> arguments;  // argv, argv[0] included
};

// A path that stays this very program when the file is replaced by an upgrade. Call before threads.
std::string own_executable();

class KeyHost {
 public:
  KeyHost(KeyHostOptions options, std::string kind, Settings settings, Clock& clock, LogSink& log);
  ~KeyHost();
  KeyHost(const KeyHost&) = delete;
  KeyHost& operator=(const KeyHost&) = delete;

  // Fills in id, device and timeout. The answer's state says how it went; never throws, never
  // hangs.
  seal::Reply call(seal::Request request, Millis timeout);
  // A call that waits ends at once, and none begins any more. Waits for nothing.
  void stop() { stopped_ = true; }
  // Of the running process, 0 when there is none. For tests.
  pid_t pid() const;

 private:
  enum class Sent { answered, died, late };
  seal::Reply try_call(seal::Request& request, Millis timeout, Sent& sent) REQUIRES(mutex_);
  DeviceAnswer start(Millis timeout) REQUIRES(mutex_);
  Status spawn() REQUIRES(mutex_);
  seal::Reply exchange(seal::Request& request, Millis timeout, Sent& sent) REQUIRES(mutex_);
  bool wait_for_reply(const Deadline& deadline) REQUIRES(mutex_);
  std::string end() REQUIRES(mutex_);
  void failed() REQUIRES(mutex_);

  const KeyHostOptions options_;
  const std::string kind_;
  const Settings settings_;
  Clock& clock_;
  LogSink& log_;

  std::atomic<bool> stopped_{false};
  mutable Mutex mutex_;
  pid_t pid_ GUARDED_BY(mutex_) = 0;
  int fd_ GUARDED_BY(mutex_) = -1;
  std::uint32_t next_id_ GUARDED_BY(mutex_) = 1;
  unsigned failures_ GUARDED_BY(mutex_) = 0;
  Instant not_before_ GUARDED_BY(mutex_);
};

}  // namespace leasehold::keyhost
