#include "vault/core/road/work_queue.h"

#include "vault/base/cidr.h"

namespace leasehold::core {

bool WorkQueue::push(WorkerTask* task, std::size_t places_max, WorkerTask*& displaced) {
  displaced = nullptr;
  if (task->entry == WorkerTask::Entry::ends) {
    ending_.push(task);
    return true;
  }
  std::string client = client_network(task->asker);
  const bool asks = task->entry == WorkerTask::Entry::asks;
  if (asks && places_ >= places_max && !make_place(client, displaced)) return false;
  const Turn line = line_of(std::move(client));
  if (!asks) {
    line->going_on.push(task);
    return true;
  }
  unrank(line);
  line->asking.push_back(task);
  rank(line);
  ++places_;
  return true;
}

WorkQueue::Turn WorkQueue::line_of(std::string&& client) {
  if (const auto known = lines_.find(client); known != lines_.end()) return known->second;
  turns_.push_back({std::move(client), ++numbers_, {}, {}});
  const Turn line = std::prev(turns_.end());
  lines_.emplace(line->client, line);
  return line;
}

// Who has most keeps as much as the newcomer then has: nobody is put out for an equal.
bool WorkQueue::make_place(std::string_view client, WorkerTask*& displaced) {
  if (ranks_.empty()) return false;
  const auto own = lines_.find(client);
  const std::size_t has = own == lines_.end() ? 0 : own->second->asking.size();
  const Turn most = ranks_.rbegin()->second;
  if (has + 1 >= most->asking.size()) return false;
  unrank(most);
  displaced = most->asking.back();
  most->asking.pop_back();
  rank(most);
  --places_;
  return true;
}

WorkerTask* WorkQueue::pop(bool may_begin) {
  if (!ending_.empty()) return static_cast<WorkerTask*>(ending_.pop());
  if (!may_begin || turns_.empty()) return nullptr;
  const Turn line = turns_.begin();
  WorkerTask* task = nullptr;
  if (!line->going_on.empty()) {
    task = static_cast<WorkerTask*>(line->going_on.pop());
  } else {
    unrank(line);
    task = line->asking.front();
    line->asking.pop_front();
    rank(line);
    --places_;
  }
  if (line->empty()) {
    lines_.erase(line->client);
    turns_.erase(line);
  } else {
    turns_.splice(turns_.end(), turns_, line);
  }
  return task;
}

void WorkQueue::rank(Turn line) {
  if (!line->asking.empty()) ranks_.emplace(std::pair(line->asking.size(), line->number), line);
}

void WorkQueue::unrank(Turn line) { ranks_.erase({line->asking.size(), line->number}); }

}  // namespace leasehold::core
