#pragma once
// A command is a row: its words, its help, its flags, its function. A group of commands is a file
// that ends in a table of such rows; groups.h lists the groups.

#include <cstddef>
#include <span>
#include <string_view>

#include "cli/leasehold/arguments.h"

namespace leasehold::cli {

class Session;

// What scripts rely on (Vault's meaning of the numbers).
inline constexpr int kSuccess = 0;
inline constexpr int kLocalError = 1;   // flags, arguments, files, prompts
inline constexpr int kRemoteError = 2;  // the server refused, has nothing there, or is sealed

inline constexpr std::size_t kAnyNumber = static_cast<std::size_t>(-1);

struct Command {
  std::string_view name;      // "operator init"
  std::string_view synopsis;  // "Prepare a new vault"
  std::string_view usage;     // "[flags] PATH [K=V...]"
  std::string_view help;      // paragraphs and examples
  std::span<const Flag> flags;
  std::size_t positionals_min;
  std::size_t positionals_max;
  int (*run)(Session&);
};

using Commands = std::span<const Command>();
struct GroupRow {
  Commands* commands;
  std::string_view name = {};   // "kv metadata": the words its commands begin with
  std::string_view about = {};  // of the name, in the list of all commands
};

// Commands that hand their words to another program unread.
struct Passage {
  std::string_view name;
  std::string_view synopsis;
  std::string_view usage;
  std::string_view help;
  int (*run)(std::span<const std::string> words);
};

}  // namespace leasehold::cli
