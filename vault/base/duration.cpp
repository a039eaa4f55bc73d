#include "vault/base/duration_down.h"

#include <array>
#include <optional>

namespace leasehold {
namespace {

constexpr std::uint64_t kNanosPerSecond = 1'000'000'000;
constexpr std::uint64_t kMost = std::numeric_limits<std::int64_t>::max();

struct Unit {
  std::string_view name;
  std::uint64_t ns;
};
constexpr std::array kUnits{
    Unit{"ns", 1},
    Unit{"us", 1'000},
    Unit{"\xC2\xB5s", 1'000},  // U+00B5 and U+03BC, as Go takes both
    Unit{"\xCE\xBCs", 1'000},
    Unit{"ms", 1'000'000},
    Unit{"s", kNanosPerSecond},
    Unit{"m", 60 * kNanosPerSecond},
    Unit{"h", 3600 * kNanosPerSecond},
    Unit{"d", 86400 * kNanosPerSecond},
};

constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }

std::uint64_t saturating_add(std::uint64_t a, std::uint64_t b) {
  return a > kMost - b ? kMost : a + b;
}
std::uint64_t saturating_multiply(std::uint64_t a, std::uint64_t b) {
  return b != 0 && a > kMost / b ? kMost : a * b;
}

// A magnitude; both parts saturate at kMost.
struct Amount {
  std::uint64_t seconds = 0;
  std::uint64_t ns = 0;

  void add(std::uint64_t count, double fraction, std::uint64_t unit) {
    if (unit >= kNanosPerSecond) {
      seconds = saturating_add(seconds, saturating_multiply(count, unit / kNanosPerSecond));
    } else {
      const std::uint64_t per_second = kNanosPerSecond / unit;
      seconds = saturating_add(seconds, count / per_second);
      ns += count % per_second * unit;
    }
    ns += static_cast<std::uint64_t>(fraction * static_cast<double>(unit));
    seconds = saturating_add(seconds, ns / kNanosPerSecond);
    ns %= kNanosPerSecond;
  }
};

std::uint64_t take_integer(std::string_view& text) {
  std::uint64_t value = 0;
  for (; !text.empty() && is_digit(text[0]); text.remove_prefix(1))
    value = saturating_add(saturating_multiply(value, 10), static_cast<unsigned>(text[0] - '0'));
  return value;
}

double take_fraction(std::string_view& text) {
  double value = 0;
  double scale = 1;
  for (; !text.empty() && is_digit(text[0]); text.remove_prefix(1)) {
    if (scale >= 1e15) continue;  // below a nanosecond of the largest unit
    value = value * 10 + (text[0] - '0');
    scale *= 10;
  }
  return value / scale;
}

std::string_view take_unit(std::string_view& text) {
  std::size_t size = 0;
  while (size < text.size() && text[size] != '.' && !is_digit(text[size])) ++size;
  const std::string_view unit = text.substr(0, size);
  text.remove_prefix(size);
  return unit;
}

// As Go quotes in these messages, and no longer than a duration has reason to be.
std::string quoted(std::string_view text) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string out = "\"";
  for (const char c : text.substr(0, 64)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte >= 0x7f) {
      out += "\\x";
      out += {kHex[byte >> 4], kHex[byte & 15]};
    } else {
      if (c == '"' || c == '\\') out += '\\';
      out += c;
    }
  }
  return out + (text.size() > 64 ? "...\"" : "\"");
}

Error invalid(std::string_view what, std::string_view whole) {
  return failure(Code::invalid, "time: " + std::string(what) + "duration " + quoted(whole));
}

// One number with its unit, from the left of `text`.
Status take_part(std::string_view& text, std::string_view whole, Amount& amount) {
  const std::size_t before = text.size();
  const std::uint64_t count = take_integer(text);
  bool digits = text.size() != before;
  double fraction = 0;
  if (!text.empty() && text[0] == '.') {
    text.remove_prefix(1);
    const std::size_t point = text.size();
    fraction = take_fraction(text);
    digits = digits || text.size() != point;
  }
  if (!digits) return invalid("invalid ", whole);
  const std::string_view name = take_unit(text);
  if (name.empty()) return invalid("missing unit in ", whole);
  for (const Unit& unit : kUnits) {
    if (unit.name != name) continue;
    amount.add(count, fraction, unit.ns);
    return {};
  }
  return invalid("unknown unit " + quoted(name) + " in ", whole);
}

Seconds with_sign(std::uint64_t seconds, bool negative) {
  const auto value = static_cast<std::int64_t>(seconds);
  return Seconds{negative ? -value : value};
}

enum class Round : bool { up, down };

Result<Seconds> parse(std::string_view text, Round round) {
  if (text.empty()) return Seconds{0};  // as Vault: an empty setting is no duration
  std::string_view rest = text;
  const bool negative = rest[0] == '-';
  if (negative || rest[0] == '+') rest.remove_prefix(1);
  if (rest.empty()) return invalid("invalid ", text);
  if (rest.find_first_not_of("0123456789") == std::string_view::npos)
    return with_sign(take_integer(rest), negative);
  Amount amount;
  while (!rest.empty()) VAULT_TRY(take_part(rest, text, amount));
  // Up: half a second must not become 0, which stands for "as long as the default".
  if (round == Round::up && amount.ns > 0 && !negative)
    amount.seconds = saturating_add(amount.seconds, 1);
  return with_sign(amount.seconds, negative);
}

}  // namespace

Result<Seconds> parse_duration(std::string_view text) { return parse(text, Round::up); }

Result<Seconds> parse_duration_down(std::string_view text) { return parse(text, Round::down); }

std::string print_duration(Seconds duration) {
  if (duration.count() == 0) return "0s";
  const bool negative = duration.count() < 0;
  std::uint64_t left = static_cast<std::uint64_t>(duration.count());
  if (negative) left = 0 - left;
  std::string out = negative ? "-" : "";
  for (const auto& [size, unit] :
       {std::pair{3600u, 'h'}, std::pair{60u, 'm'}, std::pair{1u, 's'}}) {
    if (left / size != 0) (out += std::to_string(left / size)) += unit;
    left %= size;
  }
  return out;
}

}  // namespace leasehold
