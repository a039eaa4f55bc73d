// Revocations of many at once: below a prefix, of the tokens made at a path, and by force.

#include <doctest/doctest.h>

#include <algorithm>

#include "tests/support/faulty_world.h"
#include "vault/base/encoding.h"
#include "vault/core/sys/system.h"

using namespace leasehold;
using testing::AccountServer;
using testing::Answer;
using testing::TestVault;

namespace {

struct ManyVault : TestVault {
  ManyVault() { role(R"({"ttl":"1h"})"); }
  std::string lease() {
    const Answer creds = get("test/creds/ro", root());
    REQUIRE(creds.status() == 200);
    return creds.response().lease_id;
  }
  Answer many(const std::string& how, const std::string& prefix, const std::string& body = "{}") {
    return post("sys/leases/" + how + "/" + prefix, root(), body);
  }
  // The answer, while the clock goes on.
  Answer as_time_passes_for(const std::string& path) {
    const auto waiting = begin("POST", path, root(), "{}");
    REQUIRE(as_time_passes([&] { return answered(waiting); }));
    return wait(waiting);
  }
  // The answer to what waits 10 s for a dead target; the request itself waits for 15 s.
  Answer forced(const std::string& path) {
    REQUIRE(eventually([&] { return count(barrier::Table::job) == 0; }));
    const auto waiting = begin("POST", path, root(), "{}");
    REQUIRE(eventually([&] { return count(barrier::Table::job) > 0; }));
    advance(Seconds{11});
    return wait(waiting);
  }
  // As many more leases of the same account, straight into storage.
  void copy_lease(const std::string& lease_id, std::size_t times) {
    constexpr std::size_t kInBatch = 12;
    for (std::size_t done = 0; done < times; done += kInBatch)
      read([&](core::Unsealed& live, commit::ReadTxn& look) {
        core::Lease lease = **live.leases.find(look, lease_id);
        const std::string path = lease.path();
        commit::Batch batch({}, commit::Unrecorded{"a test"});
        commit::WriteTxn txn(look.snapshot(), live.barrier, barrier::kCoreSpace, batch);
        for (std::size_t i = done; i < std::min(times, done + kInBatch); ++i) {
          lease.mod = 0;
          live.leases.name(lease, path, lease.issued, world().random);
          REQUIRE(live.leases.write_pending(txn, lease).ok());
        }
        REQUIRE(live.committer.commit(batch).status().ok());
        return true;
      });
  }
  std::vector<std::string> keys(const Answer& answer) { return answer.data().strings_at("keys"); }
  bool works(const std::string& text) {
    return get("auth/token/lookup-self", text).status() == 200;
  }
  void take_down() {
    server()->down(true);
    advance(Seconds{10});  // past the last healthy look
  }
};

}  // namespace

TEST_CASE_FIXTURE(ManyVault, "lease jobs: a prefix must be given") {
  lease();
  for (const char* how : {"revoke-prefix", "revoke-force"}) {
    CHECK(many(how, "").status() == 404);
    CHECK(post(std::string("sys/") + how + "/", root()).status() == 404);
  }
  CHECK(server()->accounts().size() == 1);
}

TEST_CASE_FIXTURE(ManyVault, "lease jobs: no answer says gone while an account is not") {
  lease();
  take_down();
  CHECK(as_time_passes_for("sys/leases/revoke-prefix/test/creds/ro").status() == 500);
  // Asked again, when all are REVOKING already.
  CHECK(as_time_passes_for("sys/leases/revoke-prefix/test/creds/ro").status() == 500);
  REQUIRE(server()->accounts().size() == 1);
  server()->down(false);
  CHECK(as_time_passes([&] { return count(barrier::Table::lease) == 0; }));
  CHECK(many("revoke-prefix", "test/creds/ro").status() == 204);
  CHECK(server()->accounts().empty());
}

