#include <fmt/core.h>

#include "tests/engine/engine_bench.h"

namespace leasehold::engine {
std::unique_ptr<core::Engine> make_kv_v2(const core::EngineContext& context);
}

namespace leasehold {
namespace {

struct Kv2 : testing::EngineBench {
  Kv2() : EngineBench(engine::make_kv_v2) {}

  testing::EngineAnswer put(std::string_view path, std::string_view data,
                            std::string_view options = "{}") {
    return post(fmt::format("data/{}", path),
                fmt::format(R"({{"data":{},"options":{}}})", data, options));
  }
  // Of the latest version, as stored.
  std::string secret(std::string_view path) {
    const auto answer = get(fmt::format("data/{}", path));
    return answer.status == 200 ? answer.data.find("data")->dump() : "";
  }
  testing::EngineAnswer version(std::string_view path, int number) {
    return get(fmt::format("data/{}", path), fmt::format(R"({{"version":"{}"}})", number));
  }
  Json metadata(std::string_view path) { return get(fmt::format("metadata/{}", path)).data; }
  // "1 2d 3x": deleted versions with d, destroyed with x.
  std::string versions(std::string_view path) {
    std::string out;
    const Json data = metadata(path);
    for (const auto& row : data.find("versions")->members()) {
      out += (out.empty() ? "" : " ") + row.first;
      if (!row.second.string_at("deletion_time").empty()) out += 'd';
      if (row.second.bool_at("destroyed")) out += 'x';
    }
    return out;
  }
  std::string warning(const testing::EngineAnswer& answer) {
    return answer.response.warnings.empty() ? "" : answer.response.warnings.front();
  }
  void advance(Seconds by) { store.clock.advance(by); }
  // What is due, to its end.
  void work() {
    while (due()) {
    }
  }
  std::size_t records() {
    std::size_t count = 0;
    const auto snapshot = store.snapshot();
    core::ReadTxn txn(*snapshot, store.barrier, testing::kTestSpace);
    for (const auto table : {barrier::Table::value, barrier::Table::name}) {
      barrier::PhysicalKey from(table);
      from.push(testing::kTestSpace);
      REQUIRE(txn.scan(from, from.end_of_prefix(), 1000, storage::Scan::keys,
                       [&](const storage::Entry&) { return ++count > 0; })
                  .ok());
    }
    return count;
  }
};

TEST_CASE_FIXTURE(Kv2, "kv v2: an empty version is the latest") {
  put("a", R"({"n":1})");
  put("a", R"({"n":2})");
  CHECK(get("data/a", R"({"version":""})").data.find("data")->dump() == R"({"n":2})");
  CHECK(get("data/a", R"({"version":"x"})").status == 400);
}

TEST_CASE_FIXTURE(Kv2, "kv v2: what was written is read back whole, numbers as they were") {
  const auto written = put("app/db", R"({"n":12345678901234567890123,"s":"ö<&>","o":{"a":[1]}})");
  CHECK(written.status == 200);
  CHECK(written.data.integer_at("version") == 1);
  CHECK_FALSE(written.text("created_time").empty());
  const auto answer = get("data/app/db");
  CHECK(answer.status == 200);
  CHECK(as_text(answer.response.data.reveal()) ==
        R"({"data":{"n":12345678901234567890123,"o":{"a":[1]},"s":"ö\u003c\u0026\u003e"},)"
        R"("metadata":{"created_time":")" +
            written.text("created_time") +
            R"(","custom_metadata":null,"deletion_time":"","destroyed":false,"version":1}})");
  CHECK(answer.response.lease_duration == Seconds(0));
}

TEST_CASE_FIXTURE(Kv2, "kv v2: a write adds a version, the older ones stay") {
  put("a", R"({"x":1})");
  CHECK(put("a", R"({"y":2})").data.integer_at("version") == 2);
  CHECK(secret("a") == R"({"y":2})");
  CHECK(version("a", 1).data.find("data")->dump() == R"({"x":1})");
  CHECK(version("a", 0).data.find("data")->dump() == R"({"y":2})");
  CHECK(version("a", 3).status == 404);
  CHECK(version("a", 3).error.empty());
}

