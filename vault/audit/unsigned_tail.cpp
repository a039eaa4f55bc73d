#include "vault/audit/unsigned_tail.h"

#include <algorithm>

#include "vault/audit/format.h"

namespace leasehold::audit {
namespace {

// "2027-01-15T08:00:00": texts of this length are ordered as their times are.
constexpr std::size_t kToTheSecond = 19;

Result<WallTime> time_of(const std::string& text) { return parse_rfc3339(text + "Z"); }

}  // namespace

void UnsignedTail::add(std::string_view time) {
  const std::string text(time.substr(0, kToTheSecond));
  ++lines_;
  newest_before_ = newest_;
  newest_ = std::max(newest_, text);
  if (text <= signed_to_ && !text.empty()) return;
  if (lines_ == 1 || first_.empty() || text < first_) first_ = text;
  last_ = std::max(last_, text);
}

// The text of the checkpoint's own time is signed by the next one.
void UnsignedTail::signed_over() {
  signed_to_ = newest_before_;
  lines_ = 0;
  first_.clear();
  last_.clear();
}

Seconds UnsignedTail::span() const {
  const auto first = time_of(first_), last = time_of(last_);
  if (!first.ok() || !last.ok()) return Seconds{0};
  return std::chrono::floor<Seconds>(since(*last, *first));
}

std::string UnsignedTail::excess() const {
  std::string why;
  if (lines_ > kUnsignedLinesMax)
    why = "it leaves at most " + std::to_string(kUnsignedLinesMax) + " unsigned";
  else if (!last_.empty() && (!time_of(first_).ok() || !time_of(last_).ok()))
    why = "one of their times cannot be read";
  else if (span() > kUnsignedSpanMax)
    why =
        "they go from " + first_ + "Z to " + last_ + "Z, and it signs in each second it writes in";
  if (why.empty()) return why;
  return std::to_string(lines_) + " records after the last signature are not the vault's: " + why;
}

}  // namespace leasehold::audit