TEST_CASE_FIXTURE(ManyVault, "lease jobs: what a waiting client got is on record, once") {
  const std::size_t before = world().audit_lines().size();
  const auto lines = [&](const std::string& type, const std::string& path) {
    std::vector<Json> found;
    const auto all = world().audit_lines();
    for (std::size_t i = before; i < all.size(); ++i) {
      Json one = *parse_json(all[i]);
      const Json* request = one.find("request");
      if (one.string_at("type") == type && request != nullptr && request->string_at("path") == path)
        found.push_back(std::move(one));
    }
    return found;
  };
  const auto one_answer = [&](const std::string& path, std::int64_t status) {
    CAPTURE(path);
    const auto requests = lines("request", path), responses = lines("response", path);
    REQUIRE(requests.size() == 1);
    REQUIRE(responses.size() == 1);
    CHECK(requests[0].find("request")->bool_at("answer_awaited"));
    CHECK(responses[0].find("request")->find("answer_awaited") == nullptr);
    CHECK(responses[0].find("response")->integer_at("status") == status);
    CHECK(responses[0].string_at("error").empty() == (status == 204));
  };
  const std::string id = lease();
  lease();
  take_down();
  CHECK(as_time_passes_for("sys/leases/revoke-prefix/test/creds/none").status() == 204);
  one_answer("sys/leases/revoke-prefix/test/creds/none", 204);
  CHECK(as_time_passes_for("sys/leases/revoke/" + id).status() == 500);
  one_answer("sys/leases/revoke/" + id, 500);
  CHECK(as_time_passes_for("sys/leases/revoke-prefix/test/creds/ro").status() == 500);
  one_answer("sys/leases/revoke-prefix/test/creds/ro", 500);
  const auto removal = begin("DELETE", "sys/mounts/test", root());
  REQUIRE(as_time_passes([&] { return answered(removal); }));
  CHECK(wait(removal).status() == 500);
  one_answer("sys/mounts/test", 500);
  CHECK(verifies());
}

TEST_CASE_FIXTURE(ManyVault, "lease jobs: force is done at once where the target answers") {
  const std::string id = lease();
  CHECK(many("revoke-force", "test/creds").status() == 204);
  CHECK(server()->accounts().empty());
  CHECK(world().audit_text().find("lease-forgotten") == std::string::npos);
  CHECK(eventually([&] { return count(barrier::Table::job) == 0; }));
}

TEST_CASE_FIXTURE(ManyVault, "lease jobs: force forgets what a dead target does not confirm") {
  role(R"({"ttl":"1h","target":"other"})", "other");
  lease();
  lease();
  const Answer kept = get("test/creds/other", root());
  REQUIRE(kept.status() == 200);
  take_down();
  CHECK(many("revoke-prefix", "test/creds/ro", R"({"sync":false})").status() == 202);
  REQUIRE(eventually([&] { return count(barrier::Table::due) == 2; }));
  CHECK(forced("sys/leases/revoke-force/test/creds/ro").status() == 204);
  CHECK(count(barrier::Table::lease) == 1);
  CHECK(count(barrier::Table::due) == 0);
  CHECK(count(barrier::Table::receipt) == 2);
  CHECK(eventually([&] { return count(barrier::Table::job) == 0; }));
  CHECK(server()->accounts().size() == 2);  // that is what force means
  CHECK(server("other")->accounts().size() == 1);
  const std::string log = world().audit_text();
  CHECK(log.find("lease-forgotten") != std::string::npos);
  CHECK(log.find("lease-forgotten") != log.rfind("lease-forgotten"));
  CHECK(verifies());
}

TEST_CASE_FIXTURE(ManyVault,
                  "lease jobs: force forgets what a target refuses while it is waited for") {
  lease();
  server()->set("revoke", AccountServer::Fault::refuse);
  const auto waiting = begin("POST", "sys/leases/revoke-force/test/creds/ro", root(), "{}");
  REQUIRE(eventually(
      [&] { return world().audit_text().find("revocation-failed") != std::string::npos; }));
  advance(Seconds{11});
  CHECK(wait(waiting).status() == 204);
  CHECK(server()->accounts().size() == 1);
  CHECK(count(barrier::Table::lease) == 0);
  CHECK(world().audit_text().find("lease-forgotten") != std::string::npos);
}

