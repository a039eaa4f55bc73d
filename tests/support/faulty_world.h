#pragma once
// A world whose storage fails when the test says so, and counts its calls.
//
//   FaultyWorld world;
//   TestVault vault(world);
//   world.fails->left = 3;   // the fourth call from now on fails, until it is -1 again

#include "tests/support/faulty_storage.h"
#include "tests/support/test_vault.h"

namespace leasehold::testing {

struct FaultyWorld : TestWorld {
  FaultyWorld() : inner(std::move(storage)) {
    auto faulty = std::make_unique<FaultyStorage>(*inner, -1);
    fails = faulty.get();
    storage = std::move(faulty);
  }
  std::unique_ptr<storage::Storage> inner;
  FaultyStorage* fails = nullptr;
};

}  // namespace leasehold::testing
