// What vault/base/metrics.h counts, under the names that dashboards know.

#include "vault/base/mutex.h"
#include "vault/core/sys/metrics.h"

namespace leasehold::core {

namespace {

using metrics::Counter;
using metrics::Timer;

struct TimerName {
  Timer timer;
  const char *name, *help;
};
constexpr TimerName kTimers[] = {
    {Timer::handle_request, "vault.core.handle_request", "Requests, logins left out."},
    {Timer::handle_login_request, "vault.core.handle_login_request", "Logins."},
    {Timer::barrier_get, "vault.barrier.get", "Records that were read."},
    {Timer::barrier_put, "vault.barrier.put", "Records that were written, with their commit."},
    {Timer::barrier_delete, "vault.barrier.delete", "Records that were erased, with their commit."},
    {Timer::barrier_list, "vault.barrier.list", "Directories that were listed."},
    {Timer::policy_get, "vault.policy.get_policy", "Policies that a request was judged by."},
    {Timer::policy_set, "vault.policy.set_policy", "Policies that were written."},
    {Timer::policy_delete, "vault.policy.delete_policy", "Policies that were deleted."},
    {Timer::token_lookup, "vault.token.lookup", "Tokens that were presented."},
    {Timer::token_create, "vault.token.create", "Tokens that were made."},
    {Timer::token_store, "vault.token.store", "Records of tokens that were written."},
    {Timer::token_revoke, "vault.token.revoke", "Tokens that ended or were revoked."},
    {Timer::expire_register, "vault.expire.register", "Leases that were made."},
    {Timer::expire_renew, "vault.expire.renew", "Leases that were renewed."},
    {Timer::expire_revoke, "vault.expire.revoke", "Leases that began to end."},
    {Timer::audit_log_request, "vault.audit.log_request", "Requests that were recorded."},
    {Timer::audit_log_response, "vault.audit.log_response", "Answers that were recorded."},
    {Timer::commit_group, "leasehold.commit.group", "Commits, each of many changes."},
};
static_assert(std::size(kTimers) == metrics::kTimers, "every timer has a name");

struct CounterName {
  Counter counter;
  const char *name, *help;
};
constexpr CounterName kCounters[] = {
    {Counter::audit_log_request_failure, "vault.audit.log_request_failure",
     "Requests that no audit device took."},
    {Counter::audit_log_response_failure, "vault.audit.log_response_failure",
     "Answers that no audit device took."},
    {Counter::lease_creation, "vault.secret.lease.creation", "Leases of secrets that were made."},
    {Counter::token_creation, "vault.token.creation", "Tokens that were made."},
    {Counter::lease_ended, "leasehold.lease.ended_total",
     "Leases whose account was seen gone at its target."},
    {Counter::commit_conflicts, "leasehold.commit.conflicts_total",
     "Changes that met another one, and ran again."},
};

// By core::Operation.
constexpr const char* kOperationNames[] = {"read",  "list",   "create", "update",
                                           "patch", "delete", "help",   "header"};
static_assert(std::size(kOperationNames) == metrics::kOperations);

constexpr Nanos kWindow = Seconds{300};

// What the quantiles are counted from.
class Window {
 public:
  metrics::Totals before(const metrics::Totals& now) {
    MutexLock lock(mutex_);
    const Instant here = metrics::instant();
    if (newer_at_ == Instant{}) newer_at_ = here;
    if (here >= add(newer_at_, kWindow)) {
      older_ = std::move(newer_);
      newer_ = now;
      newer_at_ = here;
    }
    return older_;
  }

 private:
  Mutex mutex_;
  metrics::Totals older_ GUARDED_BY(mutex_), newer_ GUARDED_BY(mutex_);
  Instant newer_at_ GUARDED_BY(mutex_){};
};

double as_number(std::uint64_t count) { return static_cast<double>(count); }

std::string route_name(std::size_t operation, std::string mount_path) {
  if (mount_path.empty()) mount_path = "other";
  for (char& c : mount_path)
    if (c == '/') c = '-';
  return std::string("vault.route.") + kOperationNames[operation] + "." + mount_path;
}

}  // namespace

void add_counted_metrics(MetricsPage& page) {
  static Window& window = *new Window;  // threads may ask while main() ends
  const metrics::Totals now = metrics::totals();
  const metrics::Totals before = window.before(now);
  page.gauge(
      "vault.core.in_flight_requests", "Requests that are being answered.",
      as_number(now.of(Counter::requests_begun)) - as_number(now.of(Counter::requests_ended)));
  for (const TimerName& one : kTimers)
    page.summary(one.name, std::string(one.help) + " Milliseconds.", now.of(one.timer),
                 now.of(one.timer).since(before.of(one.timer)));
  for (const CounterName& one : kCounters)
    page.counter(one.name, one.help, as_number(now.of(one.counter)));
  page.gauge(
      "leasehold.commit.queue", "Changes that wait for their commit.",
      as_number(now.of(Counter::commits_submitted)) - as_number(now.of(Counter::commits_ended)));
  for (const metrics::RouteTimed& route : now.routes)
    for (std::size_t operation = 0; operation < metrics::kOperations; ++operation)
      if (route.count[operation] > 0)
        page.summary(route_name(operation, route.mount_path), "Requests to a mount. Milliseconds.",
                     as_number(route.count[operation]), as_number(route.ns[operation]) / 1e6);
}

}  // namespace leasehold::core
