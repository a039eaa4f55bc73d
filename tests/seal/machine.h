#pragma once
// A store and the processes that open it one after the other, for the seal's tests.
//
//   Machine machine;
//   FakeDevice tpm;
//   const Initialized made = initialize(*machine.start({{"tpm", &tpm}}), 3, 2);
//   const auto next = machine.start({{"tpm", &tpm}});

#include <doctest/doctest.h>

#include <functional>

#include "backends/storage/memory.h"
#include "tests/support/fake_clock.h"
#include "tests/support/fake_protector.h"
#include "tests/support/seeded_random.h"
#include "vault/seal/seal.h"

namespace leasehold::testing {

using seal::commit_alone;
using seal::Initialized;
using seal::InitOptions;
using seal::Opened;
using seal::read_records;
using seal::Records;
using seal::RecoveryMode;
using seal::Seal;
using seal::SlotRecord;

// A store that outlives the processes which open it.
struct Machine {
  std::unique_ptr<storage::Storage> storage = storage::make_memory_storage();
  testing::SeededRandom random;
  testing::FakeClock clock;
  struct TextLog final : LogSink {  // of one thread
    void write(LogLevel, std::string_view message) override { text.append(message) += '\n'; }
    std::string text;
  } log;

  // A process start. Devices by kind.
  std::unique_ptr<Seal> start(std::vector<std::pair<std::string, FakeDevice*>> devices = {}) {
    Seal::Protectors protectors;
    for (auto& device : devices)
      protectors.push_back(std::make_unique<FakeProtector>(*device.second, device.first));
    auto seal = std::make_unique<Seal>(*storage, random, clock, log, std::move(protectors));
    REQUIRE(seal->load().ok());
    return seal;
  }
  void enroll_missing(Seal& seal, Opened& opened) {
    seal.enroll_missing(opened, [&](const storage::Batch& batch, const SlotRecord&) {
      return commit_alone(*storage, batch);
    });
  }
};

inline Initialized initialize(Seal& seal, unsigned shares, unsigned threshold,
                              RecoveryMode mode = RecoveryMode::unseal) {
  InitOptions options;
  options.shares = shares;
  options.threshold = threshold;
  options.recovery_mode = mode;
  auto made = seal.initialize(options);
  REQUIRE_MESSAGE(made.ok(), made.error().message);
  return std::move(*made);
}

inline std::optional<Opened> open_with(Seal& seal, const std::vector<SecretBytes>& shares,
                                       unsigned count) {
  std::optional<Opened> opened;
  for (unsigned i = 0; i < count; ++i) {
    auto step = seal.add_share(shares[i].clone());
    REQUIRE_MESSAGE(step.ok(), step.error().message);
    opened = std::move(step->opened);
  }
  return opened;
}

inline bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

// The records of a machine's store, as a copy of its disk has them.
inline Records records_of(const Machine& machine) {
  const auto snapshot = machine.storage->snapshot();
  REQUIRE(snapshot.ok());
  auto records = read_records(**snapshot);
  REQUIRE(records.ok());
  return std::move(**records);
}

inline void write(Machine& machine, const std::function<void(storage::Batch&)>& fill) {
  storage::Batch batch;
  fill(batch);
  REQUIRE(commit_alone(*machine.storage, batch).ok());
}

}  // namespace leasehold::testing
