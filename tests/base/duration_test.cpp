#include "vault/base/duration.h"

#include <doctest/doctest.h>

namespace leasehold {
namespace {

constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();

std::int64_t seconds(std::string_view text) {
  const auto parsed = parse_duration(text);
  REQUIRE(parsed.ok());
  return parsed->count();
}

std::string error(std::string_view text) {
  const auto parsed = parse_duration(text);
  REQUIRE(parsed.is(Code::invalid));
  return parsed.error().message;
}

TEST_CASE("duration: plain integers are seconds") {
  CHECK(seconds("0") == 0);
  CHECK(seconds("3600") == 3600);
  CHECK(seconds("-5") == -5);
  CHECK(seconds("+5") == 5);
  CHECK(seconds("") == 0);
}

TEST_CASE("duration: Go's units and a day are understood, alone and together") {
  CHECK(seconds("30s") == 30);
  CHECK(seconds("5m") == 300);
  CHECK(seconds("1h30m") == 5400);
  CHECK(seconds("72h") == 259200);
  CHECK(seconds("7d") == 604800);
  CHECK(seconds("1d12h") == 129600);
  CHECK(seconds("-1m30s") == -90);
  CHECK(seconds("0s") == 0);
}

TEST_CASE("duration: fractions count, and what is below a second is cut off") {
  CHECK(seconds("1.5h") == 5400);
  CHECK(seconds(".5m") == 30);
  CHECK(seconds("1.m") == 60);
  CHECK(seconds("0.1d") == 8640);
  CHECK(seconds("500ms") == 1);  // up, for 0 means another thing
  CHECK(seconds("999ms1ms") == 1);
  CHECK(seconds("1500ms") == 2);
  CHECK(seconds("-1500ms") == -1);
  CHECK(seconds("2000000us") == 2);
  CHECK(seconds("2000000\xC2\xB5s") == 2);
  CHECK(seconds("2000000\xCE\xBCs") == 2);
  CHECK(seconds("3000000000ns") == 3);
}

TEST_CASE("duration: too long becomes the longest, never short and never negative") {
  CHECK(seconds("99999999999999999999") == kMost);
  CHECK(seconds("-99999999999999999999") == -kMost);
  CHECK(seconds("9223372036854775807h") == kMost);
  CHECK(seconds("99999999999999999999999d99999999999999999999999d") == kMost);
  CHECK(seconds("9223372036854775807s1s") == kMost);
}

TEST_CASE("duration: what is none is refused in Go's words") {
  CHECK(error("soon") == "time: invalid duration \"soon\"");
  CHECK(error("-") == "time: invalid duration \"-\"");
  CHECK(error(".s") == "time: invalid duration \".s\"");
  CHECK(error("1.5") == "time: missing unit in duration \"1.5\"");
  CHECK(error("3x") == "time: unknown unit \"x\" in duration \"3x\"");
  CHECK(error("3 s") == "time: unknown unit \" s\" in duration \"3 s\"");
  CHECK(error(" 3s") == "time: invalid duration \" 3s\"");
  CHECK(error("1h-5m") == "time: unknown unit \"h-\" in duration \"1h-5m\"");
}

TEST_CASE("duration: the error text is printable and short, whatever came") {
  CHECK(error("a\"\n\xff") == "time: invalid duration \"a\\\"\\x0a\\xff\"");
  CHECK(error(std::string(100000, 'x')).size() < 100);
}

TEST_CASE("duration: printing leaves out the parts that are zero") {
  CHECK(print_duration(Seconds{0}) == "0s");
  CHECK(print_duration(Seconds{768 * 3600}) == "768h");
  CHECK(print_duration(Seconds{300}) == "5m");
  CHECK(print_duration(Seconds{5400}) == "1h30m");
  CHECK(print_duration(Seconds{999999}) == "277h46m39s");
  CHECK(print_duration(Seconds{3601}) == "1h1s");
  CHECK(print_duration(Seconds{-90}) == "-1m30s");
  CHECK(print_duration(Seconds{std::numeric_limits<std::int64_t>::min()})[0] == '-');
}

}  // namespace
}  // namespace leasehold
