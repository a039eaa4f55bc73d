#include "vault/core/road/finish.h"

#include <algorithm>

#include "vault/audit/record.h"
#include "vault/core/authority/wrapped.h"
#include "vault/core/contract/policy_names.h"
#include "vault/core/road/audit_lines.h"
#include "vault/core/road/login.h"

namespace leasehold::core {

namespace {

// The request's wish and the handler's: the shorter one, and no longer than any lease. What has no
// body, or is an error, hands out nothing and is not wrapped.
std::optional<WrapTerms> wrapping_of(const InFlight& flight) {
  const Response& answer = flight.answer;
  if (answer.is_error || !answer.has_body()) return std::nullopt;
  const auto& must_wrap = flight.orders.must_wrap;
  if (!flight.request.wrap_ttl && !must_wrap) return std::nullopt;
  WrapTerms terms;
  terms.ttl = flight.request.wrap_ttl.value_or(Seconds::max());
  terms.creation_path = flight.request.path;
  if (must_wrap) {
    terms.ttl = std::min(terms.ttl, must_wrap->ttl);
    terms.creation_path = must_wrap->creation_path;
  }
  terms.ttl = std::min(terms.ttl, flight.live->mounts.defaults().max_ttl);
  terms.now = flight.live->environment.clock.now();
  return terms;
}

Status wrap_answer(InFlight& flight, storage::Snapshot& snapshot, commit::Changes& changes,
                   const WrapTerms& terms) {
  Unsealed& live = *flight.live;
  WriteTxn core(snapshot, live.barrier, barrier::kCoreSpace, changes);
  VAULT_TRY_ASSIGN(flight.answer, wrap(live.tokens, core, std::move(flight.answer), terms,
                                       live.environment.random));
  return {};
}

// A token that is made, or renewed, by another: what its entity adds to it. A login knows better.
Status show_identity(InFlight& flight, storage::Snapshot& snapshot) {
  auto& auth = flight.answer.auth;
  if (!auth || auth->entity_id.empty()) return {};
  ReadTxn core(snapshot, flight.live->barrier, barrier::kCoreSpace);
  VAULT_TRY_ASSIGN(const auto who,
                   flight.live->identities.at(core, auth->entity_id, Making::allowed));
  if (who.value != nullptr) core::show_identity(*auth, who.value->policies);
  return {};
}

void say(std::vector<std::string>& warnings, const std::string& warning) {
  if (std::find(warnings.begin(), warnings.end(), warning) == warnings.end())
    warnings.push_back(warning);
}

// As the maker of a token is told, and quietly: Vault's answer to who writes a role has no body.
Status warn_of_unknown_policies(const InFlight& flight, storage::Snapshot& snapshot, Call& call) {
  ReadTxn core(snapshot, flight.live->barrier, barrier::kCoreSpace);
  for (const std::string& name : flight.orders.named_policies) {
    VAULT_TRY_ASSIGN(const bool exists, flight.live->mounts.policies().exists(core, name));
    if (!exists) call.quiet_warnings.push_back(no_such_policy(name));
  }
  return {};
}

// A handler's warning makes an answer of its own: 200 in place of 204. A quiet one does not, as in
// Vault: clients count on the 204.
void say_warnings(InFlight& flight, Call& call) {
  Response& answer = flight.answer;
  if (answer.is_error) return;
  for (const auto* warnings : {&call.warnings, &flight.warnings})
    for (const std::string& warning : *warnings) say(answer.warnings, warning);
  auto& quiet = answer.has_body() ? answer.warnings : answer.quiet_warnings;
  for (const auto* warnings : {&call.quiet_warnings, &flight.quiet_warnings})
    for (const std::string& warning : *warnings) say(quiet, warning);
}

// The change is on record with the line of the request; what the client gets is known, and written,
// only after the wait.
Status order(InFlight& flight, commit::Changes&& changes) {
  VAULT_ASSERT(flight.recording == Recording::nothing);  // no effect on a target awaits others
  Texts lines;
  append_request_body(flight, lines, true);
  for (const std::string& event : std::exchange(flight.events, {})) lines.push_back(event);
  flight.batch.emplace(std::move(changes), std::move(lines), Recording::request);
  return {};
}

}  // namespace

Status finish(InFlight& flight, storage::Snapshot& snapshot, commit::Changes&& changes,
              Call& call) {
  flight.answer.request_id = flight.id;
  flight.orders = std::exchange(flight.answer.orders, {});
  const bool logs_in = flight.orders.login.has_value();
  VAULT_TRY(finish_login(flight, snapshot, changes, call));
  if (!logs_in) VAULT_TRY(show_identity(flight, snapshot));
  VAULT_TRY(warn_of_unknown_policies(flight, snapshot, call));
  say_warnings(flight, call);
  for (const Event& event : call.events)
    flight.events.push_back(audit::event_body(event.name, flight.started, event.fields.dump()));
  if (const auto terms = wrapping_of(flight))
    VAULT_TRY(wrap_answer(flight, snapshot, changes, *terms));
  if (!changes.changes_something()) return {};  // its lines go straight to the log
  if (!flight.orders.awaited.empty()) return order(flight, std::move(changes));
  Texts lines;
  append_bodies(flight, flight.answer, lines);
  flight.batch.emplace(std::move(changes), std::move(lines), Recording::both);
  return {};
}

}  // namespace leasehold::core
