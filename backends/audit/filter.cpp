#include "backends/audit/filter.h"

#include <regex.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>
#include <vector>

namespace leasehold::audit {
namespace {

constexpr std::size_t kTextMax = 4096;
constexpr int kDepthMax = 32;

struct Name {
  std::string_view name, pointer;
};
constexpr Name kNames[] = {
    {"mount_point", "/request/mount_point"},
    {"mount_type", "/request/mount_type"},
    {"namespace", "/request/namespace/path"},
    {"operation", "/request/operation"},
    {"path", "/request/path"},
};

// `~1` is a slash and `~0` a tilde in a pointer's parts.
std::string unescaped(std::string_view part) {
  std::string out;
  for (std::size_t i = 0; i < part.size(); ++i) {
    const bool escape = part[i] == '~' && i + 1 < part.size();
    if (escape && part[i + 1] == '1') {
      out += '/';
    } else if (escape && part[i + 1] == '0') {
      out += '~';
    } else {
      out += part[i];
      continue;
    }
    ++i;
  }
  return out;
}

const Json* item_at(const Json& array, std::string_view part) {
  std::size_t index = 0;
  const auto parsed = std::from_chars(part.data(), part.data() + part.size(), index);
  const bool whole = parsed.ec == std::errc() && parsed.ptr == part.data() + part.size();
  return whole && index < array.items().size() ? &array.items()[index] : nullptr;
}

class Expression {
 public:
  ~Expression() { ::regfree(&compiled_); }
  Expression(const Expression&) = delete;
  Expression& operator=(const Expression&) = delete;
  static std::shared_ptr<const Expression> compile(const std::string& text) {
    std::shared_ptr<Expression> made(new Expression);
    if (::regcomp(&made->compiled_, text.c_str(), REG_EXTENDED | REG_NOSUB) == 0) return made;
    return nullptr;  // regfree of what was not compiled is harmless: it is zero
  }
  bool matches(const std::string& text) const {
    return ::regexec(&compiled_, text.c_str(), 0, nullptr, 0) == 0;
  }

 private:
  Expression() = default;
  regex_t compiled_{};
};

}  // namespace

const Json* at_pointer(const Json& record, std::string_view pointer) {
  const Json* at = &record;
  while (at != nullptr && !pointer.empty()) {
    pointer.remove_prefix(1);  // the slash
    const std::string_view part = pointer.substr(0, pointer.find('/'));
    pointer.remove_prefix(part.size());
    if (at->is_object())
      at = at->find(unescaped(part));
    else
      at = at->is_array() ? item_at(*at, part) : nullptr;
  }
  return at;
}

class Filter::Node {
 public:
  enum class Kind { either, both, negation, equal, contains, matches, empty };
  Kind kind = Kind::equal;
  std::vector<std::shared_ptr<const Node>> parts;  // of either, both, negation
  std::string pointer, value;
  std::shared_ptr<const Expression> expression;

  bool holds(const Json& record) const {
    const auto part_holds = [&](const auto& part) { return part->holds(record); };
    if (kind == Kind::either) return std::any_of(parts.begin(), parts.end(), part_holds);
    if (kind == Kind::both) return std::all_of(parts.begin(), parts.end(), part_holds);
    if (kind == Kind::negation) return !parts.front()->holds(record);
    const Json* found = at_pointer(record, pointer);
    if (kind == Kind::contains && found != nullptr && !found->is_string()) return has(*found);
    const std::string text = text_of(found);
    if (kind == Kind::equal) return text == value;
    if (kind == Kind::contains) return text.find(value) != std::string::npos;
    if (kind == Kind::matches) return expression->matches(text);
    return text.empty() && (found == nullptr || found->size() == 0);
  }

 private:
  // A list's item, or an object's key.
  bool has(const Json& found) const {
    const auto& items = found.items();
    return found.find(value) != nullptr ||
           std::any_of(items.begin(), items.end(),
                       [&](const Json& item) { return text_of(&item) == value; });
  }
  static std::string text_of(const Json* value) {
    if (value == nullptr) return {};
    if (value->is_bool()) return value->boolean() ? "true" : "false";
    return value->text();
  }
};

namespace {

using Node = Filter::Node;
using Parsed = Result<std::shared_ptr<const Node>>;

struct Word {
  std::string text;
  bool quoted = false;
  bool operator==(std::string_view other) const { return !quoted && text == other; }
};

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Parsed parse() {
    VAULT_TRY(next());
    VAULT_TRY_ASSIGN(auto root, either());
    if (word_) return expected("\"and\", \"or\" or the end");
    return root;
  }

 private:
  using Kind = Node::Kind;

  Error expected(const std::string& what) const {
    return failure(Code::invalid, "expected " + what + " at character " + std::to_string(at_ + 1));
  }
  static bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
  bool starts(std::string_view what) const { return text_.substr(at_).starts_with(what); }

  // The next word into word_; none at the end.
  Status next() {
    while (end_ < text_.size() && is_space(text_[end_])) ++end_;
    at_ = end_;
    word_.reset();
    if (at_ == text_.size()) return {};
    const char first = text_[at_];
    if (first == '"' || first == '`') return quoted(first);
    std::size_t size = starts("==") || starts("!=") ? 2 : 1;
    if (first != '(' && first != ')' && size == 1)
      while (at_ + size < text_.size() && is_plain(text_[at_ + size])) ++size;
    end_ = at_ + size;
    word_ = Word{std::string(text_.substr(at_, size)), false};
    return {};
  }
  static bool is_plain(char c) {
    return !is_space(c) && c != '(' && c != ')' && c != '=' && c != '!' && c != '"' && c != '`';
  }
  Status quoted(char quote) {
    std::string value;
    for (std::size_t i = at_ + 1; i < text_.size(); ++i) {
      if (text_[i] == quote) {
        end_ = i + 1;
        word_ = Word{std::move(value), true};
        return {};
      }
      if (quote == '"' && text_[i] == '\\' && i + 1 < text_.size()) ++i;
      value += text_[i];
    }
    return expected("the end of a quoted text");
  }
  bool is(std::string_view keyword) const { return word_ && *word_ == keyword; }
  Result<bool> took(std::string_view keyword) {
    if (!is(keyword)) return false;
    VAULT_TRY(next());
    return true;
  }

