#include "vault/seal/seal.h"

#include <doctest/doctest.h>

#include "tests/seal/machine.h"
#include "vault/base/encoding.h"
#include "vault/seal/codec.h"

using namespace leasehold;
using namespace leasehold::seal;
using testing::contains;
using testing::FakeDevice;
using testing::initialize;
using testing::Machine;
using testing::open_with;
using testing::records_of;
using testing::write;

TEST_CASE("seal: a new store is not initialized") {
  Machine machine;
  const auto seal = machine.start();
  CHECK_FALSE(seal->initialized());
  const SealStatus status = seal->status();
  CHECK(status.type == "shamir");
  CHECK(status.t == 0);
  CHECK(status.n == 0);
  const auto step = seal->add_share(SecretBytes(std::size_t{33}));
  REQUIRE_FALSE(step.ok());
  CHECK(step.error().message == "Vault is not initialized");
  CHECK_FALSE(seal->open_with_devices());
}

TEST_CASE("seal: three of five shares open the store after a restart") {
  Machine machine;
  const Initialized made = initialize(*machine.start(), 5, 3);
  CHECK(made.shares.size() == 5);
  CHECK_FALSE(made.shares_are_recovery);

  const auto seal = machine.start();
  REQUIRE(seal->initialized());
  CHECK(seal->status().t == 3);
  CHECK(seal->status().n == 5);
  CHECK(seal->status().nonce.empty());
  const auto opened = open_with(*seal, made.shares, 3);
  REQUIRE(opened);
  CHECK(opened->keys.index == made.opened.keys.index);
  CHECK(opened->store.id == made.opened.store.id);
  CHECK(opened->by == "3 of 5 shares");
  CHECK_FALSE(opened->degraded);
  CHECK(seal->status().progress == 0);
  CHECK(seal->status().access == "3 of 5 shares");
}

TEST_CASE("seal: progress has a nonce, and reset forgets both") {
  Machine machine;
  const Initialized made = initialize(*machine.start(), 5, 3);
  const auto seal = machine.start();
  CHECK_FALSE(open_with(*seal, made.shares, 2));
  const std::string nonce = seal->status().nonce;
  CHECK(seal->status().progress == 2);
  CHECK(nonce.size() == 36);
  seal->reset_shares();
  CHECK(seal->status().progress == 0);
  CHECK(seal->status().nonce.empty());
  CHECK_FALSE(open_with(*seal, made.shares, 1));
  CHECK(seal->status().nonce != nonce);
}

TEST_CASE("seal: a foreign share does not undo the others' work") {
  Machine ours, theirs;
  theirs.random = testing::SeededRandom(99);
  const Initialized made = initialize(*ours.start(), 3, 2);
  const Initialized other = initialize(*theirs.start(), 3, 2);
  const auto seal = ours.start();
  CHECK_FALSE(open_with(*seal, made.shares, 1));
  const auto step = seal->add_share(other.shares[0].clone());
  REQUIRE_FALSE(step.ok());
  CHECK(step.error().code == Code::invalid);
  CHECK(contains(step.error().message, "fingerprint"));
  CHECK(seal->status().progress == 1);
  CHECK(seal->add_share(made.shares[1].clone())->opened);
}

TEST_CASE("seal: a store is initialized once, even by two processes") {
  Machine machine;
  const auto first = machine.start();
  const auto second = machine.start();
  initialize(*first, 1, 1);
  for (Seal* seal : {first.get(), second.get()}) {
    const auto again = seal->initialize({1, 1, RecoveryMode::unseal, {}});
    REQUIRE_FALSE(again.ok());
    CHECK(again.error().message == "Vault is already initialized");
  }
}

TEST_CASE("seal: init refuses counts that do not fit, and writes nothing") {
  Machine machine;
  const auto seal = machine.start();
  CHECK_FALSE(seal->initialize({0, 0, RecoveryMode::unseal, {}}).ok());
  CHECK_FALSE(seal->initialize({3, 4, RecoveryMode::unseal, {}}).ok());
  CHECK_FALSE(seal->initialize({3, 2, RecoveryMode::none, {}}).ok());
  CHECK_FALSE(machine.start()->initialized());
}