TEST_CASE_FIXTURE(Kv2, "kv v2: a write needs data and a path") {
  CHECK(post("data/a", R"({"user":"w"})").error == "no data provided");
  CHECK(post("data/a", "").error == "no data provided");
  CHECK(post("data/a", R"({"data":"text"})").status == 400);
  CHECK(post("data/", R"({"data":{}})").error == "missing path");
  CHECK(post("data/dir/", R"({"data":{}})").error == "cannot write to a path ending in '/'");
  CHECK(put("empty", "{}").status == 200);
  CHECK(put("null", "null").status == 200);
  CHECK(get("data/null").data.find("data")->is_null());
  CHECK(secret("empty") == "{}");
  CHECK(get("data/none").status == 404);
}

TEST_CASE_FIXTURE(Kv2, "kv v2: cas lets a write through only on the version it names") {
  const auto refused = [&](const char* options) { return put("a", "{}", options).error; };
  const std::string mismatch = "check-and-set parameter did not match the current version";
  CHECK(refused(R"({"cas":1})") == mismatch);
  CHECK(put("a", "{}", R"({"cas":0})").status == 200);
  CHECK(refused(R"({"cas":0})") == mismatch);
  CHECK(refused(R"({"cas":null})") == mismatch);
  CHECK(refused(R"({"cas":-1})") == mismatch);
  CHECK(refused(R"({"cas":"x"})") == "error parsing check-and-set parameter");
  CHECK(refused(R"({"cas":{}})") == "error parsing check-and-set parameter");
  CHECK(put("a", "{}", R"({"cas":"1"})").status == 200);
  remove("data/a");
  CHECK(put("a", "{}", R"({"cas":2})").status == 200);  // a delete does not start over
}

TEST_CASE_FIXTURE(Kv2, "kv v2: cas may be required by the mount and by the key") {
  const std::string required = "check-and-set parameter required for this call";
  put("a", "{}");
  post("metadata/a", R"({"cas_required":true})");
  CHECK(put("a", "{}").error == required);
  CHECK(patch("data/a", R"({"data":{"x":1}})").error == required);
  CHECK(put("a", "{}", R"({"cas":1})").status == 200);
  CHECK(put("b", "{}").status == 200);
  post("config", R"({"cas_required":true})");
  CHECK(put("b", "{}").error == required);
  const auto overruled = post("metadata/b", R"({"cas_required":false})");
  CHECK(overruled.status == 200);
  CHECK(warning(overruled) ==
        "\"cas_required\" set to false, but is mandated by backend config. This value will be "
        "ignored.");
}

TEST_CASE_FIXTURE(Kv2, "kv v2: the oldest versions go when there are too many, data and all") {
  for (int i = 1; i <= 10; ++i) put("a", "{}");
  CHECK(metadata("a").integer_at("oldest_version") == 1);
  CHECK(versions("a") == "1 10 2 3 4 5 6 7 8 9");
  const std::size_t before = records();
  put("a", "{}");
  CHECK(records() == before);
  CHECK(metadata("a").integer_at("oldest_version") == 2);
  CHECK(version("a", 1).status == 404);

  post("metadata/a", R"({"max_versions":2})");
  CHECK(version("a", 2).status == 200);  // until the next write
  put("a", "{}");
  CHECK(versions("a") == "11 12");
  CHECK(records() == before - 8);
  post("config", R"({"max_versions":3})");  // the larger of both counts
  put("a", "{}");
  CHECK(versions("a") == "11 12 13");
}

TEST_CASE_FIXTURE(Kv2,
                  "kv v2: the data of many versions is erased in parts, and read no more at once") {
  CHECK(post("metadata/a", R"({"max_versions":-1})").status == 400);
  CHECK(post("config", R"({"max_versions":1000000})").status == 204);
  const std::string path = "one/two/three/four/five/six/a";
  for (int i = 0; i < 300; ++i) REQUIRE(put(path, "{}").status == 200);
  CHECK(metadata(path).find("versions")->size() == 300);
  const std::size_t before = records();

  SUBCASE("of a removed key") {
    const auto removed = remove("metadata/" + path);
    CHECK(removed.status == 204);
    CHECK(removed.response.orders.due_work);
    CHECK(get("data/" + path).status == 404);
    SUBCASE("and of none that was made again") {
      for (int i = 1; i <= 120; ++i)
        REQUIRE(put(path, "{\"n\":" + std::to_string(i) + "}").status == 200);
      work();
      CHECK(version(path, 1).data.find("data")->integer_at("n") == 1);
      CHECK(version(path, 120).data.find("data")->integer_at("n") == 120);
      CHECK(records() == before - 180);
    }
    SUBCASE("whole") {
      work();
      CHECK(records() == 1);  // the settings
    }
  }
  SUBCASE("of those that are too many from now on") {
    CHECK(post("config", R"({"max_versions":2})").status == 204);
    CHECK(put(path, "{}").status == 200);
    CHECK(metadata(path).find("versions")->size() == 2);
    CHECK(metadata(path).integer_at("oldest_version") == 300);
    CHECK(version(path, 299).status == 404);
    work();
    CHECK(records() == before - 298);
    CHECK(version(path, 300).status == 200);
  }
  SUBCASE("of those that are destroyed") {
    std::string numbers;
    for (int i = 1; i <= 240; ++i) numbers += (i == 1 ? "" : ",") + std::to_string(i);
    const auto destroyed = post("destroy/" + path, "{\"versions\":[" + numbers + "]}");
    CHECK(destroyed.status == 204);
    CHECK(destroyed.response.orders.due_work);
    CHECK(version(path, 240).status == 404);
    work();
    CHECK(records() == before - 240);
    CHECK(version(path, 241).status == 200);
  }
}

