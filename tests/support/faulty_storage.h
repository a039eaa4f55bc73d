#pragma once
// A storage that fails the nth call and every one after it, until `left` is set to -1; with `once`
// it does that itself after the first. Tests count
// n up until nothing fails any more: so every call of an operation has failed once.
//
//   for (int nth = 0;; ++nth) {
//     FaultyStorage faulty(*inner, nth);
//     const bool stored = operation(faulty);
//     faulty.left = -1;                       // healthy again
//     CHECK(is_there(faulty) == stored);
//     if (stored) break;
//   }

#include <atomic>

#include "vault/storage/storage.h"

namespace leasehold::testing {

class FaultyStorage final : public storage::Storage {
 public:
  FaultyStorage(storage::Storage& inner, int nth) : left(nth), inner_(inner) {}

  // Calls that still succeed; negative: all of them.
  std::atomic<int> left;
  std::atomic<int> failed{0};  // calls that did not
  // What a failing commit answers. With `unknown` the group happens all the same.
  std::atomic<storage::Outcome> outcome{storage::Outcome::failed};
  std::atomic<bool> low{false};
  std::atomic<bool> once{false};
  std::atomic<bool> commits_only{false};  // reads succeed all the same, and do not count
  std::optional<std::uint64_t> last;      // what it says to be its last index; none: the truth
  std::atomic<int> held{0};               // commits that wait

  // From now on commits wait, until they are let go.
  void hold() { holds_ = true; }
  void let_go() {
    holds_ = false;
    holds_.notify_all();
  }

  Result<std::unique_ptr<storage::Snapshot>> snapshot() override {
    VAULT_TRY(call());
    VAULT_TRY_ASSIGN(auto inner, inner_.snapshot());
    return std::unique_ptr<storage::Snapshot>(
        std::make_unique<FaultySnapshot>(*this, std::move(inner)));
  }
  void commit(std::span<const storage::Batch* const> group, storage::GroupObserver& observer,
              std::span<storage::CommitResult> results) override {
    ++held;
    holds_.wait(true);
    --held;
    if (fail_or_count().ok()) return inner_.commit(group, observer, results);
    if (outcome == storage::Outcome::unknown) inner_.commit(group, observer, results);
    for (auto& result : results) result = {outcome, 0};
  }
  Status import(std::span<const storage::Entry> entries) override {
    VAULT_TRY(fail_or_count());
    return inner_.import(entries);
  }
  Result<std::uint64_t> last_index() override {
    VAULT_TRY(call());
    if (last) return *last;
    return inner_.last_index();
  }
  Status ready() override { return inner_.ready(); }
  std::string_view kind() const override { return inner_.kind(); }
  bool reads_block() const override { return inner_.reads_block(); }
  bool low_on_space() const override { return low || inner_.low_on_space(); }
  std::string trouble() const override {
    return low ? std::string(storage::kFull) : inner_.trouble();
  }

 private:
  class FaultySnapshot final : public storage::Snapshot {
   public:
    FaultySnapshot(FaultyStorage& faulty, std::unique_ptr<storage::Snapshot> inner)
        : faulty_(faulty), inner_(std::move(inner)) {}
    Result<std::optional<storage::Found>> get(ByteView key) override {
      VAULT_TRY(faulty_.call());
      return inner_->get(key);
    }
    Status scan(ByteView from, ByteView to, std::size_t limit, storage::Scan what,
                FunctionRef<bool(const storage::Entry&)> each) override {
      VAULT_TRY(faulty_.call());
      return inner_->scan(from, to, limit, what, each);
    }
    void release() override { inner_->release(); }
    Status renew() override {
      VAULT_TRY(faulty_.call());
      return inner_->renew();
    }

   private:
    FaultyStorage& faulty_;
    const std::unique_ptr<storage::Snapshot> inner_;
  };

  Status call() { return commits_only ? Status() : fail_or_count(); }
  Status fail_or_count() {
    int now = left;
    while (now > 0 && !left.compare_exchange_weak(now, now - 1)) {
    }
    if (now != 0) return {};
    ++failed;
    if (once) left = -1;
    return failure(Code::internal, "storage failed as the test asked");
  }

  storage::Storage& inner_;
  std::atomic<bool> holds_{false};
};

}  // namespace leasehold::testing
