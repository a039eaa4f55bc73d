#pragma once
// What a token is: the record of a service token, or what a batch token carries itself
// (batch_tokens.h), and the form of both (contract/codec.h), which grows and never changes. It does
// not hold the token itself. Values; thread safety as such.

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "vault/barrier/format.h"
#include "vault/base/clock.h"
#include "vault/core/contract/codec.h"
#include "vault/core/contract/response.h"

namespace leasehold::core {

inline constexpr std::size_t kTokenMetaMax = 1024;  // pairs

struct Token {
  barrier::OrderedId id{};
  std::uint64_t mod = 0;  // the version that was read
  std::string accessor;
  std::optional<barrier::OrderedId> parent;
  // Left by revoke-orphan until all below it are orphans: authorises nothing, they live on.
  bool stub = false;
  bool renewable = false;
  bool orphan = true;  // has no parent, or its parent is a stub
  WallTime created;
  std::optional<WallTime> expires;
  std::optional<WallTime> last_renewal;
  Seconds creation_ttl{0}, explicit_max_ttl{0}, period{0};
  std::int64_t num_uses = 0;  // at creation; 0: unlimited
  std::string path, display_name, entity_id;
  std::vector<std::string> policies;
  std::vector<std::pair<std::string, std::string>> meta;
  bool has_meta = false;
  std::string mount;       // accessor of the auth mount that it logged in at; empty: none
  std::string renew_data;  // of that login
  std::vector<std::string> bound_cidrs;  // it is valid from there alone; empty: anywhere
  bool wrapping = false;                 // opens a wrapped answer, and does nothing else
  std::string role;                      // the token role it was made by; empty: none
  bool batch = false;  // it has no record: not renewed, not revoked, and nothing hangs below it
  Bytes unknown;       // fields of a newer version, written back as they are

  bool is_root() const { return policies.size() == 1 && policies[0] == "root"; }
};

using TokenRef = std::shared_ptr<const Token>;

Encoder encode_token(const Token& token);
// Without `id` and `mod`, which its place has; Code::internal when it is damaged.
Result<Token> decode_token(ByteView bytes);

// `auth` of an answer about this token; `ttl` is what it has left.
AuthInfo auth_of(const Token& token, Seconds ttl);
// With what the entity behind the token adds.
void show_identity(AuthInfo& auth, const std::vector<std::string>& policies);

}  // namespace leasehold::core
