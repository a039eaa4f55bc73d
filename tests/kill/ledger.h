#pragma once
// What the killed writer and the test that kills it share: a mapped file that outlives the kill,
// the names of the records, and the shape of one logical write.
//
// Write `seq` of thread `t`, one batch: the pair "one/t/SLOT" and "two/t/SLOT" both become `seq`
// (SLOT = seq % kSlots), "fresh/t/seq" is made and "fresh/t/(seq - kFresh)" erased, the counter
// "total" rises by one, and the audit line "t:seq" goes with it.

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <string>

#include "vault/barrier/barrier.h"

namespace leasehold::testing {

inline constexpr int kThreads = 8;
inline constexpr std::uint64_t kSlots = 50, kFresh = 20;
inline constexpr barrier::StoreId kLedgerStore{0x1e};
inline constexpr barrier::Space kLedgerSpace{0x1e, 0x06};

struct Ledger {
  struct Thread {
    std::atomic<std::uint64_t> begun{0};  // submitted
    std::atomic<std::uint64_t> acked{0};  // said to be durable
  };
  Thread threads[kThreads];
  std::atomic<std::uint64_t> acks{0};  // of this round
  std::atomic<bool> failed{false};     // the writer met an error that it should not

  static Ledger* map(const std::string& path) {
    const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    VAULT_ASSERT(file >= 0 && ::ftruncate(file, sizeof(Ledger)) == 0);
    void* at = ::mmap(nullptr, sizeof(Ledger), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    ::close(file);
    VAULT_ASSERT(at != MAP_FAILED);
    return static_cast<Ledger*>(at);
  }
};

inline std::string pair_name(const char* side, int thread, std::uint64_t slot) {
  return std::string(side) + "/" + std::to_string(thread) + "/" + std::to_string(slot);
}
inline std::string fresh_name(int thread, std::uint64_t seq) {
  return "fresh/" + std::to_string(thread) + "/" + std::to_string(seq);
}
inline std::string audit_line(int thread, std::uint64_t seq) {
  return std::to_string(thread) + ":" + std::to_string(seq);
}

// The same keys in every process of a test.
class LedgerRandom final : public Random {
 public:
  void fill(std::span<std::uint8_t> out) override {
    for (auto& byte : out) byte = static_cast<std::uint8_t>(++next_ * 37);
  }

 private:
  unsigned next_ = 0;
};
inline barrier::KeyRing ledger_keys() {
  LedgerRandom random;
  return barrier::KeyRing::generate(random);
}

}  // namespace leasehold::testing
