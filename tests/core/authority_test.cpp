// What a request may do: one snapshot for right and data, policies looked up by their own records.

#include <doctest/doctest.h>

#include <atomic>
#include <thread>

#include "tests/support/occupied.h"
#include "tests/support/test_vault.h"
#include "vault/core/road/effects.h"

using namespace leasehold;
using core::Making;
using testing::Answer;
using testing::Occupied;
using testing::TestVault;

namespace {

struct AuthorityVault : TestVault {
  barrier::Space mount_space(commit::ReadTxn& txn, std::string_view path) {
    core::Unsealed* live = lifecycle().enter();
    REQUIRE(live != nullptr);
    const auto compiled = live->mounts.at(txn);
    REQUIRE(compiled.ok());
    const barrier::Space space = (*compiled)->mounts.at(path)->info.space;
    lifecycle().leave();
    return space;
  }
  // One batch, past the road.
  template <class Body>
  void write(Body body) {
    core::Unsealed* live = lifecycle().enter();
    REQUIRE(live != nullptr);
    {
      auto held = live->snapshots.take();
      REQUIRE(held.ok());
      commit::Batch batch({}, commit::Unrecorded{"a test"});
      commit::WriteTxn txn(**held, live->barrier, barrier::kCoreSpace, batch);
      body(txn);
      REQUIRE(live->committer.commit(batch).status().ok());
    }
    lifecycle().leave();
  }
};

// Whoever asks here gets no answer.
struct Unheard final : core::Exchange {
  void deliver(core::Response&&) override {}
};

struct Weighed {
  std::string text;
  std::size_t weight() const { return text.size(); }
};

}  // namespace

TEST_CASE_FIXTURE(AuthorityVault, "authority: a worker judges by the snapshot it reads from") {
  policy("lists", R"(path "sys/policies/acl" { capabilities = ["list"] })");
  const std::string lists = token(R"({"policies":["lists"]})");
  REQUIRE(list("sys/policies/acl", lists).status() == 200);
  Occupied occupied(workers(), core::WorkClass::lists);
  const auto waiting = begin("LIST", "sys/policies/acl", lists);
  REQUIRE_FALSE(answered(waiting));
  write([](commit::WriteTxn& txn) {  // the right goes in the batch that writes what is new
    REQUIRE(core::put_policy(txn, "lists", R"(path "x" { capabilities = ["read"] })", {}).ok());
    REQUIRE(core::put_policy(txn, "new", R"(path "x" { capabilities = ["read"] })", {}).ok());
  });
  occupied.let_go();
  CHECK(wait(waiting).status() == 403);
}

