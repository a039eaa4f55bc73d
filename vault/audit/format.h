#pragma once
// The line format, shared by the sequencer and the verifier; drawn in FORMAT.md.
//
//   {"seq":42,"prev":"<64 hex>",BODY
//
// where BODY is the record's own text without its leading '{'. Hash of a line:
//   h = SHA256(prev | be64 seq | SHA256(0x00 | '{' BODY))   over the exact bytes, without newline
// `prev` is the hash of the line before; the very first line of a log has 32 zero bytes.
// Kinds of body by "type": request, response, event; and the log's own: epoch (each start: store
// id, incarnation, public key, last surviving hash), checkpoint (seq, hash, Ed25519 signature),
// torn (a half-written last line was found and cut), gap (a device missed lines and is back; names
// the last one it holds), continued (first line of a file after rotation: names its predecessor),
// closed. The log's own kinds have "type" as their first member, the others have "time". DO NOT
// CHANGE A VALUE HERE: logs are kept for years. Add a type.

#include <string>
#include <string_view>

#include "vault/base/clock.h"
#include "vault/crypto/ed25519.h"
#include "vault/crypto/hash.h"

namespace leasehold::audit {

// What a body may take up, and what a reader of lines must be ready for. A request may be longer:
// record.h says what of it is written.
inline constexpr std::size_t kBodyBytesMax = 64u << 20;
inline constexpr std::size_t kLineBytesMax = 128u << 20;
// The rest of a line is its number and a hash.
static_assert(kBodyBytesMax + 256 < kLineBytesMax);

// The vault signs before so many lines, or so much time, would stand unsigned. Verification allows
// twice the lines, since one write may add as many, and more time: a line has the time at which its
// request began, and that may have waited for a target.
inline constexpr std::uint64_t kSignAfterLines = 2048;
inline constexpr Nanos kSignAfter = std::chrono::seconds(10);
inline constexpr std::uint64_t kUnsignedLinesMax = 2 * kSignAfterLines;
inline constexpr Seconds kUnsignedSpanMax{600};

crypto::Digest line_hash(const crypto::Digest& previous, std::uint64_t seq, std::string_view body);
// The same in two halves: the costly one needs no place in the chain yet.
crypto::Digest body_hash(std::string_view body);
crypto::Digest line_hash(const crypto::Digest& previous, std::uint64_t seq,
                         const crypto::Digest& body);
// Appends the complete line with its newline; `body` begins with '{'.
void append_line(std::string& out, std::uint64_t seq, const crypto::Digest& previous,
                 std::string_view body);

struct ParsedLine {
  std::uint64_t seq = 0;
  crypto::Digest previous{};
  std::string body;  // with its '{'
};
Result<ParsedLine> parse_line(std::string_view line);  // without newline

// Vouches for the numbers of commits: whoever can write to a file cannot make one up, and so cannot
// have the store refused as an older copy. Immutable; thread-safe.
class CommitKey {
 public:
  CommitKey(ByteView sign_seed, ByteView store_id);
  std::string mac_of(std::uint64_t commit) const;  // in hex

 private:
  explicit CommitKey(const SecretBytes& key) : key_(key.reveal()) {}
  crypto::HmacKey key_;
};

// The number of the commit that a body was durable with in the store, and its MAC, as the last
// members: what tells a store that was put back from the one the log belongs to. 0: it names none.
std::string with_commit(std::string_view body, std::uint64_t commit, const CommitKey& key);
std::uint64_t commit_of(std::string_view body);  // whoever wrote it
// 0 also when `key` does not vouch for it.
std::uint64_t commit_of(std::string_view body, const CommitKey& key);

// What an Ed25519 checkpoint signs: a context string, the store id, seq and hash.
Bytes checkpoint_message(ByteView store_id, std::uint64_t seq, const crypto::Digest& hash);

}  // namespace leasehold::audit
