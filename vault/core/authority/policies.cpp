#include "vault/core/authority/policies.h"

#include "vault/base/encoding.h"
#include "vault/base/metrics.h"
#include "vault/core/authority/identities.h"
#include "vault/core/authority/identity_templates.h"
#include "vault/core/authority/mounts.h"
#include "vault/core/contract/policy_names.h"

namespace leasehold::core {

Policies::Policies(LogSink& log) : log_(log) {
  auto built_in = parse_policy(std::string(kWrappingPolicy), response_wrapping_policy_text());
  VAULT_ASSERT(built_in.ok());
  wrapping_ = std::make_shared<const Policy>(std::move(built_in).value());
}

Result<bool> Policies::resolve(ReadTxn& txn, const std::vector<std::string>& names, Making making,
                               Authority& into) {
  const metrics::Stopwatch watch(metrics::Timer::policy_get, metrics::kTimedOneOf);
  if (into.identity != nullptr) return resolve_of_identity(txn, names, making, into);
  std::size_t place = 0;
  for (const std::string& name : names) place = place * 31 + std::hash<std::string>()(name);
  place %= kSetsMax;
  {
    MutexLock lock(mutex_);
    const auto& known = sets_[place];
    if (known != nullptr && known->revision == into.revision && known->names == names) {
      into.policies = known;
      return true;
    }
  }
  auto set = std::make_shared<Authority::Set>();
  set->names = names;
  set->revision = into.revision;
  VAULT_TRY_ASSIGN(const bool ready, look_up(txn, making, nullptr, *set));
  into.policies = set;
  if (!ready) return false;
  if (names.size() > kSetNamesMax) return true;
  MutexLock lock(mutex_);
  sets_[place] = std::move(set);
  return true;
}

// Kept with the identity: as long as neither it nor a policy changes, it is the same.
Result<bool> Policies::resolve_of_identity(ReadTxn& txn, const std::vector<std::string>& names,
                                           Making making, Authority& into) {
  const Identity& identity = *into.identity;
  if (auto known = identity.kept_set();
      known != nullptr && known->revision == into.revision && known->of_token == names) {
    into.policies = std::move(known);
    return true;
  }
  auto set = std::make_shared<Authority::Set>();
  set->of_token = set->names = names;
  set->names.insert(set->names.end(), identity.policies.begin(), identity.policies.end());
  set->names = canonical_policies(set->names);
  set->revision = into.revision;
  VAULT_TRY_ASSIGN(const bool ready, look_up(txn, making, &identity, *set));
  into.policies = set;
  if (ready) identity.keep_set(std::move(set));
  return ready;
}

Result<bool> Policies::look_up(ReadTxn& txn, Making making, const Identity* identity,
                               Authority::Set& set) {
  set.rests.reserve(set.names.size());
  bool ready = true;
  for (const std::string& name : set.names) {
    if (name == "root") continue;  // no record: it may everything, alone, and never changes
    if (name == kWrappingPolicy) {
      set.rests.push_back({{}, 0, wrapping_});
      continue;
    }
    const barrier::PhysicalKey record = record_of(txn, name);
    const auto make = [&](const storage::Found& found) {
      return compile(txn, name, record, found);
    };
    VAULT_TRY_ASSIGN(auto at, compiled_.at(txn, record, set.revision, making, make));
    ready = ready && at.ready;
    set.rests.push_back({record, at.mod, std::move(at.value)});
  }
  for (const Authority::Rest& rest : set.rests) {
    if (rest.policy == nullptr) continue;
    set.found.push_back(rest.policy.get());
    if (identity == nullptr || rest.policy->templated.empty()) continue;
    set.filled.push_back(filled_for(*identity, *rest.policy));
    set.found.push_back(set.filled.back().get());
  }
  return ready;
}

Result<bool> Policies::exists(ReadTxn& txn, std::string_view name) {
  if (name == kWrappingPolicy) return true;
  VAULT_TRY_ASSIGN(const auto found, txn.snapshot().get(record_of(txn, std::string(name)).view()));
  return found.has_value();
}

// Two keyed hashes, remembered: a request looks its policies up again and again.
barrier::PhysicalKey Policies::record_of(ReadTxn& txn, const std::string& name) {
  {
    MutexLock lock(mutex_);
    const auto known = records_.find(name);
    if (known != records_.end()) return known->second;
  }
  const auto record = txn.barrier().value_key(barrier::kCoreSpace, policy_record(name));
  MutexLock lock(mutex_);
  if (records_.size() >= kNamesMax) records_.clear();
  records_.emplace(name, record);
  return record;
}

namespace {

// False: it cannot be read, and nobody knows whether it has passed.
bool read_expiration(const Json& record, Policy& policy) {
  const Json* const set = record.find("expiration");
  if (set == nullptr) return true;
  const auto time = parse_rfc3339(set->text());
  if (time.ok()) policy.expiration = *time;
  return time.ok();
}

bool is_over(const Json& record, WallTime now) {
  const auto time = parse_rfc3339(record.string_at("expiration"));
  return time.ok() && *time <= now;
}

}  // namespace

// One that cannot be read denies everything: nobody knows what it kept out.
Result<std::shared_ptr<const Policy>> Policies::compile(ReadTxn& txn, const std::string& name,
                                                        const barrier::PhysicalKey& record,
                                                        const storage::Found& found) {
  const auto plain = txn.barrier().open(record, policy_record(name), found.value);
  if (plain.ok()) {
    const auto parsed = parse_json(as_text(plain->reveal()));
    if (parsed.ok() && parsed->is_object()) {
      auto policy = parse_policy(name, parsed->string_at("policy"));
      if (policy.ok()) {
        policy->wildcards_in_values = parsed->bool_at(kWildcardsFlag);
        policy->slashes_in_values = parsed->bool_at(kSlashesFlag);
      }
      if (policy.ok() && read_expiration(*parsed, *policy))
        return std::shared_ptr<const Policy>(
            std::make_shared<const Policy>(std::move(policy).value()));
    }
  }
  log_.error(
      "policy {} can no longer be read: tokens that have it are denied everything until it is "
      "written anew",
      name);
  auto damaged = std::make_shared<Policy>();
  damaged->name = name;
  damaged->unreadable = true;
  return std::shared_ptr<const Policy>(std::move(damaged));
}

std::string policy_record(std::string_view name) { return "policies/" + hex(as_bytes(name)); }

Status put_policy(WriteTxn& txn, const std::string& name, std::string_view text, WallTime now,
                  const PolicyTerms& terms) {
  const metrics::Stopwatch watch(metrics::Timer::policy_set);
  WriteTxn core = txn.in(barrier::kCoreSpace);
  const std::string key = policy_record(name);
  VAULT_TRY(core.version(key));                                   // guards what is looked at next
  VAULT_TRY_ASSIGN(const auto before, readable_json(core, key));  // this repairs a damaged one
  const bool goes_on = before && !is_over(*before, now);
  const std::int64_t version = goes_on ? before->integer_at("version") + 1 : 1;
  Json record = Json::object();
  record.set("name", name).set("policy", text).set("version", version);
  record.set("modified", rfc3339(now));
  if (terms.cas_required) record.set("cas_required", true);
  if (terms.expiration) record.set("expiration", rfc3339(*terms.expiration));
  if (terms.wildcards_in_values) record.set(kWildcardsFlag, true);
  if (terms.slashes_in_values) record.set(kSlashesFlag, true);
  VAULT_TRY(core.put(key, as_bytes(record.dump())));
  return Mounts::bump(txn);
}

Status erase_policy(WriteTxn& txn, const std::string& name) {
  const metrics::Stopwatch watch(metrics::Timer::policy_delete);
  VAULT_TRY(txn.in(barrier::kCoreSpace).erase(policy_record(name)));
  return Mounts::bump(txn);
}

}  // namespace leasehold::core
