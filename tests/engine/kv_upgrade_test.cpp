// A mount of kv version 1 that becomes one of version 2: each secret is its own first version, and
// nothing is rewritten before it is written to.

#include "tests/engine/engine_bench.h"

namespace leasehold::engine {
std::unique_ptr<core::Engine> make_kv_v1(const core::EngineContext& context);
std::unique_ptr<core::Engine> make_kv_v2(const core::EngineContext& context);
}  // namespace leasehold::engine

namespace leasehold {
namespace {

struct Upgraded : testing::EngineBench {
  Upgraded() : EngineBench(engine::make_kv_v1) {
    CHECK(post("a", R"({"n":1})").status == 204);
    CHECK(post("b/c", R"({"n":2,"ttl":"1h"})").status == 204);
    CHECK(post("b/negative", R"({"n":3,"ttl":-5})").status == 204);
    store.clock.advance(Seconds(100));
    upgrade(engine::make_kv_v2, 1);
    upgraded = rfc3339(store.clock.now());
    store.clock.advance(Seconds(100));
  }
  std::string secret(const std::string& path, int version = 0) {
    const auto answer = get("data/" + path, "{\"version\":\"" + std::to_string(version) + "\"}");
    return answer.status == 200 ? answer.data.find("data")->dump() : std::to_string(answer.status);
  }
  int put(const std::string& path, const std::string& data, const std::string& options = "{}") {
    return post("data/" + path, "{\"data\":" + data + ",\"options\":" + options + "}").status;
  }
  Json metadata(const std::string& path) { return get("metadata/" + path).data; }
  std::string upgraded;
};

}  // namespace

TEST_CASE_FIXTURE(Upgraded,
                  "kv upgrade: each secret is version 1, made when the mount was upgraded") {
  CHECK(secret("a") == R"({"n":1})");
  CHECK(secret("a", 1) == R"({"n":1})");
  CHECK(secret("a", 2) == "404");
  CHECK(secret("b/c") == R"({"n":2,"ttl":"1h"})");
  CHECK(secret("b/negative") == R"({"n":3,"ttl":-5})");
  const Json about = metadata("a");
  CHECK(about.integer_at("current_version") == 1);
  CHECK(about.string_at("created_time") == upgraded);
  CHECK(about.find("versions")->find("1")->string_at("created_time") == upgraded);
  CHECK(list("metadata/").data.strings_at("keys") == std::vector<std::string>{"a", "b/"});
}

TEST_CASE_FIXTURE(Upgraded, "kv upgrade: a write is version 2, and version 1 stays") {
  CHECK(put("a", "{}", R"({"cas":0})") == 400);
  CHECK(put("a", R"({"n":10})", R"({"cas":1})") == 200);
  CHECK(secret("a") == R"({"n":10})");
  CHECK(secret("a", 1) == R"({"n":1})");
  CHECK(metadata("a").string_at("created_time") == upgraded);
}

TEST_CASE_FIXTURE(Upgraded, "kv upgrade: a patch starts from version 1") {
  CHECK(patch("data/a", R"({"data":{"m":2}})").status == 200);
  CHECK(secret("a") == R"({"m":2,"n":1})");
  CHECK(secret("a", 1) == R"({"n":1})");
}

TEST_CASE_FIXTURE(Upgraded, "kv upgrade: metadata, deletion and undeletion keep the data") {
  CHECK(post("metadata/a", R"({"custom_metadata":{"owner":"me"}})").status == 204);
  CHECK(secret("a") == R"({"n":1})");
  CHECK(remove("data/b/c").status == 204);
  CHECK(secret("b/c") == "404");
  CHECK(post("undelete/b/c", R"({"versions":[1]})").status == 204);
  CHECK(secret("b/c") == R"({"n":2,"ttl":"1h"})");
}

TEST_CASE_FIXTURE(Upgraded, "kv upgrade: what is destroyed or removed is gone") {
  CHECK(post("destroy/a", R"({"versions":[1]})").status == 204);
  CHECK(secret("a", 1) == "404");
  CHECK(post("undelete/a", R"({"versions":[1]})").status == 204);
  CHECK(secret("a", 1) == "404");
  CHECK(remove("metadata/b/c").status == 204);
  CHECK(get("metadata/b/c").status == 404);
  CHECK(put("b/c", R"({"n":5})", R"({"cas":0})") == 200);
  CHECK(secret("b/c", 1) == R"({"n":5})");
}

TEST_CASE_FIXTURE(Upgraded, "kv upgrade: version 1 makes room where one version is kept") {
  CHECK(post("config", R"({"max_versions":1})").status == 204);
  CHECK(put("a", R"({"n":2})") == 200);
  CHECK(secret("a") == R"({"n":2})");
  CHECK(secret("a", 1) == "404");
}

TEST_CASE_FIXTURE(Upgraded, "kv upgrade: from no other version") {
  const auto snapshot = store.snapshot();
  commit::Batch batch({}, commit::Unrecorded{"a test"});
  core::WriteTxn txn(*snapshot, store.barrier, testing::kTestSpace, batch);
  const auto v1 = engine::make_kv_v1({store.clock, store.random, log, {}});
  CHECK(v1->upgrade(2, txn, store.clock.now()).is(Code::invalid));
}

}  // namespace leasehold
