#pragma once
// Every command there is. Adding a group = one file that ends in a table + one line in catalog.cpp.

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "cli/leasehold/command.h"

namespace leasehold::cli {

std::span<const std::span<const Command>> command_groups();
std::span<const Passage> passages();

struct Found {
  const Command* command = nullptr;
  const Passage* passage = nullptr;
  std::size_t words = 0;  // how many of the words are its name
};
// The longest name that the words begin with.
Found find_command(std::span<const std::string> words);
// Whether Vault has a command of that name, and this program does not.
bool is_elsewhere(std::string_view typed);
// Whether `name` begins the name of a command, as "operator" and "kv metadata" do.
bool is_group(std::string_view name);
// The name nearest to what was typed, when it is near: in the same group, the last word differs.
std::string suggest_command(std::string_view typed);
std::string suggest_flag(const FlagSets& flags, std::string_view typed);

// Help texts.
std::string help_of_all();
std::string help_of_group(std::string_view name);
std::string help_of(const Command& command);
std::string help_of(const Passage& passage);

}  // namespace leasehold::cli
