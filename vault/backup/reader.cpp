#include "vault/backup/reader.h"

#include "vault/base/encoding.h"

namespace leasehold::backup {

namespace {

class Reader {
 public:
  Reader(std::FILE* file, const ReadOptions& options) : file_(file), options_(options) {}

  Status read_magic() {
    Bytes magic(kMagic.size());
    if (std::fread(magic.data(), 1, magic.size(), file_) != magic.size() ||
        as_text(magic) != kMagic)
      return failure(Code::invalid, "this is no backup of Leasehold");
    at_ = magic.size();
    return {};
  }

  // The next frame's payload, good until the next call.
  Result<ByteView> next(FrameType& type) {
    frame_.resize(kFrameHead);
    VAULT_TRY(fill(0));
    type = static_cast<FrameType>(frame_[0]);
    const std::size_t length = get_be(&frame_[1], 4);
    if (length > kFrameMax) return broken("a frame is longer than any may be");
    frame_.resize(kFrameHead + length);
    VAULT_TRY(fill(kFrameHead));
    before_ = chain_;
    chain_ = chain_next(chain_, frame_);
    Bytes named(kChainSize);
    if (std::fread(named.data(), 1, named.size(), file_) != named.size())
      return broken("it ends in the middle of a frame");
    if (compare(named, chain_) != 0) return broken("a frame was changed, or frames were moved");
    at_ += frame_.size() + named.size();
    if (options_.progress) options_.progress(at_);
    return ByteView(frame_).subspan(kFrameHead);
  }

  Status take_records(ByteView payload, FunctionRef<Status(std::span<const storage::Entry>)> each) {
    std::vector<storage::Entry> entries;
    summary.bytes += payload.size();
    while (!payload.empty()) {
      VAULT_TRY_ASSIGN(const storage::Entry entry, take_record(payload));
      if (compare(last_key_, entry.key) >= 0) return broken("its records are not in order");
      VAULT_TRY(check_record(entry));
      last_key_ = to_bytes(entry.key);
      entries.push_back(entry);
    }
    summary.records += entries.size();
    return each(entries);
  }

  // Whoever signs anew can write any record: one that no store of this version holds would stay out
  // of sight of everything but the index of storage.
  Status check_record(const storage::Entry& entry) {
    const auto table = static_cast<barrier::Table>(entry.key[0]);
    if (!barrier::is_well_formed(entry.key) || table == barrier::Table::restored)
      return broken(
          "a record of a kind that this version does not know; was it made by a newer one?");
    if (entry.mod > summary.header.index)
      return broken("a record that is newer than the commit the backup was made of");
    if (table != barrier::Table::head) return {};
    has_head_ = true;
    if (entry.value.size() > barrier::kOverhead) return {};
    return broken("its head record is cut");
  }

  Status check_end(ByteView payload) {
    if (!has_head_) return broken("it has no head record");
    VAULT_TRY_ASSIGN(const End end, End::deserialize(payload));
    if (end.records != summary.records || end.bytes != summary.bytes)
      return broken("it lacks records");
    if (std::fgetc(file_) != EOF) return broken("something follows its end");
    return check_signature(end);
  }

  // It names its key: bytes that this one signed are whole, whoever it is.
  Status check_signature(const End& end) const {
    const crypto::PublicKey& own = summary.header.key;
    const Bytes message = End::message(summary.header.store, end.records, end.bytes, before_);
    if (!crypto::ed25519_verify(own, message, end.signature))
      return broken("its signature is not good");
    if (!options_.key || *options_.key == own) return {};
    return failure(Code::invalid, "the backup is not damaged: it is signed by the key " + hex(own) +
                                      "; the key given is " + hex(*options_.key) +
                                      ": it is another vault's, or the key is");
  }

  Error broken(const char* what) const {
    return failure(Code::invalid,
                   "the backup is damaged at byte " + std::to_string(at_) + ": " + what);
  }

  Summary summary;

 private:
  Status fill(std::size_t from) {
    const std::size_t size = frame_.size() - from;
    if (std::fread(frame_.data() + from, 1, size, file_) == size) return {};
    return broken(std::ferror(file_) != 0 ? "it cannot be read" : "it is cut: its end is missing");
  }

  std::FILE* const file_;
  const ReadOptions& options_;
  Bytes frame_, last_key_;
  crypto::Digest chain_ = chain_begin(), before_{};
  std::uint64_t at_ = 0;
  bool has_head_ = false;
};

}  // namespace

Result<Summary> read_backup(std::FILE* file, const ReadOptions& options,
                            FunctionRef<Status(std::span<const storage::Entry>)> each) {
  Reader reader(file, options);
  VAULT_TRY(reader.read_magic());
  FrameType type{};
  VAULT_TRY_ASSIGN(const ByteView first, reader.next(type));
  if (type != FrameType::header) return reader.broken("it does not begin with a header");
  VAULT_TRY_ASSIGN(reader.summary.header, Header::deserialize(first));
  for (;;) {
    VAULT_TRY_ASSIGN(const ByteView payload, reader.next(type));
    switch (type) {
      case FrameType::records:
        VAULT_TRY(reader.take_records(payload, each));
        break;
      case FrameType::end:
        VAULT_TRY(reader.check_end(payload));
        return reader.summary;
      case FrameType::header:
      default:
        return reader.broken("a frame of a kind that this version does not know");
    }
  }
}

}  // namespace leasehold::backup
