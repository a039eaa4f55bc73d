// Records that were damaged in storage: each stops what depends on it, and nothing else.

#include <doctest/doctest.h>

#include "tests/support/test_vault.h"
#include "vault/base/encoding.h"

using namespace leasehold;
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
      commit::Batch batch;
      commit::WriteTxn txn(**held, live->barrier, barrier::kCoreSpace, batch);
      body(*live, txn);
      REQUIRE(live->committer.commit(batch).status().ok());
    }
    lifecycle().leave();
  }
  void damage(const barrier::PhysicalKey& key) {
    write([&](core::Unsealed&, commit::WriteTxn& txn) {
      txn.batch().storage.put(key.view(), as_bytes(kGarbage));
      REQUIRE(core::Registry::bump(txn).ok());
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
      REQUIRE(core::Registry::bump(txn).ok());
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
