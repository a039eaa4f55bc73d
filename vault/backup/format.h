#pragma once
// The layout of a backup, shared by the writer and the reader; drawn in FORMAT.md. DO NOT CHANGE A
// VALUE HERE: backups are kept for years. Add a version, or a type of frame. Thread-safe functions.

#include "vault/commit/head.h"
#include "vault/crypto/ed25519.h"

namespace leasehold::backup {

inline constexpr std::string_view kMagic = "leasehold backup";
inline constexpr std::uint8_t kFormat = 1;
enum class FrameType : std::uint8_t { header = 1, records = 2, end = 3 };

// type:u8 | length:u32 | payload | chain[32]
inline constexpr std::size_t kFrameHead = 1 + 4;
inline constexpr std::size_t kChainSize = 32;
// A frame of records ends with the record that reaches kFrameWanted; kFrameMax is what a reader
// takes.
inline constexpr std::size_t kFrameWanted = 1u << 20;
inline constexpr std::size_t kFrameMax = 16u << 20;

struct Header {
  barrier::StoreId store{};
  std::uint64_t group = 0, index = 0;  // of the head that the records belong to
  commit::Incarnation incarnation{};
  WallTime created;
  crypto::PublicKey key{};  // of the vault's audit checkpoints, and of the signature at the end

  Bytes serialize() const;
  static Result<Header> deserialize(ByteView bytes);
};

// The chain before the first frame, and behind a frame.
crypto::Digest chain_begin();
crypto::Digest chain_next(const crypto::Digest& before, ByteView frame);  // head and payload

void append_record(Bytes& payload, const storage::Entry& entry);
// The next record of a payload, whose views point into it. Code::invalid when it is cut.
Result<storage::Entry> take_record(ByteView& payload);

struct End {
  std::uint64_t records = 0, bytes = 0;  // bytes of all payloads of records
  crypto::Signature signature{};

  Bytes serialize() const;
  static Result<End> deserialize(ByteView bytes);
  // What is signed: a context, the store, the counts, and the chain behind the last frame.
  static Bytes message(const barrier::StoreId& store, std::uint64_t records, std::uint64_t bytes,
                       const crypto::Digest& chain);
};

}  // namespace leasehold::backup
