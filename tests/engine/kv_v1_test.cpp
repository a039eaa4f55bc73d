#include "tests/engine/engine_bench.h"

namespace leasehold::engine {
std::unique_ptr<core::Engine> make_kv_v1(const core::EngineContext& context);
}

namespace leasehold {
namespace {

struct Kv : testing::EngineBench {
  Kv() : EngineBench(engine::make_kv_v1) {}
};

TEST_CASE_FIXTURE(Kv, "kv v1: what was written is read back whole, numbers as they were") {
  CHECK(post("app/db", R"({"n":12345678901234567890123,"a":[1,{"b":null}],"s":"ö<&>"})").status ==
        204);
  const auto answer = get("app/db");
  CHECK(answer.status == 200);
  CHECK(as_text(answer.response.data.reveal()) ==
        R"({"a":[1,{"b":null}],"n":12345678901234567890123,"s":"ö\u003c\u0026\u003e"})");
  CHECK(answer.response.lease_id.empty());
  CHECK_FALSE(answer.response.renewable);
}

TEST_CASE_FIXTURE(Kv, "kv v1: a write replaces the secret, it does not merge") {
  post("a", R"({"x":1,"y":2})");
  post("a", R"({"z":3})");
  CHECK(get("a").data.dump() == R"({"z":3})");
}

TEST_CASE_FIXTURE(Kv,
                  "kv v1: lease_duration is the secret's ttl or lease, else the mount's default") {
  const auto duration = [&](std::string_view body) {
    REQUIRE(post("hint", body).status == 204);
    return get("hint").response.lease_duration.count();
  };
  CHECK(duration(R"({"x":1})") == 768 * 3600);
  CHECK(duration(R"({"ttl":"1h"})") == 3600);
  CHECK(duration(R"({"ttl":90})") == 90);
  CHECK(duration(R"({"lease":"5m"})") == 300);
  CHECK(duration(R"({"ttl":"1h","lease":"5m"})") == 3600);
  CHECK(duration(R"({"ttl":"soon"})") == 768 * 3600);
  CHECK(duration(R"({"ttl":"-5s"})") == -5);
  CHECK(duration(R"({"ttl":-1})") == -1);
  CHECK(duration(R"({"ttl":"1500ms"})") == 1);
  CHECK(duration(R"({"ttl":"999ms"})") == 0);
  CHECK(duration(R"({"ttl":""})") == 0);
  CHECK(duration(R"({"ttl":1.5})") == 768 * 3600);  // a number is whole, as Vault reads it
  CHECK(duration(R"({"ttl":{"a":1}})") == 768 * 3600);
  CHECK(duration(R"({"ttl":0})") == 0);
}

TEST_CASE_FIXTURE(Kv, "kv v1: an empty write is refused") {
  CHECK(post("a", "{}").status == 400);
  CHECK(post("a", "{}").error == "missing data fields");
  CHECK(post("a", "").error == "missing data fields");
  CHECK(post("dir/", R"({"x":1})").error == "cannot write to a path ending in '/'");
  CHECK(post("", R"({"x":1})").error == "missing path");
}

TEST_CASE_FIXTURE(Kv, "kv v1: what is absent is 404, and deleting it is 204") {
  CHECK(get("nothing").status == 404);
  CHECK(get("nothing").error.empty());
  CHECK(get("").status == 404);
  CHECK(get("dir/").status == 404);
  CHECK(remove("nothing").status == 204);
  post("a", R"({"x":1})");
  CHECK(exists("a"));
  CHECK(remove("a").status == 204);
  CHECK_FALSE(exists("a"));
  CHECK(get("a").status == 404);
}

TEST_CASE_FIXTURE(Kv, "kv v1: lists show names and directories, with and without the last slash") {
  for (const char* path : {"foo", "foo/b", "foo/a/x", "bar/y", "odd/http:x"})
    post(path, R"({"x":1})");
  CHECK(list("").data.dump() == R"({"keys":["bar/","foo","foo/","odd/"]})");
  CHECK(list("foo").data.dump() == R"({"keys":["a/","b"]})");
  CHECK(list("foo/").data.dump() == R"({"keys":["a/","b"]})");
  CHECK(list("foo/", R"({"after":"a/"})").data.dump() == R"({"keys":["b"]})");
  CHECK(list("", R"({"limit":"2"})").data.dump() == R"({"keys":["bar/","foo"]})");
  CHECK(list("", R"({"limit":1})").data.dump() == R"({"keys":["bar/"]})");
  CHECK(list("", R"({"limit":"many"})").status == 400);
  CHECK(list("none/").status == 404);
}

TEST_CASE_FIXTURE(Kv, "kv v1: keys of a secret named as query parameters are data") {
  CHECK(post("a", R"({"limit":"abc","after":{},"path":"x"})").status == 204);
  CHECK(get("a").data.size() == 3);
}

TEST_CASE_FIXTURE(Kv, "kv v1: a secret larger than a batch is refused and leaves the old one") {
  post("a", R"({"x":1})");
  const std::string large(2u << 20, 'x');
  CHECK(post("a", "{\"x\":\"" + large + "\"}").status >= 400);
  CHECK(get("a").data.dump() == R"({"x":1})");
}

}  // namespace
}  // namespace leasehold
