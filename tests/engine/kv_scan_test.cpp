// SCAN of both versions of kv: all names below a folder, as paths, in order and in parts.

#include "tests/engine/engine_bench.h"

namespace leasehold::engine {
std::unique_ptr<core::Engine> make_kv_v1(const core::EngineContext& context);
std::unique_ptr<core::Engine> make_kv_v2(const core::EngineContext& context);
}  // namespace leasehold::engine

namespace leasehold {
namespace {

using Names = std::vector<std::string>;

struct Scanned : testing::EngineBench {
  Scanned() : EngineBench(engine::make_kv_v1) {
    for (const char* name : {"a", "a-b", "a/b", "a/c/d", "a/c/e/f", "b/x", "z"})
      REQUIRE(post(name, R"({"n":1})").status == 204);
  }
  Names scanned(const std::string& path, const std::string& query = "{}") {
    return scan(path, query).data.strings_at("keys");
  }
};

}  // namespace

TEST_CASE_FIXTURE(Scanned, "kv scan: every name below, as a path, in order") {
  CHECK(scanned("") == Names{"a", "a-b", "a/b", "a/c/d", "a/c/e/f", "b/x", "z"});
  CHECK(scanned("a/") == Names{"b", "c/d", "c/e/f"});
  CHECK(scanned("a/c") == Names{"d", "e/f"});
  CHECK(scan("none/").status == 404);
}

TEST_CASE_FIXTURE(Scanned, "kv scan: in parts, from whatever name on") {
  const Names all = scanned("");
  for (std::size_t i = 0; i < all.size(); ++i) {
    const std::string query = "{\"after\":\"" + all[i] + "\",\"limit\":\"2\"}";
    const std::size_t end = std::min(all.size(), i + 3);
    CHECK(scanned("", query) == Names(all.begin() + static_cast<std::ptrdiff_t>(i) + 1,
                                      all.begin() + static_cast<std::ptrdiff_t>(end)));
  }
  CHECK(scanned("", R"({"after":"a/c/"})") == Names{"a/c/d", "a/c/e/f", "b/x", "z"});
  CHECK(scanned("", R"({"after":"a/zz"})") == Names{"b/x", "z"});
}

TEST_CASE_FIXTURE(Scanned, "kv scan: of version 2 at metadata/ and detailed-metadata/") {
  upgrade(engine::make_kv_v2, 1);
  CHECK(scanned("metadata/a/") == Names{"b", "c/d", "c/e/f"});
  const auto detailed = scan("detailed-metadata/a/");
  CHECK(detailed.data.strings_at("keys") == Names{"b", "c/d", "c/e/f"});
  CHECK(detailed.data.find("key_info")->find("c/e/f")->integer_at("current_version") == 1);
}

TEST_CASE("kv scan: folders that are nested as deep as names may be long") {
  testing::EngineBench kv(engine::make_kv_v1);
  std::string path;
  std::size_t made = 0;
  for (bool taken = true; taken; made += taken ? 1 : 0) {
    for (int i = 0; i < 20; ++i) path += "d/";
    taken = kv.post(path + "x", "{\"n\":1}").status == 204;
  }
  CHECK(made > 5);
  CHECK(kv.scan("").data.strings_at("keys").size() == made);
}

}  // namespace leasehold
