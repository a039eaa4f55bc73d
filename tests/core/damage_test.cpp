// Records that were damaged in storage: each stops what depends on it, and nothing else.

#include <doctest/doctest.h>

#include "tests/support/test_vault.h"
#include "vault/base/encoding.h"
#include "vault/core/authority/indexes.h"

using namespace leasehold;
using testing::Answer;
using testing::TestVault;

namespace {

constexpr std::string_view kGarbage =
    "sixty-four bytes that were never sealed by any barrier whatsoever";

struct DamagedVault : TestVault {
  // Writes past every check, as a bad disk would.
  template <class Body>
  void write(Body body) {
    core::Unsealed* live = lifecycle().enter();
    REQUIRE(live != nullptr);
    {
      auto held = live->snapshots.take();
      REQUIRE(held.ok());
      commit::Batch batch({}, commit::Unrecorded{"a test"});
      commit::WriteTxn txn(**held, live->barrier, barrier::kCoreSpace, batch);
      body(*live, txn);
      REQUIRE(live->committer.commit(batch).status().ok());
    }
    lifecycle().leave();
  }
  void damage(const barrier::PhysicalKey& key) {
    write([&](core::Unsealed&, commit::WriteTxn& txn) {
      txn.changes().storage.put(key.view(), as_bytes(kGarbage));
      REQUIRE(core::Mounts::bump_mounts(txn).ok());
    });
  }
  std::size_t logged(const std::string& text) {
    std::size_t count = 0;
    const std::string log = world().log.text();
    for (auto at = log.find(text); at != log.npos; at = log.find(text, at + 1)) ++count;
    return count;
  }
};

}  // namespace

TEST_CASE_FIXTURE(DamagedVault, "damage: a token that cannot be read is not revoked ever again") {
  const std::string text = token(R"({"ttl":"1h"})"), intact = token(R"({"ttl":"1h"})");
  const auto id_of = [&](const std::string& one) {
    return read([&](core::Unsealed& live, commit::ReadTxn&) { return live.tokens.id_of(one); });
  };
  const auto ask = [&](const std::string& one) {
    const auto id = id_of(one);
    read([&](core::Unsealed& live, commit::ReadTxn&) {
      live.revoker->revoke_token_soon(id);
      return true;
    });
  };
  damage(read([&](core::Unsealed& live, commit::ReadTxn&) {
    return live.tokens.key_of(live.tokens.id_of(text));
  }));
  ask(text);
  CHECK(eventually([&] { return logged("the token record") == 1; }));
  ask(intact);
  CHECK(eventually([&] { return get("auth/token/lookup-self", intact).status() == 403; }));
  CHECK(logged("background work failed") == 0);
  CHECK(logged("the token record") == 1);
}

