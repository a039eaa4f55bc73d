#include "cli/leasehold/arguments.h"

#include <charconv>

#include "vault/base/dashes.h"

namespace leasehold::cli {
namespace {

bool is_true(std::string_view text) {
  return text == "true" || text == "1" || text == "t" || text == "T" || text == "TRUE" ||
         text == "True";
}

bool is_false(std::string_view text) {
  return text == "false" || text == "0" || text == "f" || text == "F" || text == "FALSE" ||
         text == "False";
}

Error bad_switch(std::string_view name) {
  return failure(Code::invalid, "-" + std::string(name) + " is a switch: write -" +
                                    std::string(name) + " or -" + std::string(name) + "=false");
}

}  // namespace

std::string_view flag_name(std::string_view word) {
  if (word.size() < 2 || word[0] != '-') return {};
  word.remove_prefix(word[1] == '-' ? 2 : 1);
  return word.substr(0, word.find('='));
}

const Flag* find_flag(const FlagSets& flags, std::string_view name) {
  for (const auto& set : flags)
    for (const Flag& flag : set)
      if (flag.name == name || (!flag.alias.empty() && flag.alias == name)) return &flag;
  return nullptr;
}

Result<Arguments> Arguments::parse(const FlagSets& flags, std::span<const std::string> words) {
  Arguments parsed;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    if (word == "--") {
      parsed.positionals_.insert(parsed.positionals_.end(), words.begin() + i + 1, words.end());
      break;
    }
    const std::string_view name = flag_name(word);
    if (const std::string meant = with_plain_dash(word);
        find_flag(flags, flag_name(meant)) != nullptr)
      return failure(Code::invalid,
                     "\"" + word + "\" begins with a typographic dash: write " + meant);
    if (name.empty()) {
      parsed.positionals_.push_back(word);
      continue;
    }
    const Flag* flag = find_flag(flags, name);
    if (flag == nullptr)
      return failure(Code::invalid, "flag provided but not defined: -" + std::string(name));
    auto& values = parsed.values_[std::string(flag->name)];
    const auto equals = word.find('=');
    if (equals != std::string::npos) {
      values.push_back(word.substr(equals + 1));
    } else if (flag->takes == Takes::nothing) {
      values.emplace_back("true");
    } else if (i + 1 < words.size()) {
      values.push_back(words[++i]);
    } else {
      return failure(Code::invalid, "flag needs an argument: -" + std::string(name));
    }
    if (flag->takes == Takes::nothing && !is_true(values.back()) && !is_false(values.back()))
      return bad_switch(name);
  }
  return parsed;
}

std::string Arguments::text(std::string_view flag, std::string_view fallback) const {
  const auto found = values_.find(flag);
  return found == values_.end() ? std::string(fallback) : found->second.back();
}

std::vector<std::string> Arguments::texts(std::string_view flag) const {
  const auto found = values_.find(flag);
  return found == values_.end() ? std::vector<std::string>{} : found->second;
}

bool Arguments::is_on(std::string_view flag, bool fallback) const {
  return has(flag) ? is_true(text(flag)) : fallback;
}

Result<std::int64_t> Arguments::number(std::string_view flag, std::int64_t fallback) const {
  if (!has(flag)) return fallback;
  const std::string value = text(flag);
  std::int64_t parsed = 0;
  const auto end = value.data() + value.size();
  const auto outcome = std::from_chars(value.data(), end, parsed);
  if (outcome.ec == std::errc() && outcome.ptr == end) return parsed;
  return failure(Code::invalid, "-" + std::string(flag) + " needs a whole number");
}

}  // namespace leasehold::cli
