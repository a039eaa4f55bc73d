// sys/quotas/: which limit counts for a request, what it lets through, and what it costs to be
// refused.
#include <doctest/doctest.h>

#include "tests/support/test_vault.h"

using namespace leasehold;
using testing::Answer;
using testing::TestVault;
using testing::TestWorld;

namespace {

struct Limited : TestVault {
  Answer limit(const std::string& name, const std::string& fields) {
    return post("sys/quotas/rate-limit/" + name, root(), fields);
  }
  Json shown(const std::string& name) {
    return get("sys/quotas/rate-limit/" + name, root()).data();
  }
  // How many of ten requests for the path are let through.
  int let_in(const std::string& path, const std::string& address = "10.0.0.1") {
    int in = 0;
    for (int i = 0; i < 10; ++i) in += asked(path, address).status() != 429;
    return in;
  }
  Answer asked(const std::string& path, const std::string& address = "10.0.0.1") {
    core::Request request;
    request.path = path;
    request.token = root();
    request.remote_address = address;
    return wait(begin(std::move(request)));
  }
};

}  // namespace

TEST_CASE_FIXTURE(Limited, "quotas: a limit reads back as it was written") {
  CHECK(list("sys/quotas/rate-limit/", root()).status() == 404);
  REQUIRE(limit("all", R"({"rate":1000})").status() == 204);
  const Json all = shown("all");
  CHECK(all.string_at("type") == "rate-limit");
  CHECK(all.string_at("name") == "all");
  CHECK(all.string_at("path").empty());
  CHECK(all.string_at("role").empty());
  CHECK(all.find("rate")->text() == "1000");
  CHECK(all.integer_at("interval") == 1);
  CHECK(all.integer_at("block_interval") == 0);
  CHECK(all.bool_at("inheritable"));
  REQUIRE(limit("one", R"({"rate":7.70,"path":"test/notes/a*","interval":"2m",
                           "block_interval":60})")
              .status() == 204);
  const Json one = shown("one");
  CHECK(one.string_at("path") == "test/notes/a*");
  CHECK(one.find("rate")->text() == "7.7");
  CHECK(one.integer_at("interval") == 120);
  CHECK(one.integer_at("block_interval") == 60);
  CHECK_FALSE(one.bool_at("inheritable"));
  CHECK(list("sys/quotas/rate-limit/", root()).data().strings_at("keys") ==
        std::vector<std::string>{"all", "one"});
  CHECK(remove("sys/quotas/rate-limit/one", root()).status() == 204);
  CHECK(get("sys/quotas/rate-limit/one", root()).status() == 404);
}

TEST_CASE_FIXTURE(Limited, "quotas: what a limit cannot be is refused") {
  for (const char* fields : {"{}", R"({"rate":0})", R"({"rate":-1})", R"({"rate":"much"})",
                             R"({"rate":1e99})", R"({"rate":true})"})
    CHECK(limit("x", fields).error() == "'rate' is invalid");
  CHECK(limit("x", R"({"rate":1,"path":"nosuch"})").error() == R"(invalid mount path "nosuch/")");
  CHECK(limit("x", R"({"rate":1,"path":"test","role":"r"})")
            .error()
            .find("is not a valid auth method") != std::string::npos);
  CHECK(limit("x", R"({"rate":1,"path":"auth/token","role":"r"})").error() ==
        R"(Mount path "auth/token/" does not support use with role-based quotas)");
  CHECK(limit("x", R"({"rate":1,"path":"test/a","role":"r"})")
            .error()
            .find("both a path suffix and a role") != std::string::npos);
  REQUIRE(limit("a", R"({"rate":1,"path":"test"})").status() == 204);
  CHECK(limit("b", R"({"rate":2,"path":"test/"})").error() ==
        R"(quota rule with similar properties exists under the name "a")");
  CHECK(limit("a", R"({"rate":2,"path":"test/"})").status() == 204);
  CHECK(limit("b", R"({"rate":2,"path":"test/x"})").status() == 204);
}

