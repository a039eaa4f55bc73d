#pragma once
// What waits for the threads of one class of workers, and who gives way when there are too many.
// One rule for all classes; a client is an address, of IPv6 a network of 64 bits, which is as easy
// to have:
//
//   asks      the queue has a place          takes it
//             it is full, another client     takes that of the last task of the client who has
//             has more than it would have    most: that task is refused
//             it is full otherwise           is refused
//   goes on   was let in before              takes no place, and nothing refuses it
//   ends      frees what others wait for     the same, and goes before all
//
//       ends  | e e                       |
//       .1    | goes on ... | asks ...    |  <- each client's line; they take turns
//       .2    | goes on ... | asks ...    |
//
// So one client that asks for much costs another a turn, and no place. Not thread-safe.

#include <deque>
#include <list>
#include <map>
#include <string>
#include <string_view>

#include "vault/base/loop.h"
#include "vault/base/result.h"

namespace leasehold::core {

struct WorkerTask : Waiter {
  enum class Entry : std::uint8_t { asks, goes_on, ends };

  void (*work)(WorkerTask*) = nullptr;  // runs on a worker, leaves its result in the task
  Status refused;                       // why it did not run
  std::string_view asker;               // a client's address; all without one are one client
  Entry entry = Entry::asks;
};

class WorkQueue {
 public:
  WorkQueue() = default;
  WorkQueue(const WorkQueue&) = delete;
  WorkQueue& operator=(const WorkQueue&) = delete;

  bool empty() const { return ending_.empty() && turns_.empty(); }
  // False: it is full for this one. `displaced`: the task that lost its place to it, or null.
  bool push(WorkerTask* task, std::size_t places_max, WorkerTask*& displaced);
  // The next, of those that end only where nothing else may begin; null: none.
  WorkerTask* pop(bool may_begin);

 private:
  struct Line {
    std::string client;
    std::uint64_t number = 0;  // in the order in which they began to wait
    WaiterQueue going_on;
    std::deque<WorkerTask*> asking;
    bool empty() const { return going_on.empty() && asking.empty(); }
  };
  using Turn = std::list<Line>::iterator;

  Turn line_of(std::string&& client);
  bool make_place(std::string_view client, WorkerTask*& displaced);
  void rank(Turn line);
  void unrank(Turn line);

  WaiterQueue ending_;
  std::list<Line> turns_;                   // each has a task
  std::map<std::string_view, Turn> lines_;  // by client
  // By how many ask in them, then by number; only lines in which one does.
  std::map<std::pair<std::size_t, std::uint64_t>, Turn> ranks_;
  std::size_t places_ = 0;
  std::uint64_t numbers_ = 0;
};

}  // namespace leasehold::core
