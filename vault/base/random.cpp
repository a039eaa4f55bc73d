#include "vault/base/random.h"

#include <sodium.h>

#include "vault/base/encoding.h"

namespace leasehold {
namespace {

constexpr std::size_t kPoolSize = 4096;

// One system call serves some hundred nonces; what was handed out is gone from the pool.
class Pool {
 public:
  Pool() { VAULT_ASSERT(sodium_init() >= 0); }
  ~Pool() { wipe(bytes_.data(), bytes_.size()); }
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  void fill(std::span<std::uint8_t> out) {
    if (out.size() > kPoolSize / 4) return randombytes_buf(out.data(), out.size());
    if (kPoolSize - used_ < out.size()) refill();
    std::memcpy(out.data(), bytes_.data() + used_, out.size());
    wipe(bytes_.data() + used_, out.size());
    used_ += out.size();
  }

 private:
  void refill() {
    randombytes_buf(bytes_.data(), bytes_.size());
    used_ = 0;
  }

  std::array<std::uint8_t, kPoolSize> bytes_;
  std::size_t used_ = kPoolSize;
};

}  // namespace

void SystemRandom::fill(std::span<std::uint8_t> out) {
  if (out.empty()) return;
  thread_local Pool pool;
  pool.fill(out);
}

std::string uuid(Random& random) {
  auto bytes = random.take<16>();
  bytes[6] = static_cast<std::uint8_t>((bytes[6] & 0x0f) | 0x40);
  bytes[8] = static_cast<std::uint8_t>((bytes[8] & 0x3f) | 0x80);
  std::string text = hex(bytes);
  for (const std::size_t at : {8u, 13u, 18u, 23u}) text.insert(at, 1, '-');
  return text;
}

std::string base62_text(Random& random, std::size_t length) {
  static constexpr char kDigits[] =
      "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
  constexpr unsigned kEven = 256 / 62 * 62;  // a byte at or above it would favour low digits
  std::string text;
  text.reserve(length);
  std::array<std::uint8_t, 32> bytes{};
  while (text.size() < length) {
    random.fill(bytes);
    for (const std::uint8_t byte : bytes) {
      if (byte < kEven && text.size() < length) text.push_back(kDigits[byte % 62]);
    }
  }
  wipe(bytes.data(), bytes.size());
  return text;
}

}  // namespace leasehold
