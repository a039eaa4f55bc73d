#include "api/client/answer_head.h"

#include <algorithm>
#include <utility>

#include "vault/base/trimmed.h"

namespace leasehold::client {
namespace {

constexpr std::string_view kLineEnd = "\r\n";

bool is_name(std::string_view text, std::string_view lower_case) {
  return std::equal(text.begin(), text.end(), lower_case.begin(), lower_case.end(),
                    [](char a, char b) { return (a >= 'A' && a <= 'Z' ? a + 32 : a) == b; });
}

}  // namespace

std::vector<std::string> fields_named(std::string_view heads, std::string_view name) {
  std::vector<std::string> values;
  bool head_is_over = false;
  while (!heads.empty()) {
    const std::size_t end = std::min(heads.find(kLineEnd), heads.size());
    const std::string_view line = heads.substr(0, end);
    heads.remove_prefix(std::min(end + kLineEnd.size(), heads.size()));
    if (std::exchange(head_is_over, line.empty())) values.clear();
    const std::size_t colon = line.find(':');
    if (colon != std::string_view::npos && is_name(line.substr(0, colon), name))
      values.emplace_back(trimmed(line.substr(colon + 1)));
  }
  return values;
}

}  // namespace leasehold::client
