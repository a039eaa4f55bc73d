#include "vault/core/leases/leases.h"

#include <algorithm>

#include "vault/base/encoding.h"
#include "vault/base/metrics.h"
#include "vault/core/authority/indexes.h"
#include "vault/core/contract/codec.h"

namespace leasehold::core {

using barrier::OrderedId;
using barrier::PhysicalKey;
using barrier::Table;

namespace {

constexpr std::uint8_t kLeaseVersion = 1;
constexpr std::uint8_t kJobMount = 1 | kCritical;  // a field of a job
constexpr std::uint8_t kJobAskedBy = 2;
constexpr std::uint8_t kJobPartOf = 3;
constexpr std::uint8_t kJobVersion = 1;
// Fields. The handle is critical: a reader that ignored it would look by name, and take a renamed
// account for a gone one.
constexpr std::uint8_t kHandleTag = kCritical | 1;
constexpr std::uint8_t kWasActiveTag = 2;
constexpr std::uint8_t kBatchEndsTag = 3, kBatchMountTag = 4;
constexpr std::size_t kLeafBytes = 18;  // be48 ms | 96 random bits
// As long as Vault's. Of the 25 digits that any 18 bytes take the first is 0 for the next 4,000
// years: it is left out, and read in the ids of earlier versions.
constexpr std::size_t kLeafDigits = 24;

std::string_view leaf_of(std::string_view lease_id) {
  return lease_id.substr(std::min(lease_id.size(), lease_id.rfind('/') + 1));
}

Encoder encode(const Lease& lease) {
  Encoder out(kLeaseVersion);
  const std::uint8_t state = static_cast<std::uint8_t>(lease.state);
  out.fixed(ByteView(&state, 1)).text(lease.lease_id).fixed(lease.target).fixed(lease.space);
  out.text(lease.account).text(lease.role).text(lease.renewal_json);
  out.texts(lease.revocation_statements).number(lease.issued.ns).number(lease.expires.ns);
  out.flag(lease.last_renewal.has_value());
  out.number(lease.last_renewal ? lease.last_renewal->ns : std::int64_t{0});
  out.number(lease.due_since.ns).number(lease.ttl.count()).number(lease.max_ttl.count());
  out.flag(lease.renewable).flag(lease.probe).flag(lease.uncertain).fixed(lease.owner);
  out.text(lease.owner_accessor).text(lease.request_id).fixed(lease.incarnation);
  if (!lease.handle.empty()) out.field(kHandleTag, lease.handle);
  if (lease.was_active) out.field(kWasActiveTag, std::uint64_t{1});
  if (lease.batch_ends) out.field(kBatchEndsTag, static_cast<std::uint64_t>(lease.batch_ends->ns));
  if (!lease.batch_mount.empty()) out.field(kBatchMountTag, lease.batch_mount);
  out.fixed(lease.unknown);
  return out;
}

Result<Lease> decode(ByteView bytes) {
  Decoder in(bytes, kLeaseVersion);
  Lease lease;
  std::uint8_t state = 0;
  in.fixed(std::span(&state, 1));
  lease.state = static_cast<Lease::State>(state);
  lease.lease_id = in.text();
  in.fixed(lease.target);
  in.fixed(lease.space);
  lease.account = in.text();
  lease.role = in.text();
  lease.renewal_json = in.text();
  lease.revocation_statements = in.texts();
  lease.issued.ns = in.integer();
  lease.expires.ns = in.integer();
  const bool renewed = in.flag();
  const WallTime last{in.integer()};
  if (renewed) lease.last_renewal = last;
  lease.due_since.ns = in.integer();
  lease.ttl = Seconds{in.integer()};
  lease.max_ttl = Seconds{in.integer()};
  lease.renewable = in.flag();
  lease.probe = in.flag();
  lease.uncertain = in.flag();
  in.fixed(lease.owner);
  lease.owner_accessor = in.text();
  lease.request_id = in.text();
  in.fixed(lease.incarnation);
  for (auto field = in.field(); field; field = in.field()) switch (field->tag) {
      case kHandleTag:
        lease.handle = as_text(field->bytes);
        break;
      case kWasActiveTag:
        lease.was_active = field->number() != 0;
        break;
      case kBatchEndsTag:
        lease.batch_ends = WallTime{static_cast<std::int64_t>(field->number())};
        break;
      case kBatchMountTag:
        lease.batch_mount = as_text(field->bytes);
        break;
      default:
        in.keep(*field, lease.unknown);
    }
  if (!in.whole())
    return failure(Code::internal, "internal error",
                   "a lease record is damaged, or of a later version");
  return lease;
}

Json receipt_of(const Lease& lease, WallTime now) {
  Json receipt = Json::object();
  receipt.set("lease_id", lease.lease_id).set("account", lease.account);
  receipt.set("target", hex(lease.target)).set("issued", rfc3339(lease.issued));
  receipt.set("expired", rfc3339(lease.expires)).set("revoked", rfc3339(now));
  receipt.set("owner_accessor", lease.owner_accessor).set("request_id", lease.request_id);
  return receipt;
}

std::string directory_marker(const Lease& lease) {
  return std::string(kLeasePaths) + lease.path() + "/.";
}

}  // namespace

std::string Lease::path() const { return lease_id.substr(0, lease_id.rfind('/')); }

PhysicalKey lease_key(const OrderedId& id) {
  PhysicalKey key(Table::lease);
  key.push(id);
  return key;
}
PhysicalKey due_prefix(const TargetId& target) {
  PhysicalKey key(Table::due);
  key.push(target);
  return key;
}
PhysicalKey due_key(const TargetId& target, WallTime when, const OrderedId& id) {
  PhysicalKey key = due_prefix(target);
  key.push_be(static_cast<std::uint64_t>(when.millis()), barrier::kMillisSize);
  key.push(id);
  return key;
}

PhysicalKey Leases::path_key(std::string_view path) const {
  PhysicalKey key(Table::lease_path);
  key.push(barrier_.id_hash("lease path", as_bytes(path)));
  return key;
}

PhysicalKey Leases::listed_key(const Lease& lease) const {
  PhysicalKey key = path_key(lease.path());
  key.push(lease.id);
  return key;
}

void Leases::name(Lease& lease, std::string_view path, WallTime now, Random& random) const {
  std::array<std::uint8_t, kLeafBytes> leaf;
  random.fill(leaf);
  put_be(leaf.data(), static_cast<std::uint64_t>(now.millis()), barrier::kMillisSize);
  lease.lease_id = std::string(path) + "/" + base62(leaf, kLeafDigits);
  lease.id = *id_of(lease.lease_id);
}

std::optional<OrderedId> Leases::id_of(std::string_view lease_id) const {
  const std::string_view digits = leaf_of(lease_id);
  const bool now = digits.size() == kLeafDigits;
  const bool earlier = digits.size() == kLeafDigits + 1 && digits.front() == '0';
  if (digits.size() == lease_id.size() || (!now && !earlier)) return std::nullopt;
  const auto leaf = from_base62(digits, kLeafBytes);
  if (!leaf) return std::nullopt;
  OrderedId id{};
  std::copy_n(leaf->begin(), barrier::kMillisSize, id.begin());
  const auto hash = barrier_.id_hash("lease", as_bytes(lease_id));
  std::copy(hash.begin(), hash.end(), id.begin() + barrier::kMillisSize);
  return id;
}

Result<std::optional<Lease>> Leases::load(ReadTxn& txn, const OrderedId& id) const {
  VAULT_TRY_ASSIGN(const auto record, txn.get(lease_key(id)));
  if (!record) return std::optional<Lease>();
  VAULT_TRY_ASSIGN(Lease lease, decode(record->value.reveal()));
  lease.id = id;
  lease.mod = record->mod;
  return std::optional<Lease>(std::move(lease));
}

Result<std::optional<Lease>> Leases::find(ReadTxn& txn, std::string_view lease_id) const {
  const auto id = id_of(lease_id);
  if (!id) return std::optional<Lease>();
  VAULT_TRY_ASSIGN(auto lease, load(txn, *id));
  if (lease && (lease->lease_id != lease_id || lease->probe)) lease.reset();
  return lease;
}

Status Leases::write(WriteTxn& txn, const Lease& lease) const {
  if (lease.mod != 0) txn.guard(lease_key(lease.id), lease.mod);
  return txn.put(lease_key(lease.id), "", encode(lease).bytes());
}

Status Leases::write_pending(WriteTxn& txn, Lease& lease) const {
  const metrics::Stopwatch watch(metrics::Timer::expire_register);
  metrics::count(metrics::Counter::lease_creation);
  txn.guard(lease_key(lease.id), 0);
  VAULT_TRY(write(txn, lease));
  VAULT_TRY(txn.mark(expiry_key(lease.expires, Table::lease, lease.id)));
  VAULT_TRY(txn.mark(owner_key(lease.owner, lease.id)));
  VAULT_TRY(txn.mark(listed_key(lease)));
  // The directory, for LIST: written once per path; the last of its leases takes it along.
  WriteTxn core = txn.in(barrier::kCoreSpace);
  const std::string marker = directory_marker(lease);
  VAULT_TRY_ASSIGN(const std::uint64_t known, core.version(marker));
  return known != 0 ? Status() : core.put(marker, {});
}

// One that is being made there meanwhile wins: it guards the marker, and its mark stands in the
// range that must be empty.
Status Leases::erase_directory_if_last(WriteTxn& txn, const Lease& lease) const {
  const PhysicalKey from = path_key(lease.path()), end = from.end_of_prefix();
  bool others = false;
  VAULT_TRY(txn.scan(from, end, 1, storage::Scan::keys, [&others](const storage::Entry&) {
    others = true;
    return false;
  }));
  if (others) return {};
  txn.changes().storage.guard_empty(from.view(), end.view());
  return txn.in(barrier::kCoreSpace).erase(directory_marker(lease));
}

Status Leases::write_revoking(WriteTxn& txn, Lease& lease, WallTime now) const {
  lease.state = Lease::State::revoking;
  lease.issued = lease.expires = lease.due_since = now;
  lease.renewable = false;
  txn.guard(lease_key(lease.id), 0);
  VAULT_TRY(write(txn, lease));
  return txn.mark(due_key(lease.target, now, lease.id));
}

Status Leases::activate(WriteTxn& txn, Lease& lease, WallTime expires) const {
  const WallTime before = lease.expires;
  lease.state = Lease::State::active;
  lease.expires = expires;
  VAULT_TRY(write(txn, lease));
  return move_expiry(txn, Table::lease, lease.id, before, expires);
}

Status Leases::renew(WriteTxn& txn, Lease& lease, WallTime expires, WallTime now) const {
  const metrics::Stopwatch watch(metrics::Timer::expire_renew);
  const WallTime before = lease.expires;
  lease.expires = expires;
  lease.last_renewal = now;
  VAULT_TRY(write(txn, lease));
  return move_expiry(txn, Table::lease, lease.id, before, expires);
}

Status Leases::start_revoking(WriteTxn& txn, Lease& lease, WallTime now) const {
  if (lease.state == Lease::State::revoking) return {};
  const metrics::Stopwatch watch(metrics::Timer::expire_revoke);
  // A PENDING lease that is cut short: its CREATE may be on its way.
  lease.uncertain = lease.uncertain || lease.state == Lease::State::pending;
  lease.was_active = lease.state == Lease::State::active;
  lease.state = Lease::State::revoking;
  lease.due_since = now;
  lease.renewal_json.clear();  // it is renewed no more
  VAULT_TRY(write(txn, lease));
  VAULT_TRY(txn.erase(expiry_key(lease.expires, Table::lease, lease.id)));
  VAULT_TRY(txn.erase(owner_key(lease.owner, lease.id)));
  // Listed no more; so what looks for leases to revoke does not walk over these again.
  VAULT_TRY(txn.erase(listed_key(lease)));
  return txn.mark(due_key(lease.target, lease.due_since, lease.id));
}

WallTime asked_at(const PhysicalKey& job) {
  const std::uint64_t millis = get_be(job.view().data() + 1, barrier::kMillisSize);
  return WallTime{static_cast<std::int64_t>(millis) * 1'000'000};
}

std::string done_counter(const PhysicalKey& job) { return "jobs/" + hex(job.view()); }

std::string done_counter(std::string_view mount_uuid) { return "jobs/" + std::string(mount_uuid); }

Result<PhysicalKey> Leases::queue(WriteTxn& txn, const LeaseJob& job, WallTime now,
                                  Random& random) const {
  const PhysicalKey key = job_key(now, random.take<sizeof(OrderedId)>());
  Encoder out(kJobVersion);
  out.text(job.prefix).flag(job.force);
  if (!job.mount_accessor.empty()) out.field(kJobMount, job.mount_accessor);
  if (!job.asked_by.empty()) out.field(kJobAskedBy, job.asked_by);
  if (!job.part_of.empty()) out.field(kJobPartOf, job.part_of);
  VAULT_TRY(txn.put(key, "", out.bytes()));
  return key;
}

Result<LeaseJob> Leases::job_of(ByteView stored) {
  Decoder in(stored, kJobVersion);
  LeaseJob job;
  job.prefix = in.text();
  job.force = in.flag();
  for (auto field = in.field(); field; field = in.field()) {
    if (field->tag == kJobMount) job.mount_accessor = as_text(field->bytes);
    if (field->tag == kJobAskedBy) job.asked_by = as_text(field->bytes);
    if (field->tag == kJobPartOf) job.part_of = as_text(field->bytes);
  }
  if (!in.whole()) return failure(Code::internal, "internal error", "a job record is damaged");
  return job;
}

Status Leases::look_again(WriteTxn& txn, Lease& lease, WallTime when) const {
  const WallTime before = lease.due_since;
  lease.uncertain = false;
  lease.due_since = when;
  VAULT_TRY(write(txn, lease));
  if (before.millis() == when.millis()) return {};
  VAULT_TRY(txn.erase(due_key(lease.target, before, lease.id)));
  return txn.mark(due_key(lease.target, when, lease.id));
}

Status Leases::erase(WriteTxn& txn, const Lease& lease) const {
  txn.guard(lease_key(lease.id), lease.mod);
  VAULT_TRY(txn.erase(lease_key(lease.id)));
  if (lease.state == Lease::State::revoking) {
    VAULT_TRY(erase_directory_if_last(txn, lease));
    return txn.erase(due_key(lease.target, lease.due_since, lease.id));
  }
  VAULT_TRY(txn.erase(expiry_key(lease.expires, Table::lease, lease.id)));
  VAULT_TRY(txn.erase(owner_key(lease.owner, lease.id)));
  return txn.erase(listed_key(lease));
}

Status Leases::write_receipt(WriteTxn& txn, const Lease& lease, std::string_view json,
                             WallTime now) const {
  OrderedId receipt = lease.id;
  put_be(receipt.data(), static_cast<std::uint64_t>(now.millis()), barrier::kMillisSize);
  PhysicalKey key(Table::receipt);
  key.push(receipt);
  return txn.put(key, lease.lease_id, as_bytes(json));
}

void note(Json& fields, Absence absence) {
  if (absence == Absence::expected) return;
  fields.set("account_missing", true);
  if (absence == Absence::missing_or_ours) fields.set("began_before_restart", true);
}

void note(Json& fields, const target::Revoked& revoked, Absence absence) {
  note(fields, absence);
  if (!revoked.renamed.empty()) fields.set("renamed_to", revoked.renamed);
  if (revoked.standbys > 0) fields.set("standbys", static_cast<std::int64_t>(revoked.standbys));
}

Status Leases::finish(WriteTxn& txn, const Lease& lease, const target::Revoked& revoked,
                      WallTime now, Absence absence) const {
  VAULT_TRY(erase(txn, lease));
  metrics::count(metrics::Counter::lease_ended);
  if (lease.probe) return {};
  Json receipt = receipt_of(lease, now);
  receipt.set("verified_absent", rfc3339(revoked.verified_at));
  receipt.set("was_absent", revoked.was_absent);
  receipt.set("sessions_ended", static_cast<std::int64_t>(revoked.sessions_ended));
  note(receipt, revoked, absence);
  return write_receipt(txn, lease, receipt.dump(), now);
}

Status Leases::forget(WriteTxn& txn, const Lease& lease, WallTime now) const {
  VAULT_TRY(erase(txn, lease));
  Json receipt = receipt_of(lease, now);
  receipt.set("verified_absent", nullptr).set("forgotten", true);
  return write_receipt(txn, lease, receipt.dump(), now);
}

}  // namespace leasehold::core
