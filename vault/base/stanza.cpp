#include "vault/base/stanza.h"

#include <algorithm>
#include <charconv>

#include "vault/base/nearest.h"
#include "vault/base/trimmed.h"

namespace leasehold {
namespace {

// The text of a scalar; nothing for a list, a map or null.
std::optional<std::string> scalar(const Json& value) {
  if (value.is_string() || value.is_number()) return value.text();
  if (value.is_bool()) return value.boolean() ? "true" : "false";
  return std::nullopt;
}

// The spellings Go's strconv.ParseBool takes.
std::optional<bool> parse_flag(std::string_view text) {
  for (const char* yes : {"1", "t", "T", "true", "TRUE", "True"})
    if (text == yes) return true;
  for (const char* no : {"0", "f", "F", "false", "FALSE", "False"})
    if (text == no) return false;
  return std::nullopt;
}

std::vector<std::string> split_commas(std::string_view text) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const auto comma = std::min(text.find(','), text.size());
    if (const auto part = trimmed(text.substr(0, comma)); !part.empty()) parts.emplace_back(part);
    text.remove_prefix(std::min(comma + 1, text.size()));
  }
  return parts;
}

// `options = { … }` and JSON's `"options": { … }` mean what the block `options { … }` means.
HclBlock block_of(const Json& map, const HclAttribute& attribute) {
  HclBlock block;
  block.type = attribute.name;
  block.line = attribute.line;
  block.column = attribute.column;
  for (const auto& member : map.members())
    block.body.attributes.push_back(
        {member.first, member.second, attribute.line, attribute.column});
  return block;
}

}  // namespace

std::string Stanza::at(int line, int column) const {
  std::string place = file_ + ":" + std::to_string(line);
  return column > 0 ? place + ":" + std::to_string(column) : place;
}

std::string Stanza::where(std::string_view key) const {
  if (const HclAttribute* attribute = block_.body.find(key))
    return at(attribute->line, attribute->column);
  for (const HclBlock& block : block_.body.blocks)
    if (block.type == key) return at(block.line, block.column);
  return at(block_.line, block_.column);
}

void Stanza::refuse(std::string_view key, std::string_view message) {
  problems_.add(where(key) + ": " + std::string(message));
}

void Stanza::warn(std::string_view key, std::string_view message) {
  warnings_.push_back(where(key) + ": " + std::string(message));
}

void Stanza::warn_of(const Stanza& nested) {
  warnings_.insert(warnings_.end(), nested.warnings_.begin(), nested.warnings_.end());
}

Result<std::string> Stanza::text(std::string_view key, std::string_view fallback) {
  taken_.emplace(key);
  const HclAttribute* attribute = block_.body.find(key);
  if (attribute == nullptr) return std::string(fallback);
  if (auto text = scalar(attribute->value)) return *std::move(text);
  refuse(key, "\"" + std::string(key) + "\" must be a string");
  return std::string(fallback);
}

Result<std::string> Stanza::require_text(std::string_view key) {
  VAULT_TRY_ASSIGN(std::string value, text(key));
  if (!value.empty()) return value;
  return failure(Code::invalid,
                 where(key) + ": " + title() + " needs \"" + std::string(key) + "\"");
}

Result<bool> Stanza::flag(std::string_view key, bool fallback) {
  VAULT_TRY_ASSIGN(const std::string value, text(key));
  if (!has(key)) return fallback;
  if (const auto parsed = parse_flag(value)) return *parsed;
  refuse(key, "\"" + std::string(key) + "\" must be true or false");
  return fallback;
}

Result<std::int64_t> Stanza::number(std::string_view key, std::int64_t fallback) {
  VAULT_TRY_ASSIGN(const std::string value, text(key));
  if (!has(key)) return fallback;
  std::int64_t parsed = 0;
  const auto end = value.data() + value.size();
  const auto outcome = std::from_chars(value.data(), end, parsed);
  if (outcome.ec == std::errc() && outcome.ptr == end && !value.empty()) return parsed;
  refuse(key, "\"" + std::string(key) + "\" must be a whole number");
  return fallback;
}

Result<Seconds> Stanza::duration(std::string_view key, Seconds fallback) {
  VAULT_TRY_ASSIGN(const std::string value, text(key));
  if (!has(key)) return fallback;
  const auto parsed = parse_duration(value);
  if (parsed.ok() && *parsed >= Seconds{0}) return *parsed;
  refuse(key, "\"" + std::string(key) + "\" must be a duration such as 30s, 1h30m or 7d");
  return fallback;
}

