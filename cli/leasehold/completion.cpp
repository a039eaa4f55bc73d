// completion, man: what other programs make of the table of commands.

#include <fmt/core.h>
#include <fmt/format.h>

#include <filesystem>
#include <fstream>

#include "cli/leasehold/complete.h"
#include "cli/leasehold/groups.h"
#include "cli/leasehold/manual.h"
#include "cli/leasehold/session.h"

namespace leasehold::cli {
namespace {

Catalog whole_catalog() { return Catalog(kGroups, server_passages()); }

int run_completion(Session& session) {
  const std::string shell = session.args().positional(0);
  const std::string_view script = completion_script(shell);
  if (script.empty())
    return session.misused(fmt::format("\"{}\" is none of bash, zsh and fish", shell));
  session.print(script);
  return kSuccess;
}

int write_pages(Session& session, const std::string& folder) {
  std::size_t count = 0;
  for (const auto& page : manual_pages(whole_catalog())) {
    const std::string file = folder + "/" + page.first;
    std::ofstream out(file, std::ios::binary | std::ios::trunc);
    out << page.second;
    out.close();
    if (!out) return session.misused("cannot write " + file);
    ++count;
  }
  return session.succeed(fmt::format("Wrote {} manual pages to: {}", count, folder));
}

int run_man(Session& session) {
  const auto& words = session.args().positionals();
  if (session.args().has("out")) {
    if (!words.empty()) return session.misused("-out writes the pages of all commands");
    return write_pages(session, session.args().text("out"));
  }
  const std::string name = fmt::format("{}", fmt::join(words, " "));
  const std::string page = manual_page(whole_catalog(), name);
  if (page.empty()) return session.misused(fmt::format("There is no command \"{}\"", name));
  session.print(page);
  return kSuccess;
}

constexpr Flag kManFlags[] = {
    {"out", "", Takes::value, "FOLDER", "Write a page for each command into FOLDER"},
};

constexpr Command kCommands[] = {
    {"completion",
     "Print the completion script of a shell",
     "bash | zsh | fish",
     "Prints what completes commands and flags in a shell. `leasehold -autocomplete-install` puts\n"
     "it where the shells of the person who calls it look, and `-autocomplete-uninstall` takes it\n"
     "away.\n\n"
     "  $ source <(leasehold completion bash)\n"
     "  $ leasehold completion fish > ~/.config/fish/completions/leasehold.fish",
     {},
     1,
     1,
     run_completion},
    {"man", "Print a manual page", "[flags] [COMMAND]",
     "Prints the manual page of a command, or of this program, as roff.\n\n"
     "  $ leasehold man kv put | man -l -\n"
     "  $ leasehold man -out=/usr/share/man/man1",
     kManFlags, 0, kAnyNumber, run_man},
};

}  // namespace

std::span<const Command> completion_commands() { return kCommands; }

}  // namespace leasehold::cli
