// What ends many at once goes on whatever one record weighs, whatever one job meets, and however
// much else is there.

#include <doctest/doctest.h>

#include "tests/support/faulty_world.h"
#include "vault/core/authority/indexes.h"
#include "vault/core/authority/owned.h"

using namespace leasehold;
using testing::Answer;
using testing::TestVault;

namespace {

constexpr std::size_t kLarge = 530'000;  // two of them are more than a batch

std::string body(const std::string& name, const std::string& value) {
  Json fields = Json::object();
  fields.set(name, value);
  return fields.dump();
}

struct SweptVault : TestVault {
  SweptVault() { role(R"({"ttl":"1h"})"); }
  std::string lease(const std::string& token) {
    const Answer creds = get("test/creds/ro", token);
    REQUIRE(creds.status() == 200);
    return creds.response().lease_id;
  }
  void revoke(const std::string& token) {
    REQUIRE(post("auth/token/revoke", root(), body("token", token)).status() == 204);
  }
  // Straight into storage, as an earlier version wrote it.
  void write(FunctionRef<void(core::Unsealed&, commit::WriteTxn&)> fill) {
    read([&](core::Unsealed& live, commit::ReadTxn& look) {
      commit::Batch batch({}, commit::Unrecorded{"a test"});
      commit::WriteTxn txn(look.snapshot(), live.barrier, barrier::kCoreSpace, batch);
      fill(live, txn);
      REQUIRE(live.committer.commit(batch).status().ok());
      return true;
    });
  }
  // As many more leases of the same account, with statements of this size.
  void copy_lease(const std::string& lease_id, int times, std::size_t size) {
    for (int i = 0; i < times; ++i)
      write([&](core::Unsealed& live, commit::WriteTxn& txn) {
        commit::ReadTxn look(txn.snapshot(), txn.barrier(), txn.space());
        core::Lease lease = **live.leases.find(look, lease_id);
        lease.mod = 0;
        lease.revocation_statements = {std::string(size, 'x')};
        live.leases.name(lease, lease.path(), lease.issued, world().random);
        REQUIRE(live.leases.write_pending(txn, lease).ok());
      });
  }
  void wrap(int times, Seconds ttl) {
    constexpr int kInBatch = 20;
    for (int done = 0; done < times; done += kInBatch)
      write([&](core::Unsealed& live, commit::WriteTxn& txn) {
        for (int i = 0; i < kInBatch; ++i) {
          core::Token wrapping;
          wrapping.created = world().clock.now();
          wrapping.expires = add(wrapping.created, ttl);
          wrapping.wrapping = true;
          wrapping.num_uses = 1;
          REQUIRE(live.tokens.create(txn, wrapping, "", false).ok());
        }
      });
  }
  bool no_job_left() {
    return eventually([&] { return count(barrier::Table::job) == 0; });
  }
};

}  // namespace

TEST_CASE_FIXTURE(SweptVault, "sweeps: a token's leases end, however large their records are") {
  const std::string text = token(R"({"policies":["root"]})");
  copy_lease(lease(text), 12, kLarge);
  revoke(text);
  CHECK(no_job_left());
  CHECK(as_time_passes([&] { return count(barrier::Table::lease) == 0; }));
  CHECK(server()->accounts().empty());
  CHECK(verifies());
}

TEST_CASE_FIXTURE(SweptVault, "sweeps: children become orphans, however large their records are") {
  policy("p", R"(path "auth/token/create" { capabilities = ["update"] }
                 path "test/creds/*" { capabilities = ["read"] })");
  const std::string parent = token(R"({"policies":["p"]})");
  lease(parent);
  std::vector<std::string> children;
  for (int i = 0; i < 12; ++i) children.push_back(token("{}", parent));
  for (const std::string& child : children)
    write([&](core::Unsealed& live, commit::WriteTxn& txn) {
      const core::Token before = **live.tokens.load(txn, live.tokens.id_of(child));
      core::Token after = before;
      after.bound_cidrs.assign(20'000, "0.0.0.0/0");
      REQUIRE(live.tokens.update(txn, before, after).ok());
    });
  const Answer more = post("auth/token/create", children[0]);
  CHECK(more.status() == 400);
  CHECK(more.error().find("networks that a token is bound to") != std::string::npos);
  REQUIRE(post("auth/token/revoke-orphan", root(), body("token", parent)).status() == 204);
  CHECK(no_job_left());
  CHECK(as_time_passes([&] { return server()->accounts().empty(); }));
  for (const std::string& child : children) {
    const Answer shown = post("auth/token/lookup", root(), body("token", child));
    CHECK(shown.data().bool_at("orphan"));
  }
}

TEST_CASE_FIXTURE(SweptVault,
                  "sweeps: jobs that cannot go on hold up no other, and are not tried "
                  "again at once") {
  for (int i = 0; i < 66; ++i)
    write([&](core::Unsealed&, commit::WriteTxn& txn) {
      const auto id = world().random.take<sizeof(barrier::OrderedId)>();
      const std::uint8_t damaged[] = {1, 2, 3};
      REQUIRE(txn.put(core::cubbyhole_key(id), "", damaged).ok());
      REQUIRE(txn.mark(core::job_key(world().clock.now(), id)).ok());
    });
  advance(Seconds{1});
  const std::string text = token(R"({"policies":["root"]})");
  lease(text);
  revoke(text);
  CHECK(eventually([&] { return server()->accounts().empty(); }));
  CHECK(eventually([&] { return count(barrier::Table::job) == 66; }));
  const auto tried = [&] {
    const std::string log = world().log.text(), words = "cubbyhole record is damaged";
    std::size_t times = 0;
    for (auto at = log.find(words); at != log.npos; at = log.find(words, at + 1)) ++times;
    return times;
  };
  REQUIRE(eventually([&] { return tried() >= 66; }));
  const std::size_t before = tried();
  revoke(token("{}"));  // passes go on meanwhile
  CHECK(eventually([&] { return count(barrier::Table::job) == 66; }));
  CHECK(tried() == before);
  CHECK(as_time_passes([&] { return tried() > before; }));
}

TEST_CASE_FIXTURE(SweptVault, "sweeps: a role whose leases would carry too much issues none") {
  role(R"({"ttl":"1h","revoked_by":")" + std::string(65'536, 'x') + "\"}");
  CHECK(get("test/creds/ro", root()).status() == 200);
  role(R"({"ttl":"1h","revoked_by":")" + std::string(65'537, 'x') + "\"}");
  const Answer refused = get("test/creds/ro", root());
  CHECK(refused.status() == 400);
  CHECK(refused.error().find("can have at most 65536") != std::string::npos);
  CHECK(server()->accounts().size() == 1);
}

