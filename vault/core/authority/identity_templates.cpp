#include "vault/core/authority/identity_templates.h"

#include "vault/policy/template.h"

namespace leasehold::core {

namespace {

using policy::TemplatePart;
using What = TemplatePart::What;
using Value = std::optional<std::string_view>;

Value at_key(const Metadata& metadata, const std::string& key) {
  const auto found = metadata.find(key);
  return found == metadata.end() ? Value() : Value(found->second);
}

Value of_alias(const Entity& entity, const TemplatePart& part) {
  const Alias* alias = entity.alias_at(part.of);
  if (alias == nullptr) return {};
  switch (part.what) {
    case What::alias_id:
      return alias->id;
    case What::alias_name:
      return alias->name;
    case What::alias_metadata:
      return at_key(alias->metadata, part.text);
    case What::alias_custom_metadata:
      return alias->custom_metadata ? at_key(*alias->custom_metadata, part.text) : Value();
    default:
      return {};
  }
}

Value of_group(const Identity& identity, const TemplatePart& part) {
  for (const auto& group : identity.groups) {
    if ((part.by_name ? group->name : group->id) != part.of) continue;
    if (part.what == What::group_id) return group->id;
    if (part.what == What::group_name) return group->name;
    return at_key(group->metadata, part.text);
  }
  return {};
}

Value value_of(const Identity& identity, const TemplatePart& part) {
  switch (part.what) {
    case What::text:
      return part.text;
    case What::unknown:
      return {};
    case What::entity_id:
      return identity.entity.id;
    case What::entity_name:
      return identity.entity.name;
    case What::entity_metadata:
      return at_key(identity.entity.metadata, part.text);
    case What::alias_id:
    case What::alias_name:
    case What::alias_metadata:
    case What::alias_custom_metadata:
      return of_alias(identity.entity, part);
    case What::group_id:
    case What::group_name:
    case What::group_metadata:
      return of_group(identity, part);
  }
  return {};
}

}  // namespace

std::shared_ptr<const policy::Policy> filled_for(const Identity& identity,
                                                 const policy::Policy& policy) {
  const auto look = [&identity](const TemplatePart& part) { return value_of(identity, part); };
  return std::make_shared<const policy::Policy>(policy::filled(policy, look));
}

}  // namespace leasehold::core
