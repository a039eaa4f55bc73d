#include "vault/core/road/under_way.h"

#include <algorithm>

#include "vault/base/mutex.h"
#include "vault/core/road/in_flight.h"

namespace leasehold::core {

struct UnderWay::List {
  Mutex mutex;
  UnderWay* first GUARDED_BY(mutex) = nullptr;
};

namespace {

// Never destroyed: a thread may end after main() has.
template <class List>
struct Lists {
  Mutex mutex;
  std::vector<List*> all GUARDED_BY(mutex);

  static Lists& get() {
    static Lists& lists = *new Lists;
    return lists;
  }
};

}  // namespace

// It stays when the thread ends: there are few threads, and it is empty by then.
UnderWay::List& UnderWay::of_this_thread() {
  static thread_local List* own = nullptr;
  if (own != nullptr) return *own;
  own = new List;
  Lists<List>& lists = Lists<List>::get();
  MutexLock lock(lists.mutex);
  lists.all.push_back(own);
  return *own;
}

UnderWay::UnderWay(const Admitted& flight)
    : flight_(flight),
      operation_(flight.request.operation),
      begun_(metrics::instant()),
      is_login_(flight.route != nullptr && flight.route->login_alias != nullptr),
      place_(flight.mount != nullptr ? metrics::route_place(flight.mount->info.path)
                                     : metrics::kRoutes),
      list_(of_this_thread()) {
  metrics::count(metrics::Counter::requests_begun);
  MutexLock lock(list_.mutex);
  next_ = list_.first;
  if (next_ != nullptr) next_->previous_ = this;
  list_.first = this;
}

UnderWay::~UnderWay() {
  {
    MutexLock lock(list_.mutex);
    if (next_ != nullptr) next_->previous_ = previous_;
    (previous_ != nullptr ? previous_->next_ : list_.first) = next_;
  }
  const Nanos time(metrics::instant().ns - begun_.ns);
  metrics::took(is_login_ ? metrics::Timer::handle_login_request : metrics::Timer::handle_request,
                time);
  metrics::took_route(place_, static_cast<std::size_t>(operation_), time);
  metrics::count(metrics::Counter::requests_ended);
}

std::vector<UnderWay::Shown> UnderWay::all(std::size_t max) {
  std::vector<List*> lists;
  {
    auto& known = Lists<List>::get();
    MutexLock lock(known.mutex);
    lists = known.all;
  }
  std::vector<Shown> shown;
  for (List* list : lists) {
    MutexLock lock(list->mutex);
    std::size_t seen = 0;
    for (const UnderWay* one = list->first; one != nullptr && seen < max;
         one = one->next_, ++seen) {
      const Request& request = one->flight_.request;
      shown.push_back({one->flight_.id, request.path, request.remote_address, request.remote_port,
                       one->operation_, one->flight_.started});
    }
  }
  return shown;
}

}  // namespace leasehold::core
