#include "vault/audit/tail_check.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "vault/audit/chain_records.h"
#include "vault/base/encoding.h"

namespace leasehold::audit {
namespace {

bool is_own_checkpoint(const ParsedLine& line, const Json& record, const Identity& identity) {
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
bool begins_a_log(std::string_view type) {
  static constexpr std::string_view kTypes[] = {"epoch", "continued", "torn", "gap", "cut"};
  return std::find(std::begin(kTypes), std::end(kTypes), type) != std::end(kTypes);
}

// Reads a log from its end to the line that is known, and some way on. Each line must be the one
// that the line behind it names: what somebody appended, cut out or put elsewhere does not chain.
class Walk {
 public:
  Walk(const Device& device, const Identity& identity, const Position& known,
       const TailBounds& bounds)
      : identity_(identity),
        known_(known),
        bounds_(bounds),
        where_(device.where()),
        commits_(identity.sign_seed, identity.store_id),
        closed_(identity.closed && known == identity.remembered) {}

  // False: seen enough.
  bool goes_on(std::string_view text) {
    const auto line = parse_line(text);
    if (!line.ok()) return true;  // left by a failed write, or verification names it
    newest_ = std::max(newest_, commit_of(line->body, commits_));
    if (newest_ > identity_.commit && !identity_.may_be_older) return false;
    if (changed_ || is_behind_) return beyond(*line);
    const Position here{line->seq, line_hash(line->previous, line->seq, line->body)};
    if (!follows(here)) return changed_ = true;
    if (known_.seq != 0 && here.seq <= known_.seq) return meet(here);
    return take(*line);
  }

  bool gave_up() const { return unsigned_ > bounds_.unsigned_lines; }
  std::uint64_t newest() const { return newest_; }
  bool changed() const {
    if (known_.seq == 0) return changed_ && (proven_ || newest_ != 0);  // else it may be another's
    if (changed_ || !later_) return changed_;
    if (is_behind_) return !may_end();
    // A file that was begun behind the known line.
    const bool next = later_->seq == known_.seq + 1;
    if (next && later_->hash != known_.hash) return true;
    return !proven_ && !only_begins_ && (closed_ || !next);
  }

 private:
  // Whether nothing stands behind the known line that the vault would not have written there.
  bool may_end() const { return proven_ || only_begins_ || !closed_; }

  // The line behind this one names it; or it says which lines are missing, under a signature.
  bool follows(const Position& here) {
    const bool chained = !later_ || (here.seq + 1 == later_->seq && here.hash == later_->hash);
    stepped_ = !chained;
    return chained || (proven_ && std::find(named_.begin(), named_.end(), here) != named_.end());
  }

  // The known line, or the first one before it. A file that ends before it was cut, and is not
  // changed by that.
  bool meet(const Position& here) {
    is_behind_ = true;
    changed_ = here.seq == known_.seq ? !(here == known_ || stepped_) : later_ && !stepped_;
    return true;
  }

  bool take(const ParsedLine& line) {
    const bool own = line.body.starts_with(kChainRecord);
    const Json record = own ? read_chain_record(line.body) : Json::object();
    const std::string type = record.string_at("type");
    if (!proven_ && is_own_checkpoint(line, record, identity_)) proven_ = true;
    if (proven_ && identity_.may_be_older) return false;
    if (!proven_ && ++unsigned_ > bounds_.unsigned_lines) return false;
    only_begins_ = only_begins_ && begins_a_log(type);
    named_.resize(type == "gap" || type == "cut" ? named_.size() : 0);
    if (type == "gap" || type == "cut") note_named(record);
    later_ = {line.seq, line.previous};
    return true;
  }

  void note_named(const Json& record) {
    const Json* devices = record.find("devices");
    if (devices == nullptr) return;
    for (const Json& one : devices->items()) {
      const auto last = position_at(one, "last_seq", "last_hash");
      if (last) named_.push_back(*last);
      // The vault signs it in the write that brings it: until then anybody could have put it there.
      if (!proven_ && one.string_at("device") == where_) changed_ = true;
    }
  }

  // Before the known line no line may stand that is numbered behind it: then it was appended once
  // more. Behind a change, only the numbers of commits are looked for.
  bool beyond(const ParsedLine& line) {
    if (is_behind_ && line.seq >= known_.seq) changed_ = true;
    return ++looked_back_ < (changed_ ? bounds_.before_change : bounds_.before_known);
  }

  const Identity& identity_;
  const Position& known_;
  const TailBounds& bounds_;
  const std::string where_;
  const CommitKey commits_;
  const bool closed_;
  std::optional<Position> later_;  // the line looked at last: its number, and the hash it names
  std::vector<Position> named_;    // by gap and cut records right behind
  bool stepped_ = false;           // over missing lines, to the line in hand
  bool proven_ = false;            // by a checkpoint of the store's own
  bool only_begins_ = true;        // so far
  bool is_behind_ = false;         // the known line was met, or the place where it would stand
  bool changed_ = false;
  std::size_t unsigned_ = 0, looked_back_ = 0;
  std::uint64_t newest_ = 0;
};

}  // namespace

Result<TailFound> examine_tail(Device& device, const Identity& identity, const Position& known,
                               const TailBounds& bounds) {
  Walk walk(device, identity, known, bounds);
  VAULT_TRY(device.each_back([&](std::string_view line) { return walk.goes_on(line); }));
  return TailFound{walk.changed() || walk.gave_up(), walk.newest()};
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

}  // namespace leasehold::audit