TEST_CASE_FIXTURE(Kv2,
                  "kv v2: what is too deep for one batch is removed, and leaves folders at most") {
  post("config", R"({"max_versions":50})");
  std::string folder;
  for (int i = 0; i < 16; ++i) folder += "d/";
  const std::string path = folder + 'a';
  for (int i = 1; i <= 50; ++i) REQUIRE(put(path, "{}").status == 200);
  CHECK(remove("metadata/" + path).status == 204);
  CHECK(get("data/" + path).status == 404);
  CHECK(records() < 1 + 16);  // the settings and what was left
  REQUIRE(put(path, "{}").status == 200);
  CHECK(remove("metadata/" + path).status == 204);
  work();
  CHECK(records() == 1);
}

TEST_CASE_FIXTURE(Kv2, "kv v2: a deleted version is a 404 that says so, and can be brought back") {
  put("a", R"({"x":1})");
  put("a", R"({"x":2})");
  CHECK(remove("data/a").status == 204);
  const auto gone = get("data/a");
  CHECK(gone.status == 404);
  CHECK_FALSE(gone.response.is_error);
  CHECK(gone.data.find("data")->is_null());
  const Json& about = *gone.data.find("metadata");
  CHECK_FALSE(about.string_at("deletion_time").empty());
  CHECK(about.integer_at("version") == 2);
  CHECK(version("a", 1).status == 200);
  const std::string at = about.string_at("deletion_time");
  advance(Seconds(5));
  CHECK(remove("data/a").status == 204);  // deleted once
  CHECK(get("data/a").data.find("metadata")->string_at("deletion_time") == at);

  CHECK(post("undelete/a", R"({"versions":[2]})").status == 204);
  CHECK(secret("a") == R"({"x":2})");
  CHECK(post("delete/a", R"({"versions":"1,2"})").status == 204);
  CHECK(versions("a") == "1d 2d");
}

TEST_CASE_FIXTURE(Kv2, "kv v2: a destroyed version never comes back") {
  put("a", R"({"x":1})");
  put("a", R"({"x":2})");
  const std::size_t before = records();
  CHECK(post("destroy/a", R"({"versions":["2"]})").status == 204);
  CHECK(records() == before - 1);
  const auto gone = get("data/a");
  CHECK(gone.status == 404);
  CHECK(gone.data.find("metadata")->bool_at("destroyed"));
  post("undelete/a", R"({"versions":[2]})");
  CHECK(get("data/a").status == 404);
  CHECK(remove("metadata/a").status == 204);
  CHECK(records() == 0);
}

TEST_CASE_FIXTURE(Kv2, "kv v2: versions are named by number, those that are not there are passed") {
  for (const char* part : {"delete/a", "undelete/a", "destroy/a"}) {
    CAPTURE(part);
    CHECK(post(part, "{}").error == "No version number provided");
    CHECK(post(part, R"({"versions":[]})").error == "No version number provided");
    CHECK(post(part, R"({"versions":["x"]})").status == 400);
    CHECK(post(part, R"({"versions":[1]})").status == 204);
    std::string many = "1";
    for (int i = 0; i < 256; ++i) many += ",1";
    CHECK(post(part, fmt::format(R"({{"versions":"{}"}})", many)).status == 400);
  }
  put("a", "{}");
  post("delete/a", R"({"versions":[0,-1,7,9223372036854775807]})");
  CHECK(versions("a") == "1");
  CHECK(remove("data/none").status == 204);
  CHECK(remove("metadata/none").status == 204);
}

