#include "vault/policy/patterns.h"

#include <algorithm>

#include "vault/policy/rules.h"

namespace leasehold::policy {
namespace {

// `a/b/c`, a segment after the other.
class Segments {
 public:
  explicit Segments(std::string_view text) : rest_(text) {}
  std::string_view next() {
    const std::size_t slash = rest_.find('/');
    is_last_ = slash == rest_.npos;
    const std::string_view segment = rest_.substr(0, slash);
    rest_.remove_prefix(is_last_ ? rest_.size() : slash + 1);
    return segment;
  }
  bool is_last() const { return is_last_; }  // of what next() returned

 private:
  std::string_view rest_;
  bool is_last_ = false;
};

// One that ends in `*` begins with its last segment. What `narrow` only begins with may go on.
bool segments_cover(const PathRule& wide, const PathRule& narrow) {
  Segments wanted(wide.pattern), given(narrow.pattern);
  for (bool given_ended = false;;) {
    if (given_ended) return false;
    const std::string_view one = wanted.next(), other = given.next();
    given_ended = given.is_last();
    const bool other_is_any = narrow.segments && other == "+";
    const bool other_goes_on = narrow.prefix && given.is_last();
    if (wanted.is_last() && wide.prefix)
      return one.empty() || (!other_is_any && other.starts_with(one));
    if (other_goes_on) return false;
    if (one != "+" && (other_is_any || one != other)) return false;
    if (wanted.is_last()) return given_ended;
  }
}

}  // namespace

std::string as_written(const PathRule& rule) { return rule.pattern + (rule.prefix ? "*" : ""); }

std::size_t first_plus(const PathRule& rule) {
  if (!rule.segments) return std::string::npos;
  std::size_t at = 0;
  for (Segments segments(rule.pattern);;) {
    const std::string_view one = segments.next();
    if (one == "+") return at;
    if (segments.is_last()) return std::string::npos;
    at += one.size() + 1;
  }
}

bool pattern_matches(const PathRule& rule, std::string_view path) {
  if (rule.segments) return segments_match(rule.pattern, rule.prefix, path);
  return rule.prefix ? path.starts_with(rule.pattern) : path == rule.pattern;
}

bool less_specific(const PathRule& a, const PathRule& b) {
  const auto wildcard_at = [](const PathRule& rule) {
    return rule.segments ? rule.pattern.find('+') : rule.pattern.size();
  };
  const auto pluses = [](const PathRule& rule) {
    std::size_t count = 0;
    for (std::size_t i = 0; rule.segments && i < rule.pattern.size(); ++i) {
      const bool starts = i == 0 || rule.pattern[i - 1] == '/';
      const bool ends = i + 1 == rule.pattern.size() || rule.pattern[i + 1] == '/';
      if (rule.pattern[i] == '+' && starts && ends) ++count;
    }
    return count;
  };
  if (wildcard_at(a) != wildcard_at(b)) return wildcard_at(a) < wildcard_at(b);
  if (a.prefix != b.prefix) return a.prefix;
  if (pluses(a) != pluses(b)) return pluses(a) > pluses(b);
  if (a.pattern.size() != b.pattern.size()) return a.pattern.size() < b.pattern.size();
  return a.pattern < b.pattern;
}

bool covers(const PathRule& wide, const PathRule& narrow) {
  if (is_exact(wide)) return is_exact(narrow) && wide.pattern == narrow.pattern;
  if (wide.segments) return segments_cover(wide, narrow);
  const std::size_t plus = first_plus(narrow);
  return std::string_view(narrow.pattern).substr(0, plus).starts_with(wide.pattern);
}

}  // namespace leasehold::policy
