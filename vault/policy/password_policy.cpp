#include "vault/policy/password_policy.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include "vault/base/hcl.h"
#include "vault/base/printable.h"

namespace leasehold::policy {

namespace {

constexpr std::size_t kPolicyBytesMax = 64 * 1024;
// As the reference: so many passwords are made of a policy that is written.
constexpr int kTrials = 10;

Error unparsable(const std::string& why) { return failure(Code::invalid, why); }

// The bytes of the UTF-8 character at the front; 0: there is none.
std::size_t size_of_character(std::string_view text) {
  const auto first = static_cast<unsigned char>(text.front());
  if (first < 0x80) return 1;
  if (first < 0xc2 || first > 0xf4) return 0;
  const std::size_t size = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  if (size > text.size()) return 0;
  for (const char c : text.substr(1, size - 1))
    if ((static_cast<unsigned char>(c) & 0xc0) != 0x80) return 0;
  return size;
}

// One a text; nothing where the text is no UTF-8, or a character cannot be printed.
std::optional<std::vector<std::string>> characters_of(std::string_view text) {
  std::vector<std::string> found;
  while (!text.empty()) {
    const std::size_t size = size_of_character(text);
    if (size == 0) return std::nullopt;
    std::string one(text.substr(0, size));
    if (printable(one) != one) return std::nullopt;
    found.push_back(std::move(one));
    text.remove_prefix(size);
  }
  return found;
}

Result<std::int64_t> whole_number(const HclAttribute& attribute) {
  const std::string& text = attribute.value.text();
  std::int64_t number = 0;
  const auto end = std::from_chars(text.data(), text.data() + text.size(), number);
  if (attribute.value.is_number() && end.ec == std::errc() && end.ptr == text.data() + text.size())
    return number;
  return unparsable("line " + std::to_string(attribute.line) + ": " + attribute.name +
                    " must be a whole number");
}

struct RuleText {
  std::vector<std::string> characters;
  std::int64_t least = 0;
};

Result<RuleText> read_rule(const HclBlock& block, std::vector<std::string>& warnings) {
  const std::string where = "line " + std::to_string(block.line) + ": ";
  if (block.labels.size() != 1 || block.labels[0] != "charset")
    return unparsable(where + "unable to parse rule " +
                      (block.labels.empty() ? std::string("without a type") : block.labels[0]) +
                      ": the only type of rule is charset: rule \"charset\" { }");
  RuleText rule;
  for (const HclAttribute& attribute : block.body.attributes) {
    if (attribute.name == "charset") {
      auto characters = characters_of(attribute.value.text());
      if (!attribute.value.is_string() || !characters)
        return unparsable(where + "non-printable character in charset");
      rule.characters = *std::move(characters);
    } else if (attribute.name == "min-chars") {
      VAULT_TRY_ASSIGN(rule.least, whole_number(attribute));
    } else {
      warnings.push_back(where + attribute.name +
                         " has no effect: a rule has charset and min-chars");
    }
  }
  return rule;
}

}  // namespace

Result<PasswordPolicy> parse_password_policy(std::string_view text) {
  if (text.size() > kPolicyBytesMax) return unparsable("a password policy has at most 65536 bytes");
  VAULT_TRY_ASSIGN(const HclBody file, parse_hcl(text, {"rule"}));
  PasswordPolicy policy;
  for (const HclAttribute& attribute : file.attributes) {
    if (attribute.name == "length") {
      VAULT_TRY_ASSIGN(policy.length_, whole_number(attribute));
    } else {
      policy.warnings.push_back("line " + std::to_string(attribute.line) + ": " + attribute.name +
                                " has no effect: a password policy has length and rules");
    }
  }
  std::vector<RuleText> rules;
  for (const HclBlock& block : file.blocks) {
    if (block.type != "rule")
      return unparsable("line " + std::to_string(block.line) + ": " + block.type +
                        " is no part of a password policy: it has length and rules");
    VAULT_TRY_ASSIGN(RuleText rule, read_rule(block, policy.warnings));
    rules.push_back(std::move(rule));
  }
  if (rules.size() > PasswordPolicy::kRulesMax)
    return unparsable("a password policy has at most 64 rules");
  if (policy.length_ <= 0) return unparsable("length must be > 0");
  std::int64_t least = 0;
  for (const RuleText& rule : rules)
    least += std::clamp<std::int64_t>(rule.least, 0, PasswordPolicy::kLengthMax + 1);
  if (policy.length_ < least)
    return unparsable("specified rules require at least " + std::to_string(least) +
                      " characters but " + std::to_string(policy.length_) + " is specified");
  for (const RuleText& rule : rules)
    policy.charset_.insert(policy.charset_.end(), rule.characters.begin(), rule.characters.end());
  auto& all = policy.charset_;
  std::sort(all.begin(), all.end());
  all.erase(std::unique(all.begin(), all.end()), all.end());
  if (all.empty()) return unparsable("no charset specified");
  if (all.size() > PasswordPolicy::kCharsetMax)
    return unparsable("charset is too long: limited to 256 characters");
  for (const RuleText& rule : rules) {
    if (rule.least <= 0) continue;
    PasswordPolicy::Rule one{rule.least, std::vector<bool>(all.size())};
    for (const std::string& character : rule.characters)
      one.members[static_cast<std::size_t>(std::lower_bound(all.begin(), all.end(), character) -
                                           all.begin())] = true;
    policy.rules_.push_back(std::move(one));
  }
  if (policy.length_ < PasswordPolicy::kLengthMin || policy.length_ > PasswordPolicy::kLengthMax)
    return unparsable("passwords must be between 4 and 100 characters");
  return policy;
}

bool PasswordPolicy::follows_rules(const std::vector<std::uint8_t>& drawn) const {
  return std::all_of(rules_.begin(), rules_.end(), [&](const Rule& rule) {
    return std::count_if(drawn.begin(), drawn.end(),
                         [&](std::uint8_t index) { return rule.members[index]; }) >= rule.least;
  });
}

// A byte is taken only below the largest multiple of the number of characters, so that each of them
// is equally likely; a text that breaks a rule is drawn anew as a whole, for the same reason.
Result<SecretBytes> PasswordPolicy::draw(Random& random, std::size_t& budget) const {
  const std::size_t limit = 256 - 256 % charset_.size();
  std::vector<std::uint8_t> drawn;
  drawn.reserve(static_cast<std::size_t>(length_));
  std::array<std::uint8_t, 256> pool;
  std::size_t used = pool.size();
  SecretBytes password;
  while (budget > 0) {
    --budget;
    if (used == pool.size()) {
      random.fill(pool);
      used = 0;
    }
    const std::uint8_t byte = pool[used++];
    if (byte >= limit) continue;
    drawn.push_back(static_cast<std::uint8_t>(byte % charset_.size()));
    if (drawn.size() < static_cast<std::size_t>(length_)) continue;
    if (follows_rules(drawn)) {
      std::string text;
      for (const std::uint8_t index : drawn) text += charset_[index];
      password = SecretBytes(std::string_view(text));
      wipe(text);
      break;
    }
    drawn.clear();
  }
  wipe(pool.data(), pool.size());
  drawn.resize(static_cast<std::size_t>(length_));
  wipe(drawn.data(), drawn.size());
  if (password.empty())
    return failure(Code::invalid,
                   "unable to generate password from provided policy: are the rules impossible?");
  return password;
}

Result<SecretBytes> PasswordPolicy::generate(Random& random) const {
  std::size_t budget = kDrawnMax;
  return draw(random, budget);
}

// All trials share a quarter of what one password may take, so that later ones find theirs.
Status PasswordPolicy::try_out(Random& random) const {
  std::size_t budget = kDrawnMax / 4;
  for (int trial = 0; trial < kTrials; ++trial) VAULT_TRY(draw(random, budget));
  return {};
}

}  // namespace leasehold::policy
