#include "cli/leasehold/complete.h"

#include <algorithm>

#include "cli/leasehold/global_flags.h"

namespace leasehold::cli {
namespace {

// The table is asked for each key that is pressed: the program starts within milliseconds.
constexpr std::string_view kBash = R"(# bash completion for leasehold
_leasehold() {
  local IFS=$'\n'
  COMPREPLY=($("${COMP_WORDS[0]}" -complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null | cut -f1))
}
complete -o default -F _leasehold leasehold
)";
constexpr std::string_view kZsh = R"(#compdef leasehold
# zsh completion for leasehold
_leasehold() {
  local -a found
  found=("${(@f)$("${words[1]}" -complete "${(@)words[2,CURRENT]}" 2>/dev/null | cut -f1)}")
  if [[ -n "${found[1]}" ]]; then compadd -a found; else _files; fi
}
(( $+functions[compdef] )) || { autoload -U compinit && compinit; }
compdef _leasehold leasehold
)";
constexpr std::string_view kFish = R"(# fish completion for leasehold
complete -c leasehold -a '(leasehold -complete (commandline -opc)[2..-1] (commandline -ct) 2>/dev/null)'
)";

void add_flags(std::span<const Flag> flags, std::string_view begun,
               std::vector<Candidate>& candidates) {
  for (const Flag& flag : flags) {
    const std::string word = "-" + std::string(flag.name);
    if (word.starts_with(begun)) candidates.push_back({word, std::string(flag.help)});
  }
}

// `--x` is `-x`.
std::string with_one_dash(std::string_view word) {
  return std::string(word.starts_with("--") ? word.substr(1) : word);
}

// The words that a command's name may go on with.
void add_names(const Catalog& catalog, const std::string& group, std::string_view begun,
               std::vector<Candidate>& candidates) {
  for (const Listed& one : catalog.all()) {
    if (!one.name.starts_with(group)) continue;
    const std::string_view rest = one.name.substr(group.size());
    const std::string word(rest.substr(0, rest.find(' ')));
    if (!word.starts_with(begun)) continue;
    const bool is_whole = word.size() == rest.size();
    const auto known = std::find_if(candidates.begin(), candidates.end(),
                                    [&word](const Candidate& c) { return c.word == word; });
    if (known == candidates.end())
      candidates.push_back(
          {word, std::string(is_whole ? one.synopsis : catalog.about(group + word))});
  }
}

}  // namespace

std::vector<Candidate> complete(const Catalog& catalog, std::span<const std::string> words) {
  std::vector<Candidate> candidates;
  const std::string begun = words.empty() ? "" : words.back();
  const auto before = words.empty() ? words : words.first(words.size() - 1);
  const Found found = catalog.find(before);
  if (begun.starts_with('-')) {
    if (found.command != nullptr) add_flags(found.command->flags, with_one_dash(begun), candidates);
    if (found.passage == nullptr) add_flags(kGlobalFlags, with_one_dash(begun), candidates);
    return candidates;
  }
  std::string group;
  for (const std::string& word : before) {
    if (word.starts_with('-')) continue;  // a global flag in front
    group += word + " ";
  }
  const bool names_more = group.empty() || catalog.is_group(group.substr(0, group.size() - 1));
  if (names_more) add_names(catalog, group, begun, candidates);
  return candidates;
}

std::string_view completion_script(std::string_view shell) {
  if (shell == "bash") return kBash;
  if (shell == "zsh") return kZsh;
  if (shell == "fish") return kFish;
  return {};
}

}  // namespace leasehold::cli
