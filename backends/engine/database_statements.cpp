// The forms that statements are written in. What was written is kept and shown; here it is read.

#include <algorithm>

#include "backends/engine/database.h"
#include "vault/base/encoding.h"
#include "vault/base/trimmed.h"

namespace leasehold::engine::database {
namespace {

// A single word may happen to be base64 as well; what it stands for then is no statement.
std::string decoded(std::string_view text) {
  const auto bytes = from_base64(trimmed(text, kBlanksAndLines));
  if (!bytes) return std::string(text);
  const std::string_view plain = as_text(*bytes);
  const bool is_text = std::all_of(plain.begin(), plain.end(), [](char c) {
    return static_cast<unsigned char>(c) >= 0x20 || c == '\n' || c == '\t' || c == '\r';
  });
  return std::string(is_text && plain.find(' ') != std::string_view::npos ? plain : text);
}

void append_read(std::vector<std::string>& out, std::string_view written) {
  const std::string text = decoded(written);
  if (trimmed(text, kBlanksAndLines).starts_with('[')) {
    const auto array = parse_json(trimmed(text, kBlanksAndLines));
    const bool of_texts = array.ok() && array->is_array() &&
                          std::all_of(array->items().begin(), array->items().end(),
                                      [](const Json& one) { return one.is_string(); });
    if (of_texts) {
      for (const Json& one : array->items()) out.push_back(one.text());
      return;
    }
  }
  if (!trimmed(text, kBlanksAndLines).empty()) out.push_back(text);
}

}  // namespace

std::vector<std::string> statements_of(const Json& role, std::string_view field) {
  std::vector<std::string> out;
  for (const std::string& written : role.strings_at(field)) append_read(out, written);
  return out;
}

}  // namespace leasehold::engine::database
