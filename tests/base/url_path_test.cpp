#include "vault/base/url_path.h"

#include <doctest/doctest.h>

using leasehold::clean_path;
using leasehold::escape_path;

TEST_CASE("url path: empty and dot segments go, and nothing climbs above the root") {
  const std::pair<const char*, const char*> kCases[] = {
      {"", ""},
      {"/", ""},
      {"a", "a"},
      {"/a", "a"},
      {"a/", "a/"},
      {"a//b", "a/b"},
      {"//a///b//", "a/b/"},
      {"a/./b", "a/b"},
      {"a/.", "a"},
      {"a/b/..", "a"},
      {"a/../b", "b"},
      {"../../etc", "etc"},
      {"a/../../b/", "b/"},
      {"..", ""},
      {"./", ""},
      {"a/.../b", "a/.../b"},
      {"a/..b/.c", "a/..b/.c"},
  };
  for (const auto& one : kCases) {
    CHECK(clean_path(one.first) == one.second);
    CHECK(clean_path(clean_path(one.first)) == one.second);
  }
}

TEST_CASE("url path: escaping leaves slashes, and nothing that ends a header or begins a query") {
  CHECK(escape_path("a/b c#d") == "a/b%20c%23d");
  CHECK(escape_path("\xC3\xA4") == "%C3%A4");
  CHECK(escape_path("a\r\nb?c%d\\") == "a%0D%0Ab%3Fc%25d%5C");
}
