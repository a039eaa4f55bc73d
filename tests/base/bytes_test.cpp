#include "vault/base/bytes.h"

#include <doctest/doctest.h>

#include <atomic>
#include <thread>
#include <type_traits>

#include "tests/support/seeded_random.h"

namespace leasehold {
namespace {

static_assert(!std::is_copy_constructible_v<SecretBytes>);
static_assert(!std::is_copy_assignable_v<SecretBytes>);
static_assert(std::is_nothrow_move_constructible_v<SecretBytes>);
static_assert(!std::is_copy_constructible_v<SecretKey<32>>);
static_assert(!std::is_copy_assignable_v<SecretKey<32>>);
static_assert(!std::is_convertible_v<SecretBytes, std::string>);
static_assert(!std::is_convertible_v<SecretBytes, Bytes>);

bool all_zero(ByteView bytes) {
  for (const std::uint8_t byte : bytes) {
    if (byte != 0) return false;
  }
  return true;
}

TEST_CASE("bytes: storage order is the order of unsigned bytes, the shorter first") {
  CHECK(compare(as_bytes("a"), as_bytes("b")) < 0);
  CHECK(compare(as_bytes("b"), as_bytes("a")) > 0);
  CHECK(compare(as_bytes("ab"), as_bytes("ab")) == 0);
  CHECK(compare(as_bytes("a"), as_bytes("ab")) < 0);
  CHECK(compare(as_bytes("\x80"), as_bytes("\x7f")) > 0);
  CHECK(compare({}, {}) == 0);
  CHECK(compare({}, as_bytes("a")) < 0);
}

TEST_CASE("bytes: secrets are equal when every byte is, and never when lengths differ") {
  CHECK(equal_constant_time(as_bytes("secret"), as_bytes("secret")));
  CHECK_FALSE(equal_constant_time(as_bytes("secret"), as_bytes("secreT")));
  CHECK_FALSE(equal_constant_time(as_bytes("secret"), as_bytes("secre")));
  CHECK(equal_constant_time({}, {}));
}

TEST_CASE("bytes: wiping leaves zeros") {
  std::string text = "something that was secret";
  wipe(text);
  CHECK(all_zero(as_bytes(text)));
  wipe(nullptr, 0);
}

TEST_CASE("bytes: a secret moves, clones and compares") {
  SecretBytes secret(std::string_view("hunter2"));
  const SecretBytes copy = secret.clone();
  const SecretBytes moved = std::move(secret);
  CHECK(moved == copy);
  SecretBytes longer = copy.clone();
  longer.append(as_bytes("3"));
  CHECK_FALSE(longer == copy);
  CHECK(longer.size() == 8);
}

TEST_CASE("bytes: big-endian integers come back") {
  Bytes out;
  append_be(out, 0x0102030405060708, 8);
  append_be(out, 0xabcdef, 3);
  CHECK(out == Bytes{1, 2, 3, 4, 5, 6, 7, 8, 0xab, 0xcd, 0xef});
  CHECK(get_be(out.data(), 8) == 0x0102030405060708);
  CHECK(get_be(out.data() + 8, 3) == 0xabcdef);
}

TEST_CASE("arena: it is locked into memory") { CHECK(arena_is_locked()); }

TEST_CASE("arena: blocks are aligned, zeroed and apart") {
  std::vector<void*> blocks;
  for (std::size_t size = 1; size <= 100; ++size) {
    auto* const block = static_cast<std::uint8_t*>(arena_take(size));
    CHECK(reinterpret_cast<std::uintptr_t>(block) % 16 == 0);
    CHECK(all_zero({block, size}));
    std::memset(block, static_cast<int>(size), size);
    blocks.push_back(block);
  }
  for (std::size_t size = 1; size <= 100; ++size) {
    const auto* const block = static_cast<std::uint8_t*>(blocks[size - 1]);
    CHECK(block[0] == size);
    CHECK(block[size - 1] == size);
    arena_give(blocks[size - 1], size);
  }
}

TEST_CASE("arena: what was given back merges, so large blocks fit again after small ones") {
  for (int round = 0; round < 3; ++round) {
    std::vector<void*> blocks;
    for (int i = 0; i < 1000; ++i) blocks.push_back(arena_take(32));
    for (std::size_t i = 0; i < blocks.size(); i += 2) arena_give(blocks[i], 32);
    for (std::size_t i = 1; i < blocks.size(); i += 2) arena_give(blocks[i], 32);
    void* const large = arena_take(32 * 1000);
    arena_give(large, 32 * 1000);
  }
}

TEST_CASE("arena: it grows when it is full, and keeps what it has for the next time") {
  constexpr std::size_t kLarge = 100 * 1024;  // more than it begins with
  std::vector<SecretKey<32>> keys(10'000);
  for (std::size_t i = 0; i < keys.size(); ++i) {
    CHECK(all_zero(keys[i].reveal()));
    put_be(keys[i].writable().data(), i, 8);
  }
  void* const large = arena_take(kLarge);
  CHECK(all_zero({static_cast<std::uint8_t*>(large), kLarge}));
  arena_give(large, kLarge);
  for (std::size_t i = 0; i < keys.size(); ++i) CHECK(get_be(keys[i].reveal().data(), 8) == i);
}

TEST_CASE("arena: threads take and give at once without meeting") {
  std::atomic<int> wrong{0};
  const auto work = [&wrong](std::uint8_t mark) {
    for (int round = 0; round < 500; ++round) {
      SecretKey<48> key;
      std::memset(key.writable().data(), mark, 48);
      const SecretKey<48> copy = key.clone();
      if (!(copy == key) || copy.reveal()[47] != mark) ++wrong;
    }
  };
  std::vector<std::thread> threads;
  for (std::uint8_t mark = 1; mark <= 4; ++mark) threads.emplace_back(work, mark);
  for (std::thread& thread : threads) thread.join();
  CHECK(wrong == 0);
}

TEST_CASE("secret key: it keeps its bytes when moved and swapped") {
  testing::SeededRandom random;
  const auto first = random.take<32>();
  const auto second = random.take<32>();
  SecretKey<32> a{ByteView(first)};
  SecretKey<32> b{ByteView(second)};
  SecretKey<32> c = std::move(a);
  b = std::move(c);
  CHECK(equal_constant_time(b.reveal(), first));
}

}  // namespace
}  // namespace leasehold
