#include <doctest/doctest.h>

#include "tests/audit/support.h"
#include "vault/audit/json_text.h"
#include "vault/base/json.h"

using namespace leasehold;
using namespace leasehold::audit;

TEST_CASE("audit text: a time is written as base writes it") {
  testing::SeededRandom random(11);
  const auto same = [](WallTime time) {
    std::string out;
    append_time(out, time);
    return out == "\"" + rfc3339(time) + "\"";
  };
  for (int i = 0; i < 20'000; ++i) {
    const auto bytes = random.take<8>();
    CHECK(same(WallTime{static_cast<std::int64_t>(get_be(bytes.data(), 8))}));
    CHECK(same(WallTime{1'800'000'000'000'000'000 + bytes[0] * std::int64_t{100'000'000}}));
  }
  for (const std::int64_t ns : {0l, 1l, -1l, 999'999'999l, 1'000'000'000l})
    CHECK(same(WallTime{ns}));
  CHECK(same(kEndOfTime));
}
