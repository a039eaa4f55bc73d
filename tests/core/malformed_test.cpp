// Whatever bytes storage returns are parsed, never asserted on.

#include <doctest/doctest.h>

#include "tests/support/test_vault.h"

using namespace leasehold;
using barrier::PhysicalKey;
using barrier::Table;
using testing::TestVault;
using testing::TestWorld;

namespace {

constexpr Table kTables[] = {Table::seal,        Table::value,      Table::name,   Table::counter,
                             Table::revision,    Table::token,      Table::child,  Table::lease,
                             Table::lease_owner, Table::lease_path, Table::expiry, Table::due,
                             Table::receipt,     Table::job};

Bytes random_bytes(Random& random, std::size_t size) {
  Bytes bytes(size);
  random.fill(bytes);
  return bytes;
}

// Through the committer, as by somebody who can write rows.
void write(TestVault& vault, FunctionRef<void(core::Unsealed&, commit::WriteTxn&)> body) {
  vault.read([&](core::Unsealed& live, commit::ReadTxn& txn) {
    commit::Batch batch({}, commit::Unrecorded{"a test"});
    commit::WriteTxn own(txn.snapshot(), live.barrier, barrier::kCoreSpace, batch);
    body(live, own);
    CHECK(live.committer.commit(batch).status().ok());
    return true;
  });
}

// Everything that reads tables: passes, lists, look-ups, a restart.
void look_everywhere(TestVault& vault) {
  vault.advance(Seconds{60});
  vault.read([](core::Unsealed& live, commit::ReadTxn&) {
    live.revoker->wake();
    return true;
  });
  for (const char* path : {"sys/leases/lookup", "auth/token/accessors", "sys/policies/acl",
                           "test/notes", "sys/leases/lookup/test/creds/ro"})
    CHECK(vault.list(path, vault.root()).status() != 0);
  CHECK(vault.get("sys/mounts", vault.root()).status() == 200);
  CHECK(vault.get("sys/leases?type=irrevocable", vault.root()).status() != 0);
  vault.verifies();
}

// A lease ends although its tables are full of foreign bytes.
void check_revokes(TestVault& vault) {
  vault.role(R"({"ttl":"1h"})");
  REQUIRE(vault.get("test/creds/ro", vault.root()).status() == 200);
  CHECK(
      vault.as_time_passes([&] { return vault.server()->accounts().empty(); }, Nanos(Seconds{60})));
}

}  // namespace

TEST_CASE("malformed: no key of any table, of any length, ends the vault or holds up a lease") {
  TestWorld world;
  {
    TestVault vault(world);
    for (const Table table : kTables) {
      for (const std::size_t size :
           {1U, 2U, 6U, 7U, 8U, 21U, 22U, 23U, 29U, 30U, 40U, 41U, 45U, 63U, 64U, 90U, 120U}) {
        if (table == Table::seal || (table == Table::revision && size == 1)) continue;
        write(vault, [&](core::Unsealed&, commit::WriteTxn& txn) {
          Bytes key = random_bytes(world.random, size);
          key[0] = static_cast<std::uint8_t>(table);
          if (size > 1) key[1] = 0;  // in the past
          txn.changes().storage.put(key, random_bytes(world.random, size));
        });
      }
    }
    look_everywhere(vault);
    check_revokes(vault);
  }
  TestVault again(world);
  look_everywhere(again);
}

TEST_CASE("malformed: no value under a good key, sealed or not, ends the vault") {
  TestWorld world;
  TestVault vault(world);
  vault.role(R"({"ttl":"1h"})");
  for (int round = 0; round < 60; ++round) {
    const auto id = world.random.take<barrier::kOrderedIdSize>();
    const std::size_t size = static_cast<std::size_t>(round) * 3;
    for (const Table table : {Table::token, Table::lease, Table::receipt, Table::job}) {
      write(vault, [&](core::Unsealed&, commit::WriteTxn& txn) {
        PhysicalKey key(table);
        if (table == Table::job) key.push_be(1, barrier::kMillisSize);
        key.push(id);
        if (round % 2 == 0)
          return txn.changes().storage.put(key.view(), random_bytes(world.random, size));
        CHECK(txn.put(key, {}, random_bytes(world.random, size)).ok());
      });
    }
    write(vault, [&](core::Unsealed&, commit::WriteTxn& txn) {
      for (const Table table : {Table::token, Table::lease}) {
        PhysicalKey entry(Table::expiry);
        entry.push_be(1, barrier::kMillisSize);
        entry.push(static_cast<std::uint8_t>(table));
        entry.push(id);
        CHECK(txn.mark(entry).ok());
      }
      CHECK(txn.put("core/" + std::to_string(round), random_bytes(world.random, size)).ok());
      CHECK(txn.put("mounts/" + std::to_string(round), random_bytes(world.random, size)).ok());
      CHECK(txn.put("policies/" + std::to_string(round), random_bytes(world.random, size)).ok());
    });
  }
  look_everywhere(vault);
  check_revokes(vault);
}
