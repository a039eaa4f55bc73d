#include "backends/audit/view.h"

#include <algorithm>

#include "vault/audit/format.h"

namespace leasehold::audit {
namespace {

// As much as a line may hold; it was written by this vault.
constexpr JsonLimits kLimits = {
    .depth = 128, .bytes = kLineBytesMax, .strings = kLineBytesMax, .values = kLineBytesMax};

// By these a reader finds the record again.
constexpr std::string_view kKept[] = {"/seq", "/time", "/type"};

// `record` without what the pointer leads to.
Json without(const Json& record, std::string_view pointer) {
  const std::size_t slash = pointer.rfind('/');
  if (slash == 0) {
    Json copy = record;
    copy.erase(pointer.substr(1));
    return copy;
  }
  const std::size_t end = pointer.find('/', 1);
  const std::string_view first = pointer.substr(1, end - 1);
  const Json* child = record.find(first);
  if (child == nullptr || !child->is_object()) return record;
  Json copy = record;
  copy.set(first, without(*child, pointer.substr(end)));
  return copy;
}

// As many as there were, in the place of the names and of what is said of each.
Json elided(const Json& record) {
  if (record.string_at("type") != "response") return record;
  const Json* operation = at_pointer(record, "/request/operation");
  const Json* response = record.find("response");
  const Json* data = response != nullptr ? response->find("data") : nullptr;
  if (operation == nullptr || operation->text() != "list" || data == nullptr) return record;
  Json counted = *data;
  for (const char* key : {"keys", "key_info"})
    if (const Json* all = data->find(key); all != nullptr)
      counted.set(key, static_cast<std::uint64_t>(all->size()));
  Json answer = *response;
  answer.set("data", std::move(counted));
  Json copy = record;
  copy.set("response", std::move(answer));
  return copy;
}

}  // namespace

std::optional<View> View::take(Stanza& options) {
  View view;
  view.take_filter(options);
  view.take_exclusions(options);
  const auto elide = options.flag("elide_list_responses", false);
  view.elides_lists_ = elide.ok() && *elide;
  if (!view.filter_ && view.exclusions_.empty() && !view.elides_lists_) return std::nullopt;
  return view;
}

void View::take_filter(Stanza& options) {
  const auto text = options.text("filter");
  if (!text.ok() || text->empty()) return;
  auto parsed = Filter::parse(*text);
  if (!parsed.ok()) return options.refuse("filter", "\"filter\": " + parsed.error().message);
  filter_ = std::move(*parsed);
}

// A list of objects, or the same as JSON in a text.
void View::take_exclusions(Stanza& options) {
  const Json* given = options.value("exclude");
  if (given == nullptr) return;
  Json list = *given;
  if (list.is_string()) {
    auto parsed = parse_json(list.text());
    if (!parsed.ok()) return options.refuse("exclude", "\"exclude\": " + parsed.error().message);
    list = std::move(*parsed);
  }
  if (!list.is_array())
    return options.refuse("exclude", "\"exclude\" is a list of { condition, fields }");
  for (const Json& one : list.items()) {
    auto read = read_exclusion(one);
    if (!read.ok()) return options.refuse("exclude", "\"exclude\": " + read.error().message);
    exclusions_.push_back(std::move(*read));
  }
}

Result<View::Exclusion> View::read_exclusion(const Json& one) const {
  Exclusion exclusion;
  exclusion.fields = one.strings_at("fields");
  if (exclusion.fields.empty())
    return failure(Code::invalid, "each item needs \"fields\", a list of JSON pointers");
  for (const std::string& field : exclusion.fields) {
    if (!field.starts_with('/') || field.size() < 2)
      return failure(Code::invalid, "\"" + field + "\" is no JSON pointer such as /request/data");
    if (std::find(std::begin(kKept), std::end(kKept), field) != std::end(kKept))
      return failure(Code::invalid, "\"" + field + "\" cannot be left out");
  }
  const std::string condition = one.string_at("condition");
  if (condition.empty()) return exclusion;
  VAULT_TRY_ASSIGN(exclusion.condition, Filter::parse(condition));
  return exclusion;
}

std::optional<std::string> View::shown(std::string_view line) const {
  auto parsed = parse_json(line, kLimits);
  if (!parsed.ok()) return std::nullopt;  // it was written by this vault, and is in the whole log
  Json record = std::move(*parsed);
  const std::string type = record.string_at("type");
  if (type != "request" && type != "response" && type != "event") return std::nullopt;
  if (filter_ && !filter_->matches(record)) return std::nullopt;
  record.erase("prev");
  if (elides_lists_) record = elided(record);
  // Conditions judge the record as it was, whatever an earlier item left out.
  const Json whole = record;
  for (const Exclusion& exclusion : exclusions_) {
    if (exclusion.condition && !exclusion.condition->matches(whole)) continue;
    for (const std::string& field : exclusion.fields) record = without(record, field);
  }
  return record.dump();
}

}  // namespace leasehold::audit