TEST_CASE_FIXTURE(Kv2, "kv v2: delete_version_after ends a version, the shorter of both counts") {
  post("config", R"({"delete_version_after":"1h"})");
  put("a", R"({"x":1})");
  CHECK_FALSE(get("data/a").data.find("metadata")->string_at("deletion_time").empty());
  advance(Seconds(3599));
  CHECK(get("data/a").status == 200);
  advance(Seconds(1));
  CHECK(get("data/a").status == 404);
  post("undelete/a", R"({"versions":[1]})");
  CHECK(get("data/a").status == 200);

  post("metadata/a", R"({"delete_version_after":"90s"})");
  CHECK(metadata("a").string_at("delete_version_after") == "1m30s");
  put("a", "{}");
  advance(Seconds(90));
  CHECK(get("data/a").status == 404);

  post("config", R"({"delete_version_after":"-1s"})");  // never, whatever the key says
  CHECK(get("config").text("delete_version_after") == "-1s");
  put("a", "{}");
  CHECK(get("data/a").data.find("metadata")->string_at("deletion_time").empty());
}

TEST_CASE_FIXTURE(Kv2, "kv v2: a version that would end after the end of time ends there") {
  CHECK(post("metadata/a", R"({"delete_version_after":"99999999999h"})").status == 204);
  CHECK(metadata("a").string_at("delete_version_after") == "2562047h47m16s");
  CHECK(put("a", "{}").text("deletion_time").starts_with("2262-"));
  CHECK(get("data/a").status == 200);
  CHECK(post("metadata/a", R"({"delete_version_after":"-1s"})").status == 400);
  CHECK(post("config", R"({"delete_version_after":"soon"})").status == 400);
}

TEST_CASE_FIXTURE(Kv2, "kv v2: a patch merges into the latest version and makes the next") {
  put("a", R"({"keep":1,"gone":2,"deep":{"x":1,"y":2},"swap":3})");
  CHECK(patch("data/a", R"({"data":{"gone":null,"deep":{"y":null,"z":{"n":null}},"swap":{"s":1},
                                    "absent":null,"new":[null]}})")
            .data.integer_at("version") == 2);
  CHECK(secret("a") == R"({"deep":{"x":1,"z":{}},"keep":1,"new":[null],"swap":{"s":1}})");
  CHECK(version("a", 1).data.find("data")->find("gone") != nullptr);
  CHECK(patch("data/a", "{}").error == "no data provided");
  CHECK(patch("data/a", R"({"data":null})").error == "no data provided");
  CHECK(patch("data/a", R"({"data":{},"options":{"cas":1}})").status == 400);
}

TEST_CASE_FIXTURE(Kv2, "kv v2: what is not there cannot be patched") {
  const auto none = patch("data/none", R"({"data":{}})");
  CHECK(none.status == 404);
  CHECK_FALSE(none.response.is_error);
  CHECK(none.response.data.empty());
  post("metadata/only", R"({"max_versions":3})");
  CHECK(patch("data/only", R"({"data":{}})").status == 404);
  put("a", "{}");
  remove("data/a");
  const auto deleted = patch("data/a", R"({"data":{}})");
  CHECK(deleted.status == 404);
  CHECK_FALSE(deleted.text("deletion_time").empty());
  CHECK(patch("metadata/none", R"({"max_versions":3})").status == 404);
}

TEST_CASE_FIXTURE(Kv2, "kv v2: subkeys are the names without the values") {
  put("a", R"({"n":1,"o":{"x":1,"y":{"z":2},"e":{}},"l":[{"q":1}]})");
  const auto names = [&](const char* query) {
    return get("subkeys/a", query).data.find("subkeys")->dump();
  };
  CHECK(names("{}") == R"({"l":null,"n":null,"o":{"e":{},"x":null,"y":{"z":null}}})");
  CHECK(names(R"({"depth":"1"})") == R"({"l":null,"n":null,"o":null})");
  CHECK(names(R"({"depth":"2"})") == R"({"l":null,"n":null,"o":{"e":null,"x":null,"y":null}})");
  CHECK(get("subkeys/none").status == 404);
  remove("data/a");
  CHECK(get("subkeys/a").status == 404);
  CHECK(get("subkeys/a").data.find("subkeys")->is_null());
}