TEST_CASE_FIXTURE(Limited, "quotas: of all limits the nearest counts, for each client alone") {
  limit("all", R"({"rate":9,"interval":"1h"})");
  limit("mount", R"({"rate":7,"interval":"1h","path":"test"})");
  limit("glob", R"({"rate":5,"interval":"1h","path":"test/notes/*"})");
  limit("longer", R"({"rate":4,"interval":"1h","path":"test/notes/b*"})");
  limit("exact", R"({"rate":2,"interval":"1h","path":"test/notes/b/c"})");
  CHECK(let_in("sys/mounts") == 9);
  CHECK(let_in("nowhere/at/all") == 0);  // it is a request like any other
  CHECK(let_in("test/other") == 7);
  CHECK(let_in("test/notes/a") == 5);
  CHECK(let_in("test/notes/ax") == 0);
  CHECK(let_in("test/notes/b") == 4);
  CHECK(let_in("test/notes/b/c") == 2);
  CHECK(let_in("test/notes/b/c", "10.0.0.2") == 2);
  CHECK(let_in("test/notes/b/c", "2001:db8::1") == 2);
  CHECK(let_in("test/notes/b/c", "2001:db8::2") == 0);  // the same network of 64 bits
}

TEST_CASE_FIXTURE(Limited, "quotas: who is refused is told as Vault tells it") {
  limit("one", R"({"rate":1,"interval":10,"path":"test"})");
  CHECK(asked("test/notes/a").status() == 404);
  advance(Seconds{4});
  const Answer refused = asked("test/notes/a");
  CHECK(refused.status() == 429);
  CHECK(refused.error() == R"(request path "test/notes/a": rate limit quota exceeded)");
  CHECK(refused.response().retry_after == Seconds{6});
  CHECK_FALSE(refused.response().rate_limit);
  advance(Seconds{6});
  CHECK(asked("test/notes/a").status() == 404);
  CHECK(post("sys/quotas/config", root(), R"({"enable_rate_limit_response_headers":true})")
            .status() == 204);
  const Answer again = asked("test/notes/a");
  REQUIRE(again.response().rate_limit);
  CHECK(again.response().rate_limit->limit == 1);
  CHECK(again.response().rate_limit->remaining == 0);
  CHECK(again.response().rate_limit->reset == Seconds{10});
  CHECK(asked("test/notes/a", "10.0.0.9").response().rate_limit);
  CHECK_FALSE(asked("sys/mounts").response().rate_limit);
}

TEST_CASE_FIXTURE(Limited,
                  "quotas: who passes a limit with a block is refused until that is over") {
  limit("one", R"({"rate":2,"interval":1,"block_interval":60,"path":"test"})");
  CHECK(let_in("test/notes/a") == 2);
  advance(Seconds{30});
  const Answer refused = asked("test/notes/a");
  CHECK(refused.status() == 429);
  CHECK(refused.response().retry_after == Seconds{30});
  CHECK(asked("test/notes/a", "10.0.0.2").status() == 404);
  advance(Seconds{30});
  CHECK(let_in("test/notes/a") == 2);
}

TEST_CASE_FIXTURE(Limited, "quotas: a limit comes before the question who asks") {
  limit("one", R"({"rate":1,"interval":"1h","path":"test"})");
  const std::string once = token(R"({"policies":["root"],"num_uses":1,"ttl":"1h"})");
  asked("test/notes/a", "127.0.0.1");
  CHECK(get("test/notes/a", "hvs.nobody").status() == 429);
  CHECK(get("test/notes/a", once).status() == 429);
  CHECK(get("sys/mounts", once).status() == 200);  // its use was not spent
}

TEST_CASE_FIXTURE(Limited, "quotas: a refusal is on record only where the configuration says so") {
  limit("one", R"({"rate":1,"interval":"1h","path":"test"})");
  asked("test/notes/a");
  const auto lines = [&] {
    const std::string text = world().audit_text();
    return std::count(text.begin(), text.end(), '\n');
  };
  const auto before = lines();
  for (int i = 0; i < 20; ++i) CHECK(asked("test/notes/secretive").status() == 429);
  CHECK(lines() == before);
  CHECK(post("sys/quotas/config", root(), R"({"enable_rate_limit_audit_logging":true})").status() ==
        204);
  CHECK(asked("test/notes/told").status() == 429);
  CHECK(world().audit_text().find("test/notes/secretive") == std::string::npos);
  CHECK(world().audit_text().find("test/notes/told") != std::string::npos);
}

TEST_CASE_FIXTURE(Limited, "quotas: what is exempt is counted nowhere") {
  const Json config = get("sys/quotas/config", root()).data();
  CHECK(config.strings_at("rate_limit_exempt_paths").size() == 7);
  CHECK_FALSE(config.bool_at("enable_rate_limit_audit_logging"));
  limit("all", R"({"rate":2,"interval":"1h"})");
  CHECK(let_in("sys/health") == 10);
  CHECK(post("sys/quotas/config", root(),
             R"({"rate_limit_exempt_paths":["test/","!test/notes/b","sys/mounts"]})")
            .status() == 204);
  CHECK(get("sys/quotas/config", root()).data().strings_at("rate_limit_exempt_paths").size() == 3);
  CHECK(let_in("sys/mounts") == 10);
  CHECK(let_in("test/notes/a") == 10);
  CHECK(let_in("test/notes/b") == 2);
}

TEST_CASE("quotas: limits are there after a restart, and go where their mount goes") {
  TestWorld world;
  {
    TestVault vault(world);
    CHECK(vault.post("sys/mounts/more", vault.root(), R"({"type":"test"})").status() == 204);
    CHECK(vault
              .post("sys/quotas/rate-limit/one", vault.root(),
                    R"({"rate":1,"interval":"1h","path":"more"})")
              .status() == 204);
  }
  TestVault vault(world);
  const auto is_limited = [&](const std::string& path) {
    vault.get(path, vault.root());
    return vault.get(path, vault.root()).status() == 429;
  };
  CHECK(is_limited("more/notes/a"));
  const auto move =
      vault.begin("POST", "sys/remount", vault.root(), R"({"from":"more","to":"m2"})");
  CHECK(vault.as_time_passes([&] { return vault.answered(move); }));
  CHECK(is_limited("m2/notes/a"));
  CHECK_FALSE(is_limited("more/notes/a"));
  CHECK(vault.get("sys/quotas/rate-limit/one", vault.root()).data().string_at("path") == "m2/");
  const auto removal = vault.begin("DELETE", "sys/mounts/m2", vault.root());
  CHECK(vault.as_time_passes([&] { return vault.answered(removal); }));
  CHECK(vault.get("sys/quotas/rate-limit/one", vault.root()).status() == 404);
  CHECK(vault.list("sys/quotas/rate-limit/", vault.root()).status() == 404);
}

TEST_CASE_FIXTURE(Limited, "quotas: whoever sends from wherever, no more clients are remembered") {
  limit("one", R"({"rate":1,"interval":"1h","path":"test","block_interval":"1h"})");
  const auto taken = [&](const std::string& client) {
    return read([&](core::Unsealed& live, commit::ReadTxn& txn) {
      const auto compiled = *live.mounts.at(txn);
      const auto* rule =
          compiled->rate_limits->find(compiled->mounts.at("test/")->info.accessor, "notes/a", "");
      REQUIRE(rule != nullptr);
      return compiled->rate_limits->take(*rule, client, world().clock.now());
    });
  };
  CHECK(taken("10.0.0.1").allowed);
  CHECK_FALSE(taken("10.0.0.1").allowed);
  for (int i = 0; i < 200'000; ++i) taken("crowd " + std::to_string(i));
  CHECK_FALSE(taken("10.0.0.1").allowed);  // who is refused is forgotten last
}
