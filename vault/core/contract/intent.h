#pragma once
// What an effect wants done on another machine: made by Effect::plan out of a snapshot, carried out
// by the core (road/effect_job.cpp), then handed to Effect::settle. Each kind has the fields that
// it needs and no others. Move-only where it carries a password. Thread safety: none, one owner at
// a time.

#include <array>
#include <string>
#include <variant>
#include <vector>

#include "vault/barrier/format.h"
#include "vault/base/clock.h"
#include "vault/target/target.h"

namespace leasehold::core {

using TargetId = std::array<std::uint8_t, 8>;  // names a target for as long as a lease needs it

// Of what a role's leases carry to their end, in bytes: each change of a lease writes it anew.
inline constexpr std::size_t kLeaseStatementsMax = 64u << 10;

// Asked of the core by an effect: a lease for the account it plans.
struct LeaseTerms {
  Seconds ttl{0};      // 0: the mount's default
  Seconds max_ttl{0};  // 0: the mount's maximum
  bool renewable = true;
};

namespace intent {

// Nothing to do outside after all (force): settled at once.
struct Nothing {};

// Asks the candidate, where there is one, what it is; changes nothing.
struct Check {
  TargetId target{};  // that the candidate's settings are for
  // Connection::identity() of the candidate, set by the core; empty: it was not asked.
  std::string server;
};

// An account that a role describes.
struct Account {
  TargetId target{};
  std::string role;
  // not_after is set by the core, and the account unless the engine names it.
  target::CreateOrder create;
  std::vector<std::string> revocation_statements;  // snapshot, kept in the lease
  LeaseTerms terms;
};

// Creates an account under a lease.
struct Issue : Account {
  // The statements that renew, a JSON array of strings, kept in the lease; empty: the target's way.
  std::string renewal_json;
};

// Creates an account, logs in, revokes, looks; its lease is only for the case of a crash.
struct Probe : Account {};

// Moves the end of the account of a lease, then of the lease itself.
struct Renew {
  barrier::OrderedId lease{};
  std::vector<std::string> statements;  // empty: the target's own way
  WallTime not_after;
  Seconds ttl{0};  // what the client is told
};

// Changes the password of the account that the target itself is logged in to with.
struct Rotate {
  TargetId target{};
  std::string account;
  SecretBytes password;                 // the new one
  std::vector<std::string> statements;  // empty: the target's own way
  std::string run;                      // the process that began it, set by the core
};

}  // namespace intent

using Intent = std::variant<intent::Nothing, intent::Check, intent::Issue, intent::Probe,
                            intent::Renew, intent::Rotate>;

// Of an effect whose plan makes no other kind.
template <class Kind>
const Kind& only(const Intent& intent) {
  const Kind* kind = std::get_if<Kind>(&intent);
  VAULT_ASSERT(kind != nullptr);
  return *kind;
}

// The account to create; null: the intent creates none.
inline intent::Account* account_of(Intent& intent) {
  if (auto* issue = std::get_if<intent::Issue>(&intent)) return issue;
  return std::get_if<intent::Probe>(&intent);
}

}  // namespace leasehold::core