TEST_CASE("seal: a device opens the store by itself") {
  Machine machine;
  FakeDevice tpm;
  const Initialized made = initialize(*machine.start({{"tpm", &tpm}}), 5, 3);
  CHECK(made.shares_are_recovery);
  CHECK(made.shares.size() == 5);
  const auto seal = machine.start({{"tpm", &tpm}});
  CHECK(seal->has_device_slot());
  const auto opened = seal->open_with_devices();
  REQUIRE(opened);
  CHECK(contains(opened->by, "tpm slot"));
  CHECK(opened->keys.index == made.opened.keys.index);
  const SealStatus status = seal->status();
  CHECK(status.type == "tpm");
  CHECK(status.recovery_seal);
  CHECK(status.access == "tpm OR 3 of 5 shares");
  CHECK_FALSE(status.degraded);
}

TEST_CASE("seal: without its device the recovery shares open the store, degraded") {
  Machine machine;
  FakeDevice tpm;
  const Initialized made = initialize(*machine.start({{"tpm", &tpm}}), 5, 3);
  tpm.answer_with({DeviceState::absent, "no TPM at /dev/tpmrm0", {}});
  const auto seal = machine.start({{"tpm", &tpm}});
  CHECK_FALSE(seal->open_with_devices());
  const auto opened = open_with(*seal, made.shares, 3);
  REQUIRE(opened);
  CHECK(opened->degraded);
  const SealStatus status = seal->status();
  CHECK(status.degraded);
  REQUIRE(status.slots.size() == 2);
  CHECK(status.slots[0].state == DeviceState::absent);
  CHECK(status.slots[0].message == "no TPM at /dev/tpmrm0");
}

TEST_CASE("seal: shares that only authorize cannot open") {
  Machine machine;
  FakeDevice tpm;
  const Initialized made =
      initialize(*machine.start({{"tpm", &tpm}}), 3, 2, RecoveryMode::authorize);
  const auto seal = machine.start({{"tpm", &tpm}});
  const auto step = seal->add_share(made.shares[0].clone());
  REQUIRE_FALSE(step.ok());
  CHECK(contains(step.error().message, "cannot open"));
  CHECK(contains(seal->status().access, "approve operations"));
  REQUIRE(seal->open_with_devices());
  auto quorum = seal->new_quorum();
  REQUIRE(quorum);
  REQUIRE(quorum->add(made.shares[0].clone()).ok());
  REQUIRE(quorum->add(made.shares[2].clone()).ok());
  CHECK(quorum->complete());
}

TEST_CASE("seal: without shares the device is the only way in, and status warns") {
  Machine machine;
  FakeDevice tpm;
  const Initialized made = initialize(*machine.start({{"tpm", &tpm}}), 5, 3, RecoveryMode::none);
  CHECK(made.shares.empty());
  const auto seal = machine.start({{"tpm", &tpm}});
  REQUIRE(seal->status().warnings.size() == 1);
  CHECK(contains(seal->status().warnings[0], "only way in"));
  CHECK_FALSE(seal->add_share(SecretBytes(std::size_t{33})).ok());
}

TEST_CASE("seal: a device added to the configuration gets a slot at the next unseal") {
  Machine machine;
  FakeDevice tpm;
  const Initialized made = initialize(*machine.start(), 3, 2);
  const auto seal = machine.start({{"tpm", &tpm}});
  auto opened = open_with(*seal, made.shares, 2);
  REQUIRE(opened);
  CHECK_FALSE(opened->degraded);
  machine.enroll_missing(*seal, *opened);
  CHECK(tpm.enrolled == 1);
  CHECK(opened->root == crypto::Key(SecretBytes(std::size_t{32}).reveal()));
  CHECK(seal->status().access == "tpm OR 2 of 3 shares");
  const auto next = machine.start({{"tpm", &tpm}});
  auto again = next->open_with_devices();
  REQUIRE(again);
  CHECK(again->keys.index == made.opened.keys.index);
  machine.enroll_missing(*next, *again);
  CHECK(tpm.enrolled == 1);
}