TEST_CASE_FIXTURE(ManyVault, "lease jobs: the mount of a dead target can be disabled by force") {
  lease();
  take_down();
  const auto waiting = begin("DELETE", "sys/mounts/test", root());
  REQUIRE(as_time_passes([&] { return answered(waiting); }));
  CHECK(wait(waiting).status() == 500);
  const auto mounted = count(barrier::Table::value);
  CHECK(forced("sys/leases/revoke-force/test").status() == 204);
  CHECK(eventually([&] { return count(barrier::Table::value) < mounted; }));
  CHECK(remove("sys/mounts/test", root()).status() == 204);
}

TEST_CASE_FIXTURE(
    ManyVault,
    "lease jobs: a token that expires has a lease, named by a keyed hash of its accessor") {
  const Answer made = post("auth/token/create", root(), R"({"ttl":"1h"})");
  const std::string accessor = made.response().auth->accessor;
  CHECK(keys(list("sys/leases/lookup/", root())) == std::vector<std::string>{"auth/"});
  CHECK(keys(list("sys/leases/lookup/auth", root())) == std::vector<std::string>{"token/"});
  const auto leaves = keys(list("sys/leases/lookup/auth/token/create", root()));
  REQUIRE(leaves.size() == 1);
  REQUIRE(leaves[0].size() == 65);
  CHECK(leaves[0].find_first_not_of("0123456789abcdef", 1) == std::string::npos);
  CHECK(leaves[0].front() == 'h');
  CHECK(leaves[0].find(accessor) == std::string::npos);
  const std::string id = "auth/token/create/" + leaves[0];
  const std::string asked = R"({"lease_id":")" + id + R"("})";
  const Answer shown = post("sys/leases/lookup", root(), asked);
  CHECK(shown.data().string_at("id") == id);
  CHECK(shown.data().integer_at("ttl") == 3600);
  CHECK(post("sys/leases/renew", root(), asked).status() == 400);
  // As the version before this one named it.
  const auto record = from_hex(leaves[0].substr(1, 2 * sizeof(barrier::OrderedId)));
  REQUIRE(record.has_value());
  const std::string earlier = "auth/token/create/" + base62(*record, 30);
  CHECK(post("sys/leases/lookup", root(), R"({"lease_id":")" + earlier + R"("})")
            .data()
            .string_at("id") == earlier);
  std::string other = id;
  other.back() = '1';
  CHECK(post("sys/leases/lookup", root(), R"({"lease_id":")" + other + R"("})").status() == 400);
  CHECK(post("sys/leases/lookup", root(), R"({"lease_id":"auth/token/other/)" + leaves[0] + R"("})")
            .status() == 400);
  CHECK(post("sys/leases/revoke", root(), asked).status() == 204);
  CHECK_FALSE(works(made.token()));
  CHECK(post("sys/leases/lookup", root(), asked).status() == 400);
  CHECK(list("sys/leases/lookup/", root()).status() == 404);
}

TEST_CASE_FIXTURE(ManyVault, "lease jobs: an accessor looks up nothing, but still revokes") {
  const Answer made = post("auth/token/create", root(), R"({"ttl":"1h"})");
  const std::string other = token(R"({"policies":["default"]})");
  const std::string asked =
      R"({"lease_id":"auth/token/create/)" + made.response().auth->accessor + R"("})";
  CHECK(post("sys/leases/lookup", other, asked).status() == 400);
  CHECK(post("sys/leases/renew", other, asked).status() == 400);
  CHECK(post("sys/leases/revoke", other, asked).status() == 403);
  CHECK(works(made.token()));
  CHECK(post("sys/leases/revoke", root(), asked).status() == 204);
  CHECK_FALSE(works(made.token()));
}

