#include <algorithm>
#include <charconv>

#include "vault/base/json.h"

namespace leasehold {
namespace {

bool key_before(const Json::Member& member, std::string_view key) { return member.first < key; }

std::size_t digits_from(std::string_view text, std::size_t at) {
  const std::size_t end = std::min(text.find_first_not_of("0123456789", at), text.size());
  return end - std::min(at, end);
}

}  // namespace

// RFC 8259, section 6.
bool is_json_number(std::string_view text) {
  std::size_t at = text.substr(0, 1) == "-" ? 1 : 0;
  const std::size_t whole = digits_from(text, at);
  if (whole == 0 || (whole > 1 && text[at] == '0')) return false;
  at += whole;
  if (at < text.size() && text[at] == '.') {
    const std::size_t fraction = digits_from(text, ++at);
    if (fraction == 0) return false;
    at += fraction;
  }
  if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
    ++at;
    if (at < text.size() && (text[at] == '+' || text[at] == '-')) ++at;
    const std::size_t exponent = digits_from(text, at);
    if (exponent == 0) return false;
    at += exponent;
  }
  return at == text.size();
}

Json::Json(const std::vector<std::string>& strings) : kind_(Kind::array) {
  items_.assign(strings.begin(), strings.end());
}

// A moved-from short string keeps its characters inside the object, hence the wipe.
Json::Json(Json&& other) noexcept
    : kind_(std::exchange(other.kind_, Kind::null)),
      boolean_(other.boolean_),
      text_(std::move(other.text_)),
      items_(std::move(other.items_)),
      members_(std::move(other.members_)) {
  other.text_.resize(other.text_.capacity());
  wipe(other.text_);
  other.text_.clear();
}

Json& Json::operator=(Json&& other) noexcept {
  if (this == &other) return *this;
  // By way of a third value, so that `value = std::move(value.items_[0])` is safe and the old
  // strings are wiped.
  Json old(std::move(*this));
  Json fresh(std::move(other));
  kind_ = fresh.kind_;
  boolean_ = fresh.boolean_;
  text_.swap(fresh.text_);
  items_.swap(fresh.items_);
  members_.swap(fresh.members_);
  return *this;
}

Json& Json::operator=(const Json& other) { return *this = Json(other); }

Json::~Json() {
  wipe(text_);
  for (Member& member : members_) wipe(member.first);
}

Json Json::number(std::string text) {
  VAULT_ASSERT(is_json_number(text));
  Json value(Kind::number);
  value.text_ = std::move(text);
  return value;
}

std::optional<std::int64_t> Json::integer() const {
  if (!is_number()) return std::nullopt;
  std::int64_t value = 0;
  const char* const end = text_.data() + text_.size();
  const auto [stop, error] = std::from_chars(text_.data(), end, value);
  if (error != std::errc() || stop != end) return std::nullopt;
  return value;
}

const Json* Json::find(std::string_view key) const {
  const auto found = std::lower_bound(members_.begin(), members_.end(), key, key_before);
  return found != members_.end() && found->first == key ? &found->second : nullptr;
}

std::string Json::string_at(std::string_view key, std::string_view fallback) const {
  const Json* const value = find(key);
  return value != nullptr && value->is_string() ? value->text() : std::string(fallback);
}

std::int64_t Json::integer_at(std::string_view key, std::int64_t fallback) const {
  const Json* const value = find(key);
  return value != nullptr ? value->integer().value_or(fallback) : fallback;
}

bool Json::bool_at(std::string_view key, bool fallback) const {
  const Json* const value = find(key);
  return value != nullptr && value->is_bool() ? value->boolean() : fallback;
}

std::vector<std::string> Json::strings_at(std::string_view key) const {
  std::vector<std::string> strings;
  const Json* const value = find(key);
  if (value == nullptr) return strings;
  for (const Json& item : value->items()) {
    if (item.is_string()) strings.push_back(item.text());
  }
  return strings;
}

Json& Json::set(std::string_view key, Json value) {
  VAULT_ASSERT(is_object());
  const auto at = std::lower_bound(members_.begin(), members_.end(), key, key_before);
  if (at != members_.end() && at->first == key)
    at->second = std::move(value);
  else
    members_.emplace(at, std::string(key), std::move(value));
  return *this;
}

Json Json::object_of(std::vector<Member> members) {
  std::stable_sort(members.begin(), members.end(),
                   [](const Member& a, const Member& b) { return a.first < b.first; });
  Json made = object();
  for (Member& member : members) made.set(member.first, std::move(member.second));
  return made;
}

void Json::erase(std::string_view key) {
  const auto at = std::lower_bound(members_.begin(), members_.end(), key, key_before);
  if (at != members_.end() && at->first == key) members_.erase(at);
}

void Json::push(Json value) {
  VAULT_ASSERT(is_array());
  items_.push_back(std::move(value));
}

}  // namespace leasehold
