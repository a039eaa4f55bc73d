#pragma once
// What may stand where the cursor is, for the completion of shells; and the scripts that ask for
// it. Everything comes from the table of commands. Thread-safe functions.

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cli/leasehold/catalog.h"

namespace leasehold::cli {

struct Candidate {
  std::string word, about;
};

// `words`: those of the line behind the program's name; the last one is being typed, and may be
// empty. Nothing: the shell completes names of files.
std::vector<Candidate> complete(const Catalog& catalog, std::span<const std::string> words);

// For "bash", "zsh" or "fish"; empty: no such shell.
std::string_view completion_script(std::string_view shell);

// Sets completion up for each shell that the person has, or takes it away again. What was done, a
// line each.
Result<std::vector<std::string>> install_completion(const std::string& home);
Result<std::vector<std::string>> uninstall_completion(const std::string& home);

}  // namespace leasehold::cli
