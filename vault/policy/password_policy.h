#pragma once
// What the text of a password policy says, and passwords that follow it: Vault's form, in HCL or
// JSON.
//
//   length = 20
//   rule "charset" { charset = "abcdefghijklmnopqrstuvwxyz" min-chars = 1 }
//   rule "charset" { charset = "0123456789" min-chars = 4 }
//
//   VAULT_TRY_ASSIGN(const PasswordPolicy policy, parse_password_policy(text));
//   VAULT_TRY_ASSIGN(const SecretBytes password, policy.generate(random));
//
// Of all texts of that length over all charsets together, those count in which each rule finds as
// many characters of its own as it asks for; each of them is equally likely. A policy is immutable;
// from any thread.

#include <string>
#include <string_view>
#include <vector>

#include "vault/base/bytes.h"
#include "vault/base/random.h"
#include "vault/base/result.h"

namespace leasehold::policy {

class PasswordPolicy {
 public:
  static constexpr std::int64_t kLengthMin = 4, kLengthMax = 100;  // in characters
  static constexpr std::size_t kCharsetMax = 256;                  // of all rules together
  static constexpr std::size_t kRulesMax = 64;
  // So many characters are drawn for one password, and then no more: some 20 ms.
  static constexpr std::size_t kDrawnMax = std::size_t{4} << 20;

  // Code::invalid when none was found within kDrawnMax.
  Result<SecretBytes> generate(Random& random) const;
  // Whether the rules leave enough passwords that one is found soon: what a write asks.
  Status try_out(Random& random) const;
  std::int64_t length() const { return length_; }

  // What the text says without effect, for whoever wrote it.
  std::vector<std::string> warnings;

 private:
  friend Result<PasswordPolicy> parse_password_policy(std::string_view text);

  struct Rule {
    std::int64_t least = 0;     // characters of the rule's own
    std::vector<bool> members;  // whether the character at an index of charset_ is one of them
  };
  Result<SecretBytes> draw(Random& random, std::size_t& budget) const;
  bool follows_rules(const std::vector<std::uint8_t>& drawn) const;

  std::int64_t length_ = 0;
  std::vector<std::string> charset_;  // each a character in UTF-8, once
  std::vector<Rule> rules_;
};

// Code::invalid says what is wrong with the text.
Result<PasswordPolicy> parse_password_policy(std::string_view text);

}  // namespace leasehold::policy
