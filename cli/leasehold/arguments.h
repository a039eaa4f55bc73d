#pragma once
// Flags as Vault's command line takes them: `-flag`, `--flag`, `-flag=value`, `-flag value`, before
// or after the positional arguments; a switch takes a value only with `=`; `--` ends the flags. Why
// not a library: docs/decisions/002-cli-flags.md. Thread safety: values.

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "vault/base/result.h"

namespace leasehold::cli {

enum class Takes : std::uint8_t { nothing, value, values };

struct Flag {
  std::string_view name;
  std::string_view alias;  // empty: none
  Takes takes;
  std::string_view placeholder;
  std::string_view help;
};

using FlagSets = std::vector<std::span<const Flag>>;

class Arguments {
 public:
  // Code::invalid for a flag that is in no set, a missing value, a switch that is neither true nor
  // false.
  static Result<Arguments> parse(const FlagSets& flags, std::span<const std::string> words);

  bool has(std::string_view flag) const { return values_.count(flag) != 0; }
  // Of several the last.
  std::string text(std::string_view flag, std::string_view fallback = {}) const;
  std::vector<std::string> texts(std::string_view flag) const;
  bool is_on(std::string_view flag, bool fallback = false) const;
  Result<std::int64_t> number(std::string_view flag, std::int64_t fallback) const;
  const std::vector<std::string>& positionals() const { return positionals_; }
  std::string positional(std::size_t i) const {
    return i < positionals_.size() ? positionals_[i] : std::string();
  }

 private:
  std::map<std::string, std::vector<std::string>, std::less<>> values_;
  std::vector<std::string> positionals_;
};

const Flag* find_flag(const FlagSets& flags, std::string_view name);
// "-flag" or "--flag=x" gives "flag"; anything else nothing.
std::string_view flag_name(std::string_view word);

}  // namespace leasehold::cli
