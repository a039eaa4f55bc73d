#include "cli/leasehold/catalog.h"

#include <algorithm>

#include "cli/leasehold/global_flags.h"
#include "vault/base/nearest.h"

namespace leasehold::cli {
namespace {

// How many leading words make up `name`, or 0.
std::size_t words_matching(std::string_view name, std::span<const std::string> words) {
  std::size_t count = 0;
  while (!name.empty()) {
    const auto space = name.find(' ');
    if (count == words.size() || words[count] != name.substr(0, space)) return 0;
    ++count;
    name.remove_prefix(space == std::string_view::npos ? name.size() : space + 1);
  }
  return count;
}

std::string usage_of_flags(std::span<const Flag> flags) {
  std::string out;
  for (const Flag& flag : flags) {
    std::string left = "  -" + std::string(flag.name);
    if (!flag.alias.empty()) left += ", -" + std::string(flag.alias);
    if (!flag.placeholder.empty()) left += "=" + std::string(flag.placeholder);
    left.resize(std::max<std::size_t>(left.size() + 2, 32), ' ');
    out += left + std::string(flag.help) + "\n";
  }
  return out;
}

std::string usage_of(std::string_view name, std::string_view usage, std::string_view help) {
  return "Usage: leasehold " + std::string(name) + " " + std::string(usage) + "\n\n" +
         std::string(help) + "\n";
}

std::string row(std::string_view name, std::string_view synopsis) {
  std::string left = "  " + std::string(name);
  left.resize(std::max<std::size_t>(left.size() + 2, 20), ' ');
  return left + std::string(synopsis) + "\n";
}

// Commands of Vault and OpenBao that this program does not have.
struct Elsewhere {
  std::string_view name, instead;
};
constexpr std::string_view kNoSuchEngine =
    "Its server has no such engine yet; on another server its\n"
    "paths are reached with read, write, list and delete.";
constexpr std::string_view kNoAgent =
    "Programs read secrets over HTTP themselves, or a script\n"
    "calls `leasehold read` and `leasehold lease renew`.";
constexpr std::string_view kBuiltIn = "What it can do is built in; nothing is loaded.";
constexpr Elsewhere kElsewhere[] = {
    {"agent", kNoAgent},
    {"monitor", "The server's log: journalctl -u leasehold -f"},
    {"namespace", "There are no namespaces yet."},
    {"operator migrate", "See `leasehold operator backup -h`."},
    {"operator usage", "Nobody counts clients here: there is no licence."},
    {"pki", kNoSuchEngine},
    {"plugin deregister", kBuiltIn},
    {"plugin info", "See `leasehold plugin list`."},
    {"plugin init", kBuiltIn},
    {"plugin register", kBuiltIn},
    {"plugin reload", kBuiltIn},
    {"proxy", kNoAgent},
    {"ssh", kNoSuchEngine},
    {"transit", kNoSuchEngine},
};

std::string_view first_word(std::string_view name) { return name.substr(0, name.find(' ')); }

}  // namespace

template <class Visit>
void Catalog::for_each_name(Visit visit) const {
  for (const GroupRow& group : groups_)
    for (const Command& command : group.commands()) visit(command.name, command.synopsis);
  for (const Passage& passage : passages_) visit(passage.name, passage.synopsis);
}

std::string_view Catalog::about(std::string_view group) const {
  for (const GroupRow& row : groups_)
    if (row.name == group) return row.about;
  return {};
}

std::vector<Listed> Catalog::all() const {
  std::vector<Listed> list;
  for (const GroupRow& group : groups_)
    for (const Command& command : group.commands())
      list.push_back({command.name, command.synopsis, &command, nullptr});
  for (const Passage& passage : passages_)
    list.push_back({passage.name, passage.synopsis, nullptr, &passage});
  std::sort(list.begin(), list.end(),
            [](const Listed& a, const Listed& b) { return a.name < b.name; });
  return list;
}

Found Catalog::find(std::span<const std::string> words) const {
  Found found;
  for (const GroupRow& group : groups_) {
    for (const Command& command : group.commands()) {
      const std::size_t count = words_matching(command.name, words);
      if (count > found.words) found = {&command, nullptr, count};
    }
  }
  for (const Passage& passage : passages_) {
    const std::size_t count = words_matching(passage.name, words);
    if (count > found.words) found = {nullptr, &passage, count};
  }
  return found;
}

std::string_view instead_of(std::string_view typed) {
  for (const Elsewhere& one : kElsewhere)
    if (one.name == typed) return one.instead;
  return {};
}

bool Catalog::is_group(std::string_view name) const {
  bool found = false;
  const std::string prefix = std::string(name) + " ";
  for_each_name([&](std::string_view full, std::string_view) {
    found = found || full.substr(0, prefix.size()) == prefix;
  });
  return found;
}

std::string Catalog::suggest(std::string_view typed) const {
  // The group stands, "operator " or nothing: its next word is what was mistyped.
  const auto space = typed.rfind(' ');
  const std::string_view group = typed.substr(0, space == std::string_view::npos ? 0 : space + 1);
  Nearest nearest(typed.substr(group.size()));
  for_each_name([&](std::string_view name, std::string_view) {
    if (name.substr(0, group.size()) == group)
      nearest.consider(first_word(name.substr(group.size())));
  });
  return nearest.name().empty() ? "" : std::string(group) + nearest.name();
}

std::string suggest_flag(const FlagSets& flags, std::string_view typed) {
  Nearest nearest(typed);
  for (const auto& set : flags)
    for (const Flag& flag : set) nearest.consider(flag.name);
  return nearest.name();
}

std::string Catalog::help_of_all() const {
  std::string out =
      "Usage: leasehold COMMAND [flags] [arguments]\n\n"
      "A vault for secrets whose root key is in hardware and whose credentials end with their "
      "lease.\n"
      "Speaks to any server with Vault's API.\n\nCommands:\n";
  std::vector<std::string> rows;
  for_each_name([&](std::string_view name, std::string_view synopsis) {
    const std::string_view first = first_word(name);
    if (first == name) {
      rows.push_back(row(name, synopsis));
    } else if (std::string line = row(first, about(first));
               std::find(rows.begin(), rows.end(), line) == rows.end()) {
      rows.push_back(std::move(line));
    }
  });
  std::sort(rows.begin(), rows.end());
  for (const std::string& line : rows) out += line;
  return out +
         "\n`leasehold COMMAND -h` explains a command. First steps:\n\n"
         "  $ leasehold server -dev\n"
         "  $ export VAULT_ADDR=http://127.0.0.1:8200\n"
         "  $ leasehold login\n"
         "  $ leasehold kv put secret/hello greeting=world\n"
         "  $ leasehold kv get secret/hello\n";
}

std::string Catalog::help_of_group(std::string_view name) const {
  std::string out = "Usage: leasehold " + std::string(name) + " COMMAND [flags] [arguments]\n\n" +
                    std::string(about(name)) + ".\n\nCommands:\n";
  const std::string prefix = std::string(name) + " ";
  for_each_name([&](std::string_view full, std::string_view synopsis) {
    if (full.substr(0, prefix.size()) == prefix) out += row(full.substr(prefix.size()), synopsis);
  });
  return out;
}

std::string help_of(const Command& command) {
  std::string out = usage_of(command.name, command.usage, command.help);
  if (!command.flags.empty()) out += "\nFlags:\n" + usage_of_flags(command.flags);
  return out + "\nFlags of every command:\n" + usage_of_flags(kGlobalFlags);
}

std::string help_of(const Passage& passage) {
  return usage_of(passage.name, passage.usage, passage.help);
}

}  // namespace leasehold::cli