  Parsed joined(Kind kind, std::string_view keyword, Parsed (Parser::*part)()) {
    auto node = std::make_shared<Node>();
    node->kind = kind;
    for (bool more = true; more;) {
      VAULT_TRY_ASSIGN(auto one, (this->*part)());
      node->parts.push_back(std::move(one));
      VAULT_TRY_ASSIGN(more, took(keyword));
    }
    return node->parts.size() == 1 ? node->parts.front() : node;
  }
  Parsed either() { return joined(Kind::either, "or", &Parser::both); }
  Parsed both() { return joined(Kind::both, "and", &Parser::term); }

  Parsed term() {
    if (++depth_ > kDepthMax) return failure(Code::invalid, "the condition is nested too deeply");
    auto parsed = nested();
    --depth_;
    return parsed;
  }
  Parsed nested() {
    VAULT_TRY_ASSIGN(const bool negated, took("not"));
    if (negated) {
      VAULT_TRY_ASSIGN(auto one, term());
      return negation_of(std::move(one));
    }
    VAULT_TRY_ASSIGN(const bool open, took("("));
    if (!open) return match();
    VAULT_TRY_ASSIGN(auto inner, either());
    if (!is(")")) return expected("\")\"");
    VAULT_TRY(next());
    return inner;
  }
  static std::shared_ptr<const Node> negation_of(std::shared_ptr<const Node> one) {
    auto node = std::make_shared<Node>();
    node->kind = Kind::negation;
    node->parts.push_back(std::move(one));
    return node;
  }

  Parsed match() {
    VAULT_TRY_ASSIGN(Word first, take("a selector"));
    auto node = std::make_shared<Node>();
    bool negated = false;
    VAULT_TRY_ASSIGN(bool taken, took("!="));
    if (taken) return compare(node, first, true);
    VAULT_TRY_ASSIGN(taken, took("=="));
    if (taken) return compare(node, first, false);
    VAULT_TRY_ASSIGN(taken, took("is"));
    if (taken) return emptiness(node, first);
    VAULT_TRY_ASSIGN(negated, took("not"));
    VAULT_TRY_ASSIGN(taken, took("in"));
    if (taken) return membership(node, std::move(first), negated);
    const bool expression = is("matches");
    if (!expression && !is("contains"))
      return expected("==, !=, in, contains, matches or \"is empty\"");
    VAULT_TRY(next());
    node->kind = expression ? Kind::matches : Kind::contains;
    return compare(node, first, negated);
  }
  Result<Word> take(const std::string& what) {
    if (!word_ || is("(") || is(")")) return expected(what);
    Word taken = *word_;
    VAULT_TRY(next());
    return taken;
  }
  Parsed compare(const std::shared_ptr<Node>& node, const Word& selector, bool negated) {
    VAULT_TRY(select(*node, selector));
    VAULT_TRY_ASSIGN(Word value, take("a value"));
    node->value = std::move(value.text);
    if (node->kind == Kind::matches) {
      node->expression = Expression::compile(node->value);
      if (!node->expression)
        return failure(Code::invalid, "\"" + node->value + "\" is no regular expression");
    }
    return finished(node, negated);
  }
  Parsed membership(const std::shared_ptr<Node>& node, Word value, bool negated) {
    VAULT_TRY_ASSIGN(const Word selector, take("a selector"));
    VAULT_TRY(select(*node, selector));
    node->kind = Kind::contains;
    node->value = std::move(value.text);
    return finished(node, negated);
  }
  Parsed emptiness(const std::shared_ptr<Node>& node, const Word& selector) {
    VAULT_TRY(select(*node, selector));
    node->kind = Kind::empty;
    VAULT_TRY_ASSIGN(const bool negated, took("not"));
    if (!is("empty")) return expected("\"empty\"");
    VAULT_TRY(next());
    return finished(node, negated);
  }
  static std::shared_ptr<const Node> finished(const std::shared_ptr<Node>& node, bool negated) {
    if (negated) return negation_of(node);
    return node;
  }
  static Status select(Node& node, const Word& selector) {
    for (const Name& one : kNames)
      if (selector.text == one.name) node.pointer = one.pointer;
    if (selector.quoted && selector.text.starts_with('/')) node.pointer = selector.text;
    if (!node.pointer.empty()) return {};
    return failure(Code::invalid,
                   "\"" + selector.text +
                       "\" is nothing to select by: mount_point, mount_type, namespace, operation, "
                       "path, or a JSON pointer such as \"/request/path\" in quotes");
  }

  const std::string_view text_;
  std::size_t at_ = 0, end_ = 0;  // of the word
  std::optional<Word> word_;
  int depth_ = 0;
};

}  // namespace

Result<Filter> Filter::parse(std::string_view text) {
  if (text.size() > kTextMax) return failure(Code::invalid, "the condition is longer than 4 KiB");
  VAULT_TRY_ASSIGN(auto root, Parser(text).parse());
  return Filter(std::move(root));
}

bool Filter::matches(const Json& record) const { return root_->holds(record); }

}  // namespace leasehold::audit
