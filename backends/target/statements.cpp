#include "backends/target/statements.h"

#include <fmt/core.h>

#include <ctime>

namespace leasehold::postgresql {
namespace {

void append_rendered(std::string& out, std::string_view statement, const Substitutions& values) {
  const std::pair<std::string_view, std::string_view> marks[] = {
      {"{{name}}", values.name},
      {"{{username}}", values.name},
      {"{{password}}", values.password},
      {"{{expiration}}", values.expiration},
  };
  while (!statement.empty()) {
    const auto brace = statement.find("{{");
    out += statement.substr(0, brace);
    if (brace == std::string_view::npos) return;
    statement.remove_prefix(brace);
    std::size_t skipped = 1;  // an unknown mark stays as it is
    std::string_view value = "{";
    for (const auto& [mark, with] : marks)
      if (statement.substr(0, mark.size()) == mark) {
        skipped = mark.size();
        value = with;
      }
    out += value;
    statement.remove_prefix(skipped);
  }
}

}  // namespace

bool stays_quoted(std::string_view text) {
  for (const char c : text) {
    const bool printable = c > ' ' && c < '\x7f';
    if (!printable || std::string_view("'\"\\$;`").find(c) != std::string_view::npos) return false;
  }
  return !text.empty();
}

std::vector<std::string> on_operators_path(const std::vector<std::string>& statements) {
  std::vector<std::string> all{"SET LOCAL search_path TO DEFAULT"};
  all.insert(all.end(), statements.begin(), statements.end());
  return all;
}

std::string render(const std::vector<std::string>& statements, const Substitutions& values) {
  std::size_t size = 0;
  for (const auto& statement : statements) size += 2 * statement.size() + 512;
  std::string out;
  out.reserve(size);  // no copies of the password are left behind by growing
  for (const auto& statement : statements) {
    append_rendered(out, statement, values);
    out += "\n;\n";  // a statement may end in a comment
  }
  return out;
}

std::string expiration_text(WallTime time) {
  const std::time_t seconds = time.seconds();
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  return fmt::format("{:04}-{:02}-{:02} {:02}:{:02}:{:02}+0000", utc.tm_year + 1900, utc.tm_mon + 1,
                     utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec);
}

}  // namespace leasehold::postgresql
