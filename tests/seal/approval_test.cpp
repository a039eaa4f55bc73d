// Who writes to storage while the vault is down, and what shares of his, or shares that a rekey
// replaced, approve afterwards: nothing.

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <thread>

#include "tests/seal/machine.h"
#include "vault/base/encoding.h"

using namespace leasehold;
using namespace leasehold::seal;
using testing::contains;
using testing::FakeDevice;
using testing::initialize;
using testing::Machine;
using testing::open_with;
using testing::records_of;
using testing::write;

namespace {

using Devices = std::vector<std::pair<std::string, FakeDevice*>>;

SlotRecord slot_of(const Machine& machine, std::string_view kind) {
  for (const SlotRecord& slot : records_of(machine).slots)
    if (slot.kind == kind) return slot;
  FAIL("no slot of kind " << kind);
  return {};
}

void put(Machine& machine, const SlotRecord& slot) {
  write(machine, [&](storage::Batch& batch) { add_slot(batch, slot); });
}

// The stored record as somebody makes it to fit one share of his own, which is `secret`.
SlotRecord forged(SlotRecord slot, ByteView secret, Random& random) {
  slot.policy = split(secret, 1, 1, random)->policy.serialize();
  slot.capabilities = kMayUnseal | kMayAuthorize;
  return slot;
}

SecretBytes secret_of(std::uint8_t byte) {
  SecretBytes secret(crypto::kKeySize);
  for (auto& each : secret.writable()) each = byte;
  return secret;
}

Quorum complete(SlotRecord slot, const std::vector<SecretBytes>& shares, std::size_t count) {
  auto quorum = Quorum::from(std::move(slot), "nonce");
  REQUIRE(quorum.ok());
  for (std::size_t i = 0; i < count; ++i) REQUIRE(quorum->add(shares[i].clone()).ok());
  REQUIRE(quorum->complete());
  return std::move(*quorum);
}

Quorum complete(SlotRecord slot, const SecretBytes& share) {
  std::vector<SecretBytes> shares;
  shares.push_back(share.clone());
  return complete(std::move(slot), shares, 1);
}

// Nothing that shares can do is done by these, whatever the caller looked at before.
void approves_nothing(Seal& seal, const Quorum& quorum, const crypto::Key& registry_key) {
  CHECK(seal.prove(quorum, registry_key).is(Code::invalid));
  CHECK(seal.rekey(quorum, 1, 1, registry_key).is(Code::invalid));
  bool used = false;
  CHECK_FALSE(seal.with_root(quorum, registry_key,
                             [&](const crypto::Key&) {
                               used = true;
                               return Status();
                             })
                  .ok());
  CHECK_FALSE(used);
}

SlotStatus shown(const Seal& seal, const SlotId& id) {
  for (const SlotStatus& slot : seal.status().slots)
    if (slot.id == hex(id)) return slot;
  FAIL("the slot is not shown");
  return {};
}

void is_told(const Seal& seal, const SlotId& id, std::string_view why) {
  CHECK(shown(seal, id).state == DeviceState::tampered);
  CHECK(contains(shown(seal, id).message, why));
  CHECK_FALSE(shown(seal, id).may_unseal);
  CHECK(seal.status().degraded);
}

// The registry as a version wrote it that knew no hashes.
void forget_hashes(Machine& machine, const crypto::Key& registry_key) {
  const Records records = records_of(machine);
  auto registry = open_registry(records.store, records.registry, registry_key);
  REQUIRE(registry.ok());
  for (SlotEntry& entry : *registry->slots) entry.record.reset();
  write(machine, [&](storage::Batch& batch) {
    add_registry(batch, close_registry(records.store, *registry, registry_key, machine.random));
  });
}

// What an unsealing puts on record.
std::size_t list_slots(Machine& machine, Seal& seal, const Opened& opened) {
  storage::Batch batch;
  REQUIRE(seal.list_slots(batch, opened).ok());
  if (batch.empty()) return 0;
  REQUIRE(commit_alone(*machine.storage, batch).ok());
  REQUIRE(seal.registry_changed().ok());
  return 1;
}

Seal::Rekeyed rekey(Machine& machine, Seal& seal, const Initialized& made) {
  auto rekeyed = seal.rekey(complete(slot_of(machine, "shamir"), made.shares, 2), 3, 2,
                            made.opened.registry_key);
  REQUIRE(rekeyed.ok());
  write(machine, [&](storage::Batch& batch) {
    REQUIRE(seal.place(batch, rekeyed->slot, made.opened.registry_key).ok());
  });
  seal.installed(rekeyed->slot);
  return std::move(*rekeyed);
}

constexpr RecoveryMode kWithShares[] = {RecoveryMode::unseal, RecoveryMode::authorize};

}  // namespace

