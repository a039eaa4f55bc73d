#pragma once
// By whose key the checkpoints of a log are good: the one that the caller gave, else the one that
// the log names. A given key that has signed nothing is not the one to read the log by; then the
// log's own shows what else is to be said of it, and verdict() says that it is another's.
// Thread safety: none.

#include <optional>
#include <string>

#include "vault/audit/format.h"
#include "vault/base/json.h"

namespace leasehold::audit {

class Signer {
 public:
  explicit Signer(const std::optional<crypto::PublicKey>& given) : given_(given), key_(given) {}

  // The log names its key, in `epoch` and `continued`.
  enum class Named { known, first, another };
  Named name(const crypto::PublicKey& named);

  // What a checkpoint vouches for: everything before it, or nothing, for the reason in `why`; ""
  // when no key is known yet.
  bool vouches(const ParsedLine& line, const Json& checkpoint, std::string& why);

  // Why these files are not the given key's; "" when they are, or none was given.
  std::string refusal() const;
  bool is_the_given() const { return !given_ || key_ == given_; }
  std::string shown_key() const;  // hex; "": none
  std::string signed_by() const;  // hex; "": nobody

 private:
  const std::optional<crypto::PublicKey> given_;
  std::optional<crypto::PublicKey> key_;
  bool has_signed_ = false;
};

}  // namespace leasehold::audit
