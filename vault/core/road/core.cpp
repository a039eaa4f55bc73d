#include "vault/core/road/core.h"

#include "vault/base/cidr.h"
#include "vault/base/encoding.h"
#include "vault/core/road/audit_lines.h"
#include "vault/core/road/rate.h"
#include "vault/core/road/stations.h"
#include "vault/core/road/under_way.h"

namespace leasehold::core {

namespace {

constexpr commit::Unrecorded kUseCounted{
    "a use is counted before the request is judged; the request's own lines follow"};

constexpr Bound kTokenUses{"the token is used up", Code::denied, "permission denied"};

// The wrapping token that a body names.
std::string_view named_token(const Request& request) {
  const Json* named = request.body.find("token");
  return named != nullptr && named->is_string() ? std::string_view(named->text()) : "";
}

// Where the caller's own token is the one that is opened.
bool wants_wrapping_token(const Admitted& flight) {
  return flight.route != nullptr && flight.route->takes_wrapping_token &&
         named_token(flight.request).empty();
}

// Opening a wrapped answer ends its token in the same batch: no use of it is counted before.
bool use_is_counted(const Admitted& flight) {
  if (!flight.token || flight.token->num_uses == 0) return false;
  return !flight.token->wrapping || !wants_wrapping_token(flight);
}

// A wrapping token that cannot be opened is told as that, before the question who may open it.
// Where anybody may ask, the handler does. A large body is not read here.
Status check_wrapping_token(const Admitted& flight, ReadTxn& txn) {
  const Request& request = flight.request;
  if (flight.action == nullptr || !flight.route->takes_wrapping_token) return {};
  if (open_to_strangers(flight)) return {};
  if (request.late_body || request.body_unread) return {};
  const std::string_view named = named_token(request);
  const std::string_view text = named.empty() ? std::string_view(request.token) : named;
  VAULT_TRY(flight.live->wrapping_token(txn, text, flight.started));
  return {};
}

// On a worker.
Status read_late(Admitted& flight) {
  const std::unique_ptr<LateBody> text = std::move(flight.request.late_body);
  return text->read(flight.request.body);
}

// On a worker: the lines that `recorded` then takes; and the body goes, which takes time, too.
Status write_lines(InFlight& flight) {
  if (flight.recording == Recording::nothing || flight.recording == Recording::request)
    append_bodies(flight, flight.answer, flight.lines);
  flight.request.body = Json();
  return {};
}

}  // namespace

Core::Core(Gate& gate, Workers& workers, Environment environment)
    : gate_(gate), workers_(workers), environment_(std::move(environment)) {}

// The road. A refusal or an error is an answer like any other: it reaches the audit log and the
// wire by the same way. Statements with co_await keep the form that scripts/check verifies.
Detached Core::handle(Request request, Exchange& asker) {
  InFlight flight(std::move(request), asker);
  Latch latch;
  Status status = admit(flight);  // which route, who
  const UnderWay under_way(flight);
  if (status.ok() && settle_body(flight))
    status = co_await placed(workers_, flight, Place::bodies, [&] { return read_late(flight); });
  if (status.ok()) status = co_await committed(flight);  // a use is counted before anything else
  if (status.ok()) status = admit_counted(flight);
  while (status.ok()) {
    status = co_await placed(workers_, flight, flight.place,
                             [&] { return run(flight); });  // may they; engine
    if (flight.runs_anew_aside())
      status = co_await placed(workers_, flight, Place::bodies, [&] { return run(flight); });
    if (status.ok() && flight.planned && flight.planned->candidate)
      status =
          co_await placed(workers_, flight, Place::outside, [&] { return try_candidate(flight); });
    // Renewals of one lease, and rotations of one manager, end one after the other, at the target
    // and in its record.
    if (status.ok() && flight.runs_alone()) status = co_await latched(latches_, flight, latch);
    if (status.ok()) status = plan_holds(flight);
    if (status.ok() && flight.lane)
      status = co_await applied(flight);  // intent on record, then the target
    if (status.ok()) status = co_await committed(flight);
    if (!flight.runs_again(status)) break;
    flight.drop_answer();
    status = {};
    if (!flight.issues()) status = co_await latched(latches_, flight, latch);
    if (status.ok()) status = admit_again(flight);
  }
  Status outcome = status;
  while (flight.is_unsettled(outcome)) {
    status = settle_effect(flight, outcome);  // ACTIVE, or REVOKING after a failure
    const Status durable = co_await committed(flight);
    outcome = outcome_of_settling(flight, outcome, durable);
    if (!durable.ok()) status = durable;
  }
  latch.release();
  if (status.ok()) status = co_await revoked(flight);  // what it revoked is gone when it answers
  conclude(flight, status);
  status = co_await committed(flight);  // of a token without uses left: its end
  if (flight.is_large())
    status = co_await placed(
        workers_, flight, Place::bodies, [&] { return write_lines(flight); },
        WorkerTask::Entry::ends);
  const Status on_record = co_await recorded(flight, workers_);
  Response answer = answer_of(flight, on_record);
  if (flight.live != nullptr) gate_.leave();
  asker.deliver(std::move(answer));
}

// Whether a large body must still be read. Reading one costs more than sending it. So it stays
// unread for a caller without a valid token, and where the route opens a wrapped answer.
bool Core::settle_body(Admitted& flight) {
  Request& request = flight.request;
  if (!request.late_body) return false;
  request.body_unread =
      !flight.token || (flight.route != nullptr && flight.route->takes_wrapping_token);
  if (!request.body_unread) return true;
  request.late_body.reset();
  flight.has_large_body = false;
  return false;
}

Status Core::admit(Admitted& flight) {
  flight.started = environment_.clock.now();
  flight.id = uuid(environment_.random);
  if (!flight.request.name_space.empty())  // there is the root, and no other yet
    return failure(Code::not_found, "namespace not found");
  std::string_view path = flight.request.path;
  if (lists_names(flight.request.operation) && path.ends_with('/')) path.remove_suffix(1);
  flight.gate_route = gate_.own_route(path);
  if (flight.gate_route != nullptr) {
    const bool slow = gate_.on_worker(*flight.gate_route, flight.request);
    flight.place = slow ? Place::gate : Place::inline_;
    return {};
  }
  flight.live = gate_.enter();
  if (flight.live == nullptr) return vault_is_sealed();
  VAULT_TRY(look(flight));
  if (!use_is_counted(flight)) return {};
  flight.snapshot.reset();
  commit::Changes use;
  use.additions.push_back({flight.live->tokens.uses_key(*flight.token), -1, 0});
  use.additions.back().bound = &kTokenUses;
  flight.batch.emplace(std::move(use), kUseCounted);
  flight.use_begun = true;
  uses_.begin(flight.token->id);
  return {};
}

// Who asks, what they may, and what they ask for, in the newest state. The engine sees the same
// snapshot when it comes next on this thread; a worker takes one of its own and resolves anew.
Status Core::look(Admitted& flight) {
  VAULT_TRY_ASSIGN(auto held, flight.live->snapshots.take());
  ReadTxn txn(*held, flight.live->barrier, barrier::kCoreSpace);
  VAULT_TRY(resolve(flight, txn, Making::elsewhere));
  VAULT_TRY(may_be_recorded(flight));
  if (flight.place == Place::inline_) flight.snapshot.emplace(std::move(held));
  return {};
}

// Right and data come from one snapshot: whoever takes a newer one resolves anew.
Status Core::resolve(Admitted& flight, ReadTxn& txn, Making making) {
  VAULT_TRY_ASSIGN(flight.compiled, flight.live->mounts.at(txn, &flight.authority));
  VAULT_TRY(route(flight));
  if (flight.compiled->rate_limits && !flight.rate) VAULT_TRY(check_rate(flight, txn));
  VAULT_TRY(identify(flight, txn));
  VAULT_TRY_ASSIGN(bool ready, know_entity(flight, txn, making));
  if (ready) {
    VAULT_TRY_ASSIGN(ready, flight.live->mounts.policies().resolve(txn, flight.caller.policies,
                                                                   making, flight.authority));
  }
  if (!ready && flight.place == Place::inline_) flight.place = Place::lists;
  return {};
}

// The state moved on while the use was counted.
Status Core::admit_counted(Admitted& flight) {
  if (!flight.use_begun || flight.place != Place::inline_) return {};
  return look(flight);
}

// Which mount and route. None is no failure yet: a caller without a valid token is refused first.
Status Core::route(Admitted& flight) {
  flight.route = nullptr;
  flight.action = nullptr;
  flight.place = flight.has_large_body || flight.reads_much ? Place::bodies : Place::inline_;
  const std::string_view path = flight.request.path;
  flight.mount = flight.compiled->mounts.find(path);
  if (flight.mount == nullptr || flight.mount->kind == nullptr) return {};
  flight.inner_path = path.substr(std::min(path.size(), flight.mount->info.path.size()));
  const Operation asked = flight.request.operation;
  flight.route = flight.mount->kind->routes->find(flight.inner_path, asked, flight.captures);
  if (flight.route == nullptr) return {};
  for (const Action& action : flight.route->actions)
    if (action.operation == asked ||
        (asked == Operation::create && action.operation == Operation::update) ||
        (asked == Operation::update && action.operation == Operation::create))
      flight.action = &action;
  if (flight.action == nullptr) return {};
  if (flight.action->place != Place::inline_) flight.place = flight.action->place;
  if (flight.place == Place::inline_ && environment_.storage.reads_block())
    flight.place = Place::lists;
  return {};
}

Status Core::identify(Admitted& flight, ReadTxn& txn) {
  flight.caller = Caller();
  if (open_to_strangers(flight) && flight.request.token.empty()) return {};
  Unsealed& live = *flight.live;
  const std::string& text = flight.request.token;
  TokenRef token;
  flight.chain.clear();
  VAULT_TRY_ASSIGN(token,
                   live.tokens.valid(txn, *flight.compiled, text, flight.started, &flight.chain));
  if (!token) {
    if (open_to_strangers(flight)) return {};
    VAULT_TRY(check_wrapping_token(flight, txn));
    return failure(Code::denied, "permission denied");
  }
  if (!is_allowed(token->bound_cidrs, flight.request.remote_address))
    return failure(Code::denied, "permission denied", "the token is bound to other networks");
  Caller& caller = flight.caller;
  caller.present = true;
  caller.accessor = token->accessor;
  caller.token_id = token->id;
  caller.batch = token->batch;
  caller.display_name = token->display_name;
  caller.policies = token->policies;
  caller.entity_id = token->entity_id;
  caller.is_root = token->is_root();
  caller.expires = token->expires;
  flight.token = std::move(token);
  return check_wrapping_token(flight, txn);
}

// Who is behind the token. False, with Making::elsewhere only: that is read on a worker.
Result<bool> Core::know_entity(Admitted& flight, ReadTxn& txn, Making making) {
  flight.authority.identity = nullptr;
  if (!flight.token || flight.token->entity_id.empty()) return true;
  VAULT_TRY_ASSIGN(Identities::At who,
                   flight.live->identities.at(txn, flight.token->entity_id, making));
  if (!who.ready) return false;
  const std::string_view why = who.value == nullptr         ? "the entity is gone"
                               : who.value->entity.disabled ? "the entity is disabled"
                               : who.value->too_many        ? "the entity is in too many groups"
                                                            : "";
  if (why.empty()) {
    flight.caller.entity_id = who.value->entity.id;
    flight.authority.identity = std::move(who.value);
    flight.authority.identity_revision = who.revision;
    return true;
  }
  if (!open_to_strangers(flight))
    return failure(Code::denied, "permission denied", std::string(why));
  flight.token = nullptr;
  flight.caller = Caller();
  flight.chain.clear();
  return true;
}

// After a conflict: everything is looked at again, but a use is not counted again.
Status Core::admit_again(InFlight& flight) {
  flight.forget_attempt();
  return look(flight);
}

// While no audit device works nothing is changed, and no use of a token is spent on an answer that
// could not leave. Credentials end all the same: their records wait in the outbox.
Status Core::may_be_recorded(Admitted& flight) {
  if (flight.action != nullptr && flight.action->frees) return {};
  if (flight.use_begun) return {};  // it was on its way when the device failed (168)
  const bool changes =
      use_is_counted(flight) ||
      (flight.action != nullptr &&
       (flight.request.wrap_ttl || !std::holds_alternative<ReadHandler>(flight.action->handler)));
  flight.try_later = changes && !flight.live->audit->can_record();
  if (!flight.try_later) return {};
  return failure(Code::internal, "no audit device can record: nothing was changed, try again");
}

// Whether the end of an effect is durable. After a conflict it is written down anew, with the
// outcome that is returned.
Status Core::outcome_of_settling(InFlight& flight, const Status& outcome, const Status& durable) {
  if (!durable.is(Code::conflict)) {
    move_on(flight.planned->state, EffectState::settled);
    return outcome;
  }
  return outcome.ok() ? still_allowed(flight) : outcome;
}

// After a conflict of what an effect writes at its end: who asks and what they may is looked at
// again, in the newest state; what the target did stands.
Status Core::still_allowed(Authorised& flight) {
  VAULT_TRY_ASSIGN(auto held, flight.live->snapshots.take());
  ReadTxn txn(*held, flight.live->barrier, barrier::kCoreSpace);
  VAULT_TRY_ASSIGN(auto compiled, flight.live->mounts.at(txn));
  const Mount* mount = compiled->mounts.find(flight.request.path);
  if (mount == nullptr || mount->info.space != flight.mount->info.space)
    return failure(Code::unavailable, "the mount was changed while the request ran: try again");
  VAULT_TRY(resolve(flight, txn, Making::allowed));
  ReadTxn scoped = txn.in(mount->info.space);
  VAULT_TRY(authorize(flight, scoped));
  return {};
}

// What policies denied is kept for whoever asks why. Without a valid token nothing was decided.
void Core::keep_denial(const InFlight& flight) {
  if (flight.live == nullptr || !flight.caller.present) return;
  if (flight.decision.allowed || flight.decision.reason.empty()) return;
  Denial denial;
  denial.request_id = flight.id;
  denial.accessor = flight.caller.accessor;
  denial.time = flight.started;
  denial.operation = operation_name(flight.request.operation);
  denial.path = flight.request.path;
  if (flight.authority.policies != nullptr) denial.policies = flight.authority.policies->names;
  describe(flight.decision, needed_for(flight.request.operation), denial);
  flight.live->denials.keep(std::move(denial));
}

// From the status to the answer; and what the request held is given back.
void Core::conclude(InFlight& flight, const Status& status) {
  flight.batch.reset();
  flight.snapshot.reset();  // before leave(): its home goes with the vault
  if (!status.ok()) {
    const Error& why = status.error();
    if (!why.detail.empty() && why.code == Code::internal)
      environment_.log.error("request {} on {}: {}", flight.id, flight.request.path, why.detail);
    flight.answer = error_response(why);
    flight.events.clear();  // of what was not done
    if (flight.try_later) flight.answer.retry_after = Seconds{1};
    if (why.code == Code::denied) keep_denial(flight);
  }
  tell_rate(flight);
  if (status.ok() && flight.orders.due_work) flight.live->due_work->ask(flight.mount->info.space);
  // An error names its request, so that it can be asked about; who has but few uses is not led to
  // spend one on that.
  flight.answer.request_id = flight.answer.is_error && flight.uses_left ? "" : flight.id;
  const bool makes_lease = flight.planned && flight.planned->makes_lease();
  if (makes_lease) flight.live->revoker->release(flight.planned->lease->id);
  end_use(flight);
  // What awaits others is on record with the line of its request; so is an effect, which is no
  // order and has failed.
  const bool ordered = flight.recording == Recording::request && flight.lane == nullptr;
  if (ordered && !flight.live->audit->can_record()) owe_answer(flight);
}

// What awaits revocations is answered also while no device records: the line of the answer waits in
// the outbox, where that of the request does.
void Core::owe_answer(InFlight& flight) {
  Texts lines;
  append_bodies(flight, flight.answer, lines);
  if (!flight.batch) {
    commit::Changes nothing;
    nothing.background = true;
    flight.batch.emplace(std::move(nothing), std::move(lines), Recording::both);
    return;
  }
  for (const std::string_view line : lines.views()) flight.batch->audit.push_back(line);
  flight.batch->recording = Recording::both;
}

// A token whose last use this was ends, once no other request of it runs.
void Core::end_use(InFlight& flight) {
  const bool last_use = flight.uses_left && *flight.uses_left == 0;
  if (!flight.use_begun || !uses_.end(flight.token->id, last_use)) return;
  auto held = flight.live->snapshots.take();
  if (!held.ok()) return;
  commit::Changes changes;
  changes.background = true;
  WriteTxn txn(**held, flight.live->barrier, barrier::kCoreSpace, changes);
  if (!flight.live->tokens.revoke(txn, *flight.token, flight.started).ok()) return;
  flight.batch.emplace(std::move(changes), token_event("token-used-up", *flight.token,
                                                       flight.started, flight.live->audit_key));
}

Response Core::answer_of(InFlight& flight, const Status& on_record) {
  if (on_record.ok()) return std::move(flight.answer);
  // Nothing secret leaves without a record of it. What a change made is on record with it.
  Response answer =
      Response::refused(500, multierror("internal error: no audit device can record this request"));
  answer.request_id = flight.id;
  answer.retry_after = Seconds{1};
  return answer;
}

void Core::undelivered(Issued lost) {
  if (!lost.nothing()) gate_.revoke(std::move(lost));
}

}  // namespace leasehold::core
