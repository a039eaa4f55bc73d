// YAML is written, never read: a block mapping per object, a dash per list item, every string that
// could be mistaken for something else in double quotes (which are JSON's).

#include "cli/leasehold/output.h"
#include "vault/base/printable.h"

namespace leasehold::cli {
namespace {

bool is_word(std::string_view text) {
  for (const char* special : {"true", "false", "null", "yes", "no", "on", "off", "y", "n", "~"})
    if (text == special) return false;
  const auto is_letter = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
  };
  if (text.empty() || !is_letter(text[0])) return false;
  for (const char c : text)
    if (!is_letter(c) && !(c >= '0' && c <= '9') && c != '/' && c != '-' && c != '.') return false;
  // Upper-case spellings of the special words ("True", "NULL") are quoted with them.
  return text.size() > 5 || (text[0] >= 'a' && text[0] <= 'z');
}

std::string scalar(const Json& value) {
  if (value.is_null()) return "null";
  if (value.is_bool()) return value.boolean() ? "true" : "false";
  if (value.is_number()) return value.text();
  if (is_word(value.text())) return value.text();
  std::string out;
  write_json_string(out, value.text());
  return printable_json(out);
}

bool is_branch(const Json& value) {
  return (value.is_object() || value.is_array()) && value.size() > 0;
}

void write(const Json& value, std::size_t indent, std::string& out);

void write_entry(const Json& value, std::size_t indent, std::string& out) {
  if (is_branch(value)) {
    out += '\n';
    write(value, indent, out);
  } else {
    out += ' ';
    write(value, indent, out);
  }
}

void write(const Json& value, std::size_t indent, std::string& out) {
  if (!is_branch(value)) {
    out += value.is_object() ? "{}" : value.is_array() ? "[]" : scalar(value);
    out += '\n';
    return;
  }
  for (const auto& member : value.members()) {
    out.append(indent, ' ');
    out += scalar(Json(member.first)) + ":";
    write_entry(member.second, indent + 2, out);
  }
  for (const Json& item : value.items()) {
    out.append(indent, ' ');
    out += '-';
    write_entry(item, indent + 2, out);
  }
}

}  // namespace

std::string yaml(const Json& value) {
  std::string out;
  write(value, 0, out);
  return out;
}

}  // namespace leasehold::cli
