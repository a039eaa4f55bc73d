#include "vault/commit/queue.h"

namespace leasehold::commit {

namespace {

constexpr Bound kWaiting{"writes are waiting"};

struct Size {
  std::size_t operations = 0;
  std::size_t bytes = 0;
};

Size size_of(const Batch& batch) {
  Size size{batch.storage.size() + batch.additions.size(), batch.storage.bytes()};
  size.bytes += batch.audit.bytes();
  size.operations = std::max<std::size_t>(size.operations, 1);
  return size;
}

// Moves from the front of `line` to `group` while `used` stays within `limit`; one at least when
// `used` is nothing yet.
void move_front(std::deque<Submission*>& line, Size limit, Size& used,
                std::vector<Submission*>& group) {
  while (!line.empty()) {
    const Size size = size_of(*line.front()->batch);
    const bool fits = used.operations + size.operations <= limit.operations &&
                      used.bytes + size.bytes <= limit.bytes;
    if (!fits && used.operations > 0) return;
    used.operations += size.operations;
    used.bytes += size.bytes;
    group.push_back(line.front());
    line.pop_front();
  }
}

}  // namespace

Status Queue::push(Submission* submission) {
  const Batch& batch = *submission->batch;
  if (batch.operations() > storage::kBatchOperationsMax ||
      batch.storage.guards() > storage::kBatchGuardsMax ||
      batch.storage.bytes() > storage::kBatchBytesMax)
    return failure(Code::invalid, "this changes too much at once: do it in smaller parts");
  MutexLock lock(mutex_);
  if (!open_) return failure(Code::unavailable, "the vault is sealed or shutting down");
  auto& line = batch.background ? background_ : user_;
  if (line.size() >= kQueueMax) return kWaiting.hit(kQueueMax);
  line.push_back(submission);
  if (user_.size() + background_.size() == 1) wake_.notify_one();
  return {};
}

bool Queue::take(std::vector<Submission*>& group,
                 std::optional<std::chrono::milliseconds> patience) {
  MutexLock lock(mutex_);
  while (open_ && user_.empty() && background_.empty()) {
    if (!patience)
      wake_.wait(mutex_);
    else if (!wake_.wait_for(mutex_, *patience))
      return true;
  }
  constexpr Size kAll{kGroupOperationsMax, kGroupBytesMax};
  constexpr Size kHalf{kGroupOperationsMax / 2, kGroupBytesMax / 2};
  Size used;
  move_front(background_, kHalf, used, group);
  move_front(user_, kAll, used, group);
  return !group.empty();
}

void Queue::open() {
  MutexLock lock(mutex_);
  open_ = true;
}

void Queue::close() {
  MutexLock lock(mutex_);
  open_ = false;
  wake_.notify_all();
}

}  // namespace leasehold::commit
