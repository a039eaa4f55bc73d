#include "vault/barrier/name_lists.h"

#include <algorithm>

namespace leasehold::barrier {

namespace {

constexpr std::size_t kDirectorySize = 1 + kSpaceSize + kHashSize;  // of the key of a name record

}  // namespace

void NameList::add(std::string_view name) {
  VAULT_ASSERT(text_.size() + name.size() <= UINT32_MAX);
  ranges_.push_back(
      {static_cast<std::uint32_t>(text_.size()), static_cast<std::uint32_t>(name.size())});
  text_.append(as_bytes(name));
}

void NameList::sort() {
  std::sort(ranges_.begin(), ranges_.end(),
            [this](const Range& a, const Range& b) { return at(a) < at(b); });
}

std::vector<std::string> NameList::page(std::string_view after, std::size_t limit) const {
  auto from = ranges_.begin();
  if (!after.empty())
    from = std::upper_bound(
        from, ranges_.end(), after,
        [this](std::string_view name, const Range& range) { return name < at(range); });
  const auto left = static_cast<std::size_t>(ranges_.end() - from);
  const std::size_t count = limit == 0 ? left : std::min(limit, left);
  std::vector<std::string> names;
  names.reserve(count);
  for (std::size_t i = 0; i < count; ++i, ++from) names.emplace_back(at(*from));
  return names;
}

// The hash of a directory is as good as random: any two bytes of it spread.
std::atomic<std::uint64_t>& NameLists::changed_at(ByteView key) {
  VAULT_ASSERT(key.size() >= kDirectorySize);
  return changes_[get_be(key.data() + 1 + kSpaceSize, 2) % changes_.size()];
}

void NameLists::changed(ByteView key, std::uint64_t index) {
  if (key.size() < kDirectorySize) return;             // none of ours, so in no list
  std::atomic<std::uint64_t>& last = changed_at(key);  // written by the commit thread alone
  if (last.load(std::memory_order_relaxed) < index) last.store(index, std::memory_order_release);
}

NameLists::Kept NameLists::find(const PhysicalKey& directory, std::uint64_t index) {
  const std::uint64_t last = changed_at(directory.view()).load(std::memory_order_acquire);
  if (last > index) return nullptr;  // this snapshot is older than a change
  MutexLock lock(mutex_);
  const auto found = lists_.find(std::string(as_text(directory.view())));
  if (found == lists_.end() || last > found->second.index) return nullptr;
  found->second.used = ++clock_;
  return found->second.list;
}

void NameLists::keep(const PhysicalKey& directory, std::uint64_t index, Kept list) {
  const std::size_t weight = list->weight();
  if (weight > kWeightMax / 2) return;
  MutexLock lock(mutex_);
  Entry& entry = lists_[std::string(as_text(directory.view()))];
  if (entry.list != nullptr && entry.index > index) return;
  if (entry.list != nullptr) weight_ -= entry.list->weight();
  entry = {std::move(list), index, ++clock_};
  weight_ += weight;
  while (weight_ > kWeightMax) drop_oldest();
}

void NameLists::drop_oldest() {
  const auto oldest =
      std::min_element(lists_.begin(), lists_.end(),
                       [](const auto& a, const auto& b) { return a.second.used < b.second.used; });
  weight_ -= oldest->second.list->weight();
  lists_.erase(oldest);
}

}  // namespace leasehold::barrier
