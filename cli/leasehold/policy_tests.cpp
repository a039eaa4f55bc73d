#include "cli/leasehold/policy_tests.h"

#include <algorithm>

#include "vault/base/duration.h"
#include "vault/base/hcl.h"
#include "vault/base/url_path.h"
#include "vault/policy/rules.h"
#include "vault/policy/sudo_paths.h"

namespace leasehold::cli {
namespace {

Error wrong(int line, const std::string& what) {
  return failure(Code::invalid, "line " + std::to_string(line) + ": " + what);
}

// A text stands for a list of one.
Result<std::vector<std::string>> texts(const HclAttribute& attribute) {
  if (attribute.value.is_string()) return std::vector<std::string>{attribute.value.text()};
  std::vector<std::string> list;
  for (const Json& item : attribute.value.items()) {
    if (!item.is_string()) break;
    list.push_back(item.text());
  }
  if (list.empty() || list.size() != attribute.value.size())
    return wrong(attribute.line, attribute.name + " is a text or a list of texts");
  return list;
}

// "read secret/data/x" as the server takes it.
Status read_what(const std::string& what, int line, PolicyCheck& check) {
  check.what = what;
  const auto space = what.find(' ');
  const std::string verb = what.substr(0, space);
  check.capability = policy::capability_of(verb);
  const bool is_verb = check.capability != 0 && check.capability != policy::kDeny &&
                       check.capability != policy::kSudo;
  if (!is_verb || space == what.npos)
    return wrong(line, "\"" + what +
                           "\" is no request: write one of read, list, create, update, patch, "
                           "delete and scan, a space, and a path");
  const std::size_t begin = what.find_first_not_of(" /", space);
  check.path = begin == what.npos ? "" : what.substr(begin);
  if (check.path.empty()) return wrong(line, "\"" + what + "\" has no path");
  if (check.path.starts_with("v1/"))
    return wrong(line, "\"" + what + "\": paths begin behind /v1/");
  const bool lists = check.capability == policy::kList || check.capability == policy::kScan;
  if (lists && !check.path.ends_with('/')) check.path += '/';
  return {};
}

Status read_attribute(const HclAttribute& attribute, PolicyCheck& check,
                      std::vector<std::string>& what) {
  const std::string& name = attribute.name;
  const std::string text = attribute.value.is_string() ? attribute.value.text() : "";
  if (name == "who") {
    VAULT_TRY_ASSIGN(check.who, texts(attribute));
  } else if (name == "what") {
    VAULT_TRY_ASSIGN(what, texts(attribute));
  } else if (name == "expect") {
    check.is_allowed = text == "allow";
    if (text != "allow" && text != "deny")
      return wrong(attribute.line, "expect is \"allow\" or \"deny\"");
  } else if (name == "parameters") {
    if (!attribute.value.is_object()) return wrong(attribute.line, "parameters is a map");
    check.parameters = attribute.value;
  } else if (name == "wrap_ttl") {
    const auto ttl = parse_duration(attribute.value.text());
    if (!ttl.ok() || ttl.value() <= Seconds{0})
      return wrong(attribute.line, "wrap_ttl is a duration such as \"5m\"");
    check.wrap_ttl = ttl.value();
  } else if (name == "at") {
    const auto time = parse_rfc3339(text);
    if (!time.ok()) return wrong(attribute.line, "at is a time such as \"2027-01-31T00:00:00Z\"");
    check.at = *time;
  } else {
    return wrong(
        attribute.line,
        "a test has who, what, expect, parameters, wrap_ttl and at, and no \"" + name + "\"");
  }
  return {};
}

Status read_test(const HclBlock& block, PolicyTests& tests) {
  if (block.type != "test" || block.labels.size() != 1)
    return wrong(block.line, "a test is written test \"what it shows\" { ... }");
  PolicyCheck check;
  check.test = block.labels[0];
  check.parameters = Json::object();
  std::vector<std::string> what;
  std::vector<HclAttribute> attributes = block.body.attributes;
  for (const HclBlock& nested : block.body.blocks) {  // `parameters { ... }`
    std::vector<Json::Member> members;
    for (const HclAttribute& member : nested.body.attributes)
      members.emplace_back(member.name, member.value);
    attributes.push_back({nested.type, Json::object_of(std::move(members)), nested.line, 1});
  }
  for (const HclAttribute& attribute : attributes)
    VAULT_TRY(read_attribute(attribute, check, what));
  if (check.who.empty() || what.empty() || block.body.find("expect") == nullptr)
    return wrong(block.line, "a test says who, what and expect");
  for (const std::string& one : what) {
    PolicyCheck copy = check;
    VAULT_TRY(read_what(one, block.line, copy));
    tests.checks.push_back(std::move(copy));
  }
  ++tests.tests;
  return {};
}

bool asks_sudo(const PolicyCheck& check) {
  std::string_view path = check.path;
  if (policy::needs_sudo(path)) return true;
  if (path.ends_with('/')) path.remove_suffix(1);
  return policy::needs_sudo(path);
}

}  // namespace

Result<PolicyTests> parse_policy_tests(std::string_view text) {
  VAULT_TRY_ASSIGN(const HclBody body, parse_hcl(text, {"test"}));
  PolicyTests tests;
  for (const HclAttribute& attribute : body.attributes) {
    if (attribute.name != "policies" || !attribute.value.is_object())
      return wrong(attribute.line, "beside tests there is only policies = { NAME = \"FILE\" }");
    for (const Json::Member& member : attribute.value.members())
      tests.files[member.first] = member.second.text();
  }
  for (const HclBlock& block : body.blocks) {
    if (block.type == "policies") {
      for (const HclAttribute& one : block.body.attributes)
        tests.files[one.name] = one.value.text();
      continue;
    }
    VAULT_TRY(read_test(block, tests));
  }
  if (tests.checks.empty()) return wrong(1, "there is no test: test \"what it shows\" { ... }");
  return tests;
}

policy::Decision judge(const PolicyCheck& check, std::vector<const policy::Policy*> held,
                       WallTime now) {
  const bool is_root = check.who.size() == 1 && check.who[0] == "root";
  const policy::PolicySet set(std::move(held), is_root, check.at.value_or(now));
  policy::Asked asked;
  asked.path = check.path;
  asked.capability = check.capability;
  asked.lists = check.capability == policy::kList || check.capability == policy::kScan;
  asked.has_parameters = !asked.lists && check.capability != policy::kDelete;
  asked.needs_sudo = asks_sudo(check);
  asked.wrap_ttl = check.wrap_ttl;
  return set.decide(asked, check.parameters, false);
}

bool suffices(const PolicyCheck& check, const std::vector<std::string>& capabilities) {
  const auto has = [&capabilities](std::string_view name) {
    return std::find(capabilities.begin(), capabilities.end(), name) != capabilities.end();
  };
  if (has("root")) return true;
  return has(policy::capability_names(check.capability).front()) &&
         (!asks_sudo(check) || has("sudo"));
}

}  // namespace leasehold::cli
