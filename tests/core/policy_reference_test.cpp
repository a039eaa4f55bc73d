// Advisory class 2, a path judged by another rule than its author thinks: the compiled matcher
// against a reference that follows the written algorithm word for word, over patterns and paths
// made by chance.

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <tuple>

#include "tests/support/seeded_random.h"
#include "vault/core/authority/policy.h"

using namespace leasehold;
using namespace leasehold::core;

namespace {

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> parts(1);
  for (const char c : text)
    if (c == '/')
      parts.emplace_back();
    else
      parts.back() += c;
  return parts;
}

struct Written {
  std::string pattern;
  std::vector<std::string> capabilities;
};

bool is_segment_pattern(const std::string& pattern) {
  return pattern == "+" || pattern.rfind("+/", 0) == 0 || pattern.find("/+") != std::string::npos;
}

bool pattern_matches(std::string pattern, const std::string& path) {
  const bool star = !pattern.empty() && pattern.back() == '*';
  if (star) pattern.pop_back();
  if (!is_segment_pattern(pattern)) return star ? path.rfind(pattern, 0) == 0 : path == pattern;
  const auto wanted = split(pattern), given = split(path);
  if (star ? given.size() < wanted.size() : given.size() != wanted.size()) return false;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    if (wanted[i] == "+" || wanted[i] == given[i]) continue;
    if (!star || i + 1 != wanted.size() || given[i].rfind(wanted[i], 0) != 0) return false;
  }
  return true;
}

auto priority(const std::string& pattern) {
  const bool star = !pattern.empty() && pattern.back() == '*';
  const std::string bare = star ? pattern.substr(0, pattern.size() - 1) : pattern;
  const bool segments = is_segment_pattern(bare);
  const std::size_t wildcard = segments ? bare.find('+') : bare.size();
  long pluses = 0;
  if (segments)
    for (const std::string& part : split(bare)) pluses += part == "+";
  return std::make_tuple(wildcard, !star, -pluses, bare.size(), bare);
}

bool is_exact(const std::string& pattern) {
  return (pattern.empty() || pattern.back() != '*') && !is_segment_pattern(pattern);
}

// The one pattern that speaks about `path`, and every rule that has it; null: none.
const std::string* best_of(const std::vector<Written>& rules, const std::string& path, bool list) {
  const std::string short_path =
      !path.empty() && path.back() == '/' ? path.substr(0, path.size() - 1) : path;
  for (const std::string& candidate : {path, short_path}) {
    if (&candidate != &path && candidate != path && !list) continue;
    for (const Written& rule : rules)
      if (is_exact(rule.pattern) && rule.pattern == candidate) return &rule.pattern;
  }
  for (const std::string& candidate : {path, short_path}) {
    if (candidate != path && !list) continue;
    const std::string* best = nullptr;
    for (const Written& rule : rules) {
      if (is_exact(rule.pattern) || !pattern_matches(rule.pattern, candidate)) continue;
      if (best == nullptr || priority(*best) < priority(rule.pattern)) best = &rule.pattern;
    }
    if (best != nullptr) return best;
  }
  return nullptr;
}

std::vector<std::string> reference(const std::vector<Written>& rules, const std::string& path) {
  const std::string* best = best_of(rules, path, true);
  std::vector<std::string> names;
  for (const Written& rule : rules)
    if (best != nullptr && rule.pattern == *best)
      names.insert(names.end(), rule.capabilities.begin(), rule.capabilities.end());
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  if (names.empty() || std::find(names.begin(), names.end(), "deny") != names.end())
    return {"deny"};
  return names;
}

class Chance {
 public:
  explicit Chance(std::uint64_t seed) : random_(seed) {}
  unsigned below(unsigned n) { return random_.take<1>()[0] % n; }
  std::string path() {
    std::string text;
    const unsigned segments = 1 + below(4);
    for (unsigned i = 0; i < segments; ++i) {
      if (i > 0) text += '/';
      for (unsigned c = below(3); c > 0; --c) text += static_cast<char>('a' + below(2));
    }
    return text;
  }
  std::string pattern() {
    std::string text;
    const unsigned segments = 1 + below(4);
    for (unsigned i = 0; i < segments; ++i) {
      if (i > 0) text += '/';
      if (below(3) == 0)
        text += below(8) == 0 ? "+a" : "+";
      else
        for (unsigned c = below(3); c > 0; --c) text += static_cast<char>('a' + below(2));
    }
    if (below(3) == 0 && (text.empty() || text.back() != '+')) text += '*';
    return text;
  }
  std::vector<std::string> capabilities() {
    if (below(6) == 0) return {"deny"};
    std::vector<std::string> names;
    for (const char* name : {"create", "read", "update", "delete", "list"})
      if (below(2) == 0) names.emplace_back(name);
    return names;
  }

 private:
  testing::SeededRandom random_;
};

std::string text_of(const std::vector<Written>& rules) {
  std::string text;
  for (const Written& rule : rules) {
    text += "path \"" + rule.pattern + "\" { capabilities = [";
    for (const std::string& name : rule.capabilities) text += "\"" + name + "\", ";
    text += "] }\n";
  }
  return text;
}

}  // namespace

TEST_CASE("policy: advisory class 2, the compiled matcher agrees with the written algorithm") {
  Chance chance(20270115);
  for (int round = 0; round < 400; ++round) {
    std::vector<Written> all;
    std::vector<std::unique_ptr<const Policy>> kept;
    std::vector<const Policy*> policies;
    for (unsigned p = 0; p < 1 + chance.below(3); ++p) {
      std::vector<Written> rules;
      for (unsigned i = 0; i < 1 + chance.below(12); ++i)
        rules.push_back({chance.pattern(), chance.capabilities()});
      for (Written& rule : rules)
        if (rule.pattern.rfind('/', 0) == 0) rule.pattern = "a" + rule.pattern;
      auto policy = parse_policy("p", text_of(rules));
      REQUIRE_MESSAGE(policy.ok(), policy.error().message);
      kept.push_back(std::make_unique<const Policy>(std::move(policy).value()));
      policies.push_back(kept.back().get());
      all.insert(all.end(), rules.begin(), rules.end());
    }
    const Acl acl(policies, false, WallTime{});
    for (int i = 0; i < 100; ++i) {
      const std::string path = chance.path();
      const auto expected = reference(all, path);
      if (acl.capabilities(path) == expected) continue;
      const std::string text = text_of(all);
      CAPTURE(text);
      CAPTURE(path);
      REQUIRE(acl.capabilities(path) == expected);
    }
  }
}
