#pragma once
// One request on its way: what each station found out, for the next ones. A station takes the type
// that has what it may read; what later stations find is not in it.
//
//   Arrived     the request, what it writes next                  Core::handle
//   Admitted    which route, who, what they hold: one snapshot     Core::admit, look, resolve
//   Authorised  the decision, and the fields a handler gets        Core::authorize, dispatch
//   InFlight    answer, batch, outside work, what is on record     all others
//
// Lives in the frame of Core::handle, on its io thread; a station that runs elsewhere has it for
// itself meanwhile.

#include <algorithm>
#include <optional>

#include "vault/base/texts.h"
#include "vault/core/authority/policies.h"
#include "vault/core/contract/fields.h"
#include "vault/core/road/effect_state.h"
#include "vault/core/road/unsealed.h"
#include "vault/core/road/workers.h"

namespace leasehold::core {

struct GateRoute;

// An effect that was planned (road/effects.h). It goes to the lane's thread with the work and comes
// back with the answer; a request that stopped waiting has it no more.
struct Planned {
  const Effect* effect = nullptr;
  Intent intent;
  EffectState state = EffectState::planned;
  std::optional<Lease> lease;  // that is issued, tried or renewed
  std::string handle;          // of the account, as its target returned it
  std::unique_ptr<target::Target> candidate;

  bool renews() const { return std::holds_alternative<intent::Renew>(intent); }
  bool rotates() const { return std::holds_alternative<intent::Rotate>(intent); }
  // Its lease is a new one, which ends with a failure.
  bool makes_lease() const { return lease && !renews(); }
};

// What is on record of a request: in the files of the audit log, or in the outbox, durable with the
// change and owed to the next device that works.
enum class Recording : std::uint8_t {
  nothing,
  request,  // the line of the request: it was durable before a target was asked
  both,     // the answer's line, too
};

// A batch, and what of its request is on record once it is durable.
struct RequestBatch : commit::Batch {
  RequestBatch(commit::Changes changes, commit::OnRecord lines,
               Recording of_request = Recording::nothing)
      : Batch(std::move(changes), std::move(lines)), recording(of_request) {}
  Recording recording;
};

struct Arrived {
  Arrived(Request&& r, Exchange& e) : request(std::move(r)), asker(e) {}
  Arrived(const Arrived&) = delete;
  Arrived& operator=(const Arrived&) = delete;

  Request request;
  Exchange& asker;
  std::string id;
  WallTime started;
  Unsealed* live = nullptr;  // null while sealed, and for the routes that work sealed
  const GateRoute* gate_route = nullptr;
  std::optional<RequestBatch> batch;  // what is committed next; the station takes it
  bool try_later = false;             // it failed for a reason that passes: Retry-After
  // All that handles such a body runs on a worker.
  bool has_large_body = request.late_body != nullptr;
  bool large_body_was_read() const { return has_large_body && !request.late_body; }
};

struct Admitted : Arrived {
  using Arrived::Arrived;
  std::optional<commit::Snapshots::Held> snapshot;  // as admitted, when run() follows at once
  // What is asked for. Null where there is none: that is said once it is known who asks.
  std::shared_ptr<const Compiled> compiled;
  const Mount* mount = nullptr;
  const Route* route = nullptr;
  Captures captures;
  const Action* action = nullptr;
  Place place = Place::inline_;
  bool reads_much = false;  // more than an io thread opens for one: the handler runs on a worker
  bool runs_anew_aside() const { return reads_much && place == Place::inline_; }
  std::string_view inner_path;
  // Who asks.
  TokenRef token;
  Tokens::Chain chain;
  bool use_begun = false;                 // of a token with a limited number of uses
  std::optional<std::int64_t> uses_left;  // after this request's own, once it is counted
  Caller caller;
  Authority authority;            // of the snapshot that the engine sees
  std::optional<RateTaken> rate;  // what its limit counted, once; nothing: no limit was asked yet
};

struct Authorised : Admitted {
  using Admitted::Admitted;
  Decision decision;
  std::vector<std::string> granting;
  Fields fields;
  std::vector<std::string> warnings;  // of an effect's plan
  // About the request's parameters, or of an effect's plan: they make no body, and are a header of
  // an answer without one.
  std::vector<std::string> quiet_warnings;
  std::vector<std::string> events;  // behind its lines in the audit log
};

struct InFlight : Authorised {
  using Authorised::Authorised;
  Response answer;
  Workers::Held held;  // what it takes, and the batch, where they are large
  Orders orders;       // of the answer, also when that is wrapped in another one

