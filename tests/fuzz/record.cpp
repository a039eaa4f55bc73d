// Whatever bytes stand in storage, opening them fails cleanly: sealed values under their key, and
// the key registry behind them.
#include "tests/support/seeded_random.h"
#include "vault/barrier/barrier.h"

using namespace leasehold;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static testing::SeededRandom random(1);
  static const barrier::Barrier opener({1}, barrier::KeyRing::generate(random), random);
  const ByteView bytes(data, size);
  const barrier::PhysicalKey key(barrier::Table::head);

  // As it stands: must be refused, for nobody has the key.
  VAULT_ASSERT(!opener.open(key, {}, bytes).ok());
  VAULT_ASSERT(!opener.open_named(key, bytes).ok());
  (void)opener.contribution(key.view(), bytes, 1);

  // Sealed by us, then changed where the input says: refused unless nothing changed.
  if (size > 2) {
    Bytes sealed;
    opener.seal(key, "name", bytes.subspan(2), sealed);
    const std::size_t at = get_be(data, 2) % sealed.size();
    VAULT_ASSERT(opener.open(key, "name", sealed).ok());
    sealed[at] ^= static_cast<std::uint8_t>(1u << data[0] % 8);
    VAULT_ASSERT(!opener.open(key, "name", sealed).ok());
  }

  auto ring = barrier::KeyRing::deserialize(bytes);
  if (ring.ok()) VAULT_ASSERT(equal_constant_time(ring->serialize().reveal(), bytes));
  return 0;
}
