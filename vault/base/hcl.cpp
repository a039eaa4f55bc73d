#include "vault/base/hcl.h"

#include <algorithm>

#include "vault/base/hcl_cursor.h"

namespace leasehold {
namespace {

// body  = { item [","] }        item = key "=" value | key { key } "{" body "}"
// key   = name | string         value = string | heredoc | number | bool | list | map
// list  = "[" [ value { "," value } [","] ] "]"
// map   = "{" { key ( "=" value | { key } map ) [","] } "}"
class Parser {
 public:
  Parser(std::string_view text, const std::vector<std::string>& block_types)
      : cursor_(text), block_types_(block_types) {}

  Result<HclBody> file() {
    VAULT_TRY_ASSIGN(HclBody body, this->body());
    if (!cursor_.at_end()) return cursor_.error("this `}` closes nothing");
    return body;
  }

 private:
  // Up to the end of the text or a `}`, which stays.
  Result<HclBody> body() {
    HclBody body;
    VAULT_TRY(cursor_.skip_blank());
    while (!cursor_.at_end() && cursor_.peek() != '}') {
      VAULT_TRY(item(body));
      VAULT_TRY(skip_comma());
    }
    return body;
  }

  Status item(HclBody& body) {
    const int line = cursor_.line(), column = cursor_.column();
    VAULT_TRY_ASSIGN(std::string first, key());
    std::vector<std::string> labels;
    while (cursor_.peek() == '"' || cursor_.at_name()) {
      VAULT_TRY_ASSIGN(std::string label, key());
      labels.push_back(std::move(label));
    }
    if (labels.empty() && cursor_.accept('='))
      return assigned(body, std::move(first), line, column);
    if (cursor_.peek() != '{') return cursor_.error("expected `=` or `{` after a name");
    VAULT_TRY_ASSIGN(HclBody inner, braced_body());
    body.blocks.push_back({std::move(first), std::move(labels), std::move(inner), line, column});
    return {};
  }

  // `options = { ... }` and `options { ... }` mean the same where a block is expected.
  Status assigned(HclBody& body, std::string name, int line, int column) {
    VAULT_TRY(cursor_.skip_blank());
    const bool is_block =
        std::find(block_types_.begin(), block_types_.end(), name) != block_types_.end();
    if (is_block && cursor_.peek() == '{') {
      VAULT_TRY_ASSIGN(HclBody inner, braced_body());
      body.blocks.push_back({std::move(name), {}, std::move(inner), line, column});
      return {};
    }
    VAULT_TRY_ASSIGN(Json found, value());
    body.attributes.push_back({std::move(name), std::move(found), line, column});
    return {};
  }

  Result<HclBody> braced_body() {
    const int line = cursor_.line();
    VAULT_TRY(enter());
    VAULT_TRY_ASSIGN(HclBody inner, body());
    VAULT_TRY(leave('}', line));
    return inner;
  }

  Result<std::string> key() {
    std::string key;
    if (cursor_.peek() == '"') {
      VAULT_TRY_ASSIGN(key, cursor_.quoted());
    } else if (cursor_.at_name()) {
      key = cursor_.name();
    } else {
      return cursor_.error("expected a name here");
    }
    VAULT_TRY(cursor_.skip_blank());
    return key;
  }

  Result<Json> value() {
    VAULT_TRY(cursor_.skip_blank());
    const char c = cursor_.peek();
    if (c == '"') return text(cursor_.quoted());
    if (c == '<' && cursor_.peek(1) == '<') return text(cursor_.heredoc());
    if (c == '[') return list();
    if (c == '{') return map();
    if (cursor_.at_name()) return word();
    if (c == '-' || (c >= '0' && c <= '9')) return cursor_.number();
    return cursor_.error("expected a value here");
  }

  static Result<Json> text(Result<std::string> read) {
    VAULT_TRY_ASSIGN(std::string found, std::move(read));
    return Json(std::move(found));
  }