  // effect
  std::optional<Planned> planned;
  std::shared_ptr<target::Lane> lane;  // of `planned`, where it works outside
  bool planned_anew = false;           // what the first plan rested on was changed before it began

  Recording recording = Recording::nothing;
  Texts lines;  // of what is large: what is left to say, made on a worker
  bool is_large() const {
    return live != nullptr && (large_body_was_read() || answer.data.size() > kSmallBodyMax);
  }

  // Before it waits for others to end, who may wait for room.
  void drop_answer() {
    answer = Response();
    held = {};
  }
  // What a run found out or left behind, before the next run of the same request. `planned_anew` is
  // about all of them.
  void forget_attempt() {
    batch.reset();
    orders = {};
    warnings.clear();
    quiet_warnings.clear();
    events.clear();
    planned.reset();
    lane.reset();
  }
  bool runs_alone() const { return planned && (planned->renews() || planned->rotates()); }
  // Runs again side by side: those that issue at one path meet once, at the first lease there, and
  // none of them waits while another's target hangs.
  bool issues() const { return planned && std::holds_alternative<intent::Issue>(planned->intent); }
  // What it runs alone on: the lease that it renews, the manager it rotates (several targets of a
  // mount may have one), or its path.
  std::uint64_t latch_key() const;
  void was_committed(const RequestBatch& done) { recording = std::max(recording, done.recording); }
  // Storage cannot say whether it is durable: `outcome`, or success where the answer goes all the
  // same.
  Status was_left_in_doubt(const RequestBatch& perhaps, const Status& outcome);
  // A conflict, and nothing has happened outside.
  bool runs_again(const Status& status) const {
    return status.is(Code::conflict) && !(planned && must_settle(planned->state));
  }
  // The end of the effect must be written down; one that asks nothing outside has the end that it
  // went well.
  bool is_unsettled(const Status& outcome) const {
    if (!planned) return false;
    const EffectState state = planned->state;
    if (state == EffectState::planned) return outcome.ok();
    return must_settle(state) || state == EffectState::settling;
  }
};

inline std::uint64_t InFlight::latch_key() const {
  std::string key = "path " + request.path;
  if (planned) {
    if (const auto* renew = std::get_if<intent::Renew>(&planned->intent))
      key = "lease " + std::string(as_text(renew->lease));
    if (const auto* rotate = std::get_if<intent::Rotate>(&planned->intent))
      key = "manager " + std::string(as_text(mount->info.space)) + rotate->account;
  }
  return std::hash<std::string>()(key);
}

// The argument of every handler, from what the stations found.
inline Call call_of(const Admitted& flight, Fields fields) {
  return Call{flight.request,
              flight.mount->info,
              flight.caller,
              std::move(fields),
              flight.inner_path,
              flight.started,
              flight.live->environment.random,
              {},
              {}};
}

// Whether the route of a request needs no token, there where it came in.
inline bool open_to_strangers(const Admitted& flight) {
  if (flight.route == nullptr) return false;
  return flight.route->unauthenticated ||
         (flight.route->open_by != nullptr && flight.request.listener.*flight.route->open_by);
}

// Guards the records that the request rests on: what was authorised before a revocation cannot land
// after it, and a change sends back only those that it concerns. A batch has room for only so many
// guards: a request of more policies waits for any of them.
void guard_authority(const Admitted& flight, commit::Changes& changes);

}  // namespace leasehold::core
