// sys/jobs: work that goes on behind the answer that began it: removing mounts, revoking many. Each
// job is a durable record and goes on after any crash; it is not found any more once it is done. A
// part of a job is one batch, so none holds up other writers. What was revoked or removed cannot be
// called back, so a job cannot be cancelled.

#include <algorithm>

#include "vault/base/encoding.h"
#include "vault/core/sys/system.h"

namespace leasehold::core {

namespace {

using barrier::PhysicalKey;
using barrier::Table;

constexpr std::size_t kListedMax = 10'000;
constexpr std::int64_t kEntriesMax = 1'000'000;  // of a removed mount: counted for an answer
constexpr std::size_t kLeasesMax = 10'000;       // of a prefix: looked at for an answer

// What is left of it, counted up to a bound.
struct Left {
  std::int64_t count = 0;
  bool more = false;
};

void set_progress(Json& job, std::int64_t done, const Left& left) {
  job.set("done", done).set("total", done + left.count).set("total_is_minimum", left.more);
}

class SysJobs {
 public:
  explicit SysJobs(Unsealed& live) : live_(live) {}
  Result<Response> list(const Page& page, ReadTxn& txn);
  Result<Response> read(const std::string& id, ReadTxn& txn);

 private:
  Result<std::optional<Json>> removal(const std::string& id, ReadTxn& txn);
  Result<std::optional<Json>> revocation(const std::string& id, ReadTxn& txn);
  Result<Left> entries_of(const barrier::Space& space, ReadTxn& txn) const;
  Result<Left> leases_of(const PhysicalKey& key, const LeaseJob& job, ReadTxn& txn) const;
  Unsealed& live_;
};

Json head_of(const std::string& id, const char* kind, const std::string& path) {
  Json job = Json::object();
  job.set("id", id).set("kind", kind).set("path", path);
  for (const char* later : {"state", "started_at", "started_by", "done", "total"})
    job.set(later, nullptr);
  return job;
}

const char* kind_of(const LeaseJob& job) {
  if (!job.mount_accessor.empty()) return "revoke-logins";
  return job.force ? "revoke-force" : "revoke-prefix";
}

Result<Response> SysJobs::list(const Page& page, ReadTxn& txn) {
  VAULT_TRY_ASSIGN(const auto compiled, live_.mounts.at(txn));
  std::vector<std::string> ids;
  for (const auto& mount : compiled->mounts.removing()) ids.push_back(mount->info.uuid);
  const PhysicalKey all(Table::job);
  VAULT_TRY(txn.scan(all, all.end_of_prefix(), kListedMax, storage::Scan::keys,
                     [&ids](const storage::Entry& entry) {
                       ids.push_back(hex(ByteView(entry.key).subspan(1)));
                       return true;
                     }));
  std::sort(ids.begin(), ids.end());
  return Response::keys(part_of(std::move(ids), page));
}

Result<Response> SysJobs::read(const std::string& id, ReadTxn& txn) {
  VAULT_TRY_ASSIGN(auto job, removal(id, txn));
  if (!job) {
    VAULT_TRY_ASSIGN(job, revocation(id, txn));
  }
  if (!job) return Response::refused(404, "");  // done, or there was none
  return Response::of(*job);
}

Result<std::optional<Json>> SysJobs::removal(const std::string& id, ReadTxn& txn) {
  VAULT_TRY_ASSIGN(const auto compiled, live_.mounts.at(txn));
  for (const auto& mount : compiled->mounts.removing()) {
    if (mount->info.uuid != id) continue;
    Json job = head_of(id, "remove-mount", mount->info.path);
    const auto leases = live_.revoker->leases_left(mount->info.space);
    VAULT_TRY_ASSIGN(const std::int64_t done, txn.counter(done_counter(id)));
    VAULT_TRY_ASSIGN(const Left left, entries_of(mount->info.space, txn));
    job.set("state", leases.value_or(1) > 0 ? "ending leases" : "erasing");
    if (leases) job.set("leases_left", static_cast<std::int64_t>(*leases));
    if (const std::int64_t at = mount->record.integer_at("removed_at"); at != 0)
      job.set("started_at", rfc3339(WallTime{at}));
    if (const std::string by = mount->record.string_at("removed_by"); !by.empty())
      job.set("started_by", by);
    set_progress(job, done, left);
    return std::optional<Json>(std::move(job));
  }
  return std::optional<Json>();
}

Result<Left> SysJobs::entries_of(const barrier::Space& space, ReadTxn& txn) const {
  Left left;
  for (const Table table : {Table::value, Table::name, Table::counter}) {
    PhysicalKey from(table);
    from.push(space);
    VAULT_TRY(txn.scan(from, from.end_of_prefix(), SIZE_MAX, storage::Scan::keys,
                       [&left](const storage::Entry&) {
                         left.more = left.count == kEntriesMax;
                         left.count += left.more ? 0 : 1;
                         return !left.more;
                       }));
  }
  return left;
}

Result<std::optional<Json>> SysJobs::revocation(const std::string& id, ReadTxn& txn) {
  PhysicalKey key(Table::job);
  const auto behind_table = from_hex(id);
  if (!behind_table || behind_table->size() + key.view().size() > PhysicalKey::kMax)
    return std::optional<Json>();
  key.push(*behind_table);
  if (!barrier::is_well_formed(key.view())) return std::optional<Json>();
  VAULT_TRY_ASSIGN(const auto raw, txn.snapshot().get(key.view()));
  if (!raw) return std::optional<Json>();
  Json one = head_of(id, "sweep-token", "");
  one.set("state", "ending what hangs below a revoked token")
      .set("started_at", rfc3339(asked_at(key)));
  if (raw->value.empty())  // a bare mark
    return std::optional<Json>(std::move(one));
  VAULT_TRY_ASSIGN(const auto stored, txn.get(key));
  if (!stored) return std::optional<Json>();
  VAULT_TRY_ASSIGN(const LeaseJob job, Leases::job_of(stored->value.reveal()));
  one = head_of(id, kind_of(job), job.prefix);
  one.set("state", "revoking").set("started_at", rfc3339(asked_at(key)));
  if (!job.asked_by.empty()) one.set("started_by", job.asked_by);
  VAULT_TRY_ASSIGN(const std::int64_t done, txn.counter(done_counter(key)));
  one.set("done", done);
  if (!job.mount_accessor.empty()) return std::optional<Json>(std::move(one));
  VAULT_TRY_ASSIGN(const Left left, leases_of(key, job, txn));
  set_progress(one, done, left);
  return std::optional<Json>(std::move(one));
}

Result<Left> SysJobs::leases_of(const PhysicalKey& key, const LeaseJob& job, ReadTxn& txn) const {
  VAULT_TRY_ASSIGN(const auto below,
                   live_.leases.below(txn, job.prefix, kLeasesMax, asked_at(key)));
  return Left{static_cast<std::int64_t>(below.size()), below.size() == kLeasesMax};
}

}  // namespace

void add_job_routes(std::vector<Route>& routes, Unsealed& live) {
  const auto jobs = std::make_shared<SysJobs>(live);  // shared by the handlers, which outlive this
  Route all =
      route("jobs", page_fields(), {lists([jobs](Call& call, ReadTxn& txn) -> Result<Response> {
              VAULT_TRY_ASSIGN(const Page page, page_of(call.request.body));
              ReadTxn core = txn.in(barrier::kCoreSpace);
              return jobs->list(page, core);
            })},
            "Lists the work that goes on in the background");
  all.description =
      "The removal of a mount, revocations below a prefix or a removed auth method, the sweep "
      "below "
      "a revoked token. Each goes on after a crash, and is gone from the list once it is done.";
  all.sudo = true;
  routes.push_back(std::move(all));
  Route one = route("jobs/:id", {{"id"}},
                    {reads(
                        [jobs](Call& call, ReadTxn& txn) {
                          ReadTxn core = txn.in(barrier::kCoreSpace);
                          return jobs->read(call.fields.text("id"), core);
                        },
                        Place::lists)},
                    "Shows how far a job is");
  one.description =
      "`done` of `total`: stored entries of a removed mount (some two for each secret), or leases. "
      "404: it is done. A job cannot be cancelled: what it ended cannot be called back.";
  one.sudo = true;
  routes.push_back(std::move(one));
}

}  // namespace leasehold::core
