#pragma once
// Offline verification of audit files with nothing but the files (and, if the caller has them, a
// public key and a head noted elsewhere). Says up to which signed checkpoint the log is whole, how
// many records follow, and what it cannot prove. Links only base and crypto: the CLI uses it.

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "vault/audit/format.h"

namespace leasehold::audit {

inline constexpr std::size_t kBreaksMax = 100;

struct VerifyOptions {
  std::optional<crypto::PublicKey>
      public_key;                      // else the one in the first epoch record, and it says so
  std::optional<crypto::Digest> head;  // a hash that must occur in the log
  // The number of its line, when known: it is not missed in files that begin behind it.
  std::uint64_t head_seq = 0;
  // Whose files these are, by path or as the log names it; else the device with the last file's
  // path. Only of this device a gap record is believed.
  std::string device;
  // Whoever has the store's keys believes no other numbers of commits.
  const CommitKey* commits = nullptr;
  std::function<void(std::uint64_t bytes, std::uint64_t of)> progress;
};

struct Verdict {
  // No break anywhere: also that what a key was given for is signed by it, up to an end as short as
  // a vault that runs, or stopped hard, leaves unsigned.
  bool whole = false;
  std::uint64_t records = 0, epochs = 0, checkpoints = 0;
  std::uint64_t first_seq = 0, last_seq = 0;
  std::uint64_t signed_seq = 0;  // the last line covered by a good signature
  std::uint64_t after_signed = 0;
  Seconds after_signed_span{0};  // over how much time the lines behind that one go
  crypto::Digest last_hash{};
  std::uint64_t last_commit = 0;  // the newest commit of the store that its lines tell of
  std::string store_id_hex;       // of the last store that wrote here
  std::string public_key_hex;     // that was given; else the log's own
  std::string signed_by_hex;      // whose signatures are good: that one, another, or none ("")
  bool key_was_given = false, head_found = false;
  // Where and how it breaks: "audit.log:17: hash does not follow line 16"; empty when whole.
  std::string broken;
  std::vector<std::string> breaks;  // every one of them, `broken` first; at most kBreaksMax
  std::vector<std::string> notes;   // torn tails, epochs, what cannot be proven
};

// Files in the order they were written (rotated first). Code::not_found when a file cannot be read.
Result<Verdict> verify_files(const std::vector<std::string>& files, const VerifyOptions& options);

}  // namespace leasehold::audit
