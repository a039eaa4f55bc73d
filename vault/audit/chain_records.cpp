#include "vault/audit/chain_records.h"

#include "vault/audit/json_text.h"
#include "vault/base/encoding.h"
#include "vault/crypto/ed25519.h"

namespace leasehold::audit {
namespace {

constexpr std::int64_t kFormatVersion = 1;

Members begin(std::string& out, std::string_view type, WallTime time) {
  Members record(out);
  record.text("type", type);
  record.text("time", rfc3339(time));
  return record;
}

void add_seq(Members& record, std::string_view name, std::uint64_t seq) {
  record.member(name) += std::to_string(seq);
}

void add_last(Members& record, const Position& last) {
  add_seq(record, "last_seq", last.seq);
  record.hex("last_hash", last.hash);
}

void add_identity(Members& record, const Identity& identity) {
  record.hex("store_id", identity.store_id);
  record.hex("incarnation", identity.incarnation);
  record.hex("public_key", crypto::ed25519_public(identity.sign_seed));
}

// A log that was written for no store names no commit.
void add_commit(Members& record, const Identity& identity) {
  if (identity.commit == 0) return;
  add_seq(record, "commit", identity.commit);
  record.text("commit_mac",
              CommitKey(identity.sign_seed, identity.store_id).mac_of(identity.commit));
}

}  // namespace

std::string epoch_body(const Identity& identity, WallTime time, const Position& last,
                       std::optional<std::uint64_t> told) {
  std::string out;
  Members record = begin(out, "epoch", time);
  record.number("version", kFormatVersion);
  add_identity(record, identity);
  add_last(record, last);
  if (told) add_seq(record, "told", *told);
  add_commit(record, identity);
  record.close();
  return out;
}

std::string checkpoint_body(const Identity& identity, WallTime time, const Position& covered) {
  const Bytes message = checkpoint_message(identity.store_id, covered.seq, covered.hash);
  std::string out;
  Members record = begin(out, "checkpoint", time);
  record.hex("store_id", identity.store_id);
  add_seq(record, "signed_seq", covered.seq);
  record.hex("signed_hash", covered.hash);
  record.hex("signature", crypto::ed25519_sign(identity.sign_seed, message));
  add_commit(record, identity);
  record.close();
  return out;
}

std::string torn_body(WallTime time, const std::string& device) {
  std::string out;
  Members record = begin(out, "torn", time);
  record.text("device", device);
  record.close();
  return out;
}

std::string gap_body(const Identity& identity, WallTime time, std::span<const Gap> gaps) {
  std::string out;
  Members record = begin(out, "gap", time);
  record.member("devices") += '[';
  for (const Gap& gap : gaps) {
    if (&gap != gaps.data()) out += ',';
    Members device(out);
    device.text("device", gap.device);
    add_last(device, gap.last);
    add_seq(device, "remnant", gap.remnant);
    device.close();
  }
  out += ']';
  add_commit(record, identity);
  record.close();
  return out;
}

std::string cut_body(WallTime time, std::span<const Cut> cuts) {
  std::string out;
  Members record = begin(out, "cut", time);
  record.member("devices") += '[';
  for (const Cut& cut : cuts) {
    if (&cut != cuts.data()) out += ',';
    Members device(out);
    device.text("device", cut.device);
    add_last(device, cut.last);
    add_seq(device, "held_seq", cut.held.seq);
    device.hex("held_hash", cut.held.hash);
    device.close();
  }
  out += ']';
  record.close();
  return out;
}

std::string continued_body(const Identity& identity, WallTime time, const Position& last,
                           std::span<const std::string> devices) {
  std::string out;
  Members record = begin(out, "continued", time);
  record.texts("devices", devices);
  add_identity(record, identity);
  add_last(record, last);
  add_commit(record, identity);
  record.close();
  return out;
}

std::string closed_body(WallTime time) {
  std::string out;
  begin(out, "closed", time).close();
  return out;
}

std::string_view time_text(std::string_view body) {
  constexpr std::string_view kTime = "\"time\":\"";
  const std::size_t at = body.find(kTime);
  const bool of_log = body.starts_with(kChainRecord) && at != std::string_view::npos;
  if (!of_log && !body.starts_with(kVaultRecord)) return {};
  body.remove_prefix(at + kTime.size());
  return body.substr(0, body.find('"'));
}

Json read_chain_record(std::string_view body) {
  auto parsed = parse_json(body);
  return parsed.ok() ? std::move(parsed).value() : Json::object();
}

std::optional<Position> position_at(const Json& record, std::string_view seq_key,
                                    std::string_view hash_key) {
  const auto hash = array_from_hex<crypto::Digest>(record.string_at(hash_key));
  const Json* seq = record.find(seq_key);
  if (!hash || seq == nullptr || !seq->integer()) return std::nullopt;
  return Position{static_cast<std::uint64_t>(*seq->integer()), *hash};
}

}  // namespace leasehold::audit
