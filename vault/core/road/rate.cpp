#include "vault/core/road/rate.h"

#include <algorithm>

#include "vault/base/cidr.h"
#include "vault/base/encoding.h"

namespace leasehold::core {

namespace {

// Of a login at a mount that a limit by role is for; empty: of another request, or of no role.
std::string role_of(const Admitted& flight, ReadTxn& txn) {
  const Request& request = flight.request;
  const bool is_login = flight.action != nullptr && flight.route->login_alias != nullptr;
  if (!is_login || request.late_body || request.body_unread) return {};
  std::vector<std::string> unused;
  const auto fields =
      fields_of(*flight.route, request.operation, flight.captures, request.body, unused);
  if (!fields.ok()) return {};
  ReadTxn scoped = txn.in(flight.mount->info.space);
  const auto role = flight.mount->kind->engine->login_role(*fields, scoped);
  return role.ok() ? *role : std::string();
}

}  // namespace

Status check_rate(Admitted& flight, ReadTxn& txn) {
  const RateLimits& limits = *flight.compiled->rate_limits;
  flight.rate = RateTaken();
  const std::string_view mount =
      flight.mount != nullptr ? std::string_view(flight.mount->info.accessor) : "";
  const std::string role = limits.asks_role(mount) ? role_of(flight, txn) : "";
  // Where a name means the same in any case, so does a limit on it.
  const bool folds = flight.route != nullptr && flight.route->folds_case;
  const RateRule* rule = folds ? limits.find(mount, lower_case(flight.inner_path), role)
                               : limits.find(mount, flight.inner_path, role);
  if (rule == nullptr || limits.config().is_exempt(flight.request.path)) return {};
  flight.rate = limits.take(*rule, client_network(flight.request.remote_address), flight.started);
  if (flight.rate->allowed) return {};
  return failure(Code::limited,
                 "request path \"" + flight.request.path + "\": rate limit quota exceeded");
}

void tell_rate(InFlight& flight) {
  if (!flight.rate || flight.rate->limit == 0 || !flight.compiled->rate_limits) return;
  const RateConfig& config = flight.compiled->rate_limits->config();
  const RateTaken& taken = *flight.rate;
  if (config.headers)
    flight.answer.rate_limit = Response::RateLimit{taken.limit, taken.remaining, taken.reset};
  if (taken.allowed) return;
  flight.answer.retry_after = std::max(Seconds{1}, taken.reset);
  if (!config.audit_logging) flight.recording = Recording::both;
}

}  // namespace leasehold::core
