#pragma once
// The requests that are on their way, for sys/in-flight-req and the metrics. Each thread has a list
// of its own, and its lock is taken by others only when somebody asks.
//
//   const UnderWay under_way(flight);   // in the frame of Core::handle, once it is admitted

#include <string>
#include <vector>

#include "vault/base/metrics.h"
#include "vault/core/contract/request.h"

namespace leasehold::core {

struct Admitted;

class UnderWay {
 public:
  explicit UnderWay(const Admitted& flight);
  ~UnderWay();  // on the same thread
  UnderWay(const UnderWay&) = delete;
  UnderWay& operator=(const UnderWay&) = delete;

  struct Shown {
    std::string id, path, remote_address;
    int remote_port = 0;
    Operation operation = Operation::read;
    WallTime started;
  };
  // At most `max` of each thread, in no order. From any thread.
  static std::vector<Shown> all(std::size_t max);

 private:
  struct List;
  static List& of_this_thread();

  // What the request does not change any more.
  const Admitted& flight_;
  const Operation operation_;
  const Instant begun_;
  const bool is_login_;
  const std::size_t place_;  // of its mount, for the metrics
  UnderWay *next_ = nullptr, *previous_ = nullptr;
  List& list_;
};

}  // namespace leasehold::core
