#include "vault/audit/tail_check.h"

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

// Reads back to the first line that proves or refutes the log. At the beginning of a file that was
// begun behind the remembered line there is none.
class Search {
 public:
  explicit Search(const Identity& identity)
      : identity_(identity), remembered_(identity.remembered) {}

  // False: seen enough.
  bool goes_on(std::string_view text) {
    const auto line = parse_line(text);
    if (!line.ok()) return true;  // left by a failed write, or verification names it
    if (line->seq > remembered_.seq) {
      if (is_own_checkpoint(*line, identity_)) return false;
      changed_ = line->seq == remembered_.seq + 1 && line->previous != remembered_.hash;
      return !changed_;
    }
    const auto hash = line_hash(line->previous, line->seq, line->body);
    changed_ = !(Position{line->seq, hash} == remembered_);
    return false;
  }
  bool changed() const { return changed_; }

 private:
  const Identity& identity_;
  const Position& remembered_;
  bool changed_ = false;
};

// Lines do not name their store, the log's own records do: what stands behind an epoch of another
// store is that store's.
class CommitSearch {
 public:
  explicit CommitSearch(const Identity& identity)
      : identity_(identity), store_(hex(identity.store_id)) {}

  // False: seen enough.
  bool goes_on(std::string_view text) {
    if (++lines_ > kSearchedMax) return false;
    const auto line = parse_line(text);
    if (!line.ok()) return true;
    if (line->seq <= identity_.remembered.seq) return confirm(0), false;
    if (!line->body.starts_with(kChainRecord)) {
      pending_ = std::max(pending_, commit_of(line->body));
      return true;
    }
    const Json record = read_chain_record(line->body);
    const std::string store = record.string_at("store_id");
    if (store == store_) {
      confirm(static_cast<std::uint64_t>(std::max<std::int64_t>(record.integer_at("commit"), 0)));
      return !is_own_checkpoint(*line, identity_);
    }
    if (!store.empty() && record.string_at("type") == "epoch") pending_ = 0;
    return true;
  }
  std::uint64_t newest() const { return newest_; }

 private:
  // A checkpoint is written each second; more lines than this between two are another store's.
  static constexpr std::size_t kSearchedMax = 1'000'000;

  void confirm(std::uint64_t commit) {
    newest_ = std::max({newest_, pending_, commit});
    pending_ = 0;
  }

  const Identity& identity_;
  const std::string store_;
  std::size_t lines_ = 0;
  std::uint64_t pending_ = 0, newest_ = 0;
};

}  // namespace

Result<std::uint64_t> newest_commit(Device& device, const Identity& identity) {
  CommitSearch search(identity);
  VAULT_TRY(device.each_back([&](std::string_view line) { return search.goes_on(line); }));
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
          "every token, or with -restored=keep-tokens",
      device.where());
}

Error changed_log(const Device& device, std::string_view when) {
  return failure(
      Code::internal,
      device.where() + ": the log was changed " + std::string(when) + " by somebody else",
      "its end is not what this vault wrote; move the file away and keep it as "
      "evidence, the log goes on in a new one");
}

Status check_tail(Device& device, const Tail& tail, const Identity& identity) {
  if (identity.remembered.seq == 0 || tail.seq < identity.remembered.seq) return {};
  Search search(identity);
  VAULT_TRY(device.each_back([&](std::string_view line) { return search.goes_on(line); }));
  if (search.changed()) return changed_log(device, "while the server was down");
  return {};
}

}  // namespace leasehold::audit
