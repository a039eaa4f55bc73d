#include "vault/audit/tail_check.h"

#include <algorithm>

#include "vault/audit/chain_records.h"
#include "vault/base/encoding.h"

namespace leasehold::audit {
namespace {

bool is_own_checkpoint(const ParsedLine& line, const Identity& identity) {
  if (!line.body.starts_with(kChainRecord)) return false;
  const Json record = read_chain_record(line.body);
  if (record.string_at("type") != "checkpoint") return false;
  const auto covered = position_at(record, "signed_seq", "signed_hash");
  const auto signature = from_hex(record.string_at("signature"));
  if (!covered || !signature) return false;
  if (covered->seq + 1 != line.seq || covered->hash != line.previous) return false;
  return crypto::ed25519_verify(crypto::ed25519_public(identity.sign_seed),
                                checkpoint_message(identity.store_id, covered->seq, covered->hash),
                                *signature);
}

// What a start writes before its first checkpoint. A kill in between leaves no other lines.
bool begins_a_log(const ParsedLine& line) {
  if (!line.body.starts_with(kChainRecord)) return false;
  const std::string type = read_chain_record(line.body).string_at("type");
  static constexpr std::string_view kTypes[] = {"epoch", "continued", "torn", "gap", "cut"};
  return std::find(std::begin(kTypes), std::end(kTypes), type) != std::end(kTypes);
}

// Reads back to the first line that proves or refutes the log, or to the beginning of a file that
// was begun behind the known line.
class Search {
 public:
  Search(const Identity& identity, const Position& known)
      : identity_(identity),
        known_(known),
        closed_(identity.closed && known == identity.remembered) {}

  // False: seen enough.
  bool goes_on(std::string_view text) {
    const auto line = parse_line(text);
    if (!line.ok()) return true;  // left by a failed write, or verification names it
    if (line->seq <= known_.seq) return meets_known(*line), false;
    if (is_own_checkpoint(*line, identity_)) {
      proven_ = true;
      return false;
    }
    only_begins_ = only_begins_ && begins_a_log(*line);
    follows_known_ = line->seq == known_.seq + 1;
    changed_ = follows_known_ && line->previous != known_.hash;
    return !changed_;
  }
  bool changed() const {
    if (changed_ || proven_ || only_begins_) return changed_;
    return closed_ || !follows_known_;
  }

 private:
  void meets_known(const ParsedLine& line) {
    changed_ = !(Position{line.seq, line_hash(line.previous, line.seq, line.body)} == known_);
    follows_known_ = true;
  }

  const Identity& identity_;
  const Position& known_;
  const bool closed_;
  bool proven_ = false;         // by a checkpoint of the store's own
  bool only_begins_ = true;     // so far
  bool follows_known_ = false;  // the line seen last, or it is the known one
  bool changed_ = false;
};

// The numbers that the store's own key vouches for, back to its last checkpoint: what is behind
// that one could be made up by whoever writes to the file, and so could the number in a checkpoint.
class CommitSearch {
 public:
  CommitSearch(const Identity& identity, std::size_t at_most)
      : identity_(identity), at_most_(at_most), key_(identity.sign_seed, identity.store_id) {}

  // False: seen enough.
  bool goes_on(std::string_view text) {
    const auto line = parse_line(text);
    if (!line.ok()) return true;
    gave_up_ = ++lines_ > at_most_;
    if (gave_up_ || line->seq <= identity_.remembered.seq) return false;
    newest_ = std::max(newest_, commit_of(line->body, key_));
    return !is_own_checkpoint(*line, identity_);
  }
  std::uint64_t newest() const { return newest_; }
  bool gave_up() const { return gave_up_; }

 private:
  const Identity& identity_;
  const std::size_t at_most_;
  const CommitKey key_;
  std::size_t lines_ = 0;
  bool gave_up_ = false;
  std::uint64_t newest_ = 0;
};

}  // namespace

Result<std::uint64_t> newest_commit(Device& device, const Identity& identity, std::size_t at_most) {
  CommitSearch search(identity, at_most);
  VAULT_TRY(device.each_back([&](std::string_view line) { return search.goes_on(line); }));
  if (search.gave_up()) return changed_log(device, "while the server was down");
  return search.newest();
}

// Strangers read the message, in seal-status: it names no path.
Error older_store(const Device& device, std::uint64_t logged, std::uint64_t stored) {
  return failure(
      Code::invalid,
      "the audit log tells of commit " + std::to_string(logged) +
          " of this vault, and its storage ends at commit " + std::to_string(stored) +
          ": an older copy of the storage was put back. Bring back the newer storage; or, if "
          "restoring it is what you want, start once with `leaseholdd -restored`, which revokes "
          "every token, or with -restored=keep-tokens. While the original still runs, only with "
          "-restored=drill: anything else ends its accounts",
      device.where());
}

Error changed_log(const Device& device, std::string_view when) {
  return failure(
      Code::internal,
      device.where() + ": the log was changed " + std::string(when) + " by somebody else",
      "its end is not what this vault wrote; move the file away and keep it as "
      "evidence, the log goes on in a new one");
}

Status check_tail(Device& device, const Tail& tail, const Identity& identity,
                  const Position& known) {
  if (known.seq == 0 || tail.seq < known.seq) return {};
  Search search(identity, known);
  VAULT_TRY(device.each_back([&](std::string_view line) { return search.goes_on(line); }));
  if (search.changed()) return changed_log(device, "while the server was down");
  return {};
}

}  // namespace leasehold::audit
