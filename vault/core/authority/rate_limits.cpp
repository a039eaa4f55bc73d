#include "vault/core/authority/rate_limits.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "vault/core/authority/mounts.h"
#include "vault/crypto/hash.h"

namespace leasehold::core {

namespace {

constexpr std::string_view kTouched = "quotas/changed";

// What reaches a vault in trouble, as Vault leaves it open from the start.
constexpr const char* kExempt[] = {"sys/generate-recovery-token/attempt",
                                   "sys/generate-recovery-token/update",
                                   "sys/generate-root/attempt",
                                   "sys/generate-root/update",
                                   "sys/health",
                                   "sys/seal-status",
                                   "sys/unseal"};

// Up to 0 when it is negative, and rounded up: a client that waits so long is let in.
Seconds left(std::int64_t until, WallTime now) {
  const Nanos rest{std::max<std::int64_t>(0, until - now.ns)};
  return std::chrono::ceil<Seconds>(rest);
}

std::int64_t later(WallTime now, Seconds by) { return leasehold::add(now, Nanos(by)).ns; }

}  // namespace

std::optional<RateRule> RateRule::of(std::string_view name, const Json& record) {
  RateRule rule;
  rule.name = name;
  rule.mount = record.string_at("mount");
  rule.suffix = record.string_at("suffix");
  rule.glob = record.bool_at("glob");
  rule.role = record.string_at("role");
  rule.rate = record.string_at("rate");
  const double rate = std::strtod(rule.rate.c_str(), nullptr);
  if (!(rate > 0) || rate > 1e12) return std::nullopt;
  rule.requests = std::max<std::int64_t>(1, std::llround(rate));
  rule.interval = Seconds{std::max<std::int64_t>(1, record.integer_at("interval"))};
  rule.block = Seconds{record.integer_at("block_interval")};
  rule.inheritable = record.bool_at("inheritable");
  rule.id = std::hash<std::string>()(rule.name + "\n" + record.dump());
  return rule;
}

Json RateRule::record() const {
  Json record = Json::object();
  record.set("mount", mount).set("suffix", suffix).set("glob", glob).set("role", role);
  record.set("rate", rate).set("interval", static_cast<std::int64_t>(interval.count()));
  record.set("block_interval", static_cast<std::int64_t>(block.count()));
  record.set("inheritable", inheritable);
  return record;
}

RateTable::RateTable(const barrier::Barrier& barrier)
    : key_(barrier.id_hash("rate limits", {})), sets_(kSets) {}

RateTable::Seen& RateTable::place_for(std::array<Seen, kWays>& set, std::uint64_t who,
                                      WallTime now) {
  const auto rank = [now](const Seen& seen) {
    return std::pair(seen.blocked_until > now.ns, seen.began);
  };
  Seen* oldest = &set.front();
  for (Seen& seen : set) {
    if (seen.who == who) return seen;
    if (rank(seen) < rank(*oldest)) oldest = &seen;
  }
  *oldest = Seen{who, now.ns, 0, 0};
  return *oldest;
}

RateTaken RateTable::take(const RateRule& rule, std::string_view client, WallTime now) {
  std::uint8_t id[8];
  put_be(id, rule.id, 8);
  std::array<std::uint8_t, 16> hash;
  crypto::blake2b(key_, hash, id, as_bytes(client));
  const std::uint64_t who = get_be(hash.data(), 8) | 1;
  const std::size_t place = get_be(hash.data() + 8, 8) % kSets;
  MutexLock lock(mutexes_[place % kShards]);
  Seen& seen = place_for(sets_[place], who, now);
  RateTaken taken{true, rule.requests, 0, {}};
  if (seen.blocked_until > now.ns) {
    taken.allowed = false;
    taken.reset = left(seen.blocked_until, now);
    return taken;
  }
  const std::int64_t interval = std::chrono::duration_cast<Nanos>(rule.interval).count();
  if (now.ns - seen.began >= interval) {
    seen.began = now.ns - (now.ns - seen.began) % interval;
    seen.taken = 0;
  }
  taken.allowed = seen.taken < rule.requests;
  taken.reset = left(seen.began + interval, now);
  if (taken.allowed) {
    taken.remaining = rule.requests - ++seen.taken;
  } else if (rule.block.count() > 0) {
    seen.blocked_until = later(now, rule.block);
    taken.reset = rule.block;
  }
  return taken;
}

RateConfig RateConfig::initial() {
  RateConfig config;
  config.exempt.assign(std::begin(kExempt), std::end(kExempt));
  return config;
}

RateConfig RateConfig::of(const Json& record) {
  RateConfig config;
  config.exempt = record.strings_at("rate_limit_exempt_paths");
  config.audit_logging = record.bool_at("enable_rate_limit_audit_logging");
  config.headers = record.bool_at("enable_rate_limit_response_headers");
  return config;
}

Json RateConfig::shown() const {
  Json data = Json::object();
  data.set("enable_rate_limit_audit_logging", audit_logging);
  data.set("enable_rate_limit_response_headers", headers);
  data.set("rate_limit_exempt_paths", Json(exempt));
  return data;
}

bool RateConfig::is_exempt(std::string_view path) const {
  std::size_t longest = 0;
  bool exempt_it = false;
  for (const std::string& listed : exempt) {
    const bool excepts = listed.starts_with('!');
    const std::string_view one = std::string_view(listed).substr(excepts ? 1 : 0);
    const bool fits = one == path || (one.ends_with('/') && path.starts_with(one));
    if (!fits || one.size() < longest) continue;
    longest = one.size();
    exempt_it = !excepts;
  }
  return exempt_it;
}

Status RateLimits::touch(commit::WriteTxn& core) {
  VAULT_TRY(core.put(kTouched, {}));
  return Mounts::bump_mounts(core);
}

Result<std::shared_ptr<const RateLimits>> RateLimits::read(
    commit::ReadTxn& core, std::shared_ptr<const RateLimits> before) {
  VAULT_TRY_ASSIGN(const std::uint64_t mod, core.version(kTouched));
  if (mod == 0) return std::shared_ptr<const RateLimits>();
  if (before && before->mod_ == mod) return before;
  auto limits = std::make_shared<RateLimits>();
  limits->mod_ = mod;
  limits->table_ = before ? before->table_ : std::make_shared<RateTable>(core.barrier());
  VAULT_TRY_ASSIGN(const auto config, readable_json(core, std::string(kRateConfig)));
  limits->config_ = config ? RateConfig::of(*config) : RateConfig::initial();
  VAULT_TRY_ASSIGN(const auto names, core.list(kRateRules));
  for (const std::string& name : names) {
    VAULT_TRY_ASSIGN(const auto record, readable_json(core, std::string(kRateRules) + name));
    auto rule = record ? RateRule::of(name, *record) : std::nullopt;
    if (rule) limits->add(std::make_unique<RateRule>(std::move(*rule)));
  }
  return std::shared_ptr<const RateLimits>(std::move(limits));
}

void RateLimits::add(std::unique_ptr<RateRule> rule) {
  const RateRule* one = rule.get();
  rules_.push_back(std::move(rule));
  if (one->mount.empty()) {
    whole_ = one;
    return;
  }
  OfMount& of = by_mount_[one->mount];
  if (!one->role.empty()) {
    of.roles[one->role] = one;
  } else if (one->glob) {
    of.globs.push_back(one);
    std::sort(of.globs.begin(), of.globs.end(), [](const RateRule* a, const RateRule* b) {
      return a->suffix.size() > b->suffix.size();
    });
  } else if (!one->suffix.empty()) {
    of.exact[one->suffix] = one;
  } else {
    of.whole = one;
  }
}

bool RateLimits::asks_role(std::string_view mount) const {
  const auto found = by_mount_.find(mount);
  return found != by_mount_.end() && !found->second.roles.empty();
}

const RateRule* RateLimits::find(std::string_view mount, std::string_view path,
                                 std::string_view role) const {
  const auto found = by_mount_.find(mount);
  if (found == by_mount_.end()) return whole_;
  const OfMount& of = found->second;
  if (!role.empty())
    if (const auto by_role = of.roles.find(role); by_role != of.roles.end()) return by_role->second;
  while (path.ends_with('/')) path.remove_suffix(1);
  if (const auto exact = of.exact.find(path); exact != of.exact.end()) return exact->second;
  for (const RateRule* glob : of.globs)
    if (path.starts_with(glob->suffix)) return glob;
  return of.whole != nullptr ? of.whole : whole_;
}

}  // namespace leasehold::core
