#include "vault/policy/template.h"

#include <algorithm>
#include <array>

#include "vault/policy/rules.h"

namespace leasehold::policy {

namespace {

using What = TemplatePart::What;

constexpr std::string_view kEntity = "identity.entity.", kGroups = "identity.groups.";
constexpr std::string_view kMetadata = "metadata.", kCustomMetadata = "custom_metadata.";

Error wrong(std::string_view pattern, std::string_view why, int line) {
  return failure(Code::invalid, "failed to parse policy: path \"" + std::string(pattern) +
                                    "\": " + std::string(why) + " on line " + std::to_string(line));
}

bool take(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

std::string_view trimmed(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  return text;
}

TemplatePart of_entity(std::string_view rest) {
  if (rest == "id") return {What::entity_id};
  if (rest == "name") return {What::entity_name};
  if (take(rest, kMetadata)) return {What::entity_metadata, std::string(rest)};
  const std::size_t dot = take(rest, "aliases.") ? rest.find('.') : rest.npos;
  if (dot == rest.npos) return {What::unknown};
  std::string accessor(rest.substr(0, dot));
  rest.remove_prefix(dot + 1);
  if (rest == "id") return {What::alias_id, {}, std::move(accessor)};
  if (rest == "name") return {What::alias_name, {}, std::move(accessor)};
  if (take(rest, kMetadata)) return {What::alias_metadata, std::string(rest), std::move(accessor)};
  if (take(rest, kCustomMetadata))
    return {What::alias_custom_metadata, std::string(rest), std::move(accessor)};
  return {What::unknown};
}

TemplatePart of_group(std::string_view rest) {
  const bool by_name = rest.starts_with("names.");
  if (!take(rest, "names.") && !take(rest, "ids.")) return {What::unknown};
  const std::size_t dot = rest.find('.');
  if (dot == rest.npos) return {What::unknown};
  std::string group(rest.substr(0, dot));
  rest.remove_prefix(dot + 1);
  if (rest == "id") return {What::group_id, {}, std::move(group), by_name};
  if (rest == "name") return {What::group_name, {}, std::move(group), by_name};
  if (take(rest, kMetadata))
    return {What::group_metadata, std::string(rest), std::move(group), by_name};
  return {What::unknown};
}

bool may_stand(const Policy& policy, std::string_view value) {
  if (value.empty()) return false;
  if (!policy.wildcards_in_values && value.find_first_of("*+") != value.npos) return false;
  return policy.slashes_in_values || value.find('/') == value.npos;
}

enum class Filling : std::uint8_t { filled, undefined, unsafe };

Filling fill(const Policy& policy, const std::vector<TemplatePart>& parts, TemplateValues values,
             std::string& path) {
  for (const TemplatePart& part : parts) {
    const auto value = values(part);
    if (!value) return Filling::undefined;
    if (part.what != What::text && !may_stand(policy, *value)) return Filling::unsafe;
    path += *value;
  }
  return Filling::filled;
}

}  // namespace

Result<std::vector<TemplatePart>> parts_of(std::string_view pattern, int line) {
  std::vector<TemplatePart> parts;
  for (std::string_view rest = pattern; !rest.empty();) {
    const std::size_t open = rest.find("{{"), close = rest.find("}}");
    if (open == rest.npos && close == rest.npos) {
      parts.push_back({What::text, std::string(rest)});
      break;
    }
    if (open == rest.npos || close == rest.npos || close < open)
      return wrong(pattern, "unbalanced template", line);
    if (open > 0) parts.push_back({What::text, std::string(rest.substr(0, open))});
    std::string_view inner = trimmed(rest.substr(open + 2, close - open - 2));
    if (take(inner, kEntity))
      parts.push_back(of_entity(inner));
    else if (take(inner, kGroups))
      parts.push_back(of_group(inner));
    else
      return wrong(pattern, "a template names identity.entity.* or identity.groups.*", line);
    rest.remove_prefix(close + 2);
  }
  return parts;
}

Policy filled(const Policy& policy, TemplateValues values) {
  Policy made;
  made.name = policy.name;
  made.expiration = policy.expiration;
  for (std::size_t i = 0; i < policy.templated.size(); ++i) {
    PathRule rule = policy.templated[i];
    std::string path;
    const Filling filling = fill(policy, policy.template_parts[i], values, path);
    if (rule.prefix) path += '*';
    const bool stands = filling == Filling::filled && set_pattern(rule, path);
    const bool denies = (rule.capabilities & kDeny) != 0;
    if (stands) made.rules.push_back(std::move(rule));
    made.unreadable = made.unreadable || (!stands && denies && filling != Filling::undefined);
  }
  arrange(made);
  return made;
}

}  // namespace leasehold::policy
