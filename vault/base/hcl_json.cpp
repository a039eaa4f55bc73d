#include <algorithm>

#include "vault/base/hcl_cursor.h"

namespace leasehold {
namespace {

bool is_object_or_list_of_objects(const Json& value) {
  return value.is_object() ||
         (value.is_array() && std::all_of(value.items().begin(), value.items().end(),
                                          [](const Json& item) { return item.is_object(); }));
}

bool is_labelled(const Json& object) {
  return std::all_of(object.members().begin(), object.members().end(), [](const auto& member) {
    return is_object_or_list_of_objects(member.second);
  });
}

struct Position {
  int line, column;
};

// Walks a text that parse_json has accepted, so only the shape matters, to keep order and lines.
class Walker {
 public:
  Walker(std::string_view text, const std::vector<std::string>& block_types)
      : cursor_(text), block_types_(block_types) {}

  HclBody body() {
    HclBody body;
    open();
    while (!close('}')) {
      const Position at{cursor_.line(), cursor_.column()};
      std::string name = key();
      const HclCursor before = cursor_;
      Json value = this->value();
      if (is_block_type(name) && is_object_or_list_of_objects(value)) {
        cursor_ = before;
        each_object(value, [&](const Json& object) { blocks(object, name, at, body); });
      } else {
        body.attributes.push_back({std::move(name), std::move(value), at.line, at.column});
      }
    }
    return body;
  }

 private:
  bool is_block_type(const std::string& name) const {
    return std::find(block_types_.begin(), block_types_.end(), name) != block_types_.end();
  }

  // Stands before an object or a list of objects, of which `value` is the reading.
  template <class Visit>
  void each_object(const Json& value, Visit visit) {
    blank();
    if (value.is_object()) return visit(value);
    open();
    for (const Json& item : value.items()) {
      blank();
      visit(item);
      separate();
    }
    close(']');
  }

  void blocks(const Json& object, const std::string& type, Position at, HclBody& body) {
    if (!is_labelled(object)) {
      body.blocks.push_back({type, {}, this->body(), at.line, at.column});
      return;
    }
    open();
    while (!close('}')) {
      const Position label_at{cursor_.line(), cursor_.column()};
      const std::string label = key();
      const HclCursor before = cursor_;
      const Json inner = value();
      const HclCursor after = cursor_;
      cursor_ = before;
      each_object(inner, [&](const Json&) {
        body.blocks.push_back({type, {label}, this->body(), label_at.line, label_at.column});
      });
      cursor_ = after;
    }
  }

  void blank() {
    while (cursor_.peek() == ' ' || cursor_.peek() == '\t' || cursor_.peek() == '\r' ||
           cursor_.peek() == '\n')
      cursor_.take();
  }
  void open() {
    blank();
    cursor_.take();
    blank();
  }
  void separate() {
    blank();
    cursor_.accept(',');
    blank();
  }
  // Between members: takes the comma before the next, or the closing bracket.
  bool close(char bracket) {
    separate();
    return cursor_.accept(bracket);
  }
  std::string key() {
    const std::string name = value().text();
    blank();
    cursor_.accept(':');
    blank();
    return name;
  }

  Json value() {
    blank();
    const std::size_t start = cursor_.position();
    skip_value();
    auto parsed = parse_json(cursor_.since(start));
    VAULT_ASSERT(parsed.ok());
    return std::move(parsed).value();
  }

  void skip_value() {
    int depth = 0;
    do {
      const char c = cursor_.peek();
      if (c == '"')
        skip_string();
      else if (c == '{' || c == '[')
        ++depth, cursor_.take();
      else if (c == '}' || c == ']')
        --depth, cursor_.take();
      else if (depth > 0)
        cursor_.take();
      else
        return skip_word();
    } while (depth > 0);
  }
  void skip_string() {
    cursor_.take();
    while (cursor_.peek() != '"') {
      if (cursor_.take() == '\\') cursor_.take();
    }
    cursor_.take();
  }
  void skip_word() {
    while (!cursor_.at_end() &&
           std::string_view(" \t\r\n,]}").find(cursor_.peek()) == std::string_view::npos)
      cursor_.take();
  }

  HclCursor cursor_;
  const std::vector<std::string>& block_types_;
};

int line_of(std::string_view text, std::size_t at) {
  return 1 + static_cast<int>(std::count(text.begin(), text.begin() + static_cast<long>(at), '\n'));
}

}  // namespace

Result<HclBody> parse_hcl_json(std::string_view text, const std::vector<std::string>& block_types) {
  std::size_t failed_at = 0;
  const auto parsed = parse_json(text, {.depth = kHclDepthMax, .bytes = kHclBytesMax}, &failed_at);
  if (!parsed.ok()) return HclCursor::error_at(line_of(text, failed_at), parsed.error().message);
  return Walker(text, block_types).body();
}

}  // namespace leasehold
