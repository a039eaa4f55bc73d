#pragma once
// JSON as a vault needs it: strict (RFC 8259), bounded, and lossless. A number keeps its text, so
// 12345678901234567890123 comes back as it went in. Objects are sorted by key; the last duplicate
// wins. Strings are wiped when freed: a request body may hold a secret.
//
//   VAULT_TRY_ASSIGN(const Json body, parse_json(text, {}));
//   if (const Json* ttl = body.find("ttl")) ...
//   std::string out; body.write(out);
//
// Values, not thread-shared. Parsing runs nlohmann's SAX reader and stops at the first limit
// passed.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "vault/base/bytes.h"
#include "vault/base/result.h"

namespace leasehold {

struct JsonLimits {
  std::size_t depth = 64;
  std::size_t bytes = 32u << 20;
  std::size_t strings = 65536;  // keys and values; Vault's max_request_json_strings
  std::size_t values = 262144;  // of any kind: bounds the memory that a body of `[0,0,...]` takes
};

class Json {
 public:
  enum class Kind : std::uint8_t { null, boolean, number, string, array, object };
  using Member = std::pair<std::string, Json>;

  Json() = default;
  Json(std::nullptr_t) {}
  Json(bool value) : kind_(Kind::boolean), boolean_(value) {}
  Json(int value) : Json(static_cast<std::int64_t>(value)) {}
  Json(std::int64_t value) : kind_(Kind::number), text_(std::to_string(value)) {}
  Json(std::uint64_t value) : kind_(Kind::number), text_(std::to_string(value)) {}
  Json(std::string value) : kind_(Kind::string), text_(std::move(value)) {}
  Json(std::string_view value) : kind_(Kind::string), text_(value) {}
  Json(const char* value) : kind_(Kind::string), text_(value) {}
  Json(const std::vector<std::string>& strings);
  Json(Json&& other) noexcept;
  Json& operator=(Json&& other) noexcept;
  Json(const Json&) = default;
  Json& operator=(const Json& other);
  ~Json();

  static Json object() { return Json(Kind::object); }
  // Of members in any order, which set() would have to move about; the last duplicate wins.
  static Json object_of(std::vector<Member> members);
  static Json array() { return Json(Kind::array); }
  // A number by its text, for which is_json_number must hold.
  static Json number(std::string text);

  Kind kind() const { return kind_; }
  bool is_null() const { return kind_ == Kind::null; }
  bool is_bool() const { return kind_ == Kind::boolean; }
  bool is_number() const { return kind_ == Kind::number; }
  bool is_string() const { return kind_ == Kind::string; }
  bool is_array() const { return kind_ == Kind::array; }
  bool is_object() const { return kind_ == Kind::object; }

  bool boolean() const { return boolean_; }
  const std::string& text() const { return text_; }  // of a string or a number
  std::optional<std::int64_t> integer() const;       // of a number that is one and fits

  const std::vector<Json>& items() const { return items_; }
  const std::vector<Member>& members() const { return members_; }
  std::size_t size() const { return is_object() ? members_.size() : items_.size(); }
  const Json* find(std::string_view key) const;
  // Typed shortcuts of an object: the fallback when absent or of another kind.
  std::string string_at(std::string_view key, std::string_view fallback = {}) const;
  std::int64_t integer_at(std::string_view key, std::int64_t fallback = 0) const;
  bool bool_at(std::string_view key, bool fallback = false) const;
  std::vector<std::string> strings_at(std::string_view key) const;

  Json& set(std::string_view key, Json value);  // object; keeps the order
  void erase(std::string_view key);
  void push(Json value);  // array

  // Compact, keys sorted, `<`, `>`, `&`, U+2028 and U+2029 escaped as Go does.
  void write(std::string& out) const;
  std::string dump() const;
  std::string pretty(unsigned indent = 2) const;
  bool operator==(const Json& other) const = default;

 private:
  explicit Json(Kind kind) : kind_(kind) {}

  Kind kind_ = Kind::null;
  bool boolean_ = false;
  std::string text_;
  std::vector<Json> items_;
  std::vector<Member> members_;
};

// Whether the whole of `text` is a number as RFC 8259 writes it.
bool is_json_number(std::string_view text);

// The error message is of a few kinds and quotes none of the input: "failed to decode JSON input:
// unexpected EOF", "... invalid character at offset 7", "... nested too deeply", "... too large",
// "refused JSON input due to high complexity: exceeded maximum number of strings".
// `failed_at`, when given, receives the offset of a syntax error, in bytes.
Result<Json> parse_json(std::string_view text, const JsonLimits& limits = {},
                        std::size_t* failed_at = nullptr);

// Appends `text` as a JSON string with quotes, escaped as Json::write does; invalid UTF-8 becomes
// U+FFFD.
void write_json_string(std::string& out, std::string_view text);

}  // namespace leasehold
