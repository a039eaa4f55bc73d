#include <doctest/doctest.h>

#include <algorithm>

#include "backends/catalog.h"
#include "cli/leasehold/login_methods.h"
#include "tests/support/fake_clock.h"
#include "tests/support/null_log.h"
#include "tests/support/seeded_random.h"

using namespace leasehold;

TEST_CASE("login: the command line knows which methods of this build have the user in their path") {
  testing::FakeClock clock;
  testing::SeededRandom random;
  NullLog log;
  for (const core::EngineRow& row : catalog::kAuths) {
    CAPTURE(row.wire_type);
    const auto method = row.make({clock, random, log, {}});
    const auto routes = method->routes();
    const bool in_path = std::any_of(routes.begin(), routes.end(), [](const core::Route& route) {
      return route.pattern.starts_with("login/:");
    });
    const auto* end = std::end(cli::kUserInPath);
    CHECK(in_path == (std::find(std::begin(cli::kUserInPath), end, row.wire_type) != end));
  }
}