TEST_CASE_FIXTURE(SweptVault, "sweeps: a lease whose token is dead is not renewed") {
  const std::string text = token(R"({"policies":["root"],"ttl":"1h"})");
  const std::string id = lease(text);
  const std::string asked = body("lease_id", id);
  CHECK(post("sys/leases/renew", root(), asked).status() == 200);
  write([&](core::Unsealed& live, commit::WriteTxn& txn) {  // its sweep does not come to it
    REQUIRE(txn.erase(live.tokens.key_of(live.tokens.id_of(text))).ok());
  });
  const Answer refused = post("sys/leases/renew", root(), asked);
  CHECK(refused.status() == 400);
  CHECK(refused.error() == "lease not found");
}

// A pass that says there is more is followed by the next at once.
TEST_CASE_FIXTURE(SweptVault, "sweeps: a walk over all tokens does not wait between its parts") {
  wrap(3000, Seconds{3600});
  const std::string text = token(R"({"ttl":"1h"})");
  core::Revoker& revoker = *read([](core::Unsealed& live, commit::ReadTxn&) {
    live.revoker->stop();
    return live.revoker.get();
  });
  advance(Seconds{1});
  const std::string path = "sys/leases/revoke-prefix/auth/token";
  REQUIRE(post(path, root(), R"({"sync":false})").status() == 202);
  int passes = 0;
  while (revoker.tick(world().clock.now())) ++passes;
  CHECK(passes >= 6);  // two walks of four parts, the last of each of which finds the end
  CHECK(count(barrier::Table::job) == 0);
  CHECK(get("auth/token/lookup-self", text).status() == 403);
}

TEST_CASE_FIXTURE(SweptVault, "sweeps: leases that are due do not wait for tokens that are") {
  wrap(6000, Seconds{1});
  role(R"({"ttl":"2s"})");
  lease(root());
  std::atomic<std::size_t> left{0};
  server()->at("revoke", [&] { left = count(barrier::Table::token); });
  advance(Seconds{3});
  CHECK(eventually([&] { return server()->accounts().empty(); }));
  CHECK(left > 100);  // it is among the first to end
  CHECK(eventually([&] { return count(barrier::Table::token) == 1; }));
  CHECK(verifies());
}

// More than a pass looks at in its two halves: entries of tokens that are gone stand for them.
TEST_CASE_FIXTURE(SweptVault, "sweeps: a lease is found behind any number of tokens that are due") {
  constexpr int kInBatch = 90, kBatches = 700;
  const auto due = add(world().clock.now(), Seconds{1});
  for (int done = 0; done < kBatches; ++done)
    write([&](core::Unsealed&, commit::WriteTxn& txn) {
      for (int i = 0; i < kInBatch; ++i)
        REQUIRE(txn.mark(core::expiry_key(due, barrier::Table::token,
                                          world().random.take<sizeof(barrier::OrderedId)>()))
                    .ok());
    });
  role(R"({"ttl":"2s"})");
  lease(root());
  std::atomic<std::size_t> left{0};
  server()->at("revoke", [&] { left = count(barrier::Table::expiry); });
  advance(Seconds{3});
  CHECK(eventually([&] { return server()->accounts().empty(); }));
  CHECK(left > kInBatch * kBatches / 4 * 3);  // it is among the first to end
}

TEST_CASE_FIXTURE(SweptVault,
                  "sweeps: the lanes of a removed mount hold up nothing while they stop") {
  constexpr int kHung = 6;
  REQUIRE(post("sys/mounts/other", root(), R"({"type":"test"})").status() == 204);
  std::vector<TestVault::Waiting> waiting;
  for (int i = 0; i < kHung; ++i) {
    const std::string name = "hung" + std::to_string(i);
    server(name)->hang("connect");
    REQUIRE(post("other/roles/" + name, root(), body("target", name)).status() == 204);
    waiting.push_back(begin("GET", "other/creds/" + name, root()));
    REQUIRE(eventually([&] { return server(name)->inside("connect") > 0; }));
  }
  const std::string text = token(R"({"policies":["root"]})");
  lease(text);
  const std::size_t lanes = targets();
  REQUIRE(remove("sys/mounts/other", root()).status() == 204);
  REQUIRE(eventually([&] { return targets() < lanes; }));
  revoke(text);
  CHECK(eventually([&] { return server()->accounts().empty(); }));
  // The hung ones have not stopped yet.
  CHECK(read([](core::Unsealed& live, commit::ReadTxn&) {
          return live.revoker->stopping_lanes();
        }) == kHung);
  for (int i = 0; i < kHung; ++i) server("hung" + std::to_string(i))->release_all();
  for (const auto& one : waiting) wait(one);
}