TEST_CASE_FIXTURE(ManyVault, "lease jobs: the last lease of a path takes its directory along") {
  const auto revoke = [this](const std::string& id) {
    return post("sys/leases/revoke", root(), R"({"lease_id":")" + id + R"(","sync":true})")
        .status();
  };
  CHECK(revoke(lease()) == 204);  // what belongs to the target stays
  const auto names = count(barrier::Table::name);
  const std::string first = lease(), second = lease();
  CHECK(count(barrier::Table::name) > names);
  CHECK(revoke(first) == 204);
  CHECK(keys(list("sys/leases/lookup/test/creds/", root())).size() == 1);
  CHECK(revoke(second) == 204);
  CHECK(count(barrier::Table::name) == names);
  CHECK(list("sys/leases/lookup/", root()).status() == 404);
  lease();
  CHECK(keys(list("sys/leases/lookup/", root())) == std::vector<std::string>{"test/"});
  CHECK(verifies());
}

TEST_CASE_FIXTURE(ManyVault, "lease jobs: the tokens made at a path are gone when it is answered") {
  constexpr int kMany = 150;  // more than a pass takes
  std::vector<std::string> texts;
  for (int i = 0; i < kMany; ++i) texts.push_back(token(R"({"ttl":"1h","policies":["default"]})"));
  const Answer orphan = post("auth/token/create-orphan", root(), R"({"ttl":"1h"})");
  CHECK(many("revoke-prefix", "auth/token/create").status() == 204);
  CHECK(std::none_of(texts.begin(), texts.end(), [&](const auto& text) { return works(text); }));
  CHECK(works(orphan.token()));
  CHECK(get("sys/mounts", root()).status() == 200);  // has no lease, and lives
  CHECK(many("revoke-prefix", "auth").status() == 204);
  CHECK_FALSE(works(orphan.token()));
  CHECK(verifies());
}

TEST_CASE_FIXTURE(ManyVault, "lease jobs: a token made after its path was revoked lives on") {
  const std::string before = token(R"({"ttl":"1h"})");
  const WallTime asked = world().clock.now();
  advance(Seconds{1});
  const std::string after = token(R"({"ttl":"1h"})");
  read([&](core::Unsealed& live, commit::ReadTxn& txn) {
    commit::Batch batch({}, commit::Unrecorded{"a test"});
    commit::WriteTxn write(txn.snapshot(), live.barrier, barrier::kCoreSpace, batch);
    REQUIRE(live.leases.queue(write, {"auth/token/create"}, asked, world().random).ok());
    REQUIRE(live.committer.commit(batch).status().ok());
    return true;
  });
  REQUIRE(eventually([&] { return count(barrier::Table::job) == 0; }));
  CHECK_FALSE(works(before));
  CHECK(works(after));
}

TEST_CASE_FIXTURE(ManyVault, "lease jobs: lists of leases and accessors can be read in parts") {
  std::vector<std::string> made;
  for (int i = 0; i < 5; ++i) {
    made.push_back(post("auth/token/create", root(), R"({"ttl":"1h"})").response().auth->accessor);
    if (i % 2 == 0) advance(std::chrono::milliseconds(1));
  }
  std::sort(made.begin(), made.end());
  std::vector<std::string> leases = keys(list("sys/leases/lookup/auth/token/create", root()));
  REQUIRE(leases.size() == made.size());
  for (const auto& [path, whole] : {std::pair("auth/token/accessors/", &made),
                                    std::pair("sys/leases/lookup/auth/token/create/", &leases)}) {
    std::vector<std::string> all;
    Answer part = request("LIST", path, root(), R"({"limit":"2"})");
    while (part.status() == 200) {
      for (const auto& key : keys(part)) all.push_back(key);
      part = request("LIST", path, root(), R"({"limit":"2","after":")" + all.back() + R"("})");
    }
    CHECK(part.status() == 404);
    for (const std::string& one : *whole) CHECK(std::binary_search(all.begin(), all.end(), one));
  }
  CHECK(request("LIST", "auth/token/accessors/", root(), R"({"limit":"x"})").status() == 400);
}