const Json* Stanza::value(std::string_view key) {
  taken_.emplace(key);
  const HclAttribute* attribute = block_.body.find(key);
  return attribute != nullptr ? &attribute->value : nullptr;
}

Result<std::vector<std::string>> Stanza::texts(std::string_view key) {
  taken_.emplace(key);
  const HclAttribute* attribute = block_.body.find(key);
  if (attribute == nullptr) return std::vector<std::string>{};
  if (const auto text = scalar(attribute->value)) return split_commas(*text);
  std::vector<std::string> values;
  for (const Json& item : attribute->value.items()) {
    const auto text = scalar(item);
    if (!text) break;
    values.push_back(*text);
  }
  if (attribute->value.is_array() && values.size() == attribute->value.size()) return values;
  refuse(key, "\"" + std::string(key) + "\" must be a list of strings");
  return std::vector<std::string>{};
}

std::vector<Stanza> Stanza::nested_all(std::string_view type) {
  taken_.emplace(type);
  std::vector<Stanza> found;
  for (const HclBlock& block : block_.body.blocks)
    if (block.type == type) found.emplace_back(file_, block);
  for (const HclAttribute& attribute : block_.body.attributes) {
    if (attribute.name != type) continue;
    if (attribute.value.is_object())
      found.emplace_back(file_, block_of(attribute.value, attribute));
    for (const Json& item : attribute.value.items())
      if (item.is_object()) found.emplace_back(file_, block_of(item, attribute));
  }
  return found;
}

Stanza Stanza::nested(std::string_view type) {
  auto found = nested_all(type);
  if (!found.empty()) return std::move(found.back());
  HclBlock empty;
  empty.type = type;
  empty.line = block_.line;
  empty.column = block_.column;
  return Stanza(file_, std::move(empty));
}

bool Stanza::takes_warned_key(std::string_view key, std::span<const Ignored> keys) {
  const auto found =
      std::find_if(keys.begin(), keys.end(), [key](const Ignored& one) { return one.key == key; });
  if (found == keys.end() || !taken_.emplace(key).second) return false;
  std::string text = "\"" + std::string(key) + "\" is accepted and has no effect";
  if (!found->meaning.empty()) text.append(": ").append(found->meaning);
  warn(key, text);
  return true;
}

void Stanza::ignore(std::span<const Ignored> keys) {
  for (const HclAttribute& attribute : block_.body.attributes)
    takes_warned_key(attribute.name, keys);
  for (const HclBlock& block : block_.body.blocks) takes_warned_key(block.type, keys);
  for (const Ignored& one : keys) suggested_.emplace(one.key);
}

std::vector<std::string> Stanza::ignore(std::initializer_list<std::string_view> keys) {
  std::vector<Ignored> ignored;
  for (const std::string_view key : keys) ignored.push_back({key, {}});
  const std::size_t before = warnings_.size();
  ignore(ignored);
  return {warnings_.begin() + static_cast<std::ptrdiff_t>(before), warnings_.end()};
}

Status Stanza::finish() const {
  Problems all = problems_;
  std::set<std::string_view> told;
  for (const HclAttribute& attribute : block_.body.attributes)
    if (taken_.count(attribute.name) == 0 && told.insert(attribute.name).second)
      all.add(unknown(attribute.name));
  for (const HclBlock& block : block_.body.blocks)
    if (taken_.count(block.type) == 0 && told.insert(block.type).second)
      all.add(unknown(block.type));
  return all.status();
}

std::string Stanza::unknown(const std::string& key) const {
  Nearest nearest(key);
  for (const std::string& known : taken_) nearest.consider(known);
  for (const std::string& known : suggested_) nearest.consider(known);
  const std::string in = kind().empty() ? std::string() : " in " + title();
  const std::string advice = nearest.name().empty() ? "; remove it or correct its name"
                                                    : "; did you mean \"" + nearest.name() + "\"?";
  return where(key) + ": unknown key \"" + key + "\"" + in + advice;
}

std::string Stanza::title() const {
  return kind() + (label(0).empty() ? "" : " \"" + label(0) + "\"");
}

}  // namespace leasehold