  Result<Json> word() {
    const std::string_view name = cursor_.name();
    if (name == "true") return Json(true);
    if (name == "false") return Json(false);
    return cursor_.error("a text must stand in quotes");
  }

  Result<Json> list() {
    const int line = cursor_.line();
    VAULT_TRY(enter());
    Json list = Json::array();
    while (cursor_.peek() != ']') {
      if (cursor_.at_end()) break;
      VAULT_TRY_ASSIGN(Json found, value());
      list.push(std::move(found));
      VAULT_TRY(cursor_.skip_blank());
      if (!cursor_.accept(',') && cursor_.peek() != ']' && !cursor_.at_end())
        return cursor_.error("expected `,` or `]` in a list");
      VAULT_TRY(cursor_.skip_blank());
    }
    VAULT_TRY(leave(']', line));
    return list;
  }

  Result<Json> map() {
    const int line = cursor_.line();
    VAULT_TRY(enter());
    std::vector<Json::Member> members;
    while (!cursor_.at_end() && cursor_.peek() != '}') {
      VAULT_TRY_ASSIGN(const std::string name, key());
      VAULT_TRY_ASSIGN(Json found, entry());
      members.emplace_back(name, std::move(found));
      VAULT_TRY(skip_comma());
    }
    VAULT_TRY(leave('}', line));
    return Json::object_of(std::move(members));
  }

  // What a name in a map stands for: `factor "ops" { ... }` is `factor = { "ops" = { ... } }`.
  Result<Json> entry() {
    constexpr std::string_view kNoValue = "expected `=` after a name";
    const int line = cursor_.line(), depth = depth_;
    std::vector<std::string> labels;
    while (cursor_.peek() == '"' || cursor_.at_name()) {
      VAULT_TRY_ASSIGN(std::string label, key());
      labels.push_back(std::move(label));
    }
    if (labels.empty() && !cursor_.accept('=') && cursor_.peek() != '{')
      return cursor_.error(kNoValue);
    if (!labels.empty() && cursor_.peek() != '{') return HclCursor::error_at(line, kNoValue);
    depth_ += static_cast<int>(labels.size());
    VAULT_TRY_ASSIGN(Json found, value());
    depth_ = depth;
    for (auto label = labels.rbegin(); label != labels.rend(); ++label) {
      Json outer = Json::object();
      outer.set(*label, std::move(found));
      found = std::move(outer);
    }
    return found;
  }

  Status skip_comma() {
    VAULT_TRY(cursor_.skip_blank());
    if (cursor_.accept(',')) return cursor_.skip_blank();
    return {};
  }

  // Takes the opening bracket.
  Status enter() {
    if (++depth_ > kHclDepthMax) return cursor_.error("nested too deeply");
    cursor_.take();
    return cursor_.skip_blank();
  }
  Status leave(char bracket, int opened) {
    --depth_;
    if (cursor_.accept(bracket)) return {};
    return HclCursor::error_at(opened, "the bracket that opens here is not closed");
  }

  HclCursor cursor_;
  const std::vector<std::string>& block_types_;
  int depth_ = 0;
};

bool looks_like_json(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  return first != std::string_view::npos && text[first] == '{';
}

}  // namespace

const HclAttribute* HclBody::find(std::string_view name) const {
  const auto found = std::find_if(attributes.rbegin(), attributes.rend(),
                                  [name](const HclAttribute& one) { return one.name == name; });
  return found == attributes.rend() ? nullptr : &*found;
}

Result<HclBody> parse_hcl(std::string_view text, const std::vector<std::string>& block_types) {
  if (text.size() > kHclBytesMax) return HclCursor::error_at(1, "the text is longer than 1 MiB");
  if (const std::size_t at = text.find('\0'); at != std::string_view::npos)
    return HclCursor::error_at(
        1 + static_cast<int>(std::count(text.begin(), text.begin() + static_cast<long>(at), '\n')),
        "there is a NUL byte in the text");
  if (looks_like_json(text)) return parse_hcl_json(text, block_types);
  return Parser(text, block_types).file();
}

}  // namespace leasehold
