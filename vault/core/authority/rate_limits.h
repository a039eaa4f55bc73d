#pragma once
// Rate limits: how many requests each client may make in an interval, as
// sys/quotas/rate-limit/:name says, for the whole vault, a mount, a path in it, or a role that logs
// in there. Of all that fit a request the nearest counts, and no other: role, path, path with `*`
// (the longest), mount, all.
//
// The rules are compiled with the mount table, so a vault without rules pays one comparison. A
// client is an address, or of IPv6 its network of 64 bits; what is remembered of clients is one
// table of a fixed size (RateTable), whoever sends whatever from wherever. RateLimits is immutable;
// RateTable is thread-safe.

#include <array>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "vault/base/clock.h"
#include "vault/base/json.h"
#include "vault/base/mutex.h"
#include "vault/commit/txn.h"

namespace leasehold::core {

struct RateRule {
  std::string name;
  std::string mount;   // its accessor, which it keeps wherever it is moved; empty: the whole vault
  std::string suffix;  // behind the mount's path, without `*`
  bool glob = false;   // all that begins with `suffix`
  std::string role;    // that logs in at the mount; empty: any request
  std::string rate;    // as it was given: requests in an interval
  std::int64_t requests = 1;  // the same, rounded, at least 1
  Seconds interval{1};
  Seconds block{0};  // for how long who passed the limit is refused; 0: to the end of the interval
  bool inheritable = false;  // of the whole vault: counts in the namespaces below, too
  std::uint64_t id = 0;      // of the rule as it is written: another one counts anew

  static std::optional<RateRule> of(std::string_view name, const Json& record);
  Json record() const;
};

// What a request was told.
struct RateTaken {
  bool allowed = true;
  std::int64_t limit = 0, remaining = 0;
  Seconds reset{0};  // until the client's interval is over, or it is refused no more
};

class RateTable {
 public:
  explicit RateTable(const barrier::Barrier& barrier);
  // One more request of this client.
  RateTaken take(const RateRule& rule, std::string_view client, WallTime now);

 private:
  // Clients that are remembered: 2 MiB. Behind that the one goes whose interval began first; one
  // that is refused, last of all.
  static constexpr std::size_t kWays = 8, kSets = 8192, kShards = 64;
  struct Seen {
    std::uint64_t who = 0;                      // keyed hash of rule and client; 0: nobody
    std::int64_t began = 0, blocked_until = 0;  // ns
    std::int64_t taken = 0;
  };
  static Seen& place_for(std::array<Seen, kWays>& set, std::uint64_t who, WallTime now);

  const std::array<std::uint8_t, barrier::kHashSize> key_;
  std::array<Mutex, kShards> mutexes_;
  std::vector<std::array<Seen, kWays>> sets_;  // each under the mutex of its shard
};

struct RateConfig {
  std::vector<std::string> exempt;
  bool audit_logging = false, headers = false;
  static RateConfig initial();
  static RateConfig of(const Json& record);
  Json shown() const;
  // A path that is listed, or below one that ends in '/'; the longest counts, and "!path" excepts.
  bool is_exempt(std::string_view path) const;
};

class RateLimits {
 public:
  static constexpr std::size_t kRulesMax = 1000;

  // As `core` shows them; `before` where nothing changed since. Null: there is no rule.
  static Result<std::shared_ptr<const RateLimits>> read(commit::ReadTxn& core,
                                                        std::shared_ptr<const RateLimits> before);
  // What every change of them adds to its batch.
  static Status touch(commit::WriteTxn& core);

  // Whether a rule for this mount asks for the role of a login.
  bool asks_role(std::string_view mount) const;
  // Null: none fits. `path`: behind the mount.
  const RateRule* find(std::string_view mount, std::string_view path, std::string_view role) const;
  RateTaken take(const RateRule& rule, std::string_view client, WallTime now) const {
    return table_->take(rule, client, now);
  }
  const RateConfig& config() const { return config_; }

 private:
  struct OfMount {
    const RateRule* whole = nullptr;
    std::map<std::string, const RateRule*, std::less<>> exact, roles;
    std::vector<const RateRule*> globs;  // the longest first
  };
  void add(std::unique_ptr<RateRule> rule);

  std::uint64_t mod_ = 0;
  std::shared_ptr<RateTable> table_;  // goes on when the rules change
  RateConfig config_;
  const RateRule* whole_ = nullptr;
  std::map<std::string, OfMount, std::less<>> by_mount_;
  std::vector<std::unique_ptr<RateRule>> rules_;
};

// Stored in the core's space.
inline constexpr std::string_view kRateRules = "quotas/rate-limit/", kRateConfig = "quotas/config";

}  // namespace leasehold::core
