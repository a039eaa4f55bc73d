#pragma once
// Manual pages from the table of commands, as roff (man(7)). Thread-safe functions.

#include <string>
#include <utility>
#include <vector>

#include "cli/leasehold/catalog.h"

namespace leasehold::cli {

// "leasehold-kv-put.1" and its text; the first is that of the program.
std::vector<std::pair<std::string, std::string>> manual_pages(const Catalog& catalog);
// Of "kv put"; "" gives that of the program; empty: no such command.
std::string manual_page(const Catalog& catalog, const std::string& name);

}  // namespace leasehold::cli
