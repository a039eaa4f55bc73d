#include "vault/backup/writer.h"

namespace leasehold::backup {

namespace {

constexpr std::uint8_t kEndOfKeys[] = {0xff};

}  // namespace

Result<std::unique_ptr<Writer>> Writer::begin(std::unique_ptr<storage::Snapshot> snapshot,
                                              const barrier::Barrier& barrier, WallTime now) {
  VAULT_TRY_ASSIGN(const auto head, commit::read_head(*snapshot, barrier));
  if (!head) return failure(Code::internal, "the store has no head record");
  Header header;
  header.store = barrier.store();
  header.group = head->group;
  header.index = head->index;
  header.incarnation = head->incarnation;
  header.created = now;
  header.key = crypto::ed25519_public(barrier.keys().audit_sign.reveal());
  return std::unique_ptr<Writer>(new Writer(std::move(snapshot), barrier, header));
}

void Writer::add_frame(FrameType type, ByteView payload, Bytes& piece) {
  const std::size_t at = piece.size();
  append_be(piece, static_cast<std::uint8_t>(type), 1);
  append_be(piece, payload.size(), 4);
  append(piece, payload);
  chain_ = chain_next(chain_, ByteView(piece).subspan(at));
  append(piece, chain_);
}

Status Writer::read_records(Bytes& payload) {
  payload.clear();
  bool more = false;
  const auto each = [&](const storage::Entry& entry) {
    if (payload.size() >= kFrameWanted) {
      from_ = to_bytes(entry.key);
      more = true;
      return false;
    }
    if (static_cast<barrier::Table>(entry.key[0]) == barrier::Table::restored) return true;
    append_record(payload, entry);
    ++records_;
    return true;
  };
  VAULT_TRY(snapshot_->scan(from_, kEndOfKeys, SIZE_MAX, storage::Scan::values, each));
  read_ = !more;
  bytes_ += payload.size();
  return {};
}

Status Writer::next(Bytes& piece) {
  VAULT_ASSERT(!done_);
  piece.clear();
  if (!begun_) {
    append(piece, as_bytes(kMagic));
    add_frame(FrameType::header, header_.serialize(), piece);
    begun_ = true;
    return {};
  }
  if (!read_) {
    VAULT_TRY(read_records(payload_));
    if (!payload_.empty()) add_frame(FrameType::records, payload_, piece);
    if (!read_) return {};
  }
  const Bytes message = End::message(header_.store, records_, bytes_, chain_);
  const End end{records_, bytes_,
                crypto::ed25519_sign(barrier_.keys().audit_sign.reveal(), message)};
  add_frame(FrameType::end, end.serialize(), piece);
  snapshot_->release();
  done_ = true;
  return {};
}

}  // namespace leasehold::backup