TEST_CASE("seal: a device that cannot be enrolled is named, and the store stays open") {
  Machine machine;
  FakeDevice tpm;
  tpm.answer_with({DeviceState::locked, "the TPM is locked out", {}});
  const Initialized made = initialize(*machine.start(), 1, 1);
  const auto seal = machine.start({{"tpm", &tpm}});
  auto opened = open_with(*seal, made.shares, 1);
  REQUIRE(opened);
  machine.enroll_missing(*seal, *opened);
  REQUIRE(seal->status().not_enrolled.size() == 1);
  CHECK(contains(seal->status().not_enrolled[0], "the TPM is locked out"));
}

TEST_CASE("seal: what a device says that is asked after the shares opened is in the log") {
  Machine machine;
  FakeDevice tpm;
  const Initialized made = initialize(*machine.start({{"tpm", &tpm}}), 1, 1);
  std::string said;
  SUBCASE("it is not there") {
    tpm.answer_with({DeviceState::absent, "no TPM", {}});
    said = "(tpm) is absent: no TPM";
  }
  SUBCASE("its key does not open the slot") {
    tpm.secret = 9;
    said = "(tpm) is tampered: the tpm answered";
  }
  const auto seal = machine.start({{"tpm", &tpm}});
  auto opened = open_with(*seal, made.shares, 1);  // before it was asked
  REQUIRE(opened);
  machine.enroll_missing(*seal, *opened);
  CHECK(contains(machine.log.text, said));
}

TEST_CASE("seal: a replaced device is named, and enrolled again once the shares opened") {
  Machine machine;
  FakeDevice old_tpm, new_tpm;
  new_tpm.serial = "B2";
  new_tpm.secret = 8;
  const Initialized made = initialize(*machine.start({{"tpm", &old_tpm}}), 3, 2);
  const auto seal = machine.start({{"tpm", &new_tpm}});
  CHECK_FALSE(seal->open_with_devices());
  CHECK(seal->status().slots[0].state == DeviceState::replaced);
  auto opened = open_with(*seal, made.shares, 2);
  REQUIRE(opened);
  machine.enroll_missing(*seal, *opened);
  CHECK(seal->status().slots[0].generation == 2);
  CHECK(machine.start({{"tpm", &new_tpm}})->open_with_devices());
  CHECK_FALSE(machine.start({{"tpm", &old_tpm}})->open_with_devices());
}

TEST_CASE("seal: a changed machine is enrolled again only when the stanza says so") {
  Machine machine;
  FakeDevice tpm;
  const Initialized made = initialize(*machine.start({{"tpm", &tpm}}), 1, 1);
  tpm.answer_with({DeviceState::policy, "PCR 7 changed", {}});
  const auto seal = machine.start({{"tpm", &tpm}});
  CHECK_FALSE(seal->open_with_devices());
  tpm.answer_with({DeviceState::ok, {}, {}});
  auto opened = open_with(*seal, made.shares, 1);
  REQUIRE(opened);
  const crypto::Key root = opened->root.clone();
  machine.enroll_missing(*seal, *opened);
  CHECK(tpm.enrolled == 1);
  tpm.reenrolls = true;
  opened->root = root.clone();
  machine.enroll_missing(*seal, *opened);
  CHECK(tpm.enrolled == 2);
}

TEST_CASE("seal: two devices are two ways in") {
  Machine machine;
  FakeDevice tpm, hsm;
  initialize(*machine.start({{"tpm", &tpm}, {"pkcs11", &hsm}}), 5, 3);
  tpm.answer_with({DeviceState::wedged, "no answer", {}});
  const auto seal = machine.start({{"tpm", &tpm}, {"pkcs11", &hsm}});
  const auto opened = seal->open_with_devices();
  REQUIRE(opened);
  CHECK(contains(opened->by, "pkcs11"));
  CHECK(seal->status().access == "tpm OR pkcs11 OR 3 of 5 shares");
  CHECK(seal->status().degraded);
}

