#include "vault/core/authority/registry.h"

#include <algorithm>

#include "vault/base/encoding.h"

namespace leasehold::core {

using barrier::PhysicalKey;
using barrier::Table;

namespace {

constexpr std::string_view kMounts = "mounts/";
constexpr std::string_view kPolicies = "policies/";

struct SystemMount {
  std::string_view path, type, description;
};
constexpr SystemMount kSystemMounts[] = {
    {"sys/", "system", "system endpoints used for control, policy and debugging"},
    {"cubbyhole/", "cubbyhole", "per-token private secret storage"},
    {"identity/", "identity", "identity store"},
    {"auth/token/", "token", "token based credentials"},
};

// What is stored under `name`; nothing when it is absent or damaged. An error is storage's alone,
// and must not be taken for damage.
Result<std::optional<Json>> readable(ReadTxn& txn, const std::string& name) {
  const barrier::PhysicalKey key = txn.barrier().value_key(txn.space(), name);
  VAULT_TRY_ASSIGN(const auto found, txn.snapshot().get(key.view()));
  if (!found) return std::optional<Json>();
  const auto plain = txn.barrier().open(key, name, found->value);
  if (!plain.ok()) return std::optional<Json>();
  auto parsed = parse_json(as_text(plain->reveal()));
  if (!parsed.ok() || !parsed->is_object()) return std::optional<Json>();
  return std::optional<Json>(std::move(parsed).value());
}

// A record of one folder. Nothing in it: its value cannot be read. No name: its name neither.
struct Stored {
  std::string name;  // in full
  std::optional<Json> record;
  std::uint64_t mod = 0;
};

// By the values, each of which repeats its name: so a damaged name record hides nothing.
Result<std::vector<Stored>> stored_in(ReadTxn& txn, std::string_view folder) {
  const barrier::Barrier& barrier = txn.barrier();
  const PhysicalKey prefix = barrier.directory_prefix(txn.space(), folder, Table::value);
  std::vector<Stored> all;
  Status looked;
  VAULT_TRY(txn.scan(prefix, prefix.end_of_prefix(), SIZE_MAX, storage::Scan::values,
                     [&](const storage::Entry& entry) {
                       Stored& one = all.emplace_back();
                       one.mod = entry.mod;
                       const PhysicalKey key = PhysicalKey::from(entry.key);
                       if (auto value = barrier.open_named(key, entry.value); value.ok()) {
                         one.name = std::move(value->name);
                         auto parsed = parse_json(as_text(value->value.reveal()));
                         if (parsed.ok() && parsed->is_object())
                           one.record = std::move(parsed).value();
                         return true;
                       }
                       PhysicalKey name_key(Table::name);
                       name_key.push(entry.key.subspan(1));
                       const auto name = txn.snapshot().get(name_key.view());
                       if (!name.ok()) looked = name.error();
                       if (!name.ok() || !*name) return looked.ok();
                       if (auto opened = barrier.open_named(name_key, (*name)->value); opened.ok())
                         one.name = std::move(opened->name);
                       return true;
                     }));
  VAULT_TRY(std::move(looked));
  return all;
}

// For the records of a system mount that must be made up.
struct NoRandom final : Random {
  void fill(std::span<std::uint8_t> out) override { std::fill(out.begin(), out.end(), 0); }
};

}  // namespace

void PolicySet::add(std::shared_ptr<const Policy> policy) {
  by_name_[policy->name] = std::move(policy);
}
const Policy* PolicySet::find(std::string_view name) const {
  const auto found = by_name_.find(name);
  return found == by_name_.end() ? nameless_.get() : found->second.get();
}
void PolicySet::add_nameless(std::shared_ptr<const Policy> policy) {
  nameless_ = std::move(policy);
}

Registry::Registry(std::vector<std::unique_ptr<EngineKind>> kinds, TtlDefaults defaults,
                   LogSink& log)
    : kinds_(std::move(kinds)), defaults_(defaults), log_(log) {}

barrier::PhysicalKey Registry::generation_key() {
  return barrier::PhysicalKey(barrier::Table::generation);
}

Status Registry::bump(WriteTxn& txn) {
  if (txn.changes().storage.written(generation_key().view())) return {};
  return txn.mark(generation_key());
}

const EngineKind* Registry::kind(std::string_view wire_type, int version) const {
  for (const auto& kind : kinds_)
    if (kind->wire_type == wire_type && kind->version == version) return kind.get();
  return nullptr;
}

Result<std::shared_ptr<const Compiled>> Registry::at(ReadTxn& txn) {
  VAULT_TRY_ASSIGN(const std::uint64_t generation, txn.version(generation_key()));
  {
    MutexLock lock(mutex_);
    if (newest_ && newest_->generation == generation) return newest_;
  }
  return compile(txn, generation);
}

Result<std::shared_ptr<const Compiled>> Registry::compile(ReadTxn& txn, std::uint64_t generation) {
  auto compiled = std::make_shared<Compiled>();
  compiled->generation = generation;
  ReadTxn core = txn.in(barrier::kCoreSpace);
  VAULT_TRY(compile_mounts(core, *compiled));
  VAULT_TRY(compile_policies(core, *compiled));
  MutexLock lock(mutex_);
  if (!newest_ || newest_->generation < generation) newest_ = compiled;
  return std::shared_ptr<const Compiled>(compiled);
}

Status Registry::compile_mounts(ReadTxn& txn, Compiled& into) {
  VAULT_TRY_ASSIGN(auto stored, stored_in(txn, kMounts));
  for (Stored& one : stored) {
    auto mount = one.record ? mount_of(std::move(*one.record)) : nullptr;
    if (mount == nullptr)
      report_damaged(one.name, one.mod,
                     "a mount record is damaged: what it held cannot be reached until it is "
                     "restored; run `leasehold operator verify`");
    else
      into.mounts.add(std::move(mount));
  }
  for (const SystemMount& needed : kSystemMounts) {  // without these nobody could mend anything
    if (into.mounts.at(needed.path) != nullptr) continue;
    NoRandom none;
    into.mounts.add(mount_of(new_mount(none, needed.path, needed.type, needed.description)));
  }
  return {};
}

// Null: not the record of a mount.
std::shared_ptr<Mount> Registry::mount_of(Json record) {
  auto mount = std::make_shared<Mount>();
  MountInfo& info = mount->info;
  info.path = record.string_at("path");
  info.type = record.string_at("type");
  info.accessor = record.string_at("accessor");
  info.uuid = record.string_at("uuid");
  info.description = record.string_at("description");
  const auto space = from_hex(record.string_at("space"));
  const Json* config = record.find("config");
  if (!space || space->size() != info.space.size() || info.path.empty() || config == nullptr)
    return nullptr;
  std::copy(space->begin(), space->end(), info.space.begin());
  if (const Json* options = record.find("options")) info.options = *options;
  const std::int64_t ttl = config->integer_at("default_lease_ttl");
  const std::int64_t max = config->integer_at("max_lease_ttl");
  info.max_ttl = max > 0 ? Seconds{max} : defaults_.max_ttl;
  info.default_ttl = std::min(ttl > 0 ? Seconds{ttl} : defaults_.default_ttl, info.max_ttl);
  mount->tainted = record.bool_at("tainted");
  mount->kind = kind_of(info);
  mount->record = std::move(record);
  return mount;
}

const EngineKind* Registry::kind_of(const MountInfo& info) const {
  const int version = info.options.is_object() && info.options.string_at("version") == "2" ? 2 : 1;
  const EngineKind* found = kind(info.type, version);
  if (found == nullptr) found = kind(info.type, 0);
  if (found != nullptr && found->is_auth == info.path.starts_with("auth/")) return found;
  log_.warn("mount {} has the type {}, which this build does not have", info.path, info.type);
  return nullptr;
}

Status Registry::compile_policies(ReadTxn& txn, Compiled& into) {
  VAULT_TRY_ASSIGN(Policy wrapping,
                   parse_policy("response-wrapping", response_wrapping_policy_text()));
  into.policies.add(std::make_shared<const Policy>(std::move(wrapping)));
  VAULT_TRY_ASSIGN(const auto stored, stored_in(txn, kPolicies));
  for (const Stored& one : stored) {
    const std::string_view coded =
        std::string_view(one.name).substr(std::min(one.name.size(), kPolicies.size()));
    const auto bytes = from_hex(coded);
    const std::string name(bytes ? as_text(*bytes) : coded);
    auto policy = one.record ? parse_policy(name, one.record->string_at("policy"))
                             : Result<Policy>(failure(Code::internal, "damaged"));
    if (policy.ok()) {
      into.policies.add(std::make_shared<const Policy>(std::move(policy).value()));
      continue;
    }
    auto damaged = std::make_shared<Policy>();
    damaged->name = name;
    damaged->unreadable = true;
    if (name.empty()) {
      report_damaged(one.name, one.mod,
                     "a policy can no longer be read, nor its name: tokens with a policy that is "
                     "not found are denied everything; run `leasehold operator verify`");
      into.policies.add_nameless(std::move(damaged));
    } else {
      report_damaged(one.name, one.mod,
                     "policy " + name +
                         " can no longer be read: tokens that have it are denied everything until "
                         "it is written anew");
      into.policies.add(std::move(damaged));
    }
  }
  return {};
}

void Registry::report_damaged(const std::string& record, std::uint64_t mod, std::string_view what) {
  MutexLock lock(mutex_);
  const auto known = reported_.find(record);
  if (known != reported_.end() && known->second == mod) return;
  reported_[record] = mod;
  log_.error("{}", what);
}

Json Registry::new_mount(Random& random, std::string_view path, std::string_view type,
                         std::string_view description) {
  const auto accessor = random.take<4>();
  const auto space = random.take<barrier::kSpaceSize>();
  Json record = Json::object();
  const bool is_auth = path.starts_with("auth/");
  record.set("path", path).set("type", type).set("description", description);
  record.set("accessor", (is_auth ? "auth_" : "") + std::string(type) + "_" + hex(accessor));
  record.set("uuid", uuid(random)).set("space", hex(space));
  record.set("local", type == "cubbyhole").set("seal_wrap", type == "system");
  record.set("options", nullptr);
  Json config = Json::object();
  config.set("default_lease_ttl", 0).set("max_lease_ttl", 0).set("force_no_cache", false);
  if (is_auth) config.set("token_type", "default-service");
  if (type == "identity" || type == "system")
    config.set("passthrough_request_headers",
               Json(std::vector<std::string>{type == "system" ? "Accept" : "Authorization"}));
  record.set("config", std::move(config));
  return record;
}

Status Registry::put_mount(WriteTxn& txn, const Json& record) {
  WriteTxn core = txn.in(barrier::kCoreSpace);
  VAULT_TRY(core.put(std::string(kMounts) + record.string_at("uuid"), as_bytes(record.dump())));
  return bump(txn);
}

Status Registry::erase_mount(WriteTxn& txn, const Mount& mount) {
  WriteTxn core = txn.in(barrier::kCoreSpace);
  VAULT_TRY(core.erase(std::string(kMounts) + mount.info.uuid));
  return bump(txn);
}

Status Registry::write_initial(WriteTxn& txn, Random& random, int dev_kv_version) {
  for (const SystemMount& mount : kSystemMounts)
    VAULT_TRY(put_mount(txn, new_mount(random, mount.path, mount.type, mount.description)));
  if (dev_kv_version == 0) return {};
  Json secret = new_mount(random, "secret/", "kv", "key/value secret storage");
  Json options = Json::object();
  options.set("version", std::to_string(dev_kv_version));
  secret.set("options", std::move(options));
  return put_mount(txn, secret);
}

Status put_policy(WriteTxn& txn, const std::string& name, std::string_view text, WallTime now) {
  WriteTxn core = txn.in(barrier::kCoreSpace);
  const std::string key = std::string(kPolicies) + hex(as_bytes(name));
  VAULT_TRY(core.version(key));                              // guards what is looked at next
  VAULT_TRY_ASSIGN(const auto before, readable(core, key));  // a damaged one is repaired by this
  const std::int64_t version = before ? before->integer_at("version") + 1 : 1;
  Json record = Json::object();
  record.set("name", name).set("policy", text).set("version", version);
  record.set("modified", rfc3339(now));
  VAULT_TRY(core.put(key, as_bytes(record.dump())));
  return Registry::bump(txn);
}

}  // namespace leasehold::core
