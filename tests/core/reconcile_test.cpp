// What a target holds is compared with the leases, by an operator and now and then by the vault.
#include <doctest/doctest.h>

#include "tests/support/test_vault.h"
#include "vault/base/encoding.h"

using namespace leasehold;
using testing::AccountServer;
using testing::Answer;
using testing::TestVault;
using testing::TestWorld;

namespace {

constexpr std::string_view kId = "0123456789abcdefghij";

// A vault whose target has settings on record, as an engine keeps them, and a role on it.
struct SweptVault : TestVault {
  explicit SweptVault(TestWorld& world) : TestVault(world) {
    role(R"({"ttl":"1h"})");
    know("db");
  }
  // Its settings are on record.
  void know(const std::string& name) {
    read([&](core::Unsealed& live, commit::ReadTxn& txn) {
      Bytes id(8);
      std::copy(name.begin(), name.end(), id.begin());
      const auto space = (*live.mounts.at(txn))->mounts.at("test/")->info.space;
      commit::Changes changes;
      commit::WriteTxn own(txn.snapshot(), live.barrier, space, changes);
      REQUIRE(own.put("targets/" + hex(id), as_bytes(name)).ok());
      const commit::Batch batch(std::move(changes), commit::Unrecorded{"a test"});
      REQUIRE(live.committer.commit(batch).status().ok());
      return true;
    });
  }
  std::string prefix() {
    return read([](core::Unsealed& live, commit::ReadTxn&) {
      return target::account_prefix(live.revoker->tag());
    });
  }
  std::string orphan(const std::string& role = "ro") {
    const std::string name = prefix() + role + "-" + std::string(kId);
    server()->add(name);
    return name;
  }
  std::string creds() {
    const Answer answer = get("test/creds/ro", root());
    REQUIRE(answer.status() == 200);
    return answer.data().string_at("username");
  }
  Answer reconcile(const std::string& body = "{}") {
    return post("sys/leases/reconcile/test", root(), body);
  }
  static Json target_of(const Answer& answer) {
    REQUIRE(answer.status() == 200);
    return answer.data().find("targets")->items().front();
  }
  bool on_record(std::string_view text) {
    return world().audit_text().find(text) != std::string::npos;
  }
};

struct Swept {
  TestWorld world;
  std::optional<SweptVault> vault;
  Swept() { vault.emplace(world); }
};

}  // namespace

TEST_CASE_FIXTURE(Swept, "reconcile: accounts on leases are in both, and nothing is touched") {
  vault->creds();
  vault->creds();
  const Json target = SweptVault::target_of(vault->reconcile(R"({"fix":true})"));
  CHECK(target.integer_at("in_both") == 2);
  CHECK(target.strings_at("only_at_target").empty());
  CHECK(target.find("only_in_leases")->items().empty());
  CHECK(vault->server()->accounts().size() == 2);
}

TEST_CASE_FIXTURE(Swept, "reconcile: an account without a lease is told, and with fix it is gone") {
  const std::string kept = vault->creds(), orphan = vault->orphan();
  const Json seen = SweptVault::target_of(vault->reconcile());
  CHECK(seen.strings_at("only_at_target") == std::vector<std::string>{orphan});
  CHECK(seen.integer_at("in_both") == 1);
  CHECK(vault->server()->accounts() == std::set<std::string>{kept, orphan});
  CHECK_FALSE(vault->on_record("account-without-lease"));
  SweptVault::target_of(vault->reconcile(R"({"fix":true})"));
  CHECK(vault->server()->accounts() == std::set<std::string>{kept});
  CHECK(vault->on_record("account-without-lease"));
  CHECK(vault->on_record("\"lease-revoked\""));
  CHECK_FALSE(vault->on_record("account-missing"));
  CHECK(SweptVault::target_of(vault->reconcile()).strings_at("only_at_target").empty());
  CHECK(vault->count(barrier::Table::lease) == 1);
  CHECK(vault->verifies());
}

TEST_CASE_FIXTURE(Swept, "reconcile: a target that is being listed holds no vault open") {
  vault->server()->hang("list");
  const auto waiting = vault->begin("POST", "sys/leases/reconcile/test", vault->root(), "{}");
  REQUIRE(TestVault::eventually([&] { return vault->server()->inside("list") == 1; }));
  vault->seal();
  CHECK(TestVault::eventually([&] { return vault->answered(waiting); }));
  const Json target = SweptVault::target_of(vault->wait(waiting));
  CHECK(target.string_at("error") == "the vault is shutting down");
}

