#include <optional>

#include "vault/base/clock.h"

namespace leasehold {
namespace {

using std::chrono::days;
using std::chrono::sys_days;
using std::chrono::year_month_day;

constexpr std::int64_t kNanosPerSecond = 1'000'000'000;
constexpr std::int64_t kSecondsPerDay = 86'400;

std::int64_t floor_div(std::int64_t a, std::int64_t b) {
  return a / b - (a % b != 0 && (a < 0) != (b < 0));
}

void append_padded(std::string& out, std::int64_t value, std::size_t width) {
  const std::string digits = std::to_string(value);
  out.append(width > digits.size() ? width - digits.size() : 0, '0');
  out += digits;
}

void append_fraction(std::string& out, std::int64_t ns) {
  if (ns == 0) return;
  out += '.';
  append_padded(out, ns, 9);
  while (out.back() == '0') out.pop_back();
}

// Reads the text from the left; every step fails for good once one has failed.
class Reader {
 public:
  explicit Reader(std::string_view text) : rest_(text) {}

  int number(std::size_t width, int least, int most) {
    int value = 0;
    for (std::size_t i = 0; i < width; ++i) value = value * 10 + digit();
    if (value < least || value > most) failed_ = true;
    return value;
  }
  void expect(char c) {
    if (!accept(c)) failed_ = true;
  }
  bool accept(char c) {
    if (rest_.empty() || rest_[0] != c) return false;
    rest_.remove_prefix(1);
    return true;
  }
  // Digits after the ninth are below our resolution.
  std::int64_t fraction() {
    std::int64_t ns = 0;
    std::size_t digits = 0;
    for (; at_digit(); ++digits) {
      const int value = digit();
      if (digits < 9) ns = ns * 10 + value;
    }
    if (digits == 0) failed_ = true;
    for (; digits < 9; ++digits) ns *= 10;
    return ns;
  }
  bool done() const { return !failed_ && rest_.empty(); }

 private:
  bool at_digit() const { return !rest_.empty() && rest_[0] >= '0' && rest_[0] <= '9'; }
  int digit() {
    if (!at_digit()) {
      failed_ = true;
      return 0;
    }
    const int value = rest_[0] - '0';
    rest_.remove_prefix(1);
    return value;
  }

  std::string_view rest_;
  bool failed_ = false;
};

std::int64_t read_zone(Reader& reader) {
  if (reader.accept('Z')) return 0;
  const bool west = reader.accept('-');
  if (!west) reader.expect('+');
  const int hours = reader.number(2, 0, 23);
  reader.expect(':');
  const int minutes = reader.number(2, 0, 59);
  return (west ? -1 : 1) * (hours * 3600 + minutes * 60);
}

}  // namespace

std::string rfc3339(WallTime time) {
  const std::int64_t seconds = floor_div(time.ns, kNanosPerSecond);
  const std::int64_t day = floor_div(seconds, kSecondsPerDay);
  const std::int64_t of_day = seconds - day * kSecondsPerDay;
  const year_month_day date{sys_days{days{day}}};
  std::string out;
  append_padded(out, int{date.year()}, 4);
  append_padded(out += '-', unsigned{date.month()}, 2);
  append_padded(out += '-', unsigned{date.day()}, 2);
  append_padded(out += 'T', of_day / 3600, 2);
  append_padded(out += ':', of_day / 60 % 60, 2);
  append_padded(out += ':', of_day % 60, 2);
  append_fraction(out, time.ns - seconds * kNanosPerSecond);
  return out += 'Z';
}

Result<WallTime> parse_rfc3339(std::string_view text) {
  Reader reader(text);
  const int year = reader.number(4, 0, 9999);
  reader.expect('-');
  const int month = reader.number(2, 1, 12);
  reader.expect('-');
  const int day = reader.number(2, 1, 31);
  reader.expect('T');
  const int hour = reader.number(2, 0, 23);
  reader.expect(':');
  const int minute = reader.number(2, 0, 59);
  reader.expect(':');
  const int second = reader.number(2, 0, 59);
  const std::int64_t ns = reader.accept('.') ? reader.fraction() : 0;
  const std::int64_t zone = read_zone(reader);
  const year_month_day date{std::chrono::year{year}, std::chrono::month{unsigned(month)},
                            std::chrono::day{unsigned(day)}};
  if (!reader.done() || !date.ok())
    return failure(Code::invalid, "invalid time: expected RFC 3339, as 2006-01-02T15:04:05Z");
  const std::int64_t days_since = sys_days{date}.time_since_epoch().count();
  const Seconds seconds{days_since * kSecondsPerDay + hour * 3600 + minute * 60 + second - zone};
  return add(add(WallTime{}, seconds), Nanos{ns});
}

}  // namespace leasehold
