#pragma once
// Makes a backup out of one snapshot, piece by piece: what is sealed goes out as it is stored, so a
// backup shows no more than a stolen disk, and making one opens nothing. Memory holds one piece.
//
//   VAULT_TRY_ASSIGN(auto writer, Writer::begin(std::move(snapshot), barrier, now));
//   for (Bytes piece; !writer->done(); send(piece)) VAULT_TRY(writer->next(piece));
//
// Thread safety: none, one thread at a time. The snapshot is held until the end: what is erased
// meanwhile takes space until then.

#include <memory>

#include "vault/backup/format.h"

namespace leasehold::backup {

class Writer {
 public:
  // Code::internal when the store has no head. `barrier` must outlive this.
  static Result<std::unique_ptr<Writer>> begin(std::unique_ptr<storage::Snapshot> snapshot,
                                               const barrier::Barrier& barrier, WallTime now);

  // Puts the next part of the stream in place of `piece`: about kFrameWanted bytes.
  Status next(Bytes& piece);
  bool done() const { return done_; }
  const Header& header() const { return header_; }
  std::uint64_t records() const { return records_; }

 private:
  Writer(std::unique_ptr<storage::Snapshot> snapshot, const barrier::Barrier& barrier,
         const Header& header)
      : snapshot_(std::move(snapshot)), barrier_(barrier), header_(header), chain_(chain_begin()) {}

  void add_frame(FrameType type, ByteView payload, Bytes& piece);
  Status read_records(Bytes& payload);

  const std::unique_ptr<storage::Snapshot> snapshot_;
  const barrier::Barrier& barrier_;
  const Header header_;
  crypto::Digest chain_;
  Bytes from_{0x00};  // the key to go on from
  bool begun_ = false, read_ = false, done_ = false;
  std::uint64_t records_ = 0, bytes_ = 0;
  Bytes payload_;
};

}  // namespace leasehold::backup
