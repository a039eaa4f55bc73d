#pragma once
// Names that failed to log in too often, for a while. Kept in memory, because a wrong password is
// sent by strangers and must not cost a write; a restart forgets them, as Vault does. What is kept
// is bounded: when it is full, the oldest failure of a name that is not locked is dropped.
// Thread-safe.

#include <list>
#include <map>
#include <set>
#include <string>
#include <unordered_map>

#include "vault/base/clock.h"
#include "vault/base/json.h"
#include "vault/base/mutex.h"

namespace leasehold::core {

// `user_lockout_config` of an auth mount, with Vault's defaults.
struct LockoutRule {
  std::int64_t threshold = 5;
  Seconds duration{900};  // how long the name stays locked
  Seconds reset{900};     // after which a failure is forgotten
  bool disabled = false;
  static LockoutRule of(const Json& mount_config);
};

class Lockout {
 public:
  bool is_locked(const std::string& mount_accessor, const std::string& alias, WallTime now) const;
  // Whether the name is locked from now on.
  bool failed(const std::string& mount_accessor, const std::string& alias, const LockoutRule& rule,
              WallTime now);
  void succeeded(const std::string& mount_accessor, const std::string& alias);
  // Whether the server's log may say why a login was refused: once in ten seconds, whoever asks.
  bool may_say(WallTime now);
  // An operator lets the name in again, and forgets its failures.
  void unlock(const std::string& mount_accessor, const std::string& alias) {
    succeeded(mount_accessor, alias);
  }
  // Names that are locked at `now`, by the accessor of their mount, both sorted.
  using Locked = std::map<std::string, std::set<std::string>>;
  Locked locked(WallTime now) const;

 private:
  static constexpr std::size_t kNamesMax = 65536;
  static constexpr std::size_t kLookedAt = 1024;  // for one that is not locked
  struct Name {
    std::string key;
    std::int64_t failures = 0;
    WallTime last;
    WallTime locked_until;
  };
  using Order = std::list<Name>;  // the longest ago first

  void make_room(WallTime now) REQUIRES(mutex_);

  mutable Mutex mutex_;
  Order order_ GUARDED_BY(mutex_);
  WallTime say_after_ GUARDED_BY(mutex_);
  std::unordered_map<std::string, Order::iterator> by_key_ GUARDED_BY(mutex_);
};

}  // namespace leasehold::core
