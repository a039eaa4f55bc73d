#include "vault/backup/format.h"

#include "vault/base/grown_fields.h"

namespace leasehold::backup {

namespace {

constexpr std::string_view kContext = "leasehold backup v1";
constexpr std::size_t kHeaderSize = 1 + 16 + 8 + 8 + 16 + 8 + 32;
constexpr std::size_t kRecordHead = 1 + 8 + 4;
constexpr std::size_t kEndSize = 8 + 8 + 64;

Error damaged(const char* what) {
  return failure(Code::invalid, std::string("the backup is damaged: ") + what);
}

// Fields of a newer version may stand behind the header's.
Status check_fields(ByteView fields) {
  while (!fields.empty()) {
    const auto field = take_field(fields);
    if (!field) return damaged("its header is cut");
    if (field->is_critical())
      return failure(Code::unsupported,
                     "the backup was made by a newer version: upgrade Leasehold");
  }
  return {};
}

template <std::size_t N>
void take(ByteView& from, std::array<std::uint8_t, N>& to) {
  std::memcpy(to.data(), from.data(), N);
  from = from.subspan(N);
}

std::uint64_t take_number(ByteView& from) {
  const std::uint64_t number = get_be(from.data(), 8);
  from = from.subspan(8);
  return number;
}

}  // namespace

Bytes Header::serialize() const {
  Bytes out;
  append_be(out, kFormat, 1);
  append(out, store);
  append_be(out, group, 8);
  append_be(out, index, 8);
  append(out, incarnation);
  append_be(out, static_cast<std::uint64_t>(created.ns), 8);
  append(out, key);
  return out;
}

Result<Header> Header::deserialize(ByteView bytes) {
  if (bytes.empty()) return damaged("its header is empty");
  if (bytes[0] != kFormat)
    return failure(Code::unsupported, "the backup was made by another version: upgrade Leasehold");
  if (bytes.size() < kHeaderSize) return damaged("its header is cut");
  VAULT_TRY(check_fields(bytes.subspan(kHeaderSize)));
  bytes = bytes.subspan(1);
  Header header;
  take(bytes, header.store);
  header.group = take_number(bytes);
  header.index = take_number(bytes);
  take(bytes, header.incarnation);
  header.created.ns = static_cast<std::int64_t>(take_number(bytes));
  take(bytes, header.key);
  return header;
}

crypto::Digest chain_begin() { return crypto::sha256(as_bytes(kMagic)); }

crypto::Digest chain_next(const crypto::Digest& before, ByteView frame) {
  return crypto::sha256(before, frame);
}

void append_record(Bytes& payload, const storage::Entry& entry) {
  append_be(payload, entry.key.size(), 1);
  append_be(payload, entry.mod, 8);
  append_be(payload, entry.value.size(), 4);
  append(payload, entry.key);
  append(payload, entry.value);
}

Result<storage::Entry> take_record(ByteView& payload) {
  if (payload.size() < kRecordHead) return damaged("a record is cut");
  const std::size_t key_size = payload[0];
  const std::uint64_t mod = get_be(&payload[1], 8);
  const std::size_t value_size = get_be(&payload[9], 4);
  payload = payload.subspan(kRecordHead);
  if (key_size == 0 || key_size > storage::kKeyMax) return damaged("a key has a wrong size");
  if (payload.size() < key_size || payload.size() - key_size < value_size)
    return damaged("a record is cut");
  const storage::Entry entry{payload.first(key_size), payload.subspan(key_size, value_size), mod};
  payload = payload.subspan(key_size + value_size);
  return entry;
}

Bytes End::serialize() const {
  Bytes out;
  append_be(out, records, 8);
  append_be(out, bytes, 8);
  append(out, signature);
  return out;
}

Result<End> End::deserialize(ByteView bytes) {
  if (bytes.size() != kEndSize) return damaged("its end has a wrong size");
  End end;
  end.records = take_number(bytes);
  end.bytes = take_number(bytes);
  take(bytes, end.signature);
  return end;
}

Bytes End::message(const barrier::StoreId& store, std::uint64_t records, std::uint64_t bytes,
                   const crypto::Digest& chain) {
  Bytes out = to_bytes(as_bytes(kContext));
  out.push_back(0);
  append(out, store);
  append_be(out, records, 8);
  append_be(out, bytes, 8);
  append(out, chain);
  return out;
}

}  // namespace leasehold::backup
