#pragma once
// The command line: find the command, read its flags, run it.

#include "cli/leasehold/catalog.h"

namespace leasehold::cli {

// The exit status (command.h). `words` are the arguments without the program's name.
int run(const Catalog& catalog, std::vector<std::string> words);

}  // namespace leasehold::cli