TEST_CASE("seal: a device whose key does not fit is reported as tampered") {
  Machine machine;
  FakeDevice tpm;
  initialize(*machine.start({{"tpm", &tpm}}), 1, 1);
  tpm.secret = 9;
  const auto seal = machine.start({{"tpm", &tpm}});
  CHECK_FALSE(seal->open_with_devices());
  CHECK(seal->status().slots[0].state == DeviceState::tampered);
}

TEST_CASE("seal: a slot without its stanza says so") {
  Machine machine;
  FakeDevice tpm;
  initialize(*machine.start({{"tpm", &tpm}}), 1, 1);
  const auto seal = machine.start();
  CHECK_FALSE(seal->open_with_devices());
  CHECK(contains(seal->status().slots[0].message, "no seal \"tpm\" stanza"));
}

TEST_CASE("seal: init fails when a device cannot be enrolled, and says why") {
  Machine machine;
  FakeDevice tpm;
  tpm.answer_with({DeviceState::absent, "no TPM at /dev/tpmrm0", {}});
  const auto made = machine.start({{"tpm", &tpm}})->initialize({5, 3, RecoveryMode::unseal, {}});
  REQUIRE_FALSE(made.ok());
  CHECK(contains(made.error().message, "no TPM at /dev/tpmrm0"));
  CHECK_FALSE(machine.start()->initialized());
}

TEST_CASE("seal: health asks the device with the slot's own key") {
  Machine machine;
  FakeDevice tpm;
  const auto seal = machine.start({{"tpm", &tpm}});
  initialize(*seal, 1, 1);
  CHECK(seal->status().slots[0].state == DeviceState::ok);
  tpm.answer_with({DeviceState::locked, "locked until noon", {}});
  seal->check_health();
  CHECK(seal->status().slots[0].state == DeviceState::locked);
  CHECK(seal->status().slots[0].message == "locked until noon");
}

TEST_CASE("seal: a rekey makes the old shares foreign") {
  Machine machine;
  const auto seal = machine.start();
  const Initialized made = initialize(*seal, 3, 2);
  auto quorum = seal->new_quorum();
  REQUIRE(quorum);
  CHECK_FALSE(seal->rekey(*quorum, 5, 4, made.opened.registry_key).ok());
  REQUIRE(quorum->add(made.shares[0].clone()).ok());
  REQUIRE(quorum->add(made.shares[1].clone()).ok());
  auto rekeyed = seal->rekey(*quorum, 5, 4, made.opened.registry_key);
  REQUIRE(rekeyed.ok());
  storage::Batch batch;
  REQUIRE(seal->place(batch, rekeyed->slot, made.opened.registry_key).ok());
  REQUIRE(commit_alone(*machine.storage, batch).ok());
  seal->installed(rekeyed->slot);
  CHECK(seal->status().access == "4 of 5 shares");

  const auto next = machine.start();
  CHECK_FALSE(next->add_share(made.shares[0].clone()).ok());
  const auto opened = open_with(*next, rekeyed->shares, 4);
  REQUIRE(opened);
  CHECK(opened->keys.index == made.opened.keys.index);
}

TEST_CASE("seal: a slot put in from another store opens nothing and is shown as tampered") {
  Machine ours, theirs;
  theirs.random = testing::SeededRandom(4);
  const Initialized made = initialize(*ours.start(), 1, 1);
  initialize(*theirs.start(), 1, 1);
  const auto snapshot = theirs.storage->snapshot();
  const auto records = read_records(**snapshot);
  storage::Batch batch;
  add_slot(batch, (*records)->slots[0]);
  REQUIRE(commit_alone(*ours.storage, batch).ok());
  const auto seal = ours.start();
  REQUIRE(seal->status().slots.size() == 2);
  int tampered = 0;
  for (const SlotStatus& slot : seal->status().slots) {
    if (slot.state != DeviceState::tampered) continue;
    ++tampered;
    CHECK_FALSE(slot.may_unseal);
  }
  CHECK(tampered == 1);
  CHECK(seal->status().type == "shamir");
  CHECK(seal->status().access == "1 share");
  CHECK(open_with(*seal, made.shares, 1));
}