TEST_CASE_FIXTURE(Kv2, "kv v2: metadata alone makes a key without versions") {
  CHECK(post("metadata/only", R"({"custom_metadata":{"owner":"a","n":7,"t":true}})").status == 204);
  const Json data = metadata("only");
  CHECK(data.find("custom_metadata")->dump() == R"({"n":"7","owner":"a","t":"1"})");
  CHECK(data.integer_at("current_version") == 0);
  CHECK(data.find("versions")->dump() == "{}");
  CHECK(get("data/only").status == 404);
  CHECK(remove("data/only").status == 204);
  CHECK(put("only", "{}").data.find("custom_metadata")->string_at("owner") == "a");
  CHECK(metadata("only").string_at("created_time") == data.string_at("created_time"));
  CHECK(post("metadata/empty", "{}").status == 204);
  CHECK(get("metadata/empty").status == 404);
}

TEST_CASE_FIXTURE(Kv2, "kv v2: metadata is replaced by a write and merged by a patch") {
  post("metadata/a", R"({"custom_metadata":{"x":"1","y":"2"},"max_versions":7})");
  patch("metadata/a", R"({"custom_metadata":{"x":null,"z":"3"}})");
  CHECK(metadata("a").find("custom_metadata")->dump() == R"({"y":"2","z":"3"})");
  CHECK(metadata("a").integer_at("max_versions") == 7);
  patch("metadata/a", R"({"max_versions":null})");
  CHECK(metadata("a").integer_at("max_versions") == 0);
  post("metadata/a", R"({"custom_metadata":{"q":"4"},"max_versions":5})");
  CHECK(metadata("a").find("custom_metadata")->dump() == R"({"q":"4"})");
  post("metadata/a", R"({"custom_metadata":null,"max_versions":null})");  // as absent
  CHECK(metadata("a").find("custom_metadata")->dump() == R"({"q":"4"})");
  CHECK(metadata("a").integer_at("max_versions") == 5);
  patch("metadata/a", R"({"custom_metadata":null})");
  CHECK(metadata("a").find("custom_metadata")->is_null());
}

TEST_CASE_FIXTURE(Kv2, "kv v2: metadata_cas guards metadata as cas does data") {
  CHECK(post("metadata/a", R"({"metadata_cas":1,"max_versions":3})").status == 400);
  CHECK(get("metadata/a").status == 404);
  CHECK(post("metadata/a", R"({"metadata_cas":0,"metadata_cas_required":true})").status == 204);
  CHECK(metadata("a").integer_at("current_metadata_version") == 1);
  CHECK(post("metadata/a", R"({"max_versions":3})").error ==
        "check-and-set parameter required for this call");
  CHECK(patch("metadata/a", R"({"metadata_cas":0,"max_versions":3})").error ==
        "check-and-set parameter did not match the current version");
  CHECK(patch("metadata/a", R"({"metadata_cas":1,"max_versions":3})").status == 204);
  CHECK(post("metadata/a", R"({"metadata_cas":99})").status == 204);  // changes nothing
  CHECK(put("a", "{}").status == 200);
  CHECK(metadata("a").integer_at("current_metadata_version") == 2);
}

TEST_CASE_FIXTURE(Kv2, "kv v2: custom_metadata has limits") {
  const auto refused = [&](const std::string& pairs) {
    const auto answer = post("metadata/a", R"({"custom_metadata":{)" + pairs + "}}");
    return answer.status == 400 && answer.error.starts_with("custom_metadata validation failed");
  };
  const auto pair = [](std::size_t key, std::size_t value) {
    return "\"" + std::string(key, 'k') + "\":\"" + std::string(value, 'v') + "\"";
  };
  CHECK_FALSE(refused(pair(128, 512)));
  CHECK(refused(pair(129, 1)));
  CHECK(refused(pair(1, 513)));
  CHECK(refused(pair(0, 1)));
  CHECK(refused(pair(1, 0)));
  CHECK(refused(R"("k":null)"));
  CHECK(refused(R"("k":[])"));
  CHECK(refused(R"("k":"a\u0007")"));
  CHECK(refused(R"("k\n":"a")"));
  std::string many;
  for (int i = 0; i < 64; ++i) many += fmt::format("{}\"k{}\":\"v\"", i == 0 ? "" : ",", i);
  CHECK_FALSE(refused(many));
  CHECK(refused(many + R"(,"k64":"v")"));
  CHECK(patch("metadata/a", R"({"custom_metadata":{"one":"more"}})").status == 400);
  CHECK(patch("metadata/a", R"({"custom_metadata":{"one":"more","k0":null}})").status == 204);
  CHECK(post("metadata/a", R"({"custom_metadata":"text"})").error ==
        "error converting input for field \"custom_metadata\": '' expected type "
        "'map[string]interface {}', got unconvertible type 'string'");
}

