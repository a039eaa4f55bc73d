#include "vault/core/authority/lockout.h"

#include <algorithm>

#include "vault/base/duration.h"

namespace leasehold::core {

namespace {

constexpr Seconds kSayEvery{10};
constexpr std::size_t kAliasKept = 512;  // bytes of a name; longer ones cannot log in anyway

std::string key_of(const std::string& mount_accessor, const std::string& alias) {
  return mount_accessor + "/" + alias.substr(0, kAliasKept);
}

Seconds duration_at(const Json& config, std::string_view key, Seconds fallback) {
  const Json* value = config.find(key);
  if (value == nullptr || !(value->is_string() || value->is_number())) return fallback;
  const auto parsed = parse_duration(value->text());
  return parsed.ok() && parsed->count() > 0 ? *parsed : fallback;
}

}  // namespace

LockoutRule LockoutRule::of(const Json& mount_config) {
  LockoutRule rule;
  const Json* given = mount_config.find("user_lockout_config");
  if (given == nullptr || !given->is_object()) return rule;
  if (const std::int64_t threshold = given->integer_at("lockout_threshold"); threshold > 0)
    rule.threshold = threshold;
  rule.duration = duration_at(*given, "lockout_duration", rule.duration);
  rule.reset = duration_at(*given, "lockout_counter_reset", rule.reset);
  rule.disabled = given->bool_at("lockout_disable");
  return rule;
}

bool Lockout::is_locked(const std::string& mount_accessor, const std::string& alias,
                        WallTime now) const {
  MutexLock lock(mutex_);
  const auto found = by_key_.find(key_of(mount_accessor, alias));
  return found != by_key_.end() && now < found->second->locked_until;
}

bool Lockout::failed(const std::string& mount_accessor, const std::string& alias,
                     const LockoutRule& rule, WallTime now) {
  if (rule.disabled) return false;
  const std::string key = key_of(mount_accessor, alias);
  MutexLock lock(mutex_);
  auto found = by_key_.find(key);
  if (found == by_key_.end()) {
    if (order_.size() >= kNamesMax) make_room(now);
    Name fresh;
    fresh.key = key;
    found = by_key_.emplace(key, order_.insert(order_.end(), std::move(fresh))).first;
  } else {
    order_.splice(order_.end(), order_, found->second);
  }
  Name& name = *found->second;
  if (name.failures > 0 && !(now < add(name.last, rule.reset))) name.failures = 0;
  name.last = now;
  if (++name.failures < rule.threshold) return false;
  name.failures = 0;
  name.locked_until = add(now, rule.duration);
  return true;
}

// The oldest name that is not locked goes; else a flood of names would push a locked one out and so
// unlock it.
void Lockout::make_room(WallTime now) {
  auto goes = order_.begin();
  for (std::size_t i = 0; i < kLookedAt && goes != order_.end(); ++i, ++goes)
    if (!(now < goes->locked_until)) break;
  if (goes == order_.end() || now < goes->locked_until) goes = order_.begin();
  by_key_.erase(goes->key);
  order_.erase(goes);
}

Lockout::Locked Lockout::locked(WallTime now) const {
  Locked locked;
  MutexLock lock(mutex_);
  for (const Name& name : order_) {
    if (!(now < name.locked_until)) continue;
    const std::size_t slash = name.key.find('/');  // an accessor has none
    locked[name.key.substr(0, slash)].insert(name.key.substr(slash + 1));
  }
  return locked;
}

bool Lockout::may_say(WallTime now) {
  MutexLock lock(mutex_);
  if (now < say_after_) return false;
  say_after_ = add(now, kSayEvery);
  return true;
}

void Lockout::succeeded(const std::string& mount_accessor, const std::string& alias) {
  MutexLock lock(mutex_);
  const auto found = by_key_.find(key_of(mount_accessor, alias));
  if (found == by_key_.end()) return;
  order_.erase(found->second);
  by_key_.erase(found);
}

}  // namespace leasehold::core
