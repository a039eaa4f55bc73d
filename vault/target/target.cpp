#include "vault/target/target.h"

#include <string_view>

namespace leasehold::target {
namespace {

constexpr std::size_t kPasswordSize = 20;
constexpr std::string_view kIdDigits = "0123456789abcdefghijklmnopqrstuvwxyz";
constexpr std::string_view kLower = "abcdefghijklmnopqrstuvwxyz";
constexpr std::string_view kUpper = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
constexpr std::string_view kDigit = "0123456789";
constexpr std::string_view kAll = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-";

bool has_one_of(const SecretBytes& text, std::string_view set) {
  return as_text(text.reveal()).find_first_of(set) != std::string_view::npos;
}

// Uniform over kAll: bytes beyond the last whole multiple are thrown away.
std::uint8_t pick(Random& random) {
  constexpr std::size_t kLimit = 256 - 256 % kAll.size();
  while (true) {
    const std::uint8_t byte = random.take<1>()[0];
    if (byte < kLimit) return static_cast<std::uint8_t>(kAll[byte % kAll.size()]);
  }
}

}  // namespace

std::string account_prefix(const Tag& tag) { return "v-" + tag.cluster + "-"; }

bool is_account_of(const Tag& tag, std::string_view name) {
  const std::string prefix = account_prefix(tag);
  if (name.size() <= prefix.size() + kAccountIdSize || !name.starts_with(prefix)) return false;
  const std::string_view end = name.substr(name.size() - kAccountIdSize - 1);
  return end.front() == '-' && end.find_first_not_of(kIdDigits, 1) == std::string_view::npos;
}

SecretBytes generate_password(Random& random) {
  // Drawn again until it has all four kinds, so that every such password is equally likely. The
  // first character is a letter or digit: a leading dash reads as an option on a command line.
  while (true) {
    SecretBytes password(kPasswordSize);
    for (auto& byte : password.writable()) byte = pick(random);
    if (has_one_of(password, kLower) && has_one_of(password, kUpper) &&
        has_one_of(password, kDigit) && has_one_of(password, "-") &&
        password.reveal().front() != '-')
      return password;
  }
}

}  // namespace leasehold::target
