// The typed values of a request, converted once by the route's table: Vault's weak typing, exactly.

#include <fmt/core.h>

#include <algorithm>
#include <charconv>

#include "vault/base/duration.h"
#include "vault/base/encoding.h"
#include "vault/base/trimmed.h"
#include "vault/core/contract/fields.h"

namespace leasehold::core {

namespace {

const Json kNull;

Error mismatch(std::string_view field, std::string_view why) {
  return failure(Code::invalid,
                 fmt::format("error converting input for field \"{}\": {}", field, why));
}

// As the library says it that Vault converts with.
std::string_view go_type(const Json& value) {
  switch (value.kind()) {
    case Json::Kind::object:
      return "map[string]interface {}";
    case Json::Kind::array:
      return "[]interface {}";
    case Json::Kind::string:
      return "string";
    case Json::Kind::boolean:
      return "bool";
    default:
      return "json.Number";
  }
}
// '' is where that library names what lies deeper in the field. The value is not told: it may be
// secret.
Error unconvertible(std::string_view field, const char* want, const Json& value) {
  return mismatch(field, fmt::format("'' expected type '{}', got unconvertible type '{}'", want,
                                     go_type(value)));
}
Error unparsable(std::string_view field, const char* want, const char* parser) {
  return mismatch(field, fmt::format("'' cannot parse value as '{}': strconv.{}: invalid syntax",
                                     want, parser));
}

Result<Json> to_text(const Field& field, const Json& value) {
  if (value.is_string()) return value;
  if (value.is_number()) return Json(value.text());
  if (value.is_bool()) return Json(value.boolean() ? "1" : "0");
  return unconvertible(field.name, "string", value);
}

Result<Json> to_integer(const Field& field, const Json& value) {
  if (value.is_bool()) return Json(value.boolean() ? 1 : 0);
  if (value.is_number()) {
    if (const auto number = value.integer()) return Json(*number);
  } else if (value.is_string()) {
    const std::string& text = value.text();
    if (text.empty()) return Json(0);
    std::int64_t number = 0;
    const auto end = std::from_chars(text.data(), text.data() + text.size(), number);
    if (end.ec == std::errc() && end.ptr == text.data() + text.size() && !text.empty())
      return Json(number);
  }
  if (!value.is_string() && !value.is_number()) return unconvertible(field.name, "int", value);
  return unparsable(field.name, "int", "ParseInt");
}

Result<Json> to_boolean(const Field& field, const Json& value) {
  if (value.is_bool()) return value;
  if (value.is_number() || value.is_string()) {
    const std::string text = lower_case(value.text());
    if (text == "1" || text == "t" || text == "true") return Json(true);
    if (text == "0" || text == "f" || text == "false" || text.empty()) return Json(false);
  }
  if (!value.is_string()) return unconvertible(field.name, "bool", value);
  return unparsable(field.name, "bool", "ParseBool");
}

Result<Json> to_duration(const Field& field, const Json& value) {
  if (!value.is_string() && !value.is_number()) return mismatch(field.name, "expected a duration");
  if (value.is_string() && value.text().empty()) return Json(0);
  const auto parsed = parse_duration(value.text());
  if (!parsed.ok()) return mismatch(field.name, "expected a duration such as 30, 5m or 24h");
  if (parsed->count() < 0)
    return mismatch(field.name,
                    "cannot provide negative value '" + std::to_string(parsed->count()) + "'");
  return Json(static_cast<std::int64_t>(parsed->count()));
}

// False: the list is full.
bool add_item(std::string_view item, Json& list) {
  const std::string_view text = trimmed(item);
  if (text.empty()) return true;
  if (list.size() == kListMax) return false;
  list.push(Json(text));
  return true;
}

Result<Json> to_text_list(const Field& field, const Json& value) {
  Json list = Json::array();
  if (!value.is_array()) {
    VAULT_TRY_ASSIGN(Json text, to_text(field, value));
    if (!text.text().empty()) list.push(std::move(text));
    return list;
  }
  for (const Json& item : value.items()) {
    VAULT_TRY_ASSIGN(Json text, to_text(field, item));
    list.push(std::move(text));
  }
  return list;
}

Result<Json> to_comma_list(const Field& field, const Json& value) {
  Json list = Json::array();
  if (value.is_array()) {
    VAULT_TRY_ASSIGN(const Json texts, to_text_list(field, value));
    for (const Json& item : texts.items())
      if (!add_item(item.text(), list)) return too_many_items(field.name);
    return list;
  }
  VAULT_TRY_ASSIGN(const Json text, to_text(field, value));
  if (!add_items(text.text(), list)) return too_many_items(field.name);
  return list;
}

Result<Json> to_text_map(const Field& field, const Json& value) {
  std::vector<Json::Member> pairs;
  if (value.is_object()) {
    for (const auto& member : value.members()) {
      VAULT_TRY_ASSIGN(Json text, to_text(field, member.second));
      pairs.emplace_back(member.first, std::move(text));
    }
    return Json::object_of(std::move(pairs));
  }
  VAULT_TRY_ASSIGN(const Json list, to_text_list(field, value));
  for (const Json& item : list.items()) {
    const std::size_t equals = item.text().find('=');
    if (equals == std::string::npos) return mismatch(field.name, "expected pairs of key=value");
    pairs.emplace_back(item.text().substr(0, equals), Json(item.text().substr(equals + 1)));
  }
  return Json::object_of(std::move(pairs));
}

Result<Json> convert(const Field& field, const Json& value) {
  switch (field.type) {
    case FieldType::text:
      return to_text(field, value);
    case FieldType::integer:
      return to_integer(field, value);
    case FieldType::boolean:
      return to_boolean(field, value);
    case FieldType::duration:
      return to_duration(field, value);
    case FieldType::comma_list:
      return to_comma_list(field, value);
    case FieldType::text_list:
      return to_text_list(field, value);
    case FieldType::text_map:
      return to_text_map(field, value);
    case FieldType::map:
      if (!value.is_object()) return unconvertible(field.name, "map[string]interface {}", value);
      return value;
    case FieldType::any:
      return value;
  }
  return value;
}

bool is_missing(const Json& value) {
  return value.is_null() || (value.is_string() && value.text().empty());
}

// As Vault: without the prefix on writes of a route that asks whether the thing exists.
Error refusal(const Route& route, Operation operation, Error error) {
  const bool writes = operation == Operation::create || operation == Operation::update;
  if (!writes || !route.exists) error.message = "Field validation failed: " + error.message;
  return error;
}

// The keys of `body` that mean nothing to the route, in Vault's words; empty: none.
std::string warning_of_ignored(const Route& route, const Captures& captures, const Json& body) {
  if (!body.is_object() || route.whole_body) return {};
  std::string names;
  for (const auto& member : body.members()) {
    const auto is_it = [&](const auto& one) { return one.name == member.first; };
    const auto* const end = captures.items.data() + captures.size;
    if (std::any_of(captures.items.data(), end, is_it)) continue;
    if (std::any_of(route.fields.begin(), route.fields.end(), is_it)) continue;
    names += (names.empty() ? "" : " ") + member.first;
  }
  return names.empty() ? names : "Endpoint ignored these unrecognized parameters: [" + names + "]";
}

}  // namespace

Error too_many_items(std::string_view field) {
  return mismatch(field, "a list has at most " + std::to_string(kListMax) + " items");
}

bool add_items(std::string_view text, Json& list) {
  for (std::size_t comma; (comma = text.find(',')) != text.npos; text.remove_prefix(comma + 1))
    if (!add_item(text.substr(0, comma), list)) return false;
  return add_item(text, list);
}

bool Fields::given(std::string_view name) const {
  return std::any_of(values_.begin(), values_.end(),
                     [&](const Value& value) { return value.name == name && value.given; });
}
const Json& Fields::json(std::string_view name) const {
  for (const Value& value : values_)
    if (value.name == name) return value.value;
  return kNull;
}
std::string Fields::text(std::string_view name) const { return json(name).text(); }
SecretBytes Fields::secret(std::string_view name) const {
  return SecretBytes(std::string_view(json(name).text()));
}
std::int64_t Fields::integer(std::string_view name) const {
  return json(name).is_number() ? json(name).integer().value_or(0) : 0;
}
bool Fields::boolean(std::string_view name) const { return json(name).boolean(); }
Seconds Fields::duration(std::string_view name) const { return Seconds{integer(name)}; }
std::vector<std::string> Fields::list(std::string_view name) const {
  std::vector<std::string> out;
  for (const Json& item : json(name).items()) out.push_back(item.text());
  return out;
}
void Fields::set(std::string name, Json value, bool given) {
  for (Value& known : values_)
    if (known.name == name) {
      known.value = std::move(value);
      known.given = given;
      return;
    }
  values_.push_back({std::move(name), std::move(value), given});
}

std::vector<Field> page_fields() {
  return {{"after", FieldType::text, {}, "List the names after this one."},
          {"limit", FieldType::text, {}, "List at most so many names."}};
}

Result<Page> page_of(const Json& query) {
  Page page;
  if (!query.is_object()) return page;
  page.after = query.string_at("after");
  const Json* given = query.find("limit");
  const std::string text = given != nullptr ? given->text() : std::string();
  if (text.empty() || text == "max" || text == "none") return page;
  std::int64_t limit = 0;
  const auto end = std::from_chars(text.data(), text.data() + text.size(), limit);
  if (end.ec != std::errc() || end.ptr != text.data() + text.size())
    return failure(Code::invalid, "limit must be a whole number");
  page.limit = static_cast<std::size_t>(std::max<std::int64_t>(0, limit));
  return page;
}

std::vector<std::string> part_of(std::vector<std::string> names, const Page& page) {
  if (!page.after.empty())
    names.erase(names.begin(), std::upper_bound(names.begin(), names.end(), page.after));
  if (page.limit > 0 && names.size() > page.limit) names.resize(page.limit);
  return names;
}

Result<Fields> fields_of(const Route& route, Operation operation, const Captures& captures,
                         const Json& body, std::vector<std::string>& warnings) {
  Fields fields;
  for (const Field& field : route.fields) {
    const Json* found = body.is_object() ? body.find(field.name) : nullptr;
    if (found == nullptr || found->is_null()) {
      if (!field.fallback.is_null()) fields.set(field.name, field.fallback, false);
      continue;
    }
    auto value = convert(field, *found);
    if (!value.ok()) return refusal(route, operation, std::move(value).error());
    fields.set(field.name, std::move(*value), true);
  }
  std::string replaced;
  for (std::size_t i = 0; i < captures.size; ++i) {
    const auto& capture = captures.items[i];
    if (body.is_object() && body.find(capture.name) != nullptr)
      replaced += (replaced.empty() ? "" : " ") + std::string(capture.name);
    fields.set(std::string(capture.name), Json(capture.value), true);
  }
  if (operation == Operation::create || operation == Operation::update)
    for (const Field& field : route.fields)
      if (!field.required.empty() && is_missing(fields.json(field.name)))
        return failure(Code::invalid, field.required);
  if (std::string ignored = warning_of_ignored(route, captures, body); !ignored.empty())
    warnings.push_back(std::move(ignored));
  if (!replaced.empty())
    warnings.push_back(
        "Endpoint replaced the value of these parameters with the values captured from the "
        "endpoint's path: [" +
        replaced + "]");
  return fields;
}

}  // namespace leasehold::core