TEST_CASE_FIXTURE(ManyVault, "lease jobs: what is irrevocable is shown, with the reason") {
  const std::string id = lease();
  const std::string path = "sys/leases", asked = R"({"type":"irrevocable"})";
  CHECK(request("GET", path, root()).status() == 404);
  CHECK(request("GET", path, root(), asked).data().integer_at("lease_count") == 0);
  take_down();
  CHECK(
      post("sys/leases/revoke", root(), R"({"sync":false,"lease_id":")" + id + R"("})").status() ==
      202);
  REQUIRE(as_time_passes([&] { return server()->visits("connect") > 1; }));
  const Answer irrevocable = request("GET", path, root(), asked);
  CHECK(irrevocable.data().integer_at("lease_count") == 1);
  CHECK(irrevocable.data().find("counts")->integer_at("test/") == 1);
  const Json one = irrevocable.data().find("leases")->items().at(0);
  CHECK(one.string_at("lease_id") == id);
  CHECK_FALSE(one.string_at("error").empty());
  CHECK(request("GET", "sys/leases/count", root(), asked).data().find("leases") == nullptr);
}

TEST_CASE_FIXTURE(ManyVault, "lease jobs: receipts are kept for a month") {
  lease();
  CHECK(many("revoke-prefix", "test").status() == 204);
  REQUIRE(count(barrier::Table::receipt) == 1);
  advance(Seconds{29 * 24 * 3600});
  lease();
  CHECK(many("revoke-prefix", "test").status() == 204);
  CHECK(count(barrier::Table::receipt) == 2);
  advance(Seconds{2 * 24 * 3600});
  CHECK(eventually([&] { return count(barrier::Table::receipt) == 1; }));
  CHECK(verifies());
}

TEST_CASE_FIXTURE(ManyVault, "lease jobs: what is made after a revocation was asked for stays") {
  lease();
  server()->set("revoke", AccountServer::Fault::refuse);
  REQUIRE(many("revoke-force", "test/creds/ro", R"({"sync":false})").status() == 202);
  REQUIRE(eventually([&] { return count(barrier::Table::due) == 1; }));
  advance(Seconds{1});
  const std::string later = lease();
  const auto is_done = [&] { return list("sys/jobs", root()).status() == 404; };
  REQUIRE(as_time_passes(is_done));
  CHECK(count(barrier::Table::lease) == 1);
  const std::string body = R"({"lease_id":")" + later + "\"}";
  CHECK(post("sys/leases/lookup", root(), body).status() == 200);
}

TEST_CASE_FIXTURE(ManyVault, "lease jobs: a prefix takes all below it, however deep it lies") {
  std::string deep = "a";
  for (int i = 0; i < 60; ++i) deep += "/a";
  REQUIRE(post("sys/mounts/" + deep, root(), R"({"type":"test"})").status() == 204);
  REQUIRE(post(deep + "/roles/ro", root(), R"({"ttl":"1h"})").status() == 204);
  for (const char* how : {"revoke-prefix", "revoke-force"}) {
    const Answer creds = get(deep + "/creds/ro", root());
    REQUIRE(creds.status() == 200);
    CHECK(keys(list("sys/leases/lookup/", root())) == std::vector<std::string>{"a/"});
    CHECK(many(how, "a").status() == 204);
    CHECK(server()->accounts().empty());
    const std::string body = R"({"lease_id":")" + creds.response().lease_id + R"("})";
    CHECK(post("sys/leases/lookup", root(), body).status() == 400);
  }
  REQUIRE(get(deep + "/creds/ro", root()).status() == 200);
  CHECK(remove("sys/mounts/" + deep, root()).status() == 204);
  CHECK(server()->accounts().empty());
  CHECK(verifies());
}

TEST_CASE_FIXTURE(ManyVault, "lease jobs: no answer says gone of more leases than it waits for") {
  const std::string first = lease();
  server()->hang("revoke");
  copy_lease(first, core::kAwaitedMax);
  Answer answer;
  SUBCASE("below a prefix") { answer = many("revoke-prefix", "test"); }
  SUBCASE("of a mount") { answer = remove("sys/mounts/test", root()); }
  CHECK(answer.status() == 500);
  CHECK(answer.error().find("more leases than an answer waits for") != std::string::npos);
  CHECK(eventually([&] { return count(barrier::Table::due) > 0; }));  // it has begun all the same
  server()->release("revoke");
}
