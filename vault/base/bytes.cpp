#include "vault/base/bytes.h"

#include <sodium.h>
#include <sys/mman.h>

#include <algorithm>
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

constexpr std::size_t kArenaSize = 64 * 1024;
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

class Arena {
 public:
  Arena() {
    VAULT_ASSERT(sodium_init() >= 0);
    base_ = static_cast<std::uint8_t*>(sodium_malloc(kArenaSize));
    VAULT_ASSERT(base_ != nullptr);
    // sodium_malloc drops the result of its own mlock; locking again is free and tells.
    locked_ = ::mlock(base_, kArenaSize) == 0;
    ::madvise(base_, kArenaSize, MADV_DONTDUMP);
    free_ = reinterpret_cast<FreeBlock*>(base_);
    *free_ = {kArenaSize, nullptr};
  }

  bool locked() const { return locked_; }

  void* take(std::size_t size) {
    const std::size_t need = rounded(size);
    const std::lock_guard lock(mutex_);
    for (FreeBlock** link = &free_; *link != nullptr; link = &(*link)->next) {
      if ((*link)->size >= need) return carve(link, need);
    }
    // 2,000 keys of 32 bytes: only a leak can get here.
    VAULT_ASSERT(!"the locked arena is full");
    return nullptr;
  }

  void give(void* data, std::size_t size) {
    const std::size_t returned = rounded(size);
    auto* const from = static_cast<std::uint8_t*>(data);
    VAULT_ASSERT(from >= base_ && from + returned <= base_ + kArenaSize);
    wipe(from, returned);
    const std::lock_guard lock(mutex_);
    FreeBlock* before = nullptr;
    FreeBlock* after = free_;
    while (after != nullptr && reinterpret_cast<std::uint8_t*>(after) < from) {
      before = after;
      after = after->next;
    }
    auto* const block = reinterpret_cast<FreeBlock*>(from);
    *block = {returned, after};
    (before == nullptr ? free_ : before->next) = block;
    merge(block);
    if (before != nullptr) merge(before);
  }

 private:
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
  std::uint8_t* base_ = nullptr;
  FreeBlock* free_ = nullptr;
  bool locked_ = false;
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
