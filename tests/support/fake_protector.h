#pragma once
// A device that a test can take away, replace, or make answer wrongly.

#include <atomic>

#include "tests/support/seeded_random.h"
#include "vault/base/mutex.h"
#include "vault/seal/seal.h"

namespace leasehold::testing {

struct FakeDevice {
  std::string serial = "A1";
  std::uint8_t secret = 7;  // another value: another key
  std::atomic<int> enrolled{0};
  bool reenrolls = false;

  // From now on, also what asks beside the test.
  void answer_with(seal::DeviceAnswer answer) {
    MutexLock lock(mutex_);
    answer_ = std::move(answer);
  }
  seal::DeviceAnswer answer() const {
    MutexLock lock(mutex_);
    return answer_;
  }

  // It answers nobody until release(), or until its protector is stopped.
  void hang() { hangs_ = true; }
  void release() {
    hangs_ = false;
    hangs_.notify_all();
  }
  int waiting() const { return waiting_; }  // calls that hang
  void work() {
    ++waiting_;
    hangs_.wait(true);
    --waiting_;
  }

 private:
  mutable Mutex mutex_;
  seal::DeviceAnswer answer_ GUARDED_BY(mutex_){seal::DeviceState::ok, {}, {}};
  std::atomic<bool> hangs_{false};
  std::atomic<int> waiting_{0};
};

class FakeProtector final : public seal::Protector {
 public:
  explicit FakeProtector(FakeDevice& device, std::string kind = "tpm")
      : device_(device), kind_(std::move(kind)) {}

  std::string_view kind() const override { return kind_; }
  std::string describe() const override { return "the fake " + kind_; }
  bool is_hardware() const override { return true; }
  bool reenrolls() const override { return device_.reenrolls; }

  seal::Enrolled enroll(const seal::SlotContext& context, Millis) override {
    device_.work();
    seal::DeviceAnswer answer = device_.answer();
    if (!answer.ok()) return {std::move(answer), {}, {}, {}};
    ++device_.enrolled;
    return {std::move(answer), kek(context), device_.serial, to_bytes(as_bytes(device_.serial))};
  }
  seal::Recovered recover(const seal::SlotRecord& slot, Millis) override {
    device_.work();
    seal::DeviceAnswer answer = device_.answer();
    if (!answer.ok()) return {std::move(answer), {}};
    if (slot.identity != device_.serial)
      return {{seal::DeviceState::replaced, "another device answered", {}}, {}};
    return {std::move(answer), kek(seal::context_of(slot))};
  }
  seal::DeviceAnswer health(const seal::SlotRecord& slot, Millis timeout) override {
    return recover(slot, timeout).answer;
  }

  void stop() override { device_.release(); }

 private:
  SecretBytes kek(const seal::SlotContext& context) const {
    SecretBytes key(crypto::kKeySize);
    for (auto& byte : key.writable()) byte = device_.secret;
    key.writable()[0] = context.slot[0];
    key.writable()[1] = static_cast<std::uint8_t>(context.generation);
    return key;
  }

  FakeDevice& device_;
  const std::string kind_;
};

// What a world's protectors make: the one of `device`, which outlives it.
inline auto protected_by(FakeDevice& device) {
  return [&device] {
    seal::Seal::Protectors all;
    all.push_back(std::make_unique<FakeProtector>(device));
    return all;
  };
}

}  // namespace leasehold::testing
