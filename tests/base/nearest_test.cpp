#include "vault/base/nearest.h"

#include <doctest/doctest.h>

using leasehold::Nearest;

TEST_CASE("nearest: one slip in three letters is forgiven, two swapped letters are one") {
  const auto nearest = [](const char* typed) {
    Nearest found(typed);
    for (const char* name : {"path", "init", "seal", "capabilities"}) found.consider(name);
    return found.name();
  };
  CHECK(nearest("pth") == "path");
  CHECK(nearest("pahts").empty());
  CHECK(nearest("paht") == "path");
  CHECK(nearest("iint") == "init");
  CHECK(nearest("raft").empty());
  CHECK(nearest("read").empty());
  CHECK(nearest("capabilites") == "capabilities");
}
