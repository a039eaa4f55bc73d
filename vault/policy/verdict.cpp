#include "vault/policy/verdict.h"

#include "vault/policy/patterns.h"
#include "vault/policy/rules.h"

namespace leasehold::policy {
namespace {

std::string quoted(std::string_view text) { return "\"" + std::string(text) + "\""; }

std::string listed(const std::vector<std::string>& names) {
  std::string list;
  for (const std::string& name : names) list += (list.empty() ? "" : ", ") + name;
  return "[" + list + "]";
}

std::string rule_of(const Verdict& verdict) {
  return "the rule for " + quoted(verdict.rule) + " on line " + std::to_string(verdict.line) +
         " of policy " + quoted(verdict.policy);
}

}  // namespace

Verdict verdict_of(const Decision& decision, std::uint16_t needed) {
  Verdict verdict;
  verdict.reason = decision.reason;
  if (decision.policy != nullptr) verdict.policy = decision.policy->name;
  const PathRule* const rule = decision.rule;
  if (rule != nullptr) verdict.rule = as_written(*rule);
  verdict.line = decision.line;
  const bool grants = rule != nullptr && (rule->capabilities & needed) != 0;
  if (decision.reason == "no rule matches" || (decision.reason == "capability" && !grants))
    verdict.missing = capability_names(needed).front();
  else if (decision.reason == "capability")
    verdict.missing = "sudo";
  return verdict;
}

std::string sentence_of(const Verdict& verdict, std::string_view path,
                        const std::vector<std::string>& held) {
  if (verdict.reason == "no rule matches")
    return "no policy of " + listed(held) + " has a rule for " + quoted(path) + " (" +
           verdict.missing + ")";
  if (verdict.reason == "unreadable policy")
    return "the stored text of policy " + quoted(verdict.policy) +
           " cannot be read any more, so it denies everything until it is written anew";
  if (verdict.policy.empty()) return "root may do everything";
  const std::string rule = rule_of(verdict);
  if (verdict.reason.empty()) return rule + " grants it";
  if (verdict.reason == "capability")
    return rule + " decides for " + quoted(path) + " and does not grant " + quoted(verdict.missing);
  if (verdict.reason == "parameters")
    return rule + " does not permit a parameter of this request, or requires another";
  if (verdict.reason == "wrapping")
    return rule + " demands an answer that is wrapped, within its limits: -wrap-ttl";
  return rule + " denies " + quoted(path);
}

}  // namespace leasehold::policy
