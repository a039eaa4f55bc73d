#pragma once
// One request on its way: what each station found out, for the next ones. Lives in the frame of
// Core::handle, on its io thread; a station that runs elsewhere has it for itself meanwhile.

#include <array>
#include <optional>

#include "vault/core/authority/policies.h"
#include "vault/core/contract/fields.h"
#include "vault/core/road/unsealed.h"

namespace leasehold::core {

struct SealedRoute;

struct InFlight {
  InFlight(Request&& r, Exchange& e) : request(std::move(r)), asker(e) {}
  InFlight(const InFlight&) = delete;
  InFlight& operator=(const InFlight&) = delete;

  Request request;
  Exchange& asker;
  std::string id;
  WallTime started;
  Unsealed* live = nullptr;  // null while sealed, and for the routes that work sealed

  // router
  const SealedRoute* sealed_route = nullptr;
  std::optional<commit::Snapshots::Held> snapshot;  // as admitted, when run() follows at once
  std::shared_ptr<const Compiled> compiled;
  const Mount* mount = nullptr;
  const Route* route = nullptr;
  Captures captures;
  const Action* action = nullptr;
  Place place = Place::inline_;
  std::string_view inner_path;

  // tokens
  TokenRef token;
  Tokens::Chain chain;
  bool use_begun = false;                 // of a token with a limited number of uses
  std::optional<std::int64_t> uses_left;  // after this request's own, once it is counted
  Caller caller;

  // policy
  Authority authority;  // of the snapshot that the engine sees
  Decision decision;
  std::vector<std::string> granting;

  // engine and commit
  std::optional<commit::Batch> batch;  // what is committed next; the station takes it
  Response answer;
  Fields fields;
  std::vector<std::string> warnings;

  // effect
  const Effect* effect = nullptr;
  std::optional<Intent> intent;
  std::optional<Lease> lease;
  std::unique_ptr<target::Target> candidate;
  std::shared_ptr<target::Lane> lane;
  std::string handle;             // of the account, as its target returned it
  bool of_target = false;         // what failed, failed at the target
  bool pending_recorded = false;  // PENDING is durable: it must be settled
  bool settled = false;

  // revocations the answer waits for
  std::vector<barrier::PhysicalKey> awaited;

  // audit
  bool request_recorded = false;  // its line is in the log or in the outbox
  bool answer_recorded = false;
  bool unrecordable = false;  // refused, since no device works
  bool unaudited = false;     // durable, but no device took its lines

  bool renews() const { return intent && intent->kind == Intent::Kind::renew; }
  bool rotates() const { return intent && intent->kind == Intent::Kind::rotate; }
  bool runs_alone() const { return renews() || rotates(); }
  // What it runs alone on: the lease that it renews, the manager it rotates (several targets may
  // have one), or its path.
  std::uint64_t latch_key() const {
    auto key = std::string_view(request.path);
    if (renews()) key = as_text(intent->lease);
    if (rotates()) key = intent->create.account;
    return std::hash<std::string_view>()(key);
  }
};

// Whether the route of a request needs no token, there where it came in.
inline bool open_to_strangers(const InFlight& flight) {
  if (flight.route == nullptr) return false;
  return flight.route->unauthenticated ||
         (flight.route->open_by != nullptr && flight.request.listener.*flight.route->open_by);
}

}  // namespace leasehold::core