TEST_CASE_FIXTURE(Swept, "reconcile: what is not of this cluster, or not as we name it, is left") {
  const std::string prefix = vault->prefix();
  const std::set<std::string> others = {
      "admin",
      "v-zzzzzz-ro-" + std::string(kId),         // another cluster's
      prefix + "ro",                             // no id
      prefix + "ro-0123456789ABCDEFGHIJ",        // not as ours are written
      prefix + "ro-" + std::string(kId) + "-x",  // longer
      "x" + prefix + "ro-" + std::string(kId),
  };
  for (const std::string& name : others) vault->server()->add(name);
  const Json target = SweptVault::target_of(vault->reconcile(R"({"fix":true})"));
  CHECK(target.strings_at("only_at_target").empty());
  CHECK(vault->server()->accounts() == others);
}

TEST_CASE_FIXTURE(Swept, "reconcile: a lease whose account is gone is told, and ends with fix") {
  const std::string account = vault->creds();
  vault->server()->drop(account);
  const Json seen = SweptVault::target_of(vault->reconcile());
  REQUIRE(seen.find("only_in_leases")->items().size() == 1);
  CHECK(seen.find("only_in_leases")->items().front().string_at("account") == account);
  CHECK(vault->count(barrier::Table::lease) == 1);
  SweptVault::target_of(vault->reconcile(R"({"fix":true})"));
  CHECK(vault->count(barrier::Table::lease) == 0);
  CHECK(vault->on_record("lease-account-missing"));
}

TEST_CASE_FIXTURE(Swept, "reconcile: an account of another mount's lease is accounted for") {
  REQUIRE(vault->post("sys/mounts/other", vault->root(), R"({"type":"test"})").status() == 204);
  REQUIRE(vault->post("other/roles/ro", vault->root(), R"({"target":"db","ttl":"1h"})").status() ==
          204);
  REQUIRE(vault->get("other/creds/ro", vault->root()).status() == 200);
  const Json target = SweptVault::target_of(vault->reconcile(R"({"fix":true})"));
  CHECK(target.strings_at("only_at_target").empty());
  CHECK(vault->server()->accounts().size() == 1);
}

TEST_CASE_FIXTURE(Swept, "reconcile: an account that is being removed while it looks is none") {
  const std::string going = vault->orphan();  // no lease any more, and there for one look yet
  std::atomic<int> looks{0};
  vault->server()->at("list", [&] {
    if (++looks == 2) vault->server()->drop(going);
  });
  const Json target = SweptVault::target_of(vault->reconcile(R"({"fix":true})"));
  CHECK(target.strings_at("only_at_target").empty());
  CHECK(looks == 2);
  CHECK_FALSE(vault->on_record("account-without-lease"));
}

TEST_CASE_FIXTURE(Swept, "reconcile: an account that is being made while it looks has its lease") {
  vault->server()->hang("create");  // its lease is on record, its account is not there yet
  const auto waiting = vault->begin("GET", "test/creds/ro", vault->root());
  REQUIRE(TestVault::eventually([&] { return vault->server()->inside("create") == 1; }));
  const Json before = SweptVault::target_of(vault->reconcile(R"({"fix":true})"));
  CHECK(before.find("only_in_leases")->items().empty());
  vault->server()->release("create");
  CHECK(vault->wait(waiting).status() == 200);
  const Json after = SweptVault::target_of(vault->reconcile(R"({"fix":true})"));
  CHECK(after.integer_at("in_both") == 1);
  CHECK(after.strings_at("only_at_target").empty());
}

TEST_CASE_FIXTURE(Swept, "reconcile: a target that cannot be listed is said so, and others are") {
  vault->orphan();
  vault->server()->set("list", AccountServer::Fault::refuse);
  const Answer answer = vault->reconcile(R"({"fix":true})");
  CHECK(SweptVault::target_of(answer).string_at("error") == "permission denied");
  CHECK(answer.response().warnings.size() == 1);
  CHECK(vault->server()->accounts().size() == 1);
}

