#include "vault/core/registry.h"

#include "vault/base/encoding.h"

namespace leasehold::core {

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

}  // namespace

void PolicySet::add(std::shared_ptr<const Policy> policy) {
  by_name_[policy->name] = std::move(policy);
}
const Policy* PolicySet::find(std::string_view name) const {
  const auto found = by_name_.find(name);
  return found == by_name_.end() ? nullptr : found->second.get();
}

Registry::Registry(std::vector<std::unique_ptr<EngineKind>> kinds, TtlDefaults defaults,
                   LogSink& log)
    : kinds_(std::move(kinds)), defaults_(defaults), log_(log) {}

barrier::PhysicalKey Registry::generation_key() {
  return barrier::PhysicalKey(barrier::Table::generation);
}

Status Registry::bump(WriteTxn& txn) {
  if (txn.batch().storage.written(generation_key().view())) return {};
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
  VAULT_TRY_ASSIGN(const auto names, txn.list(kMounts));
  for (const std::string& name : names) {
    VAULT_TRY_ASSIGN(const auto stored, txn.get(std::string(kMounts) + name));
    if (!stored) continue;
    VAULT_TRY_ASSIGN(Json record, parse_json(as_text(stored->value.reveal())));
    auto mount = std::make_shared<Mount>();
    MountInfo& info = mount->info;
    info.path = record.string_at("path");
    info.type = record.string_at("type");
    info.accessor = record.string_at("accessor");
    info.uuid = record.string_at("uuid");
    info.description = record.string_at("description");
    const auto space = from_hex(record.string_at("space"));
    if (!space || space->size() != info.space.size())
      return failure(Code::internal, "internal error", "a mount record is damaged");
    std::copy(space->begin(), space->end(), info.space.begin());
    if (const Json* options = record.find("options")) info.options = *options;
    const Json* config = record.find("config");
    const std::int64_t ttl = config ? config->integer_at("default_lease_ttl") : 0;
    const std::int64_t max = config ? config->integer_at("max_lease_ttl") : 0;
    info.max_ttl = max > 0 ? Seconds{max} : defaults_.max_ttl;
    info.default_ttl = std::min(ttl > 0 ? Seconds{ttl} : defaults_.default_ttl, info.max_ttl);
    mount->tainted = record.bool_at("tainted");
    const bool is_auth = info.path.starts_with("auth/");
    const int version =
        info.options.is_object() && info.options.string_at("version") == "2" ? 2 : 1;
    mount->kind = kind(info.type, version);
    if (mount->kind == nullptr) mount->kind = kind(info.type, 0);
    if (mount->kind == nullptr || mount->kind->is_auth != is_auth) {
      mount->kind = nullptr;
      log_.warn("mount {} has the type {}, which this build does not have", info.path, info.type);
    }
    mount->record = std::move(record);
    into.mounts.add(std::move(mount));
  }
  return {};
}

Status Registry::compile_policies(ReadTxn& txn, Compiled& into) {
  VAULT_TRY_ASSIGN(const auto names, txn.list(kPolicies));
  for (const std::string& stored_name : names) {
    const std::string key = std::string(kPolicies) + stored_name;
    const auto bytes = from_hex(stored_name);
    const std::string name(bytes ? as_text(*bytes) : std::string_view(stored_name));
    VAULT_TRY_ASSIGN(const auto record, readable(txn, key));
    auto policy = record ? parse_policy(name, record->string_at("policy"))
                         : Result<Policy>(failure(Code::internal, "damaged"));
    if (!policy.ok()) {
      VAULT_TRY_ASSIGN(const std::uint64_t mod, txn.version(key));
      report_damaged(name, mod);
      Policy damaged;
      damaged.name = name;
      damaged.unreadable = true;
      policy = std::move(damaged);
    }
    into.policies.add(std::make_shared<const Policy>(std::move(policy).value()));
  }
  return {};
}

void Registry::report_damaged(const std::string& policy, std::uint64_t mod) {
  MutexLock lock(mutex_);
  const auto known = reported_.find(policy);
  if (known != reported_.end() && known->second == mod) return;
  reported_[policy] = mod;
  log_.error(
      "policy {} can no longer be read: tokens that have it are denied everything until it is "
      "written anew",
      policy);
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

Status Registry::write_initial(WriteTxn& txn, Random& random, bool dev_secret_mount) {
  for (const SystemMount& mount : kSystemMounts)
    VAULT_TRY(put_mount(txn, new_mount(random, mount.path, mount.type, mount.description)));
  if (!dev_secret_mount) return {};
  Json secret = new_mount(random, "secret/", "kv", "key/value secret storage");
  Json options = Json::object();
  options.set("version", kind("kv", 2) != nullptr ? "2" : "1");
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
