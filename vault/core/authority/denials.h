#pragma once
// Why the latest requests were denied, by the id of the request: for whoever asks sys/explain. In
// memory alone, and bounded: the oldest go first, and of one token never more than a share, so that
// nobody makes the others forget theirs. No secret and nothing of a body is in it. Thread-safe.

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "vault/base/clock.h"
#include "vault/base/json.h"
#include "vault/base/mutex.h"
#include "vault/policy/policy_set.h"

namespace leasehold::core {

struct Denial {
  std::string request_id;
  std::string accessor;  // of the token that was denied
  WallTime time;
  std::string operation;  // "read", "delete"
  std::string path;
  std::vector<std::string> policies;  // that the token holds
  std::string reason;                 // policy::Decision::reason
  std::string missing;                // the capability that no rule grants; "": none is missing
  std::string policy, rule;           // that decided; "": none did
  int line = 0;
};

// What a decision that denies says. `needed`: the capability of the operation.
void describe(const policy::Decision& decision, std::uint16_t needed, Denial& into);
// As one sentence, for people.
std::string sentence_of(const Denial& denial);
Json shown(const Denial& denial);

class Denials {
 public:
  static constexpr std::size_t kKept = 1024, kKeptOfOne = 64;  // denials, of one token
  static constexpr std::size_t kTextMax = 1024;  // bytes of a path, or of all policies

  void keep(Denial denial);
  std::optional<Denial> find(std::string_view request_id) const;

 private:
  mutable Mutex mutex_;
  std::deque<Denial> latest_ GUARDED_BY(mutex_);  // the oldest first
};

}  // namespace leasehold::core
