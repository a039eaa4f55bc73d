#include "vault/core/sys/metrics.h"

#include "vault/core/sys/system.h"
#include "vault/core/sys/usage.h"

namespace leasehold::core {

namespace {

using Labels = MetricsPage::Labels;

double as_number(std::int64_t count) { return static_cast<double>(count); }

// As Vault labels what belongs to a cluster, or to a namespace of it.
Labels labels(const Unsealed& live, Labels more = {}) {
  more.emplace(more.begin(), "cluster", live.identity.cluster_name);
  return more;
}
Labels of_root(const Unsealed& live, Labels more = {}) {
  more.emplace(more.begin(), "namespace", "root");
  return labels(live, std::move(more));
}

void add_state(MetricsPage& page, Unsealed& live) {
  page.gauge("vault.core.unsealed", "1: the vault is open.", 1, labels(live));
  page.gauge("vault.core.active", "1: this node is the active one.", 1, labels(live));
  for (const seal::SlotStatus& slot : live.environment.seal->status().slots) {
    const bool works =
        slot.state == seal::DeviceState::ok || slot.state == seal::DeviceState::degraded;
    page.gauge("leasehold.seal.slot_healthy", "1: this way into the vault works.", works ? 1 : 0,
               {{"slot", slot.id}, {"kind", slot.kind}});
  }
  page.gauge("leasehold.audit.records", "0: no audit device can record.",
             live.audit->can_record() ? 1 : 0);
  const auto seq = live.audit->position().seq, synced = live.audit->synced().last.seq;
  page.gauge("leasehold.audit.unsynced_lines",
             "Lines of the audit log that are not known to be on a disk.",
             seq > synced ? as_number(static_cast<std::int64_t>(seq - synced)) : 0);
  page.gauge("leasehold.storage.works", "0: something stops writes.",
             live.environment.storage.trouble().empty() ? 1 : 0);
  page.gauge("leasehold.commit.last_index", "The number of the last commit.",
             static_cast<double>(live.committer.head().index));
  page.gauge("leasehold.lane.open", "Targets that have threads of their own.",
             static_cast<double>(live.revoker->lanes()));
  page.gauge("leasehold.lane.stopping",
             "Targets of removed mounts whose threads have not ended yet.",
             static_cast<double>(live.revoker->stopping_lanes()));
}

void add_mounts(MetricsPage& page, const MountTable& mounts) {
  double secret = 0, auth = 0;
  for (const auto& entry : mounts.all()) ++(is_auth_path(entry.first) ? auth : secret);
  constexpr const char* kName = "vault.core.mount_table.num_entries";
  constexpr const char* kHelp = "How much is mounted.";
  page.gauge(kName, kHelp, secret, {{"type", "logical"}, {"local", "false"}});
  page.gauge(kName, kHelp, auth, {{"type", "auth"}, {"local", "false"}});
}

void add_usage(MetricsPage& page, const Unsealed& live, const Usage& usage) {
  page.gauge("vault.expire.num_leases", "Leases and tokens that have an end.",
             as_number(usage.expiring));
  constexpr const char* kOverdue =
      "Leases that ended a minute ago, and whose account is not seen gone yet.";
  page.gauge("vault.expire.num_irrevocable_leases", kOverdue, as_number(usage.overdue));
  page.gauge("leasehold.lease.irrevocable", kOverdue, as_number(usage.overdue));
  page.gauge("leasehold.lease.stored", "Leases of secrets.", as_number(usage.leases));
  page.gauge("vault.token.count", "Tokens.", as_number(usage.tokens), of_root(live));
  page.gauge("vault.identity.num_entities", "Entities.", as_number(usage.entities));
  page.gauge("vault.identity.entity.count", "Entities.", as_number(usage.entities), of_root(live));
  for (const auto& one : usage.secrets)
    page.gauge("vault.secret.kv.count", "Secrets in a key/value mount.", as_number(one.second),
               of_root(live, {{"mount_point", one.first}}));
  for (const auto& one : usage.by_policy)
    page.gauge("vault.token.count.by_policy", "Tokens with a policy.", as_number(one.second),
               of_root(live, {{"policy", one.first}}));
  for (const auto& one : usage.by_auth)
    page.gauge("vault.token.count.by_auth", "Tokens by the method that made them.",
               as_number(one.second), of_root(live, {{"auth_method", one.first}}));
  for (const auto& one : usage.by_ttl)
    page.gauge("vault.token.count.by_ttl", "Tokens by how long they were made for.",
               as_number(one.second), of_root(live, {{"creation_ttl", one.first}}));
}

Status add_all(MetricsPage& page, Unsealed& live) {
  VAULT_TRY_ASSIGN(const auto usage, usage_of(live));
  VAULT_TRY_ASSIGN(auto held, live.snapshots.take());
  ReadTxn txn(*held, live.barrier, barrier::kCoreSpace);
  VAULT_TRY_ASSIGN(const auto compiled, live.mounts.at(txn));
  add_state(page, live);
  add_counted_metrics(page);
  add_mounts(page, compiled->mounts);
  add_usage(page, live, *usage);
  add_process_metrics(page);
  return {};
}

}  // namespace

Result<Response> show_metrics(Unsealed* live, std::string_view format, WallTime now) {
  if (!format.empty() && format != "prometheus")
    return failure(Code::invalid, "metric response format \"" + std::string(format) +
                                      "\" unknown: it is prometheus, or left out for JSON");
  MetricsPage page;
  if (live != nullptr) {
    VAULT_TRY(add_all(page, *live));
  } else {
    page.gauge("vault.core.unsealed", "1: the vault is open.", 0);
    page.gauge("vault.core.active", "1: this node is the active one.", 0);
    add_counted_metrics(page);
    add_process_metrics(page);
  }
  Response response;
  response.status = 200;
  response.form = Response::Form::raw;
  response.content_type = format.empty() ? "application/json" : kPrometheusText;
  const std::string text = format.empty() ? page.json(now).dump() : page.prometheus();
  response.data = SecretBytes(std::string_view(text));
  return response;
}

void add_metrics_routes(std::vector<Route>& routes, Unsealed& live) {
  const auto shows = [&live, kept = keep_usage(live)](Call& call, ReadTxn&) {
    return show_metrics(&live, call.fields.text("format"), call.now);
  };
  routes.push_back(
      route("metrics",
            {{"format", FieldType::text, {}, "prometheus for its text format; left out: JSON."}},
            {reads(shows, Place::lists)}, "What the vault counts, for a monitoring system"));
}

}  // namespace leasehold::core