TEST_CASE_FIXTURE(Kv2, "kv v2: lists show keys and directories, never versions") {
  for (const char* path : {"foo", "foo/b", "foo/a/x", "bar/y", "config", "foo/1", "data/1"}) {
    put(path, "{}");
    put(path, "{}");
  }
  CHECK(list("metadata/").data.dump() == R"({"keys":["bar/","config","data/","foo","foo/"]})");
  CHECK(list("metadata/foo").data.dump() == R"({"keys":["1","a/","b"]})");
  CHECK(list("metadata/foo/", R"({"after":"1","limit":"1"})").data.dump() == R"({"keys":["a/"]})");
  CHECK(list("metadata/", R"({"limit":"many"})").status == 400);
  CHECK(list("metadata/none/").status == 404);
  CHECK(list("metadata/foo/b").status == 404);
  CHECK(get("config").data.find("max_versions") != nullptr);
  remove("metadata/foo");
  CHECK(secret("foo/1") == "{}");
  CHECK(list("metadata/").data.dump() == R"({"keys":["bar/","config","data/","foo/"]})");
  const auto detailed = list("detailed-metadata/foo");
  CHECK(detailed.data.find("keys")->dump() == R"(["1","a/","b"])");
  CHECK(detailed.data.find("key_info")->size() == 2);
  CHECK(detailed.data.find("key_info")->find("b")->integer_at("current_version") == 2);
  CHECK(list("detailed-metadata/none").status == 404);
}

TEST_CASE_FIXTURE(Kv2, "kv v2: a key exists as long as its metadata does") {
  CHECK_FALSE(exists("data/a"));
  put("a", "{}");
  CHECK(exists("data/a"));
  CHECK(exists("metadata/a"));
  post("destroy/a", R"({"versions":[1]})");
  CHECK(exists("data/a"));
  remove("metadata/a");
  CHECK_FALSE(exists("data/a"));
  CHECK_FALSE(exists("metadata/a"));
}

TEST_CASE_FIXTURE(Kv2, "kv v2: a key that was removed begins again with version 1") {
  put("a", R"({"old":1})");
  put("a", R"({"old":2})");
  remove("metadata/a");
  CHECK(put("a", R"({"new":1})", R"({"cas":0})").data.integer_at("version") == 1);
  CHECK(version("a", 2).status == 404);
}

TEST_CASE_FIXTURE(Kv2, "kv v2: the settings of a mount stay as they are unless given") {
  CHECK(get("config").data.dump() ==
        R"({"cas_required":false,"delete_version_after":"0s","max_versions":0,)"
        R"("metadata_cas_required":false})");
  post("config", R"({"max_versions":5,"delete_version_after":"1h"})");
  post("config", R"({"metadata_cas_required":true})");
  CHECK(get("config").data.dump() ==
        R"({"cas_required":false,"delete_version_after":"1h0m0s","max_versions":5,)"
        R"("metadata_cas_required":true})");
  post("config", R"({"delete_version_after":0})");
  CHECK(get("config").text("delete_version_after") == "0s");
}

TEST_CASE_FIXTURE(Kv2, "kv v2: a path without data/ is told where secrets are") {
  const auto told = [&](const testing::EngineAnswer& answer, const char* command) {
    return answer.status == 404 && !answer.response.is_error && answer.response.data.empty() &&
           warning(answer) ==
               fmt::format(
                   "Invalid path for a versioned K/V secrets engine. See the API docs for "
                   "the appropriate API endpoints to use. If using the Leasehold CLI, use "
                   "'leasehold kv {}' for this operation.",
                   command);
  };
  CHECK(told(get("app/db"), "get"));
  CHECK(told(get(""), "get"));
  CHECK(told(post("app/db", R"({"a":1})"), "put"));
  CHECK(told(list("app/"), "list"));
  CHECK(told(remove("app/db"), "delete"));
  CHECK(warning(get("metadata/")) ==
        "Non-listing operations on the root of a K/V v2 mount are not supported.");
}

TEST_CASE_FIXTURE(Kv2, "kv v2: a secret larger than a batch is refused and leaves the old one") {
  put("a", R"({"x":1})");
  CHECK(put("a", "{\"x\":\"" + std::string(2u << 20, 'x') + "\"}").status == 400);
  CHECK(secret("a") == R"({"x":1})");
  CHECK(metadata("a").integer_at("current_version") == 1);
}

}  // namespace
}  // namespace leasehold
