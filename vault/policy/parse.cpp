#include <algorithm>
#include <array>
#include <utility>

#include "vault/base/duration.h"
#include "vault/base/encoding.h"
#include "vault/base/hcl.h"
#include "vault/policy/policy.h"
#include "vault/policy/rules.h"
#include "vault/policy/template.h"

namespace leasehold::policy {
namespace {

// A rule under construction, with what an error message needs.
struct Reading {
  std::string path;  // as written
  PathRule rule;
};

Error wrong(const std::string& what, int line) {
  return failure(Code::invalid,
                 "failed to parse policy: " + what + " on line " + std::to_string(line));
}
Error wrong_in(const Reading& reading, const std::string& what, int line) {
  return wrong("path \"" + reading.path + "\": " + what, line);
}

// A single string stands for a list of one, as HCL has it.
Result<std::vector<std::string>> texts(const Reading& reading, const HclAttribute& attribute) {
  std::vector<std::string> result;
  if (attribute.value.is_string()) return std::vector<std::string>{attribute.value.text()};
  for (const Json& item : attribute.value.items()) {
    if (!item.is_string())
      return wrong_in(reading, attribute.name + " must hold strings", attribute.line);
    result.push_back(item.text());
  }
  if (!attribute.value.is_array())
    return wrong_in(reading, attribute.name + " must be a list", attribute.line);
  return result;
}

Status read_capabilities(Reading& reading, const HclAttribute& attribute) {
  VAULT_TRY_ASSIGN(const std::vector<std::string> names, texts(reading, attribute));
  for (const std::string& name : names) {
    const std::uint16_t bit = capability_of(name);
    if (bit == 0) return wrong_in(reading, "invalid capability \"" + name + "\"", attribute.line);
    reading.rule.capabilities |= bit;
  }
  return {};
}

Status read_legacy_policy(Reading& reading, const HclAttribute& attribute) {
  constexpr std::uint16_t kWrite = kCreate | kRead | kUpdate | kDelete | kList;
  const std::string name = attribute.value.is_string() ? attribute.value.text() : "";
  if (name == "deny")
    reading.rule.capabilities |= kDeny;
  else if (name == "read")
    reading.rule.capabilities |= kRead | kList;
  else if (name == "write")
    reading.rule.capabilities |= kWrite;
  else if (name == "sudo")
    reading.rule.capabilities |= kWrite | kSudo;
  else
    return wrong_in(reading, "invalid policy \"" + name + "\"", attribute.line);
  return {};
}

void add_parameter(Reading& reading, bool allowed, const std::string& name, const Json& value) {
  auto& list = allowed ? reading.rule.allowed : reading.rule.denied;
  std::vector<Json> values;
  if (value.is_array())
    values = value.items();
  else
    values.push_back(value);
  list.emplace_back(lower_case(name), std::move(values));
  (allowed ? reading.rule.has_allowed : reading.rule.has_denied) = true;
}

Status read_parameters(Reading& reading, const HclAttribute& attribute) {
  if (!attribute.value.is_object())
    return wrong_in(reading, attribute.name + " must be a map of lists", attribute.line);
  for (const Json::Member& member : attribute.value.members())
    add_parameter(reading, attribute.name == "allowed_parameters", member.first, member.second);
  return {};
}

Status read_required(Reading& reading, const HclAttribute& attribute) {
  VAULT_TRY_ASSIGN(const std::vector<std::string> names, texts(reading, attribute));
  for (const std::string& name : names) reading.rule.required.push_back(lower_case(name));
  return {};
}

Result<Seconds> read_ttl(const Reading& reading, const HclAttribute& attribute) {
  const Result<Seconds> ttl = parse_duration(attribute.value.text());
  if (!ttl.ok() || ttl.value() < Seconds{0})
    return wrong_in(reading, attribute.name + " must be a duration such as \"90s\"",
                    attribute.line);
  return ttl.value();
}

Status read_wrapping(Reading& reading, const HclAttribute& attribute) {
  VAULT_TRY_ASSIGN(const Seconds ttl, read_ttl(reading, attribute));
  const bool least = attribute.name == "min_wrapping_ttl";
  if (ttl > Seconds{0})
    (least ? reading.rule.min_wrapping_ttl : reading.rule.max_wrapping_ttl) = ttl;
  return {};
}

Status read_expiration(Reading& reading, const HclAttribute& attribute) {
  const Result<WallTime> time = parse_rfc3339(attribute.value.text());
  if (!attribute.value.is_string() || !time.ok())
    return wrong_in(reading, "expiration must be a time such as \"2027-01-31T00:00:00Z\"",
                    attribute.line);
  reading.rule.expiration = time.value();
  return {};
}

Status read_pagination(Reading& reading, const HclAttribute& attribute) {
  const auto limit = attribute.value.integer();
  if (!limit || *limit < 0)
    return wrong_in(reading, "pagination_limit must be a whole number", attribute.line);
  reading.rule.pagination_limit = *limit;
  return {};
}

Status accept(Reading&, const HclAttribute&) { return {}; }

// What would restrict and is not enforced here must not look as if it were.
Status refuse_unenforced(Reading& reading, const HclAttribute& attribute) {
  return wrong_in(reading, attribute.name + " is not supported", attribute.line);
}

struct Key {
  std::string_view name;
  Status (*read)(Reading&, const HclAttribute&);
};
constexpr std::array kKeys{Key{"capabilities", read_capabilities},
                           Key{"policy", read_legacy_policy},
                           Key{"allowed_parameters", read_parameters},
                           Key{"denied_parameters", read_parameters},
                           Key{"required_parameters", read_required},
                           Key{"min_wrapping_ttl", read_wrapping},
                           Key{"max_wrapping_ttl", read_wrapping},
                           Key{"expiration", read_expiration},
                           Key{"pagination_limit", read_pagination},
                           Key{"mfa_methods", refuse_unenforced},
                           Key{"comment", accept},
                           Key{"control_group", refuse_unenforced},
                           Key{"list_scan_response_keys_filter_path", refuse_unenforced}};

Status read_attribute(Reading& reading, const HclAttribute& attribute) {
  for (const Key& key : kKeys)
    if (key.name == attribute.name) return key.read(reading, attribute);
  return wrong_in(reading, "invalid key \"" + attribute.name + "\"", attribute.line);
}

// `allowed_parameters { ... }` without the equals sign is the same to HCL.
Status read_block(Reading& reading, const HclBlock& block) {
  std::vector<Json::Member> members;
  for (const HclAttribute& member : block.body.attributes)
    members.emplace_back(member.name, member.value);
  return read_attribute(reading, {block.type, Json::object_of(std::move(members)), block.line});
}

Status read_pattern(Reading& reading, int line) {
  if (!set_pattern(reading.rule, reading.path))
    return wrong_in(reading, "invalid use of wildcards ('+*' is forbidden)", line);
  reading.rule.line = line;
  return {};
}

Result<PathRule> read_path(const HclBlock& block) {
  Reading reading;
  if (block.labels.size() != 1)
    return wrong("`path` needs one pattern, as in path \"secret/*\"", block.line);
  reading.path = block.labels[0];
  VAULT_TRY(read_pattern(reading, block.line));
  for (const HclAttribute& attribute : block.body.attributes)
    VAULT_TRY(read_attribute(reading, attribute));
  for (const HclBlock& nested : block.body.blocks) VAULT_TRY(read_block(reading, nested));
  unite_names(reading.rule.allowed);
  unite_names(reading.rule.denied);
  const PathRule& rule = reading.rule;
  if (rule.min_wrapping_ttl && rule.max_wrapping_ttl &&
      *rule.max_wrapping_ttl < *rule.min_wrapping_ttl)
    return wrong_in(reading, "max_wrapping_ttl cannot be less than min_wrapping_ttl", block.line);
  if ((rule.capabilities & kDeny) != 0) deny(reading.rule, block.line);
  return std::move(reading.rule);
}

bool is_template(const PathRule& rule) {
  return rule.pattern.find("{{") != std::string::npos ||
         rule.pattern.find("}}") != std::string::npos;
}

std::size_t size_of(const Parameters& parameters) {
  std::size_t count = parameters.size();
  for (const auto& parameter : parameters) count += parameter.second.size();
  return count;
}

Status check_top_level(const HclBody& body) {
  for (const HclAttribute& attribute : body.attributes)
    if (attribute.name != "name")
      return wrong("invalid key \"" + attribute.name + "\"", attribute.line);
  for (const HclBlock& block : body.blocks)
    if (block.type != "path") return wrong("invalid key \"" + block.type + "\"", block.line);
  return {};
}

}  // namespace

Result<Policy> parse_policy(std::string name, std::string_view text) {
  Policy policy;
  policy.name = std::move(name);
  policy.text = text;
  Result<HclBody> body = parse_hcl(text, {"path"});
  if (!body.ok()) return failure(Code::invalid, "failed to parse policy: " + body.error().message);
  VAULT_TRY(check_top_level(body.value()));
  for (const HclBlock& block : body.value().blocks) {
    VAULT_TRY_ASSIGN(PathRule rule, read_path(block));
    if (is_template(rule)) {
      VAULT_TRY_ASSIGN(auto parts, parts_of(rule.pattern, rule.line));
      policy.template_parts.push_back(std::move(parts));
    }
    (is_template(rule) ? policy.templated : policy.rules).push_back(std::move(rule));
  }
  arrange(policy);
  return policy;
}

namespace {

Status within_bounds(const Policy& policy) {
  const std::size_t paths = policy.rules.size() + policy.templated.size();
  if (paths > kPolicyPathsMax)
    return failure(Code::invalid, "a policy can have at most " + std::to_string(kPolicyPathsMax) +
                                      " paths, this one has " + std::to_string(paths));
  for (const auto* rules : {&policy.rules, &policy.templated})
    for (const PathRule& rule : *rules) {
      const std::size_t count = size_of(rule.allowed) + size_of(rule.denied) + rule.required.size();
      if (count > kPolicyParametersMax)
        return wrong("path \"" + rule.pattern + "\": parameters and their values can be at most " +
                         std::to_string(kPolicyParametersMax) + " together, these are " +
                         std::to_string(count),
                     rule.line);
    }
  return {};
}

Status check_templated(const Policy& policy) {
  for (std::size_t i = 0; i < policy.templated.size(); ++i)
    for (const TemplatePart& part : policy.template_parts[i])
      if (part.what == TemplatePart::What::unknown)
        return wrong("path \"" + policy.templated[i].pattern +
                         "\": this template names nothing that an entity or a group has",
                     policy.templated[i].line);
  return {};
}

}  // namespace

Result<Policy> parse_new_policy(std::string name, std::string_view text) {
  if (text.size() > kPolicyBytesMax)
    return failure(Code::invalid, "the policy is larger than 256 KiB");
  VAULT_TRY_ASSIGN(Policy policy, parse_policy(std::move(name), text));
  VAULT_TRY(within_bounds(policy));
  VAULT_TRY(check_templated(policy));
  return policy;
}

}  // namespace leasehold::policy
