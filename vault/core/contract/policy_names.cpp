#include "vault/core/contract/policy_names.h"

#include <algorithm>
#include <array>

#include "vault/base/encoding.h"

namespace leasehold::core {

namespace {

// White space as Unicode has it beyond ASCII, in UTF-8.
constexpr std::array<std::string_view, 17> kWideSpaces{
    "\xc2\x85",     "\xc2\xa0",     "\xe1\x9a\x80", "\xe2\x80\x80", "\xe2\x80\x81", "\xe2\x80\x82",
    "\xe2\x80\x83", "\xe2\x80\x84", "\xe2\x80\x85", "\xe2\x80\x86", "\xe2\x80\x87", "\xe2\x80\x88",
    "\xe2\x80\x89", "\xe2\x80\x8a", "\xe2\x80\xa8", "\xe2\x80\xa9", "\xe3\x80\x80"};
constexpr std::string_view kSpaces = " \t\n\v\f\r";

std::size_t leading_space(std::string_view text) {
  if (kSpaces.find(text.front()) != kSpaces.npos) return 1;
  for (const std::string_view wide : kWideSpaces)
    if (text.starts_with(wide)) return wide.size();
  return 0;
}

std::size_t trailing_space(std::string_view text) {
  if (kSpaces.find(text.back()) != kSpaces.npos) return 1;
  for (const std::string_view wide : kWideSpaces)
    if (text.ends_with(wide)) return wide.size();
  return 0;
}

}  // namespace

std::string canonical_policy_name(std::string_view name) {
  while (!name.empty() && leading_space(name) > 0) name.remove_prefix(leading_space(name));
  while (!name.empty() && trailing_space(name) > 0) name.remove_suffix(trailing_space(name));
  return lower_case(name);
}

std::vector<std::string> canonical_policies(const std::vector<std::string>& names) {
  std::vector<std::string> out;
  for (const std::string& name : names) {
    std::string one = canonical_policy_name(name);
    if (!one.empty()) out.push_back(std::move(one));
  }
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  if (std::binary_search(out.begin(), out.end(), "root")) out = {"root"};
  return out;
}

std::string no_such_policy(std::string_view name) {
  return "Policy \"" + std::string(name) + "\" does not exist";
}

Status check_assignable(const std::vector<std::string>& policies) {
  if (std::find(policies.begin(), policies.end(), kWrappingPolicy) == policies.end()) return {};
  return failure(Code::invalid, "cannot assign policy \"response-wrapping\"");
}

}  // namespace leasehold::core
