#include "vault/base/bytes.h"

#include <sodium.h>
#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <new>

namespace leasehold {

int compare(ByteView a, ByteView b) {
  const std::size_t common = std::min(a.size(), b.size());
  const int order = common == 0 ? 0 : std::memcmp(a.data(), b.data(), common);
  if (order != 0) return order < 0 ? -1 : 1;
  return a.size() == b.size() ? 0 : (a.size() < b.size() ? -1 : 1);
}

void wipe(void* data, std::size_t size) {
  if (size != 0) sodium_memzero(data, size);
}

bool equal_constant_time(ByteView a, ByteView b) {
  if (a.size() != b.size()) return false;
  return a.empty() || sodium_memcmp(a.data(), b.data(), a.size()) == 0;
}

void SecretBytes::append(ByteView more) {
  if (more.empty()) return;
  if (capacity_ - size_ < more.size()) reserve(std::max(size_ + more.size(), 2 * capacity_));
  std::memcpy(data_ + size_, more.data(), more.size());
  size_ += more.size();
}

void SecretBytes::reserve(std::size_t size) {
  if (size <= capacity_) return;
  SecretBytes larger;
  larger.data_ = static_cast<std::uint8_t*>(::operator new(size));
  larger.capacity_ = size;
  larger.append(reveal());
  swap(larger);
}

void SecretBytes::resize(std::size_t size) {
  reserve(size);
  if (size > size_) std::memset(data_ + size_, 0, size - size_);
  size_ = size;
}

void SecretBytes::drop_front(std::size_t size) {
  VAULT_ASSERT(size <= size_);
  if (size == 0) return;
  size_ -= size;
  std::memmove(data_, data_ + size, size_);
}

void SecretBytes::release() {
  if (data_ == nullptr) return;
  wipe(data_, capacity_);
  ::operator delete(data_);
}

namespace {

constexpr std::size_t kRegionSize = 64 * 1024;
constexpr std::size_t kAlignment = 16;

constexpr std::size_t rounded(std::size_t size) {
  return (std::max<std::size_t>(size, 1) + kAlignment - 1) / kAlignment * kAlignment;
}

// Free blocks carry their list inside themselves, sorted by address, so that neighbours merge.
struct FreeBlock {
  std::size_t size;
  FreeBlock* next;
};
static_assert(sizeof(FreeBlock) <= kAlignment, "the smallest block must hold its own list entry");

// Regions of locked memory: one as a rule, and another whenever none has room, so that no request
// can use up what keys need. Regions have guard pages around them, so blocks never merge across,
// and are kept for the next time.
class Arena {
 public:
  Arena() {
    VAULT_ASSERT(sodium_init() >= 0);
    grow(kRegionSize);
  }

  bool locked() const { return locked_; }

  void* take(std::size_t size) {
    const std::size_t need = rounded(size);
    const std::lock_guard lock(mutex_);
    FreeBlock** link = find(need);
    if (*link == nullptr) {
      grow(std::max(need, kRegionSize));
      link = find(need);
    }
    return carve(link, need);
  }

  void give(void* data, std::size_t size) {
    const std::size_t returned = rounded(size);
    wipe(data, returned);
    const std::lock_guard lock(mutex_);
    VAULT_ASSERT(is_within_a_region(data, returned));
    insert(data, returned);
  }

 private:
  struct Region {
    std::uint8_t* base;
    std::size_t size;
  };

  // Ends the process where the machine has no memory at all, as every `new` does.
  void grow(std::size_t size) {
    const Region region{static_cast<std::uint8_t*>(sodium_malloc(size)), size};
    VAULT_ASSERT(region.base != nullptr);
    // sodium_malloc drops the result of its own mlock; locking again is free and tells.
    if (::mlock(region.base, size) != 0) locked_ = false;
    ::madvise(region.base, size, MADV_DONTDUMP);
    regions_.push_back(region);
    insert(region.base, size);
  }

  bool is_within_a_region(const void* data, std::size_t size) const {
    const auto* const from = static_cast<const std::uint8_t*>(data);
    return std::any_of(regions_.begin(), regions_.end(), [&](const Region& region) {
      return from >= region.base && from + size <= region.base + region.size;
    });
  }

  // The link to the first block that is large enough; the one at the end when there is none.
  FreeBlock** find(std::size_t need) {
    FreeBlock** link = &free_;
    while (*link != nullptr && (*link)->size < need) link = &(*link)->next;
    return link;
  }

  void insert(void* from, std::size_t size) {
    FreeBlock* before = nullptr;
    FreeBlock* after = free_;
    while (after != nullptr && static_cast<void*>(after) < from) {
      before = after;
      after = after->next;
    }
    auto* const block = static_cast<FreeBlock*>(from);
    *block = {size, after};
    (before == nullptr ? free_ : before->next) = block;
    merge(block);
    if (before != nullptr) merge(before);
  }

  static void* carve(FreeBlock** link, std::size_t need) {
    FreeBlock* const block = *link;
    if (block->size > need) {
      auto* const rest =
          reinterpret_cast<FreeBlock*>(reinterpret_cast<std::uint8_t*>(block) + need);
      *rest = {block->size - need, block->next};
      *link = rest;
    } else {
      *link = block->next;
    }
    std::memset(block, 0, need);
    return block;
  }

  static void merge(FreeBlock* block) {
    FreeBlock* const next = block->next;
    if (next == nullptr) return;
    if (reinterpret_cast<std::uint8_t*>(block) + block->size !=
        reinterpret_cast<std::uint8_t*>(next))
      return;
    *block = {block->size + next->size, next->next};
  }

  std::mutex mutex_;
  std::vector<Region> regions_;
  FreeBlock* free_ = nullptr;
  std::atomic<bool> locked_{true};
};

// Never destroyed: a key may outlive every static object. The kernel takes the pages back.
Arena& arena() {
  static Arena& one = *new Arena;
  return one;
}

}  // namespace

void* arena_take(std::size_t size) { return arena().take(size); }
void arena_give(void* data, std::size_t size) { arena().give(data, size); }
bool arena_is_locked() { return arena().locked(); }

}  // namespace leasehold
