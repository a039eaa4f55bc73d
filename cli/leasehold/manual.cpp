#include "cli/leasehold/manual.h"

#include <algorithm>

#include "cli/leasehold/global_flags.h"

namespace leasehold::cli {
namespace {

// A backslash and a leading dot mean something to roff; a dash is one that can be copied.
std::string escaped(std::string_view text) {
  std::string out;
  bool line_begins = true;
  for (const char c : text) {
    if (line_begins && (c == '.' || c == '\'')) out += "\\&";
    if (c == '\\')
      out += "\\e";
    else if (c == '-')
      out += "\\-";
    else
      out += c;
    line_begins = c == '\n';
  }
  return out;
}

std::string with_dashes(std::string_view name) {
  std::string out = "leasehold";
  if (!name.empty()) out += "-" + std::string(name);
  std::replace(out.begin(), out.end(), ' ', '-');
  return out;
}

std::string head(std::string_view name, std::string_view synopsis, std::string_view usage) {
  const std::string title = with_dashes(name);
  std::string upper = title;
  for (char& c : upper)
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  const std::string space = name.empty() ? "" : " ";
  return ".TH " + escaped(upper) + " 1 \"\" \"Leasehold\" \"Leasehold\"\n.SH NAME\n" +
         escaped(title) + " \\- " + escaped(synopsis) + "\n.SH SYNOPSIS\n.B leasehold" + space +
         escaped(name) + "\n" + escaped(usage) + "\n";
}

// As it stands: the texts have their lines, and their examples are indented.
std::string section(std::string_view title, std::string_view text) {
  return ".SH " + std::string(title) + "\n.nf\n" + escaped(text) + "\n.fi\n";
}

std::string flags_of(std::string_view title, std::span<const Flag> flags) {
  if (flags.empty()) return {};
  std::string out = ".SH " + std::string(title) + "\n";
  for (const Flag& flag : flags) {
    std::string left = "-" + std::string(flag.name);
    if (!flag.alias.empty()) left += ", -" + std::string(flag.alias);
    if (!flag.placeholder.empty()) left += "=" + std::string(flag.placeholder);
    out += ".TP\n.B " + escaped(left) + "\n" + escaped(flag.help) + "\n";
  }
  return out;
}

std::string page_of(const Listed& one) {
  const auto usage = one.command != nullptr ? one.command->usage : one.passage->usage;
  const auto help = one.command != nullptr ? one.command->help : one.passage->help;
  std::string page = head(one.name, one.synopsis, usage) + section("DESCRIPTION", help);
  if (one.command != nullptr)
    page +=
        flags_of("FLAGS", one.command->flags) + flags_of("FLAGS OF EVERY COMMAND", kGlobalFlags);
  return page + ".SH SEE ALSO\n.BR leasehold (1)\n";
}

std::string page_of_all(const Catalog& catalog) {
  std::string page = head("", "a vault for secrets whose credentials end with their lease",
                          "COMMAND [flags] [arguments]") +
                     ".SH COMMANDS\n";
  for (const Listed& one : catalog.all())
    page += ".TP\n.B " + escaped(one.name) + "\n" + escaped(one.synopsis) + "\n";
  page += flags_of("FLAGS OF EVERY COMMAND", kGlobalFlags);
  return page +
         ".SH ENVIRONMENT\nA variable X is read as LEASEHOLD_X, then BAO_X, then VAULT_X: ADDR, "
         "TOKEN, NAMESPACE, FORMAT, CACERT, CAPATH, CLIENT_CERT, CLIENT_KEY, CLIENT_TIMEOUT, "
         "MAX_RETRIES, WRAP_TTL, SKIP_VERIFY.\n"
         ".SH EXIT STATUS\n0 success, 1 a mistake on this side, 2 the server refused, has nothing "
         "there, or is sealed.\n";
}

}  // namespace

std::vector<std::pair<std::string, std::string>> manual_pages(const Catalog& catalog) {
  std::vector<std::pair<std::string, std::string>> pages;
  pages.emplace_back("leasehold.1", page_of_all(catalog));
  for (const Listed& one : catalog.all())
    pages.emplace_back(with_dashes(one.name) + ".1", page_of(one));
  return pages;
}

std::string manual_page(const Catalog& catalog, const std::string& name) {
  if (name.empty()) return page_of_all(catalog);
  for (const Listed& one : catalog.all())
    if (one.name == name) return page_of(one);
  return {};
}

}  // namespace leasehold::cli
