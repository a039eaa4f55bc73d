#pragma once
// Batch tokens: what a token is, sealed, is the token. Nothing is stored, so one costs no write, is
// good after any restart, and ends by its time alone or with what it hangs below (tokens.h). There
// is a key for each data term, behind the barrier: a rotation gives new tokens a new one, and
// leaves those that were made before.
//
//   hvb. | base64url(format:u8 | term:u32be | nonce[24] | sealed(record as of token.h) | tag[16])
//
// Thread-safe.

#include "vault/barrier/barrier.h"
#include "vault/core/authority/token.h"
#include "vault/core/authority/token_cache.h"

namespace leasehold::core {

class BatchTokens {
 public:
  // Bytes of its text: it goes into the head of every request.
  static constexpr std::size_t kSizeMax = 4096;

  BatchTokens(const barrier::Barrier& barrier, Random& random)
      : barrier_(barrier), random_(random) {}

  static bool looks_like_one(std::string_view text);
  // Code::invalid when its policies, metadata and names are more than it holds.
  Result<SecretBytes> make(const Token& token) const;
  // Null: this vault never made it. `id` of the token is a keyed hash of the text, under which no
  // record lies; what was opened before is found in `cache`.
  std::shared_ptr<const Token> open(std::string_view text, TokenCache& cache) const;

  // A keyed hash, in the form of an id that no record has: there is no time in it.
  static barrier::OrderedId id_of(const barrier::Barrier& barrier, std::string_view purpose,
                                  std::string_view text);

 private:
  const barrier::Barrier& barrier_;
  Random& random_;
};

}  // namespace leasehold::core