TEST_CASE("approval: a vault's own shares approve, also after a restart and after a rekey") {
  for (const RecoveryMode mode : kWithShares) {
    Machine machine;
    FakeDevice tpm;
    const Devices devices{{"tpm", &tpm}};
    const Initialized made = initialize(*machine.start(devices), 3, 2, mode);
    const auto seal = machine.start(devices);
    const auto opened = seal->open_with_devices();
    REQUIRE(opened);
    REQUIRE(seal->new_quorum());
    const Quorum quorum = complete(seal->new_quorum()->slot(), made.shares, 2);
    CHECK(seal->prove(quorum, opened->registry_key).ok());
    const auto rekeyed = rekey(machine, *seal, made);
    REQUIRE(seal->new_quorum());
    CHECK(seal->prove(complete(seal->new_quorum()->slot(), rekeyed.shares, 2), opened->registry_key)
              .ok());
    const Status late = seal->prove(quorum, opened->registry_key);
    REQUIRE(late.is(Code::invalid));
    CHECK(contains(late.error().message, "replaced by newer ones"));
    CHECK_FALSE(seal->status().degraded);
  }
}

TEST_CASE("approval: shares that a changed slot names, and the vault never made, approve nothing") {
  for (const RecoveryMode mode : kWithShares) {
    Machine machine;
    FakeDevice tpm;
    const Devices devices{{"tpm", &tpm}};
    const Initialized made = initialize(*machine.start(devices), 3, 2, mode);
    const SecretBytes mine = secret_of(0x5a);
    const SlotRecord changed = forged(slot_of(machine, "shamir"), mine.reveal(), machine.random);
    put(machine, changed);
    const auto seal = machine.start(devices);
    const auto opened = seal->open_with_devices();
    REQUIRE(opened);
    CHECK_FALSE(seal->new_quorum());
    is_told(*seal, changed.id, "changed behind the vault's back");
    CHECK(seal->status().access == "tpm");
    approves_nothing(*seal, complete(changed, mine), opened->registry_key);
  }
}

TEST_CASE("approval: a slot that was changed before the vault knew hashes approves nothing") {
  for (const RecoveryMode mode : kWithShares) {
    Machine machine;
    FakeDevice tpm;
    const Devices devices{{"tpm", &tpm}};
    const Initialized made = initialize(*machine.start(devices), 3, 2, mode);
    const SecretBytes mine = secret_of(0x5a);
    SlotRecord changed = forged(slot_of(machine, "shamir"), mine.reveal(), machine.random);
    SUBCASE("its box is the old one") {}
    SUBCASE("its box opens, to another root key") {
      changed.close(mine.reveal(), crypto::Key(secret_of(1).reveal()), machine.random);
    }
    SUBCASE("it only authorizes") { changed.capabilities = kMayAuthorize; }
    forget_hashes(machine, made.opened.registry_key);
    put(machine, changed);
    const auto seal = machine.start(devices);
    const auto opened = seal->open_with_devices();
    REQUIRE(opened);
    list_slots(machine, *seal, *opened);
    approves_nothing(*seal, complete(changed, mine), opened->registry_key);
    CHECK_FALSE(seal->new_quorum());
    CHECK(shown(*seal, changed.id).state == DeviceState::tampered);
  }
}

TEST_CASE("approval: shares that a rekey replaced approve nothing when their slot is put back") {
  for (const RecoveryMode mode : kWithShares) {
    Machine machine;
    FakeDevice tpm;
    const Devices devices{{"tpm", &tpm}};
    const auto first = machine.start(devices);
    const Initialized made = initialize(*first, 3, 2, mode);
    const SlotRecord old = slot_of(machine, "shamir");
    rekey(machine, *first, made);
    put(machine, old);
    const auto seal = machine.start(devices);
    const auto opened = seal->open_with_devices();
    REQUIRE(opened);
    CHECK_FALSE(seal->new_quorum());
    is_told(*seal, old.id, "put back; it opens nothing and approves nothing");
    approves_nothing(*seal, complete(old, made.shares, 2), opened->registry_key);
  }
}

