#pragma once
// The contract of a target: a machine that holds accounts for us (PostgreSQL, MariaDB, Redis ...).
// A Connection is one server session of our own, tagged with this vault's incarnation so that a
// later process can end what an earlier one left running. All calls block, take a deadline, and run
// on the target's own threads (vault/target/lane.h), never on an io thread.
//
// Every call says what is known afterwards:
//   Code::denied       the target refused it (rights, syntax); nothing happened
//   Code::unavailable  it could not be reached, or asked later; nothing happened
//   Code::deadline     no answer in time: it may or may not have happened
// Error messages may reach an operator and never hold a password.

#include <memory>
#include <string>
#include <vector>

#include "vault/base/bytes.h"
#include "vault/base/clock.h"
#include "vault/base/random.h"
#include "vault/base/result.h"

namespace leasehold::target {

struct CreateOrder {
  std::string account;
  SecretBytes password;
  std::vector<std::string>
      statements;  // templates: {{name}} {{username}} {{password}} {{expiration}}
  std::vector<std::string> rollback_statements;  // run when a statement failed half-way
  WallTime not_after;                            // lease expiry; the target adds its own grace
};
struct RenewOrder {
  std::string account;
  std::vector<std::string> statements;  // empty: the target's own way
  WallTime not_after;
  std::string handle;  // as create() returned it; empty: not known
};
struct RevokeOrder {
  std::string account;
  std::vector<std::string> statements;  // custom; run between our disabling and our looking
  std::string handle;                   // as create() returned it; empty: not known
  // Attempts that failed. The first one waits for a lock for moments only, so that an account whose
  // objects are in use holds up nobody; later ones wait longer.
  unsigned failed_attempts = 0;
};

// What revocation found and did, for the receipt.
struct Revoked {
  bool was_absent = false;  // the account was not there any more
  std::string renamed;      // the name it had by then; empty: its own
  std::uint32_t sessions_ended = 0;
  WallTime verified_at;  // seen absent, with no session
  // Copies of the server that follow it, where the account may have sessions that nobody looked
  // for.
  std::uint32_t standbys = 0;
};

struct Tag {
  std::string cluster;      // 6 characters of [0-9a-z]: tells our accounts from another cluster's
  std::string incarnation;  // 16 characters; new at every unseal
};

class Connection {
 public:
  virtual ~Connection() = default;
  // Which server this is, by what it says of itself: the same words as long as it holds the same
  // accounts, whatever its address. Empty when the target has nothing of that kind.
  virtual std::string identity() const { return {}; }
  // When the server was started, in its own words: others than before when it may have been put
  // back. Empty when the target has nothing of that kind.
  virtual std::string started() const { return {}; }
  // Not what was asked for, but all that could be had: it leads to the same server, beside the
  // place that refused the manager, and is there to take accounts their access. Why; nothing but
  // revoke() and end_other_incarnations() is asked of such a one, and it is used once.
  virtual Status ends_only() const { return {}; }
  // The manager's `next_password` let it in, and `password` did not: that rotation has happened.
  virtual bool took_next_password() const { return false; }
  // Whether that was this one: another rotation may have begun since the target was made.
  virtual bool got_in_with(const SecretBytes& next) const {
    static_cast<void>(next);
    return false;
  }
  // The account's handle: what the target knows it by whatever its name becomes, and never gives to
  // another (an oid). Empty when the target has nothing of that kind.
  virtual Result<std::string> create(const CreateOrder& order, Instant deadline) = 0;
  virtual Status renew(const RenewOrder& order, Instant deadline) = 0;
  // Disable login, end sessions, (custom statements,) drop what it owns in every database with
  // grants, drop, then look: success means that neither the handle nor the name is there, nor a
  // session of the handle. An error's `detail` is another account that holds it up, where that is
  // known.
  virtual Result<Revoked> revoke(const RevokeOrder& order, Instant deadline) = 0;
  // Ends server sessions tagged by another incarnation of this cluster and waits until none is
  // left. The tag alone proves nothing where others may set it: a session must be the manager's.
  virtual Status end_other_incarnations(Instant deadline) = 0;
  virtual Result<std::vector<std::string>> list(const std::string& prefix, Instant deadline) = 0;
  // A new password for an existing account (root and static rotation).
  virtual Status set_password(const std::string& account, const SecretBytes& password,
                              const std::vector<std::string>& statements, Instant deadline) = 0;
  // Whether these credentials log in at the server of this connection; Code::denied when they are
  // refused. A target that cannot tell says yes.
  virtual Status try_login(const std::string& account, const SecretBytes& password,
                           Instant deadline) {
    static_cast<void>(account), static_cast<void>(password), static_cast<void>(deadline);
    return {};
  }
  // What an operator should know of accounts made like this; asked while one exists.
  virtual std::vector<std::string> advice_on(const CreateOrder& order, Instant deadline) {
    static_cast<void>(order), static_cast<void>(deadline);
    return {};
  }
  // And of this server, whatever the accounts.
  virtual std::vector<std::string> advice(Instant deadline) {
    static_cast<void>(deadline);
    return {};
  }
  // Really asks the server.
  virtual Status ping(Instant deadline) = 0;
  // False once it is known to be of no more use: it is replaced before its next job.
  virtual bool usable() const { return true; }
};

class Target {
 public:
  virtual ~Target() = default;
  virtual Result<std::unique_ptr<Connection>> connect(const Tag& tag, Instant deadline) = 0;
  // `v-<cluster6>-<role8>-<id>` cut so that cluster and id survive the target's length limit.
  virtual std::string account_name(const Tag& tag, std::string_view role,
                                   std::string_view id) const = 0;
  // Whether an account may have this name; asked before anything is on record.
  virtual Status takes_name(std::string_view account) const {
    static_cast<void>(account);
    return {};
  }
  // Settings that are taken otherwise than who wrote them may expect.
  virtual std::vector<std::string> notes() const { return {}; }
  virtual std::string_view kind() const = 0;
  virtual unsigned connections_max() const = 0;
  // A connection that is older is replaced before its next job; 0: never.
  virtual Nanos connection_lifetime() const { return Nanos{0}; }
};

// The common prefix of all accounts of a cluster, for the sweeper: "v-<cluster6>-".
std::string account_prefix(const Tag& tag);
// The end of an account's name, that tells it from all others: so many of [0-9a-z].
inline constexpr std::size_t kAccountIdSize = 20;
// Whether an account of this name can only be one of this cluster's: its tag in front, an id at the
// end, as account_name() makes them.
bool is_account_of(const Tag& tag, std::string_view name);
// 20 characters with at least one lower, upper, digit and dash.
SecretBytes generate_password(Random& random);

}  // namespace leasehold::target
