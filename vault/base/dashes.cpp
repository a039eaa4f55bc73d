#include "vault/base/dashes.h"

namespace leasehold {

std::string with_plain_dash(std::string_view word) {
  constexpr std::string_view kDashes[] = {"\u2010", "\u2011", "\u2012", "\u2013",
                                          "\u2014", "\u2015", "\u2212"};
  for (const std::string_view dash : kDashes) {
    if (!word.starts_with(dash)) continue;
    word.remove_prefix(dash.size());
    if (word.starts_with('-')) word.remove_prefix(1);
    return word.empty() ? std::string() : "-" + std::string(word);
  }
  return {};
}

}  // namespace leasehold
