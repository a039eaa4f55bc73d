#include "cli/leasehold/run.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstdio>

#include "cli/leasehold/complete.h"
#include "cli/leasehold/global_flags.h"
#include "cli/leasehold/session.h"
#include "cli/leasehold/version.h"
#include "vault/base/dashes.h"
#include "vault/base/environment.h"

namespace leasehold::cli {
namespace {

void print_to(std::FILE* file, std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), file);
}

int complain(std::string_view text) {
  print_to(stderr, text);
  print_to(stderr, "\n");
  return kLocalError;
}

bool is_help(std::string_view word) { return word == "-h" || word == "-help" || word == "--help"; }

bool wants_help(std::span<const std::string> words) {
  for (const std::string& word : words) {
    if (word == "--") return false;
    if (is_help(word)) return true;
  }
  return false;
}

// Global flags may stand before the command, too: they are moved behind it.
std::vector<std::string> command_first(std::vector<std::string> words) {
  const FlagSets global = {kGlobalFlags};
  std::size_t first = 0;
  while (first < words.size()) {
    const Flag* flag = find_flag(global, flag_name(words[first]));
    if (flag == nullptr || is_help(words[first])) break;
    const bool has_value = words[first].find('=') != std::string::npos;
    first += flag->takes == Takes::nothing || has_value ? 1 : 2;
  }
  if (first > 0 && first < words.size())
    std::rotate(words.begin(), words.begin() + static_cast<std::ptrdiff_t>(first), words.end());
  return words;
}

int unknown_command(const Catalog& catalog, const std::string& typed) {
  std::string text = fmt::format("There is no command \"{}\".", typed);
  if (const std::string flag = with_plain_dash(typed); !flag.empty())
    return complain(fmt::format("{} It begins with a typographic dash: write {}", text, flag));
  const std::string nearest = catalog.suggest(typed);
  if (const std::string_view instead = instead_of(typed); !instead.empty()) {
    text += fmt::format(" Vault has one; Leasehold does not. {}", instead);
  } else if (!nearest.empty()) {
    text += fmt::format(" Did you mean \"leasehold {}\"?", nearest);
  }
  return complain(text + "\nSee all with: leasehold -h");
}

// No command's name: a group without its second word, or something misspelled.
int run_group(const Catalog& catalog, const std::vector<std::string>& words) {
  std::string group;
  std::size_t count = 0;
  for (; count < words.size(); ++count) {
    const std::string longer = group.empty() ? words[count] : group + " " + words[count];
    if (!catalog.is_group(longer)) break;
    group = longer;
  }
  const std::string next = count < words.size() ? words[count] : "";
  if (group.empty()) return unknown_command(catalog, next);
  if (!next.empty() && flag_name(next).empty()) return unknown_command(catalog, group + " " + next);
  print_to(is_help(next) ? stdout : stderr, catalog.help_of_group(group));
  return is_help(next) ? kSuccess : kLocalError;
}

// The words begin with a flag that is not one of the global ones, or hold nothing but flags.
int no_command(const Catalog& catalog, const std::vector<std::string>& words) {
  const FlagSets global = {kGlobalFlags};
  const std::string_view name = flag_name(words[0]);
  if (find_flag(global, name) != nullptr) return complain(catalog.help_of_all());
  return complain(
      fmt::format("flag provided but not defined: -{}\nSee all with: leasehold -h", name));
}

int wrong_count(const Command& command, std::size_t got) {
  const bool too_few = got < command.positionals_min;
  return complain(fmt::format("{} arguments (expected {}, got {})\n\nUsage: leasehold {} {}",
                              too_few ? "Not enough" : "Too many",
                              too_few ? command.positionals_min : command.positionals_max, got,
                              command.name, command.usage));
}

int run_command(const Command& command, std::span<const std::string> words) {
  if (wants_help(words)) {
    print_to(stdout, help_of(command));
    return kSuccess;
  }
  const FlagSets flags = {command.flags, kGlobalFlags};
  auto arguments = Arguments::parse(flags, words);
  if (!arguments.ok()) {
    std::string text = arguments.error().message;
    for (const std::string& word : words) {
      const auto name = flag_name(word);
      if (name.empty() || find_flag(flags, name) != nullptr) continue;
      const std::string nearest = suggest_flag(flags, name);
      if (!nearest.empty()) text += fmt::format("\nDid you mean -{}?", nearest);
      break;
    }
    return complain(text + fmt::format("\nSee: leasehold {} -h", command.name));
  }
  const std::size_t count = arguments->positionals().size();
  if (count < command.positionals_min || count > command.positionals_max)
    return wrong_count(command, count);
  auto session = Session::open(std::move(arguments).value());
  if (!session.ok()) return complain(session.error().message);
  return command.run(**session);
}

int run_passage(const Passage& passage, std::span<const std::string> words) {
  if (wants_help(words)) {
    print_to(stdout, help_of(passage));
    return kSuccess;
  }
  return passage.run(words);
}

// Each with what it is about behind a tab: for the scripts of complete.h.
int show_candidates(const Catalog& catalog, std::span<const std::string> words) {
  for (const Candidate& one : complete(catalog, words.subspan(1)))
    print_to(stdout, one.word + "\t" + one.about + "\n");
  return kSuccess;
}

int set_completion(bool installs) {
  const char* const home = find_in_environment("HOME");
  if (home == nullptr) return complain("HOME is not set: where are the shell's files?");
  const auto done = installs ? install_completion(home) : uninstall_completion(home);
  if (!done.ok()) return complain(done.error().message);
  for (const std::string& line : *done) print_to(stdout, line + "\n");
  if (installs && done->empty())
    return complain("there is no file of bash, zsh or fish here; see: leasehold completion -h");
  return kSuccess;
}

}  // namespace

int run(const Catalog& catalog, std::vector<std::string> words) {
  words = command_first(std::move(words));
  if (words.empty()) return complain(catalog.help_of_all());
  if (is_help(words[0]) || words[0] == "help") {
    print_to(stdout, catalog.help_of_all());
    return kSuccess;
  }
  if (words[0] == "-v" || words[0] == "-version" || words[0] == "--version") {
    print_to(stdout, version_line() + "\n");
    return kSuccess;
  }
  if (words[0] == "-complete") return show_candidates(catalog, words);
  const bool installs = words[0] == "-autocomplete-install";
  if (installs || words[0] == "-autocomplete-uninstall") return set_completion(installs);
  if (!flag_name(words[0]).empty()) return no_command(catalog, words);
  const Found found = catalog.find(words);
  const auto rest = std::span<const std::string>(words).subspan(found.words);
  if (found.command != nullptr) return run_command(*found.command, rest);
  if (found.passage != nullptr) return run_passage(*found.passage, rest);
  return run_group(catalog, words);
}

}  // namespace leasehold::cli
