#pragma once
// The commands there are: finding the one that was typed, the name that was probably meant, and the
// help texts. The program's own groups are the rows of groups.h.
//
//   const Catalog catalog(kGroups, server_passages());
//   const Found found = catalog.find(words);
//
// Thread safety: no state of its own; the rows outlive it.

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "cli/leasehold/command.h"

namespace leasehold::cli {

struct Found {
  const Command* command = nullptr;
  const Passage* passage = nullptr;
  std::size_t words = 0;  // how many of the words are its name
};

struct Listed {
  std::string_view name, synopsis;
  const Command* command = nullptr;  // or a passage
  const Passage* passage = nullptr;
};

class Catalog {
 public:
  Catalog(std::span<const GroupRow> groups, std::span<const Passage> passages)
      : groups_(groups), passages_(passages) {}

  // The longest name that the words begin with.
  Found find(std::span<const std::string> words) const;
  std::vector<Listed> all() const;  // by name
  // What the commands that begin with `group` are about.
  std::string_view about(std::string_view group) const;
  // Whether `name` begins the name of a command, as "operator" and "kv metadata" do.
  bool is_group(std::string_view name) const;
  // The name nearest to what was typed, when it is near: in the same group, the last word differs.
  std::string suggest(std::string_view typed) const;
  std::string help_of_all() const;
  std::string help_of_group(std::string_view name) const;

 private:
  template <class Visit>
  void for_each_name(Visit visit) const;

  const std::span<const GroupRow> groups_;
  const std::span<const Passage> passages_;
};

// What to do instead of a command that Vault has and this program does not; empty: no such command.
std::string_view instead_of(std::string_view typed);
std::string suggest_flag(const FlagSets& flags, std::string_view typed);
std::string help_of(const Command& command);
std::string help_of(const Passage& passage);

}  // namespace leasehold::cli
