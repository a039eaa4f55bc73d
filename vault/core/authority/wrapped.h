#pragma once
// Wrapped answers: the answer as it was rendered for a client, kept until its wrapping token opens
// it, once. The bytes are sealed under a key derived from that token, which is stored nowhere:
// neither the store nor its keys open them. They stand beside the record of the token; whatever
// ends the token erases them in the same batch (Tokens::forget), and so does opening them.
//
//   wrapped   ms of creation | id of the wrapping token    format:u8  nonce  ciphertext  tag
//
// The batches guard the token and the answer, so of several concurrent unwraps exactly one
// succeeds. Thread-safe functions.

#include "vault/core/authority/tokens.h"
#include "vault/core/contract/response.h"

namespace leasehold::core {

// What a wrapping token holds that is used up, has expired, or never was one.
inline constexpr std::string_view kNoWrappingToken =
    "wrapping token is not valid or does not exist";

struct WrapTerms {
  Seconds ttl{0};
  std::string creation_path;
  WallTime now;
};

barrier::PhysicalKey wrapped_key(const barrier::OrderedId& token);

// Renders `answer` and keeps it under a new wrapping token; returns the answer that leaves instead.
// Code::invalid when it is too large to be kept.
Result<Response> wrap(const Tokens& tokens, WriteTxn& txn, Response&& answer,
                      const WrapTerms& terms, Random& random);
// The answer as it was rendered. `text` is the token itself; its end is the caller's, in this
// batch.
Result<Response> opened(WriteTxn& txn, const Token& token, std::string_view text);

}  // namespace leasehold::core
