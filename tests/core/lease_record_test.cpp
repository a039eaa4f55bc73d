// The stored form of a lease: every released form is opened, and what a later one added is kept.

#include <doctest/doctest.h>

#include "tests/support/vault_store.h"
#include "vault/base/encoding.h"
#include "vault/core/contract/codec.h"
#include "vault/core/leases/leases.h"

namespace leasehold::core {
namespace {

using testing::VaultStore;

// As the first version wrote it; what came later stands behind it.
constexpr std::string_view kFirstForm =
    "01020000002c64617461626173652f63726564732f6170702f3031323334353637383930313233343536373839"
    "303132333401020304050607080a0a0a0a0a0a0a0a00000017762d7465737430312d6170702d30313233343536"
    "373839000000036170700000000c5b2253454c4543542032225d00000000000000010000000853454c45435420"
    "3117979cfe362a00001797a04466e2a0000117979d0c2e71580000000000000000000000000000000e10000000"
    "00000151800100000b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b000000086163636573736f72000000"
    "07726571756573740c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c";

struct LeaseRecord : VaultStore {
  barrier::OrderedId id{};
  const Leases leases{barrier};

  LeaseRecord() { id.fill(0x77); }
  void store_bytes(const std::string& in_hex) {
    const auto bytes = from_hex(in_hex);
    REQUIRE(bytes.has_value());
    REQUIRE(write([&](WriteTxn& txn) { return txn.put(lease_key(id), "", *bytes); }).ok());
  }
  std::string stored_bytes() {
    const auto shown = snapshot();
    ReadTxn txn(*shown, barrier, barrier::kCoreSpace);
    const auto record = txn.get(lease_key(id));
    return record.ok() && *record ? hex((*record)->value.reveal()) : std::string();
  }
  Result<std::optional<Lease>> load() {
    const auto shown = snapshot();
    ReadTxn txn(*shown, barrier, barrier::kCoreSpace);
    return leases.load(txn, id);
  }
  Status change(FunctionRef<void(Lease&)> how) {
    return write([&](WriteTxn& txn) -> Status {
      VAULT_TRY_ASSIGN(auto lease, leases.load(txn, id));
      how(*lease);
      return leases.renew(txn, *lease, lease->expires, *lease->last_renewal);
    });
  }
};

TEST_CASE_FIXTURE(LeaseRecord, "lease record: the first form is read, and written as it was") {
  store_bytes(std::string(kFirstForm));
  const auto lease = load();
  REQUIRE(lease.ok());
  REQUIRE(lease->has_value());
  CHECK((*lease)->state == Lease::State::active);
  CHECK((*lease)->account == "v-test01-app-0123456789");
  CHECK((*lease)->revocation_statements == std::vector<std::string>{"SELECT 1"});
  CHECK((*lease)->expires.seconds() == 1'700'003'600);
  CHECK((*lease)->max_ttl == Seconds{86400});
  CHECK((*lease)->request_id == "request");
  REQUIRE(change([](Lease&) {}).ok());
  CHECK(stored_bytes() == kFirstForm);
}

TEST_CASE_FIXTURE(LeaseRecord, "lease record: what the first form did not have stands behind it") {
  store_bytes(std::string(kFirstForm));
  REQUIRE(change([](Lease& lease) { lease.handle = "17@42"; }).ok());
  CHECK(stored_bytes() == std::string(kFirstForm) + "81" + "00000005" + "3137403432");
  CHECK((*load())->handle == "17@42");
}

TEST_CASE_FIXTURE(LeaseRecord, "lease record: so does what a batch token adds") {
  store_bytes(std::string(kFirstForm));
  const auto add = [](Lease& lease) {
    lease.batch_ends = WallTime{0x1234};
    lease.batch_mount = "ab";
  };
  REQUIRE(change(add).ok());
  CHECK(stored_bytes() == std::string(kFirstForm) + "03" + "00000008" + "0000000000001234" + "04" +
                              "00000002" + "6162");
  CHECK((*load())->batch_ends == WallTime{0x1234});
  CHECK((*load())->batch_mount == "ab");
}

TEST_CASE_FIXTURE(LeaseRecord, "lease record: ids of earlier versions have a digit more, a 0") {
  const std::string path = "database/creds/app/";
  CHECK(leases.id_of(path + "0123456789012345678901234").has_value());
  CHECK(leases.id_of(path + "123456789012345678901234").has_value());
  CHECK_FALSE(leases.id_of(path + "1123456789012345678901234").has_value());
  CHECK_FALSE(leases.id_of("123456789012345678901234").has_value());
}

TEST_CASE_FIXTURE(LeaseRecord, "lease record: what a later version added stays") {
  store_bytes(std::string(kFirstForm) + "7e" + "00000002" + "beef");
  REQUIRE(load().ok());
  REQUIRE(change([](Lease& lease) { lease.handle = "17@42"; }).ok());
  CHECK(stored_bytes() ==
        std::string(kFirstForm) + "81" + "00000005" + "3137403432" + "7e" + "00000002" + "beef");
}

TEST_CASE_FIXTURE(LeaseRecord, "lease record: what a later version calls critical is not touched") {
  store_bytes(std::string(kFirstForm) + "fe" + "00000001" + "00");
  const auto lease = load();
  REQUIRE_FALSE(lease.ok());
  CHECK(lease.error().detail.find("a later version") != std::string::npos);
}

TEST_CASE_FIXTURE(LeaseRecord, "lease record: damage behind the fixed part is damage") {
  for (const char* behind : {"00", "7e00000002be", "7effffffffbeef"}) {
    CAPTURE(behind);
    store_bytes(std::string(kFirstForm) + behind);
    CHECK_FALSE(load().ok());
  }
}

// Whoever changes a lease as it was read before does not undo what was changed since.
TEST_CASE_FIXTURE(LeaseRecord, "lease record: what is written rests on the version that was read") {
  store_bytes(std::string(kFirstForm));
  Lease before = **load();
  REQUIRE(change([](Lease& lease) { lease.handle = "17@42"; }).ok());
  const auto renewed = [&](WriteTxn& txn) {
    return leases.renew(txn, before, before.expires, *before.last_renewal);
  };
  const auto finished = [&](WriteTxn& txn) { return leases.finish(txn, before, {}, {}); };
  CHECK(write(renewed).is(Code::conflict));
  CHECK(write(finished).is(Code::conflict));
  CHECK((*load())->handle == "17@42");
}

// The last lease of a path takes the path's name along, unless another came meanwhile.
TEST_CASE_FIXTURE(LeaseRecord, "lease record: a path keeps its name for a lease that comes") {
  const auto pending = [&](WriteTxn& txn, std::uint8_t byte) {
    Lease lease;
    lease.id.fill(byte);
    lease.lease_id = "test/creds/ro/" + std::string(25, static_cast<char>('a' + byte));
    return leases.write_pending(txn, lease);
  };
  const auto revoking = [&](WriteTxn& txn) -> Status {
    VAULT_TRY_ASSIGN(auto lease, leases.load(txn, barrier::OrderedId{}));
    return leases.start_revoking(txn, *lease, {});
  };
  const auto finished = [&](WriteTxn& txn) -> Status {
    VAULT_TRY_ASSIGN(auto lease, leases.load(txn, barrier::OrderedId{}));
    VAULT_TRY(leases.finish(txn, *lease, {}, {}));
    CHECK(write([&](WriteTxn& other) { return pending(other, 1); }).ok());
    return {};
  };
  REQUIRE(write([&](WriteTxn& txn) { return pending(txn, 0); }).ok());
  REQUIRE(write(revoking).ok());
  CHECK(write(finished).is(Code::conflict));
}

}  // namespace
}  // namespace leasehold::core
