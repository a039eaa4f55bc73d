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

}  // namespace

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