TEST_CASE("seal: a slot record that cannot be read stops no other way in") {
  Machine machine;
  FakeDevice tpm, hsm;
  const std::vector<std::pair<std::string, FakeDevice*>> devices{{"tpm", &tpm}, {"pkcs11", &hsm}};
  const Initialized made = initialize(*machine.start(devices), 3, 2);
  const auto snapshot = machine.storage->snapshot();
  const auto records = read_records(**snapshot);
  std::string broken_kind;
  bool shares_left = true, tpm_left = true;
  SUBCASE("of the first device") { broken_kind = "tpm", tpm_left = false; }
  SUBCASE("of the second device") { broken_kind = "pkcs11"; }
  SUBCASE("of the shares") { broken_kind = "shamir", shares_left = false; }
  SlotId broken{};
  for (const SlotRecord& slot : (*records)->slots) {
    if (slot.kind != broken_kind) continue;
    Bytes bytes = slot.serialize();
    bytes[33] ^= 0x40;  // the length of the kind
    storage::Batch batch;
    batch.put(slot_key(slot.id).view(), bytes);
    REQUIRE(commit_alone(*machine.storage, batch).ok());
    broken = slot.id;
  }
  const auto seal = machine.start(devices);
  auto opened = seal->open_with_devices();
  REQUIRE(opened);
  CHECK(contains(opened->by, tpm_left ? "tpm" : "pkcs11"));
  CHECK(opened->keys.index == made.opened.keys.index);
  const auto step = seal->add_share(made.shares[0].clone());
  CHECK(step.ok() == shares_left);
  if (!shares_left) CHECK(contains(step.error().message, "cannot be read"));
  const auto shown = [&] {
    for (const SlotStatus& slot : seal->status().slots)
      if (slot.state == DeviceState::tampered) return slot;
    return SlotStatus{};
  };
  CHECK(shown().id == hex(broken));
  CHECK(contains(shown().message, "cannot be read"));
  CHECK(seal->status().degraded);
  // A device whose slot is lost gets another one; what is there stays as it is.
  tpm.reenrolls = hsm.reenrolls = true;
  machine.enroll_missing(*seal, *opened);
  CHECK(shown().id == hex(broken));
  CHECK(shown().generation == 1);
  CHECK(seal->status().slots.size() == (shares_left ? 4 : 3));
}

TEST_CASE("seal: an init that was undone leaves nothing and can be done again") {
  Machine machine;
  const auto seal = machine.start();
  Initialized lost = initialize(*seal, 3, 2);
  CHECK(seal->confirm(lost.opened).ok());
  storage::Batch other;
  other.put(as_bytes(std::string("\x05what came after")), as_bytes(std::string("x")));
  REQUIRE(commit_alone(*machine.storage, other).ok());
  REQUIRE(seal->undo_initialize().ok());
  CHECK_FALSE(seal->initialized());
  CHECK(seal->confirm(lost.opened).is(Code::unavailable));
  CHECK_FALSE(machine.start()->initialized());
  const Initialized made = initialize(*seal, 1, 1);
  CHECK(open_with(*machine.start(), made.shares, 1));
}

TEST_CASE("seal: a storage that lost its seal is not taken for an empty one") {
  Machine machine;
  storage::Batch other;
  other.put(as_bytes(std::string("\x05a record")), as_bytes(std::string("x")));
  REQUIRE(commit_alone(*machine.storage, other).ok());
  const auto refused = machine.start()->initialize({1, 1, RecoveryMode::unseal, {}});
  REQUIRE_FALSE(refused.ok());
  CHECK(contains(refused.error().message, "not empty"));
}

TEST_CASE("seal: reenroll on a device that nobody asked yet asks it") {
  Machine machine;
  FakeDevice tpm, hsm;
  const std::vector<std::pair<std::string, FakeDevice*>> devices{{"tpm", &tpm}, {"pkcs11", &hsm}};
  initialize(*machine.start(devices), 3, 2);
  const auto seal = machine.start(devices);
  auto opened = seal->open_with_devices();
  REQUIRE(opened);
  CHECK_FALSE(seal->has_to_enroll(*opened));
  hsm.answer_with({DeviceState::degraded, "made with another mechanism", {}});
  hsm.reenrolls = true;
  CHECK(seal->has_to_enroll(*opened));
  machine.enroll_missing(*seal, *opened);
  CHECK(hsm.enrolled == 2);
  CHECK(tpm.enrolled == 1);
  CHECK(seal->status().slots[1].generation == 2);
}

