// What a request does with its snapshot, here or on a worker: the decision, the fields, the
// handler.

#include <algorithm>

#include "vault/base/encoding.h"
#include "vault/core/contract/help.h"
#include "vault/core/road/core.h"
#include "vault/core/road/effects.h"
#include "vault/core/road/finish.h"
#include "vault/core/road/login.h"
#include "vault/core/road/sparing_snapshot.h"
#include "vault/target/trial.h"

namespace leasehold::core {

namespace {

std::string unsupported_path(const Mount& mount) {
  if (!mount.kind->engine->routes().empty()) return multierror("unsupported path");
  return multierror("unsupported path: " + mount.info.type + " is not in this version");
}

// POST and PUT are one verb on the wire: which of the two it is depends on what is stored.
Status tell_create_from_update(Authorised& flight, ReadTxn& txn) {
  Request& request = flight.request;
  const bool writes =
      request.operation == Operation::update || request.operation == Operation::create;
  if (!writes || flight.route == nullptr || flight.action == nullptr || !flight.route->exists)
    return {};
  Call call = call_of(flight, {});
  for (std::size_t i = 0; i < flight.captures.size; ++i)
    call.fields.set(std::string(flight.captures.items[i].name),
                    Json(flight.captures.items[i].value), true);
  VAULT_TRY_ASSIGN(const bool exists, flight.route->exists(call, txn));
  request.operation = exists ? Operation::update : Operation::create;
  return {};
}

// Not what a rule denies or limits.
bool is_not_granted(const Decision& decision) {
  return decision.reason == "no rule matches" || decision.reason == "capability";
}

// On the path as it was asked for, and on what the handler takes it for.
Decision decision_on(const Authorised& flight, const Acl& acl) {
  const Request& request = flight.request;
  const std::string mount = request.path.substr(0, request.path.size() - flight.inner_path.size());
  const bool sudo = flight.route != nullptr && flight.route->sudo;
  const Slash slash = slash_of(flight.route, flight.captures);
  const auto on = [&](std::string_view path) {
    return acl.decide(request.operation, path, request.body, sudo, request.wrap_ttl, slash);
  };
  Decision decision = on(request.path);
  if (decision.allowed && flight.route != nullptr && flight.route->folds_case) {
    const std::string meant = mount + lower_case(flight.inner_path);
    if (meant != request.path) decision = on(meant);
  }
  if (flight.route == nullptr || flight.route->granted_with.empty() || !is_not_granted(decision))
    return decision;
  const Decision other = acl.decide(Operation::update, mount + flight.route->granted_with,
                                    Json::object(), sudo, request.wrap_ttl);
  return other.allowed ? other : decision;
}

// A list, or a route that answers one when it is read (sys/policy).
bool reads_pages(const Authorised& flight) {
  if (flight.decision.pagination_limit <= 0) return false;
  if (flight.request.operation != Operation::read || flight.route == nullptr)
    return lists_names(flight.request.operation);
  const std::vector<Field>& fields = flight.route->fields;
  return std::any_of(fields.begin(), fields.end(),
                     [](const Field& field) { return field.name == "limit"; });
}

// A policy's `pagination_limit`: no page has more names, whatever was asked for.
void cap_page(Request& request, std::int64_t most) {
  const auto asked = page_of(request.body);
  if (!asked.ok()) return;  // the handler refuses it
  const auto limit = static_cast<std::size_t>(most);
  if (asked->limit != 0 && asked->limit <= limit) return;
  if (!request.body.is_object()) request.body = Json::object();
  request.body.set("limit", std::to_string(most));
}

}  // namespace

Status Core::run(InFlight& flight) {
  if (flight.gate_route == nullptr) {
    const Status status = run_live(flight);
    count_large(flight);
    return status;
  }
  if (flight.request.body_unread)
    flight.answer = Response::refused(413, std::string(kBodyTooLarge));
  else
    flight.answer = gate_.answer(*flight.gate_route, flight.request);
  return {};
}

// What is large of what a run made. Who still waits for a target, or for revocations, holds
// nothing: the answer of those is small.
void Core::count_large(InFlight& flight) {
  std::size_t bytes = flight.answer.data.size();
  if (flight.batch) bytes += flight.batch->storage.bytes();
  const bool waits = flight.planned || !flight.orders.awaited.empty();
  if (bytes > kSmallBodyMax && !waits) flight.held = Workers::Held(workers_, bytes);
}

// An io thread opens no large value for one, while others wait.
Status Core::run_live(InFlight& flight) {
  std::optional<commit::Snapshots::Held> held = std::exchange(flight.snapshot, std::nullopt);
  if (!held) {
    VAULT_TRY_ASSIGN(auto fresh, flight.live->snapshots.take());
    held.emplace(std::move(fresh));
    ReadTxn core(**held, flight.live->barrier, barrier::kCoreSpace);
    VAULT_TRY(resolve(flight, core, Making::allowed));
  }
  flight.caller.uses_left = flight.uses_left;
  if (flight.place != Place::inline_) return run_in(flight, **held);
  SparingSnapshot sparing(**held);
  const Status status = run_in(flight, sparing);
  flight.reads_much = sparing.met_much();
  if (flight.reads_much) flight.forget_attempt();
  return status;
}

Status Core::run_in(InFlight& flight, storage::Snapshot& snapshot) {
  const MountInfo* mount = flight.mount ? &flight.mount->info : nullptr;
  ReadTxn txn(snapshot, flight.live->barrier, mount ? mount->space : barrier::kCoreSpace);
  VAULT_TRY(authorize(flight, txn));
  return dispatch(flight, snapshot);
}

Status Core::authorize(Authorised& flight, ReadTxn& txn) {
  VAULT_TRY(tell_create_from_update(flight, txn));
  if (open_to_strangers(flight)) {
    flight.decision.allowed = true;
    return {};
  }
  const Acl acl(flight.authority.policies->found, flight.caller.is_root, flight.started);
  flight.decision = decision_on(flight, acl);
  flight.caller.has_sudo = flight.decision.sudo || flight.caller.is_root;
  flight.granting.clear();
  if (!flight.decision.allowed)
    return failure(Code::denied, multierror("permission denied"),
                   std::string(flight.decision.reason));
  if (flight.decision.policy != nullptr) flight.granting.push_back(flight.decision.policy->name);
  if (reads_pages(flight)) cap_page(flight.request, flight.decision.pagination_limit);
  return {};
}

Status Core::dispatch(InFlight& flight, storage::Snapshot& snapshot) {
  const Request& request = flight.request;
  if (flight.mount == nullptr)
    return failure(Code::not_found,
                   "no handler for route \"" + request.path + "\". route entry not found.");
  if (flight.mount->kind == nullptr)
    return failure(Code::not_found, "no handler for route \"" + request.path +
                                        "\". route entry found, but backend is nil.");
  if (request.operation == Operation::help &&
      (flight.route != nullptr || flight.inner_path.empty())) {
    flight.answer =
        help_of(flight.mount->info, *flight.mount->kind->engine, flight.route, flight.inner_path);
    return {};
  }
  if (flight.route == nullptr) return failure(Code::not_found, unsupported_path(*flight.mount));
  if (flight.action == nullptr)
    return failure(Code::unsupported, multierror("unsupported operation"));
  if (flight.action->frees && flight.live->drill()) return refused_in_drill();
  const std::size_t body_max = flight.route->body_max;
  if (request.body_unread || (body_max > 0 && request.body_size > body_max)) {
    flight.answer = Response::refused(413, std::string(kBodyTooLarge));
    return {};
  }
  VAULT_TRY_ASSIGN(flight.fields, fields_of(*flight.route, request.operation, flight.captures,
                                            request.body, flight.quiet_warnings));
  VAULT_TRY(check_lockout(flight));
  if (const auto* read = std::get_if<ReadHandler>(&flight.action->handler))
    return run_read(flight, *read, snapshot);
  if (const auto* write = std::get_if<WriteHandler>(&flight.action->handler))
    return run_write(flight, *write, snapshot);
  return plan_effect(flight, std::get<Effect>(flight.action->handler), snapshot);
}

Status Core::run_read(InFlight& flight, const ReadHandler& handler, storage::Snapshot& snapshot) {
  commit::Changes changes;
  if (flight.request.wrap_ttl) guard_authority(flight, changes);  // its answer is kept: a write
  ReadTxn txn(snapshot, flight.live->barrier, flight.mount->info.space);
  Call call = call_of(flight, std::move(flight.fields));
  VAULT_TRY_ASSIGN(flight.answer, handler(call, txn));
  return finish(flight, snapshot, std::move(changes), call);
}

Status Core::run_write(InFlight& flight, const WriteHandler& handler, storage::Snapshot& snapshot) {
  commit::Changes changes;
  changes.background = flight.action->frees;
  guard_authority(flight, changes);
  WriteTxn txn(snapshot, flight.live->barrier, flight.mount->info.space, changes);
  Call call = call_of(flight, std::move(flight.fields));
  VAULT_TRY_ASSIGN(flight.answer, handler(call, txn));
  return finish(flight, snapshot, std::move(changes), call);
}

Status Core::try_candidate(InFlight& flight) {
  Planned& planned = *flight.planned;
  if (flight.live->drill()) return refused_in_drill();
  const Instant deadline = add(environment_.clock.instant(), kEffectLimit / 2);
  const auto sealing = [&flight] { return flight.live->is_sealing(); };
  target::Tried tried =
      target::try_target(std::exchange(planned.candidate, nullptr), flight.live->revoker->tag(),
                         environment_.clock, deadline, sealing);
  if (!tried.status.ok() && sealing()) return vault_is_sealed();
  if (!tried.status.ok()) return as_client_sees(flight, *planned.effect, tried.status.error());
  for (std::string& one : tried.advice) flight.quiet_warnings.push_back(std::move(one));
  if (auto* check = std::get_if<intent::Check>(&planned.intent))
    check->server = std::move(tried.identity);
  return {};
}

}  // namespace leasehold::core