TEST_CASE_FIXTURE(AuthorityVault,
                  "authority: a policy that is new to this process waits for none") {
  const std::string reads = token(R"({"policies":["reads"]})");
  REQUIRE(post("test/notes/a", root(), R"({"x":1})").status() == 204);
  CHECK(get("test/notes/a", reads).status() == 403);
  policy("reads", R"(path "test/notes/*" { capabilities = ["read"] })");
  CHECK(get("test/notes/a", reads).status() == 200);
  policy("reads", R"(path "test/notes/*" { capabilities = ["list"] })");
  CHECK(get("test/notes/a", reads).status() == 403);
  REQUIRE(remove("sys/policies/acl/reads", root()).status() == 204);
  CHECK(get("test/notes/a", reads).status() == 403);
  CHECK(list("test/notes/", reads).status() == 403);
}

TEST_CASE_FIXTURE(AuthorityVault, "authority: a write is sent back by what it rests on alone") {
  policy("mine", R"(path "test/notes/*" { capabilities = ["create"] })");
  std::vector<std::string> names{"default", "mine"};
  const auto outcome = [this, &names](const std::string& written) {
    core::Unsealed* live = lifecycle().enter();
    REQUIRE(live != nullptr);
    storage::Outcome result{};
    {
      auto held = live->snapshots.take();
      REQUIRE(held.ok());
      core::ReadTxn txn(**held, live->barrier, barrier::kCoreSpace);
      Unheard asker;
      core::InFlight flight(core::Request(), asker);
      const auto compiled = live->mounts.at(txn, &flight.authority);
      REQUIRE(compiled.ok());
      flight.mount = (*compiled)->mounts.find("test/notes/a");
      REQUIRE(live->mounts.policies().resolve(txn, names, Making::allowed, flight.authority).ok());
      commit::Changes changes;
      core::guard_authority(flight, changes);
      write([&](commit::WriteTxn& other) {
        REQUIRE(core::put_policy(other, written, R"(path "x" { policy = "read" })", {}).ok());
      });
      const commit::Batch batch(std::move(changes), commit::Unrecorded{"a test"});
      result = live->committer.commit(batch).result.outcome;
    }
    lifecycle().leave();
    return result;
  };
  CHECK(outcome("other") == storage::Outcome::committed);
  CHECK(outcome("mine") == storage::Outcome::conflict);
  for (int i = 0; i < 900; ++i) names.push_back("p" + std::to_string(i));  // none of them is there
  CHECK(outcome("other") == storage::Outcome::committed);
  CHECK(outcome("p899") == storage::Outcome::conflict);
}

namespace {

// A token that may count and read, and what happens while a handler runs for it.
struct MeanwhileVault : AuthorityVault {
  MeanwhileVault() {
    policy("counts", R"(path "test/*" { capabilities = ["create", "update", "read"] }
                        path "auth/token/create" { capabilities = ["update"] })");
    text = token(R"({"policies":["counts"]})");
  }
  void meanwhile(std::function<void(core::Unsealed&, commit::WriteTxn&)> change) {
    world().servers.meanwhile([this, change] {
      core::Unsealed* live = lifecycle().enter();
      write([&](commit::WriteTxn& txn) { change(*live, txn); });
      lifecycle().leave();
    });
  }
  void lose_the_policy() {
    meanwhile([](core::Unsealed&, commit::WriteTxn& txn) {
      REQUIRE(core::put_policy(txn, "counts", R"(path "x" { capabilities = ["read"] })", {}).ok());
    });
  }
  void lose_the_token(const std::string& which) {
    meanwhile([which](core::Unsealed& live, commit::WriteTxn& txn) {
      const auto found = live.tokens.load(txn, live.tokens.id_of(which));
      REQUIRE(live.tokens.revoke(txn, **found, {}).ok());
    });
  }
  std::string text;
};

}  // namespace

TEST_CASE_FIXTURE(MeanwhileVault,
                  "authority: what goes while a handler runs sends its write back") {
  bool allowed = false;
  SUBCASE("the policy") { lose_the_policy(); }
  SUBCASE("the token") { lose_the_token(text); }
  SUBCASE("the token that it hangs below") {
    const std::string parent = text;
    text = token(R"({"policies":["counts"]})", parent);
    lose_the_token(parent);
  }
  SUBCASE("the mount is another, and allows it") {
    allowed = true;
    meanwhile([](core::Unsealed& live, commit::WriteTxn& txn) {
      const auto compiled = live.mounts.at(txn);
      REQUIRE(core::Mounts::put_mount(txn, (*compiled)->mounts.at("test/")->record).ok());
    });
  }
  CHECK(post("test/counters/c", text).status() == (allowed ? 200 : 403));
  CHECK(world().servers.counted() == (allowed ? 2 : 1));  // judged anew before it ran
  CHECK(post("test/counters/c", root()).data().integer_at("value") == (allowed ? 2 : 1));
}

TEST_CASE_FIXTURE(MeanwhileVault,
                  "authority: what goes while a handler runs keeps nothing wrapped") {
  lose_the_policy();
  core::Request request;
  request.path = "test/slow";
  request.token = text;
  request.wrap_ttl = Seconds{60};
  CHECK(wait(begin(std::move(request))).status() == 403);
  CHECK(count(barrier::Table::wrapped) == 0);
}

// In one batch the right goes and what is secret comes; in the next both go back.
TEST_CASE_FIXTURE(AuthorityVault, "authority: no use of a token reads what its policies forbid") {
  constexpr std::string_view kAllows = R"(path "test/notes/*" { capabilities = ["read"] })";
  constexpr std::string_view kDenies = R"(path "test/notes/*" { capabilities = ["deny"] })";
  policy("reads", std::string(kAllows));
  REQUIRE(post("test/notes/a", root(), R"({"x":"public"})").status() == 204);
  const auto change = [&](std::string_view text, const char* note) {
    write([&](commit::WriteTxn& txn) {
      REQUIRE(core::put_policy(txn, "reads", text, {}).ok());
      auto mount = mount_space(txn, "test/");
      REQUIRE(txn.in(mount).put("notes/a", as_bytes(std::string_view(note))).ok());
    });
  };
  const std::string limited = token(R"({"policies":["reads"],"num_uses":1000000})");
  std::atomic<bool> done{false};
  std::thread writer([&] {
    for (int round = 0; round < 500; ++round) {
      change(kDenies, R"({"x":"secret"})");
      change(kAllows, R"({"x":"public"})");
    }
    done = true;
  });
  int secrets = 0;
  while (!done) {
    const Answer answer = get("test/notes/a", limited);
    secrets += answer.status() == 200 && answer.data().string_at("x") != "public";
  }
  writer.join();
  CHECK(secrets == 0);
  CHECK(get("test/notes/a", limited).status() == 200);
}

TEST_CASE_FIXTURE(AuthorityVault, "derived: made once per version, whatever else changes") {
  core::Derived<Weighed> derived(1 << 20);
  int made = 0;
  const auto look = [&](std::uint64_t revision, Making making) {
    return read([&](core::Unsealed& live, commit::ReadTxn& txn) {
      const auto key = live.barrier.value_key(barrier::kCoreSpace, core::policy_record("default"));
      const auto make = [&](const storage::Found& found) -> Result<std::shared_ptr<const Weighed>> {
        ++made;
        return std::make_shared<const Weighed>(Weighed{std::to_string(found.mod)});
      };
      auto at = derived.at(txn, key, revision, making, make);
      REQUIRE(at.ok());
      return std::move(at).value();
    });
  };
  CHECK_FALSE(look(1, Making::elsewhere).ready);
  CHECK(made == 0);
  const auto first = look(1, Making::allowed);
  CHECK(first.value != nullptr);
  CHECK(look(1, Making::elsewhere).value == first.value);
  CHECK(look(7, Making::elsewhere).value == first.value);  // another record changed
  CHECK(look(3, Making::elsewhere).value == first.value);
  CHECK(made == 1);
  write([](commit::WriteTxn& txn) {
    REQUIRE(core::put_policy(txn, "default", R"(path "x" { capabilities = ["read"] })", {}).ok());
  });
  const auto second = look(8, Making::allowed);
  CHECK(made == 2);
  CHECK(second.mod > first.mod);
  CHECK(second.value != first.value);
}

TEST_CASE_FIXTURE(AuthorityVault, "derived: what is kept is bounded, what is used stays") {
  core::Derived<Weighed> derived(64 << 10);
  int made = 0;
  for (int i = 0; i < 100; ++i) policy("p" + std::to_string(i), R"(path "x" { policy = "read" })");
  const auto look = [&](int i) {
    read([&](core::Unsealed& live, commit::ReadTxn& txn) {
      const auto key =
          live.barrier.value_key(barrier::kCoreSpace, core::policy_record("p" + std::to_string(i)));
      const auto make = [&](const storage::Found&) -> Result<std::shared_ptr<const Weighed>> {
        ++made;
        return std::make_shared<const Weighed>(Weighed{std::string(4096, 'x')});
      };
      REQUIRE(derived.at(txn, key, 1, Making::allowed, make).ok());
      return 0;
    });
  };
  for (int i = 0; i < 100; ++i) {
    look(i);
    look(0);
  }
  CHECK(made == 100);
  look(1);  // long gone
  CHECK(made == 101);
}

TEST_CASE_FIXTURE(TestVault, "authority: pagination_limit caps every list it speaks of") {
  for (const char* name : {"a", "b", "c", "d"}) policy(name, R"(path "x" { policy = "read" })");
  policy("pages", R"(path "sys/policies/acl" { capabilities = ["list"]
    pagination_limit = 2 })");
  const std::string pages = token(R"({"policies":["pages"]})");
  const auto keys = [&](const char* body) {
    return request("LIST", "sys/policies/acl", pages, body).data().strings_at("keys").size();
  };
  CHECK(keys("") == 2);
  CHECK(keys(R"({"limit":"0"})") == 2);
  CHECK(keys(R"({"limit":"-1"})") == 2);
  CHECK(keys(R"({"limit":"max"})") == 2);
  CHECK(keys(R"({"limit":"1"})") == 1);
  CHECK(keys(R"({"limit":3,"after":"a"})") == 2);
  CHECK(request("LIST", "sys/policies/acl", root(), "").data().strings_at("keys").size() > 4);
  policy("reads", R"(path "sys/policy" { capabilities = ["read"]
    pagination_limit = 2 })");
  const std::string reads = token(R"({"policies":["reads"]})");
  CHECK(get("sys/policy", reads).data().strings_at("keys").size() == 2);
  CHECK(get("sys/policy", reads).data().strings_at("policies").size() == 2);
}
