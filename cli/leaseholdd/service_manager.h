#pragma once
// What the process tells the service manager that started it: sd_notify's datagrams to
// $NOTIFY_SOCKET (systemd.service(5), Type=notify), without its library. Where nobody listens
// nothing is sent, and what cannot be sent is dropped: the manager then ends the service by its own
// time limits. Thread safety: one thread at a time; of_environment() before the first other thread.

#include <optional>
#include <string>

#include "vault/base/clock.h"

namespace leasehold::server_process {

class ServiceManager {
 public:
  // Of $NOTIFY_SOCKET and, when it is meant for this process ($WATCHDOG_PID), $WATCHDOG_USEC. The
  // first is emptied, so that no child speaks in our name.
  static ServiceManager of_environment();
  // `socket`: a path, or "@name" of the abstract namespace; empty: nobody listens.
  explicit ServiceManager(std::string socket, std::optional<Nanos> watchdog = {})
      : socket_(std::move(socket)), watchdog_(watchdog) {}

  void ready() const { tell("READY=1"); }
  // Before a reload; ready() ends it.
  void reloading() const { tell("RELOADING=1"); }
  void stopping() const { tell("STOPPING=1"); }
  // Nothing where no watchdog waits for it.
  void alive() const;
  // How long to be silent at most: half of what the watchdog waits. Absent: it does not wait.
  std::optional<Nanos> silence_max() const;

 private:
  void tell(const std::string& what) const;

  std::string socket_;
  std::optional<Nanos> watchdog_;
};

}  // namespace leasehold::server_process
