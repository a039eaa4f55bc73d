// A template is text with {{actions}}; an action is a pipeline of calls, each of which takes the
// result of the one before as its last argument. Everything is evaluated while it is read.

#include "vault/target/name_template.h"

#include <algorithm>
#include <cctype>
#include <ctime>
#include <vector>

#include "vault/base/encoding.h"
#include "vault/crypto/hash.h"

namespace leasehold::target {
namespace {

constexpr std::size_t kTemplateMax = 4096;
constexpr std::int64_t kLengthMax = 1024;
constexpr unsigned kDepthMax = 16;
constexpr std::size_t kOwnPlaces = 8;
constexpr std::string_view kSpaces = " \t\r\n";

using Texts = std::vector<std::string>;

Error wrong(const std::string& why) { return failure(Code::invalid, "username_template: " + why); }

// What random numbers are drawn from: the real thing, or the same byte over and over to see which
// places of a name depend on them.
class Same final : public Random {
 public:
  explicit Same(std::uint8_t byte) : byte_(byte) {}
  void fill(std::span<std::uint8_t> out) override { std::fill(out.begin(), out.end(), byte_); }

 private:
  const std::uint8_t byte_;
};

Result<std::int64_t> length_of(const std::string& text) {
  std::int64_t value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9' || value > kLengthMax) return wrong("\"" + text + "\" is no length");
    value = 10 * value + (c - '0');
  }
  if (text.empty() || value > kLengthMax) return wrong("\"" + text + "\" is no length");
  return value;
}

// A layout of Go's: by the reference time 2006-01-02 15:04:05.
std::string timestamp(const std::string& layout, WallTime now) {
  const std::pair<std::string_view, const char*> marks[] = {
      {"2006", "%Y"}, {"01", "%m"}, {"02", "%d"}, {"15", "%H"},
      {"04", "%M"},   {"05", "%S"}, {"06", "%y"}, {"Jan", "%b"}};
  const std::time_t seconds = now.seconds();
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  std::string out;
  for (std::size_t at = 0; at < layout.size();) {
    std::size_t taken = 0;
    for (const auto& [mark, format] : marks) {
      if (taken != 0 || std::string_view(layout).substr(at, mark.size()) != mark) continue;
      char text[16];
      out.append(text, std::strftime(text, sizeof text, format, &utc));
      taken = mark.size();
    }
    if (taken == 0) out += layout[at];
    at += std::max<std::size_t>(taken, 1);
  }
  return out;
}

Result<std::string> printed(const Texts& arguments) {
  std::string out;
  std::size_t next = 1;
  const std::string& format = arguments[0];
  for (std::size_t i = 0; i < format.size(); ++i) {
    if (format[i] != '%') {
      out += format[i];
      continue;
    }
    const char verb = i + 1 < format.size() ? format[++i] : ' ';
    if (verb == '%') {
      out += '%';
    } else if (std::string_view("sdv").find(verb) != std::string_view::npos &&
               next < arguments.size()) {
      out += arguments[next++];
    } else {
      return wrong("printf has a verb that is not %s, %d or %v, or no argument for it");
    }
  }
  if (next != arguments.size()) return wrong("printf has an argument too many");
  return out;
}

std::string truncated_hash(const std::string& text, std::size_t length) {
  constexpr std::size_t kHashDigits = 8;
  if (text.size() <= length) return text;
  const std::size_t kept = length - std::min(length, kHashDigits);
  return text.substr(0, kept) + hex(crypto::sha256(as_bytes(text))).substr(0, length - kept);
}

std::string changed(std::string text, int (*change)(int)) {
  for (char& c : text)
    if (static_cast<unsigned char>(c) < 0x80) c = static_cast<char>(change(c));
  return text;
}

std::string replaced(const std::string& from, const std::string& to, std::string text) {
  if (from.empty()) return text;
  for (auto at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
  return text;
}

class Reader {
 public:
  Reader(std::string_view text, const NameParts& parts, WallTime now, Random& random)
      : rest_(text), parts_(parts), now_(now), random_(random) {}

  Result<std::string> name() {
    std::string out;
    while (!rest_.empty()) {
      const auto begin = rest_.find("{{");
      out += rest_.substr(0, begin);
      if (begin == std::string_view::npos) return out;
      rest_.remove_prefix(begin + 2);
      if (rest_.starts_with("- ")) {
        out.erase(out.find_last_not_of(kSpaces) + 1);
        rest_.remove_prefix(2);
      }
      VAULT_TRY_ASSIGN(const std::string value, pipeline(0));
      out += value;
      skip();
      const bool trims = rest_.starts_with("-}}");
      if (trims) rest_.remove_prefix(1);
      if (!rest_.starts_with("}}")) return wrong("an action does not end in }}");
      rest_.remove_prefix(2);
      if (trims) skip();
    }
    return out;
  }

 private:
  void skip() { rest_.remove_prefix(std::min(rest_.find_first_not_of(kSpaces), rest_.size())); }
  Result<std::string> pipeline(unsigned depth) {
    if (depth > kDepthMax) return wrong("too many parentheses");
    VAULT_TRY_ASSIGN(std::string value, call(depth, nullptr));
    for (skip(); rest_.starts_with("|"); skip()) {
      rest_.remove_prefix(1);
      const std::string before = std::move(value);
      VAULT_TRY_ASSIGN(value, call(depth, &before));
    }
    return value;
  }
  // A function with its arguments, or a value alone.
  Result<std::string> call(unsigned depth, const std::string* before) {
    skip();
    const bool is_function = !rest_.empty() && ((rest_[0] >= 'a' && rest_[0] <= 'z'));
    const std::string function = is_function ? word() : std::string();
    Texts arguments;
    for (skip(); !rest_.empty() && std::string_view("|)}").find(rest_[0]) == rest_.npos &&
                 !rest_.starts_with("-}}");
         skip()) {
      VAULT_TRY_ASSIGN(std::string value, operand(depth));
      arguments.push_back(std::move(value));
    }
    if (before != nullptr) arguments.push_back(*before);
    if (is_function) return apply(function, arguments);
    if (arguments.size() != 1) return wrong("a value stands where a function is needed");
    return arguments[0];
  }
  std::string word() {
    std::size_t size = 0;
    while (size < rest_.size() &&
           (std::isalnum(static_cast<unsigned char>(rest_[size])) != 0 || rest_[size] == '_'))
      ++size;
    std::string taken(rest_.substr(0, size));
    rest_.remove_prefix(size);
    return taken;
  }
  Result<std::string> operand(unsigned depth) {
    const char first = rest_[0];
    rest_.remove_prefix(1);
    if (first == '(') {
      VAULT_TRY_ASSIGN(std::string value, pipeline(depth + 1));
      skip();
      if (!rest_.starts_with(")")) return wrong("a parenthesis is not closed");
      rest_.remove_prefix(1);
      return value;
    }
    if (first == '"' || first == '`') return quoted(first);
    if (first == '.') {
      const std::string field = word();
      if (field == "DisplayName") return parts_.display_name;
      if (field == "RoleName") return parts_.role_name;
      return wrong("there is no field ." + field + "; there are .DisplayName and .RoleName");
    }
    const std::string more = word();
    if (first >= '0' && first <= '9') return first + more;
    // A function without arguments, as an argument.
    return apply(first + more, {});
  }
  Result<std::string> quoted(char quote) {
    std::string out;
    while (!rest_.empty() && rest_[0] != quote) {
      if (quote == '"' && rest_[0] == '\\' && rest_.size() > 1) rest_.remove_prefix(1);
      out += rest_[0];
      rest_.remove_prefix(1);
    }
    if (rest_.empty()) return wrong("a text has no end");
    rest_.remove_prefix(1);
    return out;
  }
  Result<std::string> apply(const std::string& function, const Texts& arguments) {
    const auto is = [&](std::string_view name, std::size_t count) {
      return function == name && arguments.size() == count;
    };
    if (function == "printf" && !arguments.empty()) return printed(arguments);
    if (is("uuid", 0)) return uuid(random_);
    if (is("unix_time", 0)) return std::to_string(now_.seconds());
    if (is("unix_time_millis", 0)) return std::to_string(now_.millis());
    if (is("timestamp", 1)) return timestamp(arguments[0], now_);
    if (is("uppercase", 1)) return changed(arguments[0], std::toupper);
    if (is("lowercase", 1)) return changed(arguments[0], std::tolower);
    if (is("sha256", 1)) return hex(crypto::sha256(as_bytes(arguments[0])));
    if (is("base64", 1)) return base64(as_bytes(arguments[0]));
    if (is("replace", 3)) return replaced(arguments[0], arguments[1], arguments[2]);
    if (is("random", 1) || is("truncate", 2) || is("truncate_sha256", 2)) {
      VAULT_TRY_ASSIGN(const std::int64_t given, length_of(arguments[0]));
      const auto length = static_cast<std::size_t>(given);
      if (function == "random") return base62_text(random_, length);
      return function == "truncate" ? arguments[1].substr(0, length)
                                    : truncated_hash(arguments[1], length);
    }
    return wrong("there is no function " + function + " with " + std::to_string(arguments.size()) +
                 " arguments");
  }

  std::string_view rest_;
  const NameParts& parts_;
  const WallTime now_;
  Random& random_;
};

std::size_t differences(const std::string& a, const std::string& b) {
  std::size_t count = std::max(a.size(), b.size()) - std::min(a.size(), b.size());
  for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) count += a[i] != b[i] ? 1 : 0;
  return count;
}

}  // namespace

Result<std::string> name_from_template(const std::string& text, const NameParts& parts,
                                       WallTime now, Random& random) {
  if (text.size() > kTemplateMax) return wrong("it is too long");
  const auto drawn = [&](Random& from) { return Reader(text, parts, now, from).name(); };
  Same low(0), high(61);  // the first letter of all that are drawn from, and the last
  VAULT_TRY_ASSIGN(const std::string one, drawn(low));
  VAULT_TRY_ASSIGN(const std::string other, drawn(high));
  if (differences(one, other) < kOwnPlaces)
    return wrong(
        "a name must be its lease's own; put {{random 8}} or more, or {{uuid}}, where it is not "
        "cut "
        "off");
  return drawn(random);
}

}  // namespace leasehold::target
