// The harness itself, and the road of one request.

#include <doctest/doctest.h>

#include "tests/support/test_vault.h"

using namespace leasehold;
using testing::Answer;
using testing::TestVault;

TEST_CASE("vault: a note is written, read, listed and deleted") {
  TestVault vault;
  CHECK(vault.post("test/notes/a/b", vault.root(), R"({"x":1})").status() == 204);
  const Answer read = vault.get("test/notes/a/b", vault.root());
  CHECK(read.status() == 200);
  CHECK(read.data().integer_at("x") == 1);
  CHECK(vault.list("test/notes/", vault.root()).data().strings_at("keys") ==
        std::vector<std::string>{"a/"});
  CHECK(vault.remove("test/notes/a/b", vault.root()).status() == 204);
  CHECK(vault.get("test/notes/a/b", vault.root()).status() == 404);
  CHECK(vault.verifies());
}
