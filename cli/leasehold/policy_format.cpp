#include "cli/leasehold/policy_format.h"

#include <algorithm>
#include <vector>

namespace leasehold::cli {
namespace {

struct Line {
  std::string text;                        // without indentation
  std::size_t level = 0;                   // of braces and brackets
  std::size_t equals = std::string::npos;  // of an attribute, in `text`
  bool verbatim = false;                   // inside a heredoc
};

std::string_view trim(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\r");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

// What a line opens and closes, and where its `=` is, with strings and comments skipped.
struct Shape {
  int depth = 0;
  bool starts_with_close = false;
  std::size_t equals = std::string::npos;
  std::string heredoc;  // the word that ends it
};

Shape shape_of(std::string_view line) {
  Shape shape;
  shape.starts_with_close = !line.empty() && (line[0] == '}' || line[0] == ']');
  bool in_string = false;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
      continue;
    }
    if (c == '#' || line.substr(i, 2) == "//") break;
    if (c == '"') in_string = true;
    if (c == '{' || c == '[') ++shape.depth;
    if (c == '}' || c == ']') --shape.depth;
    if (c == '=' && shape.depth == 0 && shape.equals == std::string::npos) shape.equals = i;
    if (line.substr(i, 2) == "<<") {
      shape.heredoc = trim(line.substr(line.substr(i, 3) == "<<-" ? i + 3 : i + 2));
      break;
    }
  }
  return shape;
}

std::vector<Line> read_lines(std::string_view text) {
  std::vector<Line> lines;
  std::size_t level = 0;
  std::string heredoc;
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    const std::string_view raw = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (!heredoc.empty()) {
      lines.push_back({std::string(raw), 0, std::string::npos, true});
      if (trim(raw) == heredoc) heredoc.clear();
      continue;
    }
    const std::string_view line = trim(raw);
    if (line.empty() && (lines.empty() || lines.back().text.empty())) continue;
    const Shape shape = shape_of(line);
    const std::size_t own = shape.starts_with_close && level > 0 ? level - 1 : level;
    lines.push_back({std::string(line), own, shape.equals, false});
    const auto next = static_cast<int>(level) + shape.depth;
    level = next > 0 ? static_cast<std::size_t>(next) : 0;
    heredoc = shape.heredoc;
  }
  while (!lines.empty() && lines.back().text.empty() && !lines.back().verbatim) lines.pop_back();
  return lines;
}

// `capabilities = […]` under `min_wrapping_ttl = "1s"`: one column for both.
void align(std::vector<Line>& lines, std::size_t from, std::size_t to) {
  std::size_t widest = 0;
  for (std::size_t i = from; i < to; ++i)
    widest = std::max(widest, trim(lines[i].text.substr(0, lines[i].equals)).size());
  for (std::size_t i = from; i < to; ++i) {
    std::string key(trim(lines[i].text.substr(0, lines[i].equals)));
    const std::string value(trim(lines[i].text.substr(lines[i].equals + 1)));
    key.resize(widest, ' ');
    lines[i].text = key + " = " + value;
  }
}

}  // namespace

std::string format_policy(std::string_view text) {
  std::vector<Line> lines = read_lines(text);
  for (std::size_t from = 0; from < lines.size();) {
    std::size_t to = from;
    while (to < lines.size() && lines[to].equals != std::string::npos &&
           lines[to].level == lines[from].level)
      ++to;
    align(lines, from, to);
    from = std::max(to, from + 1);
  }
  std::string out;
  for (const Line& line : lines) {
    if (!line.verbatim && !line.text.empty()) out.append(2 * line.level, ' ');
    out += line.text + "\n";
  }
  return out;
}

}  // namespace leasehold::cli