TEST_CASE_FIXTURE(DamagedVault, "damage: a policy that cannot be read denies everything") {
  policy("keeps-out", R"(path "test/notes/secret" { capabilities = ["deny"] })");
  policy("allows", R"(path "test/*" { capabilities = ["read", "create", "update"] })");
  policy("repairs", R"(path "sys/policies/acl/*" { capabilities = ["create", "update"] })");
  const std::string both = token(R"({"policies":["keeps-out","allows"]})");
  const std::string intact = token(R"({"policies":["allows"]})");
  const std::string repairs = token(R"({"policies":["repairs"]})");
  REQUIRE(post("test/notes/secret", root(), R"({"x":1})").status() == 204);
  REQUIRE(get("test/notes/secret", both).status() == 403);
  REQUIRE(get("test/notes/other", both).status() == 404);

  const std::string record = "policies/" + hex(as_bytes("keeps-out"));
  SUBCASE("its text") {
    write([&](core::Unsealed&, commit::WriteTxn& txn) {
      REQUIRE(core::put_policy(txn, "keeps-out", "path \"test/notes", {}).ok());
    });
  }
  SUBCASE("its record") {
    write([&](core::Unsealed&, commit::WriteTxn& txn) {
      REQUIRE(txn.put(record, as_bytes("no JSON")).ok());
      REQUIRE(core::Mounts::bump_mounts(txn).ok());
    });
  }
  SUBCASE("its ciphertext") {
    damage(read([&](core::Unsealed& live, commit::ReadTxn&) {
      return live.barrier.value_key(barrier::kCoreSpace, record);
    }));
  }
  for (const char* path : {"test/notes/secret", "test/notes/other", "auth/token/lookup-self"})
    CHECK(get(path, both).status() == 403);
  CHECK(request("HELP", "test/notes/other", both).status() == 403);
  CHECK(get("sys/internal/ui/mounts/test", intact).status() == 200);
  CHECK(get("sys/internal/ui/mounts/test", both).status() == 403);
  CHECK(post("sys/capabilities", root(), R"({"token":")" + both + R"(","path":"test/notes/a"})")
            .data()
            .strings_at("capabilities") == std::vector<std::string>{"deny"});
  CHECK(get("test/notes/secret", intact).status() == 200);
  CHECK(get("test/notes/secret", root()).status() == 200);
  policy("another", R"(path "x" { capabilities = ["read"] })");  // compiles everything anew
  CHECK(get("test/notes/secret", both).status() == 403);
  CHECK(logged("policy keeps-out can no longer be read") == 1);

  const char* repaired = R"({"policy":"path \"test/notes/secret\" { capabilities = [\"deny\"] }"})";
  CHECK(post("sys/policies/acl/keeps-out", repairs, repaired).status() == 204);
  CHECK(get("test/notes/secret", both).status() == 403);
  CHECK(get("test/notes/other", both).status() == 404);
}

namespace {

struct LeasedVault : DamagedVault {
  LeasedVault() { role(R"({"ttl":"1h"})"); }
  std::string lease(const std::string& by) {
    const auto creds = get("test/creds/ro", by);
    REQUIRE(creds.status() == 200);
    return creds.response().lease_id;
  }
  barrier::PhysicalKey key_of(const std::string& lease_id) {
    return read([&](core::Unsealed& live, commit::ReadTxn&) {
      return core::lease_key(*live.leases.id_of(lease_id));
    });
  }
  bool ends(std::size_t accounts_left) {
    return as_time_passes([&] { return server()->accounts().size() == accounts_left; });
  }
  static constexpr const char* kReported = "is damaged and is left as it is";
};

}  // namespace

TEST_CASE_FIXTURE(LeasedVault,
                  "damage: leases that cannot be read do not keep others from expiring") {
  constexpr std::size_t kDamaged = 70;  // more than one pass takes
  std::vector<std::string> leases;
  for (std::size_t i = 0; i < kDamaged; ++i) leases.push_back(lease(root()));
  advance(Seconds{1});
  lease(root());
  for (const std::string& one : leases) damage(key_of(one));
  advance(Seconds{3601});
  CHECK(ends(kDamaged));
  CHECK(logged(kReported) == kDamaged);
  CHECK(as_time_passes([&, left = 20]() mutable { return --left == 0; }));
  CHECK(logged(kReported) == kDamaged);  // once each
  CHECK(count(barrier::Table::lease) == kDamaged);
}

TEST_CASE_FIXTURE(LeasedVault, "damage: a lease that cannot be read does not hold up its target") {
  const std::string first = lease(root()), second = lease(root());
  server()->down(true);
  for (const std::string& one : {first, second}) {
    post("sys/leases/revoke", root(), R"({"sync":false,"lease_id":")" + one + R"("})");
    advance(Seconds{1});
  }
  damage(key_of(first));
  seal();
  REQUIRE(unseal().status() == 200);
  server()->down(false);
  CHECK(ends(1));
  const std::size_t reported = logged(kReported);  // the first run may have met it, to its very end
  CHECK(reported >= 1);
  CHECK(reported <= 2);
}

TEST_CASE_FIXTURE(LeasedVault, "damage: what hangs below a token goes around what cannot be read") {
  const std::string parent = token(R"({"ttl":"10h"})");
  const std::string child = token(R"({"ttl":"10h"})", parent);
  const std::string damaged = lease(parent);
  lease(parent);
  lease(child);
  damage(key_of(damaged));
  damage(read([&](core::Unsealed& live, commit::ReadTxn&) {
    return live.tokens.key_of(live.tokens.id_of(child));
  }));
  CHECK(post("auth/token/revoke", root(), R"({"token":")" + parent + R"("})").status() == 204);
  CHECK(ends(1));
  CHECK(eventually([&] { return count(barrier::Table::job) == 0; }));
  CHECK(get("test/notes/a", child).status() != 200);
}

TEST_CASE_FIXTURE(LeasedVault, "damage: jobs and prefixes go around what cannot be read") {
  const std::string damaged = lease(root());
  lease(root());
  damage(key_of(damaged));
  damage(core::job_key(add(world().clock.now(), -Nanos(Seconds{1})), barrier::OrderedId{7}));
  CHECK(post("sys/leases/revoke-prefix/test/", root(), R"({"sync":false})").status() == 202);
  CHECK(ends(1));
  CHECK(eventually([&] { return count(barrier::Table::job) == 1; }));
  CHECK(logged("the job record") == 1);
}

TEST_CASE_FIXTURE(LeasedVault, "damage: a list of leases leaves out what cannot be read") {
  const std::string damaged = lease(root()), intact = lease(root());
  damage(key_of(damaged));
  const Answer listed = list("sys/leases/lookup/test/creds/ro", root());
  CHECK(listed.data().strings_at("keys") ==
        std::vector<std::string>{intact.substr(intact.rfind('/') + 1)});
}

namespace {

struct MountedVault : DamagedVault {
  MountedVault() {
    REQUIRE(post("sys/mounts/other", root(), R"({"type":"test"})").status() == 204);
    REQUIRE(post("other/notes/a", root(), R"({"x":1})").status() == 204);
    REQUIRE(post("test/notes/a", root(), R"({"x":1})").status() == 204);
  }
  std::string record_of(const std::string& path) {
    return "mounts/" + get("sys/mounts/" + path, root()).data().string_at("uuid");
  }
  void damage_record(const std::string& name, bool of_name) {
    damage(read([&](core::Unsealed& live, commit::ReadTxn& txn) {
      const auto value = live.barrier.value_key(barrier::kCoreSpace, name);
      const auto found = txn.snapshot().get(value.view());
      REQUIRE(found.ok());
      REQUIRE(found->has_value());
      return of_name ? barrier::name_of(value, barrier::name_order((*found)->value)) : value;
    }));
  }
};

}  // namespace

TEST_CASE_FIXTURE(MountedVault, "damage: a mount that cannot be read is away, all others work") {
  damage_record(record_of("other"), false);
  CHECK(get("other/notes/a", root()).status() == 404);
  CHECK(get("test/notes/a", root()).status() == 200);
  CHECK(logged("a mount record is damaged") == 1);
  seal();
  REQUIRE(unseal().status() == 200);
  CHECK(get("test/notes/a", root()).status() == 200);
}

TEST_CASE_FIXTURE(MountedVault, "damage: a mount is found without the record of its name") {
  damage_record(record_of("other"), true);
  CHECK(get("other/notes/a", root()).status() == 200);
}

TEST_CASE_FIXTURE(MountedVault, "damage: the vault's own mounts are there whatever was damaged") {
  const std::string sys = record_of("sys");
  const std::string tokens = "mounts/" + get("sys/auth/token", root()).data().string_at("uuid");
  damage_record(sys, false);
  damage_record(tokens, false);
  CHECK(get("sys/mounts", root()).status() == 200);
  CHECK(get("auth/token/lookup-self", root()).status() == 200);
}

TEST_CASE_FIXTURE(MountedVault, "damage: a deny whose very name is lost still denies") {
  policy("keeps-out", R"(path "test/notes/a" { capabilities = ["deny"] })");
  policy("allows", R"(path "test/*" { capabilities = ["read"] })");
  const std::string both = token(R"({"policies":["keeps-out","allows"]})");
  const std::string intact = token(R"({"policies":["allows"],"no_default_policy":true})");
  REQUIRE(get("test/notes/a", both).status() == 403);
  for (const bool of_name : {true, false})
    damage_record("policies/" + hex(as_bytes("keeps-out")), of_name);
  CHECK(get("test/notes/a", both).status() == 403);
  CHECK(get("test/notes/a", intact).status() == 200);
  CHECK(get("test/notes/a", root()).status() == 200);
}

TEST_CASE_FIXTURE(LeasedVault,
                  "damage: the settings of a removed mount stay while a lease cannot be read") {
  const std::string damaged = lease(root());
  lease(root());
  const barrier::PhysicalKey key = key_of(damaged);
  const core::TargetId id{'d', 'b'};
  const auto space = read([](core::Unsealed& live, commit::ReadTxn& txn) {
    return (*live.mounts.at(txn))->mounts.at("test/")->info.space;
  });
  const auto settings = [&] {
    return read([&](core::Unsealed&, commit::ReadTxn& txn) {
      return txn.in(space).get("targets/" + hex(id))->has_value();
    });
  };
  write([&](core::Unsealed&, commit::WriteTxn& txn) {
    REQUIRE(txn.in(space).put("targets/" + hex(id), as_bytes("how to reach it")).ok());
  });
  const std::string record = read([&](core::Unsealed&, commit::ReadTxn& txn) {
    return std::string(as_text((*txn.snapshot().get(key.view()))->value));
  });
  damage(key);
  remove("sys/mounts/test", root());
  CHECK(ends(1));
  CHECK(eventually([&] { return logged("keeps the settings of its targets") == 1; }));
  CHECK(as_time_passes([&, left = 20]() mutable { return --left == 0; }));
  CHECK(settings());
  write([&](core::Unsealed&, commit::WriteTxn& txn) {
    txn.changes().storage.put(key.view(), as_bytes(record));
  });
  CHECK(as_time_passes([&] { return server()->accounts().empty(); }, Nanos(Seconds{5})));
  CHECK(as_time_passes([&] { return !settings(); }));
  CHECK(logged("keeps the settings of its targets") == 1);
}