TEST_CASE("seal: only a key that does not fit outlives a device's word that it is well") {
  Machine machine;
  FakeDevice tpm;
  initialize(*machine.start({{"tpm", &tpm}}), 1, 1);
  const auto seal = machine.start({{"tpm", &tpm}});
  tpm.answer_with({DeviceState::tampered, "a general error", {}});
  CHECK_FALSE(seal->open_with_devices());
  tpm.answer_with({DeviceState::ok, {}, {}});
  seal->check_health();
  CHECK(seal->status().slots[0].state == DeviceState::ok);
  tpm.secret = 9;
  CHECK_FALSE(seal->open_with_devices());
  seal->check_health();
  CHECK(seal->status().slots[0].state == DeviceState::tampered);
  tpm.secret = 7;
  CHECK(seal->open_with_devices());
  CHECK(seal->status().slots[0].state == DeviceState::ok);
}

TEST_CASE("seal: shares that only authorize make no quorum before their slot was verified") {
  Machine machine;
  FakeDevice tpm;
  const auto first = machine.start({{"tpm", &tpm}});
  initialize(*first, 3, 2, RecoveryMode::authorize);
  CHECK(first->new_quorum());
  const auto seal = machine.start({{"tpm", &tpm}});
  CHECK_FALSE(seal->new_quorum());
  REQUIRE(seal->open_with_devices());
  CHECK(seal->new_quorum());
}

TEST_CASE("seal: a slot record from before a rekey that was put back opens nothing") {
  Machine machine;
  const auto seal = machine.start();
  const Initialized made = initialize(*seal, 3, 2);
  const SlotRecord old = records_of(machine).slots.front();
  auto quorum = seal->new_quorum();
  REQUIRE(quorum);
  for (const std::size_t i : {0, 1}) REQUIRE(quorum->add(made.shares[i].clone()).ok());
  auto rekeyed = seal->rekey(*quorum, 1, 1, made.opened.registry_key);
  REQUIRE(rekeyed.ok());
  write(machine, [&](storage::Batch& batch) {
    REQUIRE(seal->place(batch, rekeyed->slot, made.opened.registry_key).ok());
  });
  seal->installed(rekeyed->slot);
  CHECK(open_with(*seal, rekeyed->shares, 1));  // also in the process that made it

  write(machine, [&](storage::Batch& batch) { add_slot(batch, old); });
  const auto next = machine.start();
  REQUIRE(next->add_share(made.shares[0].clone()).ok());
  const auto refused = next->add_share(made.shares[1].clone());
  REQUIRE_FALSE(refused.ok());
  CHECK(contains(refused.error().message, "put back"));
}

TEST_CASE("seal: a device slot that was put back opens nothing and is shown") {
  Machine machine;
  FakeDevice tpm, hsm;
  const std::vector<std::pair<std::string, FakeDevice*>> devices{{"tpm", &tpm}, {"pkcs11", &hsm}};
  const Initialized made = initialize(*machine.start(devices), 0, 0, RecoveryMode::none);
  const SlotRecord* old_tpm = nullptr;
  const Records before = records_of(machine);
  for (const SlotRecord& slot : before.slots)
    if (slot.kind == "tpm") old_tpm = &slot;
  REQUIRE(old_tpm != nullptr);
  {
    const auto seal = machine.start(devices);
    SlotRecord next = *old_tpm;
    ++next.generation;
    write(machine, [&](storage::Batch& batch) {
      REQUIRE(seal->place(batch, next, made.opened.registry_key).ok());
    });
  }
  write(machine, [&](storage::Batch& batch) { add_slot(batch, *old_tpm); });
  const auto seal = machine.start(devices);
  const auto opened = seal->open_with_devices();
  REQUIRE(opened);
  CHECK(contains(opened->by, "pkcs11"));
  bool shown = false;
  for (const SlotStatus& slot : seal->status().slots)
    shown = shown || (slot.kind == "tpm" && slot.state == DeviceState::tampered &&
                      contains(slot.message, "put back"));
  CHECK(shown);
  CHECK(seal->status().degraded);
}

