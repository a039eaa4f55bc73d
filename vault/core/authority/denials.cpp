#include "vault/core/authority/denials.h"

#include <algorithm>

#include "vault/policy/verdict.h"

namespace leasehold::core {
namespace {

// A path as long as a request may be, and a thousand long names, are not kept
// whole.
void shorten(Denial& denial) {
  constexpr std::size_t kMax = Denials::kTextMax;
  for (std::string* text : {&denial.path, &denial.rule})
    if (text->size() > kMax) *text = text->substr(0, kMax) + "...";
  std::size_t bytes = 0, count = 0;
  for (const std::string& name : denial.policies)
    if ((bytes += name.size()) <= kMax) ++count;
  if (count == denial.policies.size()) return;
  denial.policies.resize(count);
  denial.policies.emplace_back("...");
}

}  // namespace

void describe(const policy::Decision& decision, std::uint16_t needed, Denial& into) {
  policy::Verdict verdict = policy::verdict_of(decision, needed);
  into.reason = std::move(verdict.reason);
  into.missing = std::move(verdict.missing);
  into.policy = std::move(verdict.policy);
  into.rule = std::move(verdict.rule);
  into.line = verdict.line;
}

std::string sentence_of(const Denial& denial) {
  const policy::Verdict verdict = {denial.reason, denial.missing, denial.policy, denial.rule,
                                   denial.line};
  return policy::sentence_of(verdict, denial.path, denial.policies);
}

Json shown(const Denial& denial) {
  Json data = Json::object();
  data.set("request_id", denial.request_id).set("time", rfc3339(denial.time));
  data.set("operation", denial.operation).set("path", denial.path);
  data.set("policies", Json(denial.policies)).set("reason", denial.reason);
  data.set("missing", denial.missing.empty() ? Json() : Json(denial.missing));
  const bool decided = !denial.policy.empty();
  data.set("policy", decided ? Json(denial.policy) : Json());
  data.set("rule", denial.line > 0 ? Json(denial.rule) : Json());
  data.set("line", denial.line > 0 ? Json(denial.line) : Json());
  data.set("explanation", sentence_of(denial));
  return data;
}

void Denials::keep(Denial denial) {
  shorten(denial);
  const MutexLock lock(mutex_);
  const auto same = [&denial](const Denial& one) { return one.accessor == denial.accessor; };
  const auto of_one = std::count_if(latest_.begin(), latest_.end(), same);
  if (static_cast<std::size_t>(of_one) >= kKeptOfOne)
    latest_.erase(std::find_if(latest_.begin(), latest_.end(), same));
  else if (latest_.size() >= kKept)
    latest_.pop_front();
  latest_.push_back(std::move(denial));
}

std::optional<Denial> Denials::find(std::string_view request_id) const {
  const MutexLock lock(mutex_);
  for (auto one = latest_.rbegin(); one != latest_.rend(); ++one)
    if (one->request_id == request_id) return *one;
  return std::nullopt;
}

}  // namespace leasehold::core