TEST_CASE("approval: a slot of shares that was put in approves nothing") {
  Machine machine;
  FakeDevice tpm;
  const Devices devices{{"tpm", &tpm}};
  initialize(*machine.start(devices), 0, 0, RecoveryMode::none);
  const SecretBytes mine = secret_of(0x5a);
  SlotRecord added = forged({}, mine.reveal(), machine.random);
  added.store = records_of(machine).store.id;
  added.kind = "shamir";
  put(machine, added);
  const auto seal = machine.start(devices);
  const auto opened = seal->open_with_devices();
  REQUIRE(opened);
  CHECK_FALSE(seal->new_quorum());
  is_told(*seal, added.id, "not one of this vault's");
  approves_nothing(*seal, complete(added, mine), opened->registry_key);
}

TEST_CASE("approval: a slot of shares that was put in stops the rightful ones from nothing") {
  Machine machine;
  const Initialized made = initialize(*machine.start(), 3, 2);
  const SecretBytes mine = secret_of(0x5a);
  SlotRecord added = forged(slot_of(machine, "shamir"), mine.reveal(), machine.random);
  added.id = {};  // the first in the order of storage
  put(machine, added);
  const auto seal = machine.start();
  CHECK_FALSE(seal->add_share(mine.clone()).ok());
  const auto opened = open_with(*seal, made.shares, 2);
  REQUIRE(opened);
  CHECK(seal->status().access == "2 of 3 shares");
  CHECK(seal->status().t == 2);
  REQUIRE(seal->new_quorum());
  CHECK(
      seal->prove(complete(seal->new_quorum()->slot(), made.shares, 2), opened->registry_key).ok());
}

TEST_CASE("approval: a device's record that the vault did not write opens nothing, of any kind") {
  for (const char* kind : {"tpm", "pkcs11", "static"}) {
    Machine machine;
    FakeDevice device;
    const Devices devices{{kind, &device}};
    const Initialized made = initialize(*machine.start(devices), 3, 2);
    SlotRecord changed = slot_of(machine, kind);
    const Recovered recovered = testing::FakeProtector(device, kind).recover(changed, Millis(1));
    changed.policy.push_back(0);  // by one who has the device's key, so that its box opens
    changed.close(recovered.kek.reveal(), made.opened.root, machine.random);
    put(machine, changed);
    const auto seal = machine.start(devices);
    CHECK_FALSE(seal->open_with_devices());
    CHECK(contains(shown(*seal, changed.id).message, "changed behind the vault's back"));
    CHECK(open_with(*seal, made.shares, 2));
    is_told(*seal, changed.id, "changed behind the vault's back");
  }
}

TEST_CASE("approval: a registry without hashes gets them at the next unsealing, and once") {
  Machine machine;
  FakeDevice tpm;
  const Devices devices{{"tpm", &tpm}};
  const Initialized made = initialize(*machine.start(devices), 3, 2);
  forget_hashes(machine, made.opened.registry_key);
  for (const std::size_t written : {1, 0}) {
    const auto seal = machine.start(devices);
    const auto opened = seal->open_with_devices();
    REQUIRE(opened);
    CHECK(list_slots(machine, *seal, *opened) == written);
  }
  const Records records = records_of(machine);
  const auto registry = open_registry(records.store, records.registry, made.opened.registry_key);
  REQUIRE(registry.ok());
  for (const SlotRecord& slot : records.slots)
    CHECK(std::count(registry->slots->begin(), registry->slots->end(), entry_of(slot)) == 1);
}

TEST_CASE("approval: the stored ring is in memory once, however many ask for it") {
  Machine machine;
  const auto seal = machine.start();
  const Initialized made = initialize(*seal, 1, 1);
  std::atomic<int> inside{0}, most{0};
  const auto ask = [&] {
    for (int i = 0; i < 50; ++i)
      seal->with_stored_keys(made.opened.registry_key,
                             [&](const barrier::KeyRing&) {
                               most = std::max<int>(most, ++inside);
                               for (int turn = 0; turn < 20; ++turn) std::this_thread::yield();
                               --inside;
                             })
          .ignore();
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) threads.emplace_back(ask);
  for (std::thread& thread : threads) thread.join();
  CHECK(most == 1);
}
