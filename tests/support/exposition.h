#pragma once
// The rules of Prometheus's text format 0.0.4, and of `promtool check metrics`, for what a test has
// got: one block a name with HELP and TYPE in front, names and labels well formed, no sample twice,
// values numbers, and names that look like their type.
//
//   const Exposition page(text);
//   CHECK(page.problems() == std::vector<std::string>());
//   CHECK(page.value("vault_core_unsealed") == 1);

#include <algorithm>
#include <cstdlib>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace leasehold::testing {

class Exposition {
 public:
  explicit Exposition(std::string_view text) {
    if (!text.ends_with('\n')) problem("the last line does not end");
    while (!text.empty()) {
      const std::size_t end = std::min(text.find('\n'), text.size());
      line(text.substr(0, end));
      text.remove_prefix(std::min(end + 1, text.size()));
    }
    for (const auto& one : types_)
      if (one.second == "summary") check_summary(one.first);
  }

  const std::vector<std::string>& problems() const { return problems_; }
  std::string type(const std::string& name) const {
    const auto known = types_.find(name);
    return known == types_.end() ? "" : known->second;
  }
  // Of the sample as it stands there: `vault_token_count{cluster="c",namespace="root"}`.
  std::optional<double> value(const std::string& sample) const {
    const auto known = values_.find(sample);
    return known == values_.end() ? std::nullopt : std::optional(known->second);
  }
  // Of the first sample with this name, whatever its labels.
  std::optional<double> any(const std::string& name) const {
    if (const auto bare = value(name)) return bare;
    const auto known = values_.lower_bound(name + "{");
    const bool found = known != values_.end() && known->first.starts_with(name + "{");
    return found ? std::optional(known->second) : std::nullopt;
  }
  std::size_t size() const { return values_.size(); }

 private:
  void problem(std::string what) { problems_.push_back(std::move(what)); }

  static bool is_name(std::string_view text, bool colon) {
    if (text.empty() || (text[0] >= '0' && text[0] <= '9')) return false;
    for (const char c : text) {
      const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
      if (!letter && !(c >= '0' && c <= '9') && !(colon && c == ':')) return false;
    }
    return true;
  }

  static std::string_view word(std::string_view& text) {
    const std::size_t end = std::min(text.find(' '), text.size());
    const std::string_view found = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    return found;
  }

  void line(std::string_view text) {
    if (text.starts_with("# ")) return comment(text.substr(2));
    sample(text);
  }

  void comment(std::string_view text) {
    const std::string_view kind = word(text);
    const std::string name(word(text));
    if (!is_name(name, true)) problem("no name: " + name);
    if (kind == "HELP") {
      if (text.empty()) problem("no help text: " + name);
      if (!helped_.insert(name).second) problem("second HELP: " + name);
      if (!seen_.insert(name).second) problem("not in one block: " + name);
      current_ = name;
    } else if (kind == "TYPE") {
      if (current_ != name) problem("TYPE does not follow its HELP: " + name);
      if (!types_.emplace(name, text).second) problem("second TYPE: " + name);
      check_type(name, text);
    } else {
      problem("unknown comment: " + std::string(kind));
    }
  }

  void check_type(const std::string& name, std::string_view type) {
    const std::set<std::string_view> known = {"counter", "gauge", "summary", "histogram",
                                              "untyped"};
    if (known.count(type) == 0) problem("unknown type: " + name);
    if (type == "untyped") return;
    if (type == "counter" && !name.ends_with("_total"))
      problem("counter metrics should have \"_total\" suffix: " + name);
    if (type != "counter" && name.ends_with("_total"))
      problem("non-counter metrics should not have \"_total\" suffix: " + name);
    for (const char* reserved : {"_count", "_sum", "_bucket"})
      if (name.ends_with(reserved)) problem("reserved suffix: " + name);
  }

  // Whether a sample of this name belongs to the block that it stands in.
  bool belongs(std::string_view name) const {
    if (name == current_) return true;
    const auto type = types_.find(current_);
    if (type == types_.end() || type->second != "summary") return false;
    return name == current_ + "_sum" || name == current_ + "_count";
  }

  void sample(std::string_view text) {
    const std::size_t end = text.find_first_of("{ ");
    if (end == text.npos) return problem("no sample: " + std::string(text));
    const std::string_view name = text.substr(0, end);
    if (!is_name(name, true)) problem("no name: " + std::string(name));
    if (!belongs(name)) problem("outside of its block: " + std::string(name));
    std::string_view rest = text.substr(end);
    if (rest.front() == '{' && !labels(rest, std::string(name))) return;
    if (!rest.starts_with(' ')) return problem("no value: " + std::string(name));
    rest.remove_prefix(1);
    const std::string number(rest);
    char* stopped = nullptr;
    const double value = std::strtod(number.c_str(), &stopped);
    if (number.empty() || *stopped != '\0') problem("no number: " + std::string(text));
    const std::string key(text.substr(0, text.size() - rest.size() - 1));
    if (!values_.emplace(key, value).second) problem("twice: " + key);
  }

  bool labels(std::string_view& rest, const std::string& name) {
    std::set<std::string> seen;
    rest.remove_prefix(1);
    while (!rest.empty() && rest.front() != '}') {
      const std::size_t equals = rest.find("=\"");
      const std::string label(rest.substr(0, std::min(equals, rest.size())));
      if (equals == rest.npos || !is_name(label, false) || !seen.insert(label).second) {
        problem("no label: " + name + " " + label);
        return false;
      }
      rest.remove_prefix(equals + 2);
      while (!rest.empty() && rest.front() != '"') {
        if (rest.front() == '\\' &&
            (rest.size() < 2 || std::string_view("\\\"n").find(rest[1]) == rest.npos)) {
          problem("not escaped: " + name + " " + label);
          return false;
        }
        rest.remove_prefix(rest.front() == '\\' ? 2 : 1);
      }
      if (rest.empty()) {
        problem("open label: " + name);
        return false;
      }
      rest.remove_prefix(1);
      if (rest.starts_with(',')) rest.remove_prefix(1);
    }
    if (rest.empty()) {
      problem("open labels: " + name);
      return false;
    }
    rest.remove_prefix(1);
    return true;
  }

  void check_summary(const std::string& name) {
    if (!any(name + "_sum") || !any(name + "_count")) problem("summary without sum: " + name);
  }

  std::vector<std::string> problems_;
  std::set<std::string> helped_, seen_;
  std::map<std::string, std::string> types_;
  std::map<std::string, double> values_;
  std::string current_;
};

}  // namespace leasehold::testing
