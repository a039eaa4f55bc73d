#include "vault/base/result.h"

#include <doctest/doctest.h>

#include <memory>

namespace leasehold {
namespace {

Result<int> half(int number) {
  if (number % 2 != 0) return failure(Code::invalid, "odd", "detail");
  return number / 2;
}

Result<int> quarter(int number) {
  VAULT_TRY_ASSIGN(const int once, half(number));
  VAULT_TRY_ASSIGN(const int twice, half(once));
  return twice;
}

Status is_even(int number) {
  VAULT_TRY(half(number));
  return {};
}

TEST_CASE("result: a value or the first error comes out, with code, message and detail") {
  CHECK(quarter(8).value() == 2);
  const auto failed = quarter(6);
  REQUIRE(failed.is(Code::invalid));
  CHECK(failed.error().message == "odd");
  CHECK(failed.error().detail == "detail");
}

TEST_CASE("result: a status is ok until a step fails") {
  CHECK(is_even(2).ok());
  CHECK(is_even(3).is(Code::invalid));
  CHECK_FALSE(is_even(3).is(Code::denied));
}

TEST_CASE("result: a value that only moves can be moved out") {
  Result<std::unique_ptr<int>> result(std::make_unique<int>(7));
  const std::unique_ptr<int> taken = std::move(result).value();
  CHECK(*taken == 7);
}

}  // namespace
}  // namespace leasehold
