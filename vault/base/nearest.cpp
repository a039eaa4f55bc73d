#include "vault/base/nearest.h"

#include <algorithm>
#include <vector>

namespace leasehold {
namespace {

// How many letters must be added, left out, replaced or swapped with their neighbour.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::vector<std::size_t>> rows(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i) {
    for (std::size_t j = 0; j <= b.size(); ++j) {
      if (i == 0 || j == 0) {
        rows[i][j] = i + j;
        continue;
      }
      const std::size_t replaced = rows[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      rows[i][j] = std::min({rows[i - 1][j] + 1, rows[i][j - 1] + 1, replaced});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        rows[i][j] = std::min(rows[i][j], rows[i - 2][j - 2] + 1);
    }
  }
  return rows[a.size()][b.size()];
}

}  // namespace

// One slip in three letters may be meant, more is another word; a single letter is like every
// other.
Nearest::Nearest(std::string_view typed)
    : typed_(typed), best_(typed.size() < 2 ? 1 : std::max<std::size_t>(1, typed.size() / 3) + 1) {}

void Nearest::consider(std::string_view name) {
  const std::size_t d = distance(typed_, name);
  if (d >= best_) return;
  best_ = d;
  name_ = name;
}

}  // namespace leasehold