TEST_CASE("seal: a slot record that was taken away is missed") {
  Machine machine;
  FakeDevice tpm;
  const Initialized made = initialize(*machine.start({{"tpm", &tpm}}), 3, 2);
  for (const SlotRecord& slot : records_of(machine).slots)
    if (slot.kind == "tpm")
      write(machine, [&](storage::Batch& batch) { batch.erase(slot_key(slot.id).view()); });
  const auto seal = machine.start({{"tpm", &tpm}});
  REQUIRE(open_with(*seal, made.shares, 2));
  bool told = false;
  for (const std::string& warning : seal->status().warnings)
    told = told || contains(warning, "gone from storage");
  CHECK(told);
  CHECK(seal->status().degraded);
}

TEST_CASE("seal: where a slot record is gone or damaged, only share holders let a device in") {
  Machine machine;
  FakeDevice tpm, hsm, foreign;
  foreign.serial = "B2";
  foreign.secret = 8;
  const Initialized made = initialize(*machine.start({{"tpm", &tpm}, {"pkcs11", &hsm}}), 3, 2);
  for (const SlotRecord& slot : records_of(machine).slots) {
    if (slot.kind != "pkcs11") continue;
    SUBCASE("gone") {
      write(machine, [&](storage::Batch& batch) { batch.erase(slot_key(slot.id).view()); });
    }
    SUBCASE("damaged") {
      Bytes bytes = slot.serialize();
      bytes[33] ^= 0x40;  // the length of the kind
      write(machine, [&](storage::Batch& batch) { batch.put(slot_key(slot.id).view(), bytes); });
    }
  }
  const auto seal = machine.start({{"tpm", &tpm}, {"pkcs11", &foreign}});
  auto opened = seal->open_with_devices();
  REQUIRE(opened);
  machine.enroll_missing(*seal, *opened);
  CHECK(foreign.enrolled == 0);
  CHECK_FALSE(machine.start({{"pkcs11", &foreign}})->open_with_devices());
  auto by_shares = open_with(*seal, made.shares, 2);
  REQUIRE(by_shares);
  machine.enroll_missing(*seal, *by_shares);
  CHECK(foreign.enrolled == 1);
}

TEST_CASE("seal: the registry of version 1 opens, and lists the slots from then on") {
  Machine machine;
  FakeDevice tpm;
  const Initialized made = initialize(*machine.start(), 3, 2);
  const Records records = records_of(machine);
  write(machine, [&](storage::Batch& batch) {  // as the first version wrote it
    Bytes box;
    Writer aad;
    aad.text("leasehold registry", 1);
    aad.raw(records.store.serialize());
    crypto::seal(made.opened.registry_key.reveal(), made.opened.keys.serialize().reveal(),
                 aad.take_public(), machine.random, box);
    add_registry(batch, box);
  });
  {
    const auto seal = machine.start();
    const auto opened = open_with(*seal, made.shares, 2);
    REQUIRE(opened);
    CHECK_FALSE(opened->slots);
    SUBCASE("by itself") {
      storage::Batch batch;
      REQUIRE(seal->list_slots(batch, *opened).ok());
      REQUIRE(commit_alone(*machine.storage, batch).ok());
      REQUIRE(seal->registry_changed().ok());
    }
    SUBCASE("with a new slot") {
      auto with_tpm = machine.start({{"tpm", &tpm}});
      auto again = open_with(*with_tpm, made.shares, 2);
      REQUIRE(again);
      machine.enroll_missing(*with_tpm, *again);
    }
  }
  const auto seal = machine.start();
  const auto opened = open_with(*seal, made.shares, 2);
  REQUIRE(opened);
  REQUIRE(opened->slots);
  CHECK(opened->slots->size() == records_of(machine).slots.size());
  storage::Batch nothing;
  REQUIRE(seal->list_slots(nothing, *opened).ok());
  CHECK(nothing.empty());
}
