#include "vault/base/environment.h"

#include <doctest/doctest.h>

#include <cstdlib>

using namespace leasehold;

TEST_CASE("environment: a secret is found by its whole name, and gone once it is forgotten") {
  ::setenv("LEASEHOLD_TEST_PIN", "1234=5", 1);
  ::setenv("LEASEHOLD_TEST_NONE", "", 1);
  ::setenv("LEASEHOLD_TEST_PIN_2", "another", 1);
  CHECK(as_text(secret_in_environment("LEASEHOLD_TEST_PIN").reveal()) == "1234=5");
  CHECK(secret_in_environment("LEASEHOLD_TEST_NONE").empty());
  CHECK(find_in_environment("LEASEHOLD_TEST_NONE") != nullptr);
  for (const char* name : {"LEASEHOLD_TEST_PI", "LEASEHOLD_TEST_", ""})
    CHECK(find_in_environment(name) == nullptr);
  forget_in_environment("LEASEHOLD_TEST_PIN");
  forget_in_environment("LEASEHOLD_TEST_");
  CHECK(std::getenv("LEASEHOLD_TEST_PIN") == std::string());
  CHECK(std::getenv("LEASEHOLD_TEST_PIN_2") == std::string("another"));
}
