#include "vault/base/nearest.h"

#include <algorithm>
#include <vector>

namespace leasehold {
namespace {

// Levenshtein's distance; the words are short.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t above = row[j];
      row[j] = std::min({above + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1)});
      diagonal = above;
    }
  }
  return row[b.size()];
}

}  // namespace

Nearest::Nearest(std::string_view typed)
    : typed_(typed), best_(std::max<std::size_t>(2, typed.size() / 3) + 1) {}

void Nearest::consider(std::string_view name) {
  const std::size_t d = distance(typed_, name);
  if (d >= best_) return;
  best_ = d;
  name_ = name;
}

}  // namespace leasehold