TEST_CASE_FIXTURE(Swept, "reconcile: a lease that cannot be read may be the one of an account") {
  const std::string account = vault->creds();
  vault->read([](core::Unsealed& live, commit::ReadTxn& txn) {
    const barrier::PhysicalKey from(barrier::Table::lease);
    commit::Batch batch({}, commit::Unrecorded{"a test"});
    REQUIRE(txn.scan(from, from.end_of_prefix(), 1, storage::Scan::keys,
                     [&](const storage::Entry& entry) {
                       batch.storage.put(entry.key, as_bytes("bytes that no barrier sealed"));
                       return false;
                     })
                .ok());
    REQUIRE(live.committer.commit(batch).status().ok());
    return true;
  });
  const Answer answer = vault->reconcile(R"({"fix":true})");
  CHECK(SweptVault::target_of(answer).strings_at("only_at_target").size() == 1);
  CHECK(answer.response().warnings.front().find("cannot be read") != std::string::npos);
  CHECK(vault->server()->accounts() == std::set<std::string>{account});
}

TEST_CASE_FIXTURE(Swept, "reconcile: it takes a mount with targets, and sudo") {
  CHECK(vault->post("sys/leases/reconcile/none", vault->root()).status() == 400);
  CHECK(vault->post("sys/leases/reconcile/sys", vault->root()).status() == 400);
  vault->policy("half", R"({"path":{"sys/leases/reconcile/*":{"capabilities":["update"]}}})");
  const std::string token = vault->token(R"({"policies":["half"]})");
  CHECK(vault->post("sys/leases/reconcile/test", token).status() == 403);
}

TEST_CASE("reconcile: the vault sweeps by itself, and only ends accounts") {
  TestWorld world;
  world.sweep_period = Seconds{300};
  SweptVault vault(world);
  const std::string kept = vault.creds(), missing = vault.creds(), orphan = vault.orphan();
  vault.server()->drop(missing);
  vault.advance(Seconds{61});  // the first comes a minute after the start
  REQUIRE(TestVault::eventually([&] { return vault.server()->accounts().count(orphan) == 0; }));
  CHECK(vault.on_record("account-without-lease"));
  REQUIRE(TestVault::eventually([&] { return vault.count(barrier::Table::lease) == 2; }));
  CHECK(vault.logs("does not have the account " + missing));
  const std::string later = vault.orphan("later");
  CHECK(vault.as_time_passes(
      [&] { return vault.server()->accounts() == std::set<std::string>{kept}; }, Seconds{10}));
}

namespace {

// It sweeps by itself in an hour, so what is swept before that was doubted.
struct Doubting {
  TestWorld world;
  std::optional<SweptVault> vault;
  Doubting() {
    world.sweep_period = Seconds{3600};
    vault.emplace(world);
    vault->creds();
    vault->advance(Seconds{61});
    REQUIRE(TestVault::eventually([&] { return vault->server()->visits("list") == 1; }));
  }
  // Revived before what makes doubts, so that the sweep sees it.
  bool is_swept(const std::string& revived) {
    return TestVault::eventually([&] { return vault->server()->accounts().count(revived) == 0; });
  }
  void miss_one() {
    const Answer answer = vault->get("test/creds/ro", vault->root());
    vault->server()->drop(answer.data().string_at("username"));
    const std::string body = R"({"lease_id":")" + answer.response().lease_id + "\"}";
    CHECK(vault->post("sys/leases/revoke", vault->root(), body).status() == 204);
  }
  std::size_t sweeps() {
    std::size_t count = 0;
    const std::string all = world.log.text(), said = "is compared with the leases";
    for (std::size_t at = all.find(said); at != std::string::npos; at = all.find(said, at + 1))
      ++count;
    return count;
  }
};

}  // namespace

TEST_CASE_FIXTURE(Doubting, "doubts: a server that was started anew is swept soon") {
  const std::string revived = vault->orphan();
  vault->server()->restart();
  vault->creds();
  CHECK(is_swept(revived));
  CHECK(vault->on_record("account-without-lease"));
}

TEST_CASE("doubts: each time that a server is started anew is seen") {
  TestWorld world;  // which does not sweep by itself, so that doubts stay
  SweptVault vault(world);
  vault.creds();
  const auto doubted = [&] {
    return vault.read(
        [](core::Unsealed& live, commit::ReadTxn&) { return live.revoker->take_doubts().size(); });
  };
  CHECK(doubted() == 0);
  for (int restarts = 0; restarts < 40; ++restarts) {
    CAPTURE(restarts);
    vault.server()->restart();
    vault.creds();
    CHECK(doubted() == 1);
  }
}

TEST_CASE_FIXTURE(Doubting, "doubts: a target that answers after it refused is swept soon") {
  const std::string revived = vault->orphan();
  vault->server()->set("connect", AccountServer::Fault::refuse);
  vault->server()->be("first");  // the sessions end
  CHECK(vault->get("test/creds/ro", vault->root()).status() >= 500);
  vault->server()->set("connect", AccountServer::Fault::none);
  REQUIRE(vault->as_time_passes(
      [&] { return vault->get("test/creds/ro", vault->root()).status() == 200; }, Seconds{1}));
  CHECK(is_swept(revived));
}

TEST_CASE_FIXTURE(Doubting, "doubts: where accounts were missing the target is swept, in bounds") {
  const std::string revived = vault->orphan();
  for (int i = 0; i < 5; ++i) miss_one();
  CHECK(is_swept(revived));
  const std::string again = vault->orphan("again");
  for (int i = 0; i < 5; ++i) miss_one();
  vault->advance(Seconds{61});
  CHECK(is_swept(again));
  CHECK(sweeps() <= 2);
}

namespace {

// Targets beside "db", which hang or refuse to be listed. The clock stands still while one hangs.
struct Crowd {
  SweptVault& vault;
  const std::vector<std::string> names;
  Crowd(SweptVault& of, std::vector<std::string> all) : vault(of), names(std::move(all)) {
    for (const std::string& name : names) vault.know(name);
  }
  void hang() const {
    for (const std::string& name : names) vault.server(name)->hang("list");
  }
  void refuse() const {
    for (const std::string& name : names) {
      vault.server(name)->release("list");
      vault.server(name)->set("list", AccountServer::Fault::refuse);
    }
  }
  bool hangs() const {
    return std::any_of(names.begin(), names.end(), [&](const std::string& name) {
      return vault.server(name)->inside("list") > 0;
    });
  }
  int visits() const {
    int all = 0;
    for (const std::string& name : names) all += vault.server(name)->visits("list");
    return all;
  }
  bool loses(const std::string& account) const {
    return TestVault::eventually([&] {
      if (!hangs()) vault.advance(Seconds{1});
      return vault.server()->accounts().count(account) == 0;
    });
  }
};

}  // namespace

TEST_CASE("reconcile: targets that hang keep the others waiting for little") {
  TestWorld world;
  world.sweep_period = Seconds{300};
  SweptVault vault(world);
  const Crowd some(vault, {"a0", "a1", "a2"});
  some.hang();
  CHECK(some.loses(vault.orphan()));  // beside them
  const Crowd all(vault, {"a0", "a1", "a2", "a3", "a4"});
  all.refuse();
  CHECK(vault.as_time_passes([&] {
    return std::all_of(all.names.begin(), all.names.end(), [&](const std::string& name) {
      return vault.server(name)->visits("list") > 1;
    });
  }));
  // No pass is under way.
  for (int visits = -1, alike = 0; alike < 30; testing::pause_between_looks()) {
    const int now = all.visits();
    alike = now == visits ? alike + 1 : 0;
    visits = now;
  }
  const std::string later = vault.orphan("later");
  all.hang();
  CHECK(all.loses(later));  // before them
}

TEST_CASE("reconcile: an account that two targets show ends once") {
  TestWorld world;
  world.sweep_period = Seconds{300};
  SweptVault vault(world);
  world.servers.share("same", vault.server());
  vault.know("same");
  vault.orphan();
  // Each looks twice, and both at the same time.
  std::atomic<int> looks{0};
  vault.server()->at("list", [&] {
    const int mine = ++looks;
    if (mine <= 4) TestVault::eventually([&] { return looks >= (mine + 1) / 2 * 2; });
  });
  REQUIRE(vault.as_time_passes([&] { return vault.server()->accounts().empty(); }));
  REQUIRE(vault.as_time_passes([&] { return looks >= 6; }));  // in the next pass
  const std::string text = world.audit_text();
  const auto first = text.find("account-without-lease");
  REQUIRE(first != std::string::npos);
  CHECK(text.find("account-without-lease", first + 1) == std::string::npos);
}
