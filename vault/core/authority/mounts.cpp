#include "vault/core/authority/mounts.h"

#include <algorithm>

#include "vault/base/encoding.h"
#include "vault/base/nearest.h"

namespace leasehold::core {

using barrier::PhysicalKey;
using barrier::Table;

namespace {

constexpr std::string_view kMounts = "mounts/";
constexpr std::string_view kBatchTokensFrom = "batch-tokens-from";  // be64 ns

struct SystemMount {
  std::string_view path, type, description;
};
constexpr SystemMount kSystemMounts[] = {
    {"sys/", "system", "system endpoints used for control, policy and debugging"},
    {"cubbyhole/", "cubbyhole", "per-token private secret storage"},
    {"identity/", "identity", "identity store"},
    {"auth/token/", "token", "token based credentials"},
};

// A mount as storage has it: nothing when its record cannot be read.
std::optional<Json> opened(const barrier::Barrier& barrier, const PhysicalKey& key,
                           const storage::Entry& entry) {
  const auto value = barrier.open_named(key, entry.value);
  if (!value.ok()) return std::nullopt;
  auto parsed = parse_json(as_text(value->value.reveal()));
  if (!parsed.ok() || !parsed->is_object()) return std::nullopt;
  return std::move(parsed).value();
}

// For the records of a system mount that must be made up.
struct NoRandom final : Random {
  void fill(std::span<std::uint8_t> out) override { std::fill(out.begin(), out.end(), 0); }
};

}  // namespace

Result<std::optional<Json>> readable_json(ReadTxn& txn, const std::string& name) {
  const barrier::PhysicalKey key = txn.barrier().value_key(txn.space(), name);
  VAULT_TRY_ASSIGN(const auto found, txn.snapshot().get(key.view()));
  if (!found) return std::optional<Json>();
  const auto plain = txn.barrier().open(key, name, found->value);
  if (!plain.ok()) return std::optional<Json>();
  auto parsed = parse_json(as_text(plain->reveal()));
  if (!parsed.ok() || !parsed->is_object()) return std::optional<Json>();
  return std::optional<Json>(std::move(parsed).value());
}

Mounts::Mounts(std::vector<std::unique_ptr<EngineKind>> kinds, TtlDefaults defaults, LogSink& log,
               AskedHeaders* asked)
    : kinds_(std::move(kinds)), defaults_(defaults), log_(log), asked_(asked), policies_(log) {}

barrier::PhysicalKey Mounts::revision_key() {
  return barrier::PhysicalKey(barrier::Table::revision);
}

barrier::PhysicalKey Mounts::mounts_key() {
  PhysicalKey key = revision_key();
  key.push('m');
  return key;
}

Status Mounts::bump_mounts(WriteTxn& txn) {
  if (!txn.changes().storage.written(mounts_key().view())) VAULT_TRY(txn.mark(mounts_key()));
  return bump(txn);
}

Status Mounts::bump(WriteTxn& txn) {
  if (txn.changes().storage.written(revision_key().view())) return {};
  return txn.mark(revision_key());
}

const EngineKind* Mounts::kind(std::string_view wire_type, std::string_view version) const {
  for (const auto& kind : kinds_)
    if (kind->wire_type == wire_type &&
        (kind->version == 0 || version.empty() || std::to_string(kind->version) == version))
      return kind.get();
  return nullptr;
}

const EngineKind* Mounts::kind_called(std::string_view name) const {
  for (const auto& kind : kinds_)
    for (const std::string_view other : kind->other_names)
      if (!other.empty() && other == name) return kind.get();
  return nullptr;
}

std::string Mounts::nearest_type(std::string_view typed, bool is_auth) const {
  const std::string lower = lower_case(typed);
  Nearest nearest(lower);
  for (const auto& kind : kinds_) {
    if (kind->is_auth != is_auth || kind->is_system) continue;
    nearest.consider(kind->wire_type);
    for (const std::string_view other : kind->other_names)
      if (!other.empty()) nearest.consider(other);
  }
  return nearest.name();
}

std::string Mounts::versions_of(std::string_view wire_type) const {
  std::string versions;
  for (const auto& kind : kinds_)
    if (kind->wire_type == wire_type && kind->version != 0)
      versions += (versions.empty() ? "" : " or ") + std::to_string(kind->version);
  return versions;
}

Result<std::shared_ptr<const Compiled>> Mounts::at(ReadTxn& txn, Authority* authority) {
  VAULT_TRY_ASSIGN(const auto found, txn.snapshot().get(revision_key().view()));
  const std::uint64_t revision = found ? found->mod : 0;
  if (authority != nullptr) authority->revision = revision;
  {
    MutexLock lock(mutex_);
    if (newest_ && first_ <= revision && revision <= last_) return newest_;
  }
  VAULT_TRY_ASSIGN(const auto mounts_found, txn.snapshot().get(mounts_key().view()));
  const std::uint64_t mounts = mounts_found ? mounts_found->mod : 0;
  std::shared_ptr<const Compiled> before;
  {
    MutexLock lock(mutex_);
    if (newest_ && newest_->mounts_mod == mounts) {
      first_ = std::min(first_, revision);
      last_ = std::max(last_, revision);
      return newest_;
    }
    before = newest_;
  }
  VAULT_TRY_ASSIGN(auto made, compile(txn, before.get(), mounts));
  MutexLock lock(mutex_);
  if (newest_ && newest_->mounts_mod >= mounts && last_ >= revision) return made;
  newest_ = made;
  first_ = last_ = revision;
  if (asked_ != nullptr) asked_->ask_for(made->audited_headers.names());
  return made;
}

Result<std::shared_ptr<const Compiled>> Mounts::compile(ReadTxn& txn, const Compiled* before,
                                                        std::uint64_t mounts) {
  auto compiled = std::make_shared<Compiled>();
  compiled->mounts_mod = mounts;
  ReadTxn core = txn.in(barrier::kCoreSpace);
  VAULT_TRY(compile_mounts(core, before, *compiled));
  VAULT_TRY_ASSIGN(compiled->audited_headers, AuditedHeaders::read(core));
  VAULT_TRY_ASSIGN(compiled->rate_limits,
                   RateLimits::read(core, before ? before->rate_limits : nullptr));
  VAULT_TRY_ASSIGN(const auto from, core.get(kBatchTokensFrom));
  if (from && from->value.size() == 8)
    compiled->batch_tokens_from.ns =
        static_cast<std::int64_t>(get_be(from->value.reveal().data(), 8));
  return std::shared_ptr<const Compiled>(compiled);
}

// By the values, each of which repeats its name: so a damaged name record hides nothing. A mount
// whose record did not change is taken over as it is.
Status Mounts::compile_mounts(ReadTxn& txn, const Compiled* before, Compiled& into) {
  const PhysicalKey prefix = txn.barrier().directory_prefix(txn.space(), kMounts, Table::value);
  const auto take = [&](const storage::Entry& entry) {
    auto known = before ? before->mounts.made_from(entry.key, entry.mod) : nullptr;
    if (known != nullptr) {
      into.mounts.add(std::move(known));
      return true;
    }
    const PhysicalKey key = PhysicalKey::from(entry.key);
    auto record = opened(txn.barrier(), key, entry);
    auto mount = record ? mount_of(std::move(*record)) : nullptr;
    if (mount == nullptr) {
      report_damaged(hex(entry.key), entry.mod,
                     "a mount record is damaged: what it held cannot be reached until it is "
                     "restored; run `leasehold operator verify`");
      return true;
    }
    mount->stored_at = key;
    mount->mod = entry.mod;
    into.mounts.add(std::move(mount));
    return true;
  };
  VAULT_TRY(txn.scan(prefix, prefix.end_of_prefix(), SIZE_MAX, storage::Scan::values, take));
  for (const SystemMount& needed : kSystemMounts) {  // without these nobody could mend anything
    if (into.mounts.at(needed.path) != nullptr) continue;
    NoRandom none;
    into.mounts.add(mount_of(new_mount(none, needed.path, needed.type, needed.description)));
  }
  return {};
}

// Null: not the record of a mount.
std::shared_ptr<Mount> Mounts::mount_of(Json record) {
  auto mount = std::make_shared<Mount>();
  MountInfo& info = mount->info;
  info.path = record.string_at("path");
  info.type = record.string_at("type");
  info.accessor = record.string_at("accessor");
  info.uuid = record.string_at("uuid");
  info.description = record.string_at("description");
  const auto space = array_from_hex<barrier::Space>(record.string_at("space"));
  const Json* config = record.find("config");
  if (!space || info.path.empty() || config == nullptr) return nullptr;
  info.space = *space;
  if (const Json* options = record.find("options")) info.options = *options;
  const std::int64_t ttl = config->integer_at("default_lease_ttl");
  const std::int64_t max = config->integer_at("max_lease_ttl");
  info.max_ttl = max > 0 ? Seconds{max} : defaults_.max_ttl;
  info.default_ttl = std::min(ttl > 0 ? Seconds{ttl} : defaults_.default_ttl, info.max_ttl);
  info.token_type = config->string_at("token_type");
  mount->tainted = record.bool_at("tainted");
  mount->kind = kind_of(info);
  mount->record = std::move(record);
  return mount;
}

const EngineKind* Mounts::kind_of(const MountInfo& info) const {
  const EngineKind* found =
      kind(info.type, info.options.is_object() ? info.options.string_at("version") : "");
  if (found != nullptr && found->is_auth == is_auth_path(info.path)) return found;
  log_.warn("mount {} has the type {}, which this build does not have", info.path, info.type);
  return nullptr;
}

void Mounts::report_damaged(const std::string& record, std::uint64_t mod, std::string_view what) {
  MutexLock lock(mutex_);
  const auto known = reported_.find(record);
  if (known != reported_.end() && known->second == mod) return;
  reported_[record] = mod;
  log_.error("{}", what);
}

Json Mounts::new_mount(Random& random, std::string_view path, std::string_view type,
                       std::string_view description) {
  const auto accessor = random.take<4>();
  const auto space = random.take<barrier::kSpaceSize>();
  Json record = Json::object();
  const bool is_auth = is_auth_path(path);
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

Status Mounts::put_mount(WriteTxn& txn, const Json& record) {
  WriteTxn core = txn.in(barrier::kCoreSpace);
  VAULT_TRY(core.put(std::string(kMounts) + record.string_at("uuid"), as_bytes(record.dump())));
  return bump_mounts(txn);
}

Status Mounts::erase_mount(WriteTxn& txn, const Mount& mount) {
  WriteTxn core = txn.in(barrier::kCoreSpace);
  VAULT_TRY(core.erase(std::string(kMounts) + mount.info.uuid));
  return bump_mounts(txn);
}

Status Mounts::end_batch_tokens(WriteTxn& core, WallTime now) {
  std::uint8_t bytes[8];
  put_be(bytes, static_cast<std::uint64_t>(now.ns), 8);
  VAULT_TRY(core.put(kBatchTokensFrom, bytes));
  return bump_mounts(core);
}

Status Mounts::write_initial(WriteTxn& txn, Random& random, int dev_kv_version) {
  for (const SystemMount& mount : kSystemMounts)
    VAULT_TRY(put_mount(txn, new_mount(random, mount.path, mount.type, mount.description)));
  if (dev_kv_version == 0) return {};
  Json secret = new_mount(random, "secret/", "kv", "key/value secret storage");
  Json options = Json::object();
  options.set("version", std::to_string(dev_kv_version));
  secret.set("options", std::move(options));
  return put_mount(txn, secret);
}

}  // namespace leasehold::core
