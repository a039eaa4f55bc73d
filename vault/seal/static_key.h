#pragma once
// seal "static": a slot whose key comes from 32 bytes in a file, an environment variable or the
// configuration. No hardware protection, and every status says so: whoever reads the key opens the
// vault. The key is read when needed and not kept.
//
//   seal "static" {
//     current_key_id = "2027-01"
//     current_key    = "file:///etc/leasehold/seal.key"   # or env://NAME, or hex or base64 here
//   }
//
// `previous_key_id` and `previous_key` open slots made with an earlier key. A key file inside the
// data directory, or one that others can read, is refused. Thread-safe.

#include <memory>
#include <string>

#include "vault/base/stanza.h"
#include "vault/seal/protector.h"

namespace leasehold::seal {

Result<std::unique_ptr<Protector>> make_static_protector(Stanza& stanza, std::string data_directory,
                                                         Random& random);

// 32 bytes: raw, or as hex or base64 text with at most one newline behind. Empty when it is
// neither.
SecretBytes parse_static_key(ByteView bytes);

}  // namespace leasehold::seal
