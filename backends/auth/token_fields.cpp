#include "backends/auth/token_fields.h"

#include <algorithm>

#include "vault/base/cidr.h"
#include "vault/core/contract/policy_names.h"

namespace leasehold::auth {

namespace {

using core::Field;
using core::Fields;
using core::FieldType;

struct TokenField {
  std::string_view name, older;  // older: "" for none
  FieldType type;
  std::string_view help;
};
constexpr TokenField kFields[] = {
    {"token_ttl", "ttl", FieldType::duration, "How long a token is; 0: the mount's default."},
    {"token_max_ttl", "max_ttl", FieldType::duration, "How long it may become by renewals."},
    {"token_policies", "policies", FieldType::comma_list, "The policies of a token."},
    {"token_bound_cidrs", "bound_cidrs", FieldType::comma_list, "Networks it may be used from."},
    {"token_explicit_max_ttl", "", FieldType::duration, "A maximum that no renewal passes."},
    {"token_no_default_policy", "", FieldType::boolean, "Leave out the policy \"default\"."},
    {"token_num_uses", "num_uses", FieldType::integer, "How often it may be used; 0: unlimited."},
    {"token_period", "period", FieldType::duration, "Each renewal gives this much, for ever."},
    {"token_strictly_bind_ip", "", FieldType::boolean, "Only from the address that logged in."},
    {"token_type", "", FieldType::text, "service, batch, default, default-service, default-batch."},
};
constexpr std::string_view kTypes[] = {"default", "service", "batch", "default-service",
                                       "default-batch"};

bool contains(std::span<const std::string_view> list, std::string_view name) {
  return std::find(list.begin(), list.end(), name) != list.end();
}

std::string text(std::string_view view) { return std::string(view); }

std::vector<std::string> texts_of(const Json& list) {
  std::vector<std::string> out;
  for (const Json& item : list.items()) out.push_back(item.text());
  return out;
}

Json empty_of(FieldType type) {
  if (type == FieldType::comma_list) return Json::array();
  if (type == FieldType::boolean) return Json(false);
  return type == FieldType::text ? Json("default") : Json(0);
}

// As they were given; a range of one address is that address.
Result<Json> checked_cidrs(const TokenField& field, const Json& value) {
  Json shown = Json::array();
  std::size_t bytes = 0;
  for (const Json& given : value.items()) {
    const auto range = Cidr::parse(given.text());
    if (!range)
      return failure(Code::invalid, text(field.name) + ": not a network such as 10.0.0.0/8 or an " +
                                        "address, the " + std::to_string(shown.size() + 1) +
                                        ". of the list");
    const std::string canonical = range->text();
    shown.push(Json(canonical.find('/') == canonical.npos ? canonical : given.text()));
    bytes += shown.items().back().text().size();
  }
  if (bytes > core::kBoundCidrsMax)
    return failure(
        Code::invalid,
        text(field.name) + " can have at most 16384 bytes: this list has " + std::to_string(bytes));
  return shown;
}

Result<Json> checked(const TokenField& field, const Json& value) {
  if (field.name == "token_policies") {
    if (value.size() > core::kPoliciesMax)
      return failure(Code::invalid, "a token has at most 1000 policies");
    VAULT_TRY(core::check_assignable(core::canonical_policies(texts_of(value))));
  }
  if (field.name == "token_bound_cidrs") return checked_cidrs(field, value);
  if (field.name == "token_num_uses" && value.integer().value_or(0) < 0)
    return failure(Code::invalid, "'token_num_uses' cannot be negative");
  if (field.name == "token_type") {
    if (value.text().empty()) return Json("default");
    if (std::find(std::begin(kTypes), std::end(kTypes), value.text()) == std::end(kTypes))
      return failure(Code::invalid, "invalid 'token_type' value \"" + value.text() + '"');
  }
  return value;
}

Status check_whole(const Json& record) {
  const std::int64_t ttl = record.integer_at("token_ttl");
  const std::int64_t max = record.integer_at("token_max_ttl");
  if (max > 0 && ttl > max)
    return failure(Code::invalid, "'token_ttl' cannot be greater than 'token_max_ttl'");
  const std::string type = record.string_at("token_type");
  if (type != "batch" && type != "default-batch") return {};
  if (record.integer_at("token_period") != 0)
    return failure(
        Code::invalid,
        "'token_type' cannot be 'batch' or 'default_batch' when set to generate periodic tokens");
  if (record.integer_at("token_num_uses") != 0)
    return failure(Code::invalid,
                   "'token_type' cannot be 'batch' or 'default_batch' when set to generate tokens "
                   "with limited use count");
  return {};
}

}  // namespace

void add_token_fields(std::vector<Field>& fields, std::span<const std::string_view> older) {
  for (const TokenField& field : kFields) {
    fields.push_back({text(field.name), field.type, {}, text(field.help)});
    if (contains(older, field.older))
      fields.push_back({text(field.older), field.type, {}, "Use " + text(field.name) + "."});
  }
}

Json new_token_record() {
  Json record = Json::object();
  for (const TokenField& field : kFields) record.set(field.name, empty_of(field.type));
  return record;
}

Status take_token_fields(const Fields& fields, std::span<const std::string_view> older,
                         Json& record) {
  for (const TokenField& field : kFields) {
    const bool newer = fields.given(field.name);
    const bool by_older = !newer && contains(older, field.older) && fields.given(field.older);
    if (!newer && !by_older) continue;
    VAULT_TRY_ASSIGN(Json value, checked(field, fields.json(newer ? field.name : field.older)));
    if (by_older && field.name == "token_policies")
      value = Json(core::canonical_policies(texts_of(value)));
    if (!field.older.empty()) record.erase(field.older);
    if (contains(older, field.older) && fields.given(field.older)) record.set(field.older, value);
    record.set(field.name, std::move(value));
  }
  return check_whole(record);
}

void sort_policies(Json& record) {
  for (const char* name : {"token_policies", "policies"})
    if (const Json* list = record.find(name))
      record.set(name, Json(core::canonical_policies(texts_of(*list))));
}

void show_token_fields(const Json& record, Json& data) {
  for (const TokenField& field : kFields) {
    const Json* value = record.find(field.name);
    data.set(field.name, value != nullptr ? *value : empty_of(field.type));
    if (field.older.empty()) continue;
    const Json* used = record.find(field.older);
    if (used != nullptr && *used != empty_of(field.type)) data.set(field.older, *used);
  }
}

void apply_token_fields(const Json& record, core::Login& login) {
  login.ttl = Seconds{record.integer_at("token_ttl")};
  login.max_ttl = Seconds{record.integer_at("token_max_ttl")};
  login.policies = record.strings_at("token_policies");
  login.bound_cidrs = record.strings_at("token_bound_cidrs");
  login.explicit_max_ttl = Seconds{record.integer_at("token_explicit_max_ttl")};
  login.no_default_policy = record.bool_at("token_no_default_policy");
  login.num_uses = record.integer_at("token_num_uses");
  login.period = Seconds{record.integer_at("token_period")};
  login.strictly_bind_ip = record.bool_at("token_strictly_bind_ip");
  login.token_type = record.string_at("token_type", "default");
}

core::Response written(const Fields& fields, const Json& record) {
  core::Response response;
  if (fields.given("token_policies") || fields.given("policies"))
    response.orders.named_policies = core::canonical_policies(record.strings_at("token_policies"));
  return response;
}

}  // namespace leasehold::auth
