#include "vault/commit/head.h"

#include "vault/base/grown_fields.h"

namespace leasehold::commit {

namespace {

using barrier::Table;

// format:u8 | term:u64 | incarnation[16] | index:u64 | group:u64 | time:i64 | synced:u64 | sum[32]
// | line:u64 | hash of the line[32] | (tag:u8 | length:u32 | bytes)*
// Format 4 says that values may be of format 2 (barrier/FORMAT.md), and has the bytes of format 3.
// Format 2 had no fields behind, and left the seal table out of the sum; format 1 ended with the
// sum.
constexpr std::uint8_t kHeadFormat = 4, kHeadFormatWithFields = 3;
constexpr std::size_t kHeadSize1 = 1 + 8 + 16 + 8 + 8 + 8 + 8 + 32;
constexpr std::size_t kHeadSize = kHeadSize1 + 8 + 32;
// Of the field: line:u64 | closed:u8 | (device[8] | line:u64 | hash[32])*. The line is that of
// `audit_position`: an earlier version moves the one and copies the other, which then says nothing.
constexpr std::uint8_t kAuditEnd = 0x01;
// Of every version: the text of its number, so that one that must not read the rest can name it.
constexpr std::uint8_t kWriter = 0x02;
constexpr std::size_t kWriterMax = 64;
constexpr std::size_t kHeldSize = 8 + 8 + 32, kAuditEndHead = 8 + 1;
constexpr std::uint64_t kProgressEvery = 1'000;

void add_bytes(Multiset& sum, const crypto::Digest& bytes, std::uint8_t flip, unsigned carry) {
  static_assert(std::tuple_size_v<Multiset> == std::tuple_size_v<crypto::Digest>);
  for (std::size_t i = sum.size(); i-- > 0;) {
    carry += sum[i] + static_cast<std::uint8_t>(bytes[i] ^ flip);
    sum[i] = static_cast<std::uint8_t>(carry);
    carry >>= 8;
  }
}

Error damaged(const char* detail) {
  return failure(Code::internal, "the head record of storage is damaged: restore a backup", detail);
}

void append_audit_end(Bytes& out, const Head& head) {
  const AuditEnd& end = head.audit_end;
  if (!end.closed && end.held.empty()) return;
  append_be(out, kAuditEnd, 1);
  append_be(out, kAuditEndHead + end.held.size() * kHeldSize, 4);
  append_be(out, head.audit_position.seq, 8);
  append_be(out, end.closed ? 1 : 0, 1);
  for (const AuditHeld& one : end.held) {
    append(out, one.device);
    append_be(out, one.last.seq, 8);
    append(out, one.last.hash);
  }
}

Status read_audit_end(ByteView field, Head& head) {
  if (field.size() < kAuditEndHead || (field.size() - kAuditEndHead) % kHeldSize != 0)
    return damaged("the end of the audit log");
  if (get_be(field.data(), 8) != head.audit_position.seq) return {};
  head.audit_end.closed = field[8] != 0;
  for (field = field.subspan(kAuditEndHead); !field.empty(); field = field.subspan(kHeldSize)) {
    AuditHeld one;
    std::memcpy(one.device.data(), field.data(), one.device.size());
    one.last.seq = get_be(&field[8], 8);
    std::memcpy(one.last.hash.data(), &field[16], one.last.hash.size());
    head.audit_end.held.push_back(one);
  }
  return {};
}

// Every later format has the fixed part of this one, or leaves its fields where they are.
Error newer(ByteView head) {
  ByteView fields = head.subspan(std::min(head.size(), kHeadSize));
  std::string name = "a newer version of Leasehold";
  while (const auto field = take_field(fields))
    if (field->tag == kWriter && field->bytes.size() <= kWriterMax)
      name = "Leasehold " + std::string(as_text(field->bytes)) + ", a newer version";
  return failure(Code::internal, "storage was written by " + name +
                                     ": upgrade this one, or restore a backup that it made");
}

void append_writer(Bytes& out, const Head& head) {
  if (head.writer.empty()) return;
  append_be(out, kWriter, 1);
  append_be(out, head.writer.size(), 4);
  append(out, as_bytes(head.writer));
}

Status read_fields(ByteView bytes, Head& head) {
  ByteView fields = bytes.subspan(kHeadSize);
  while (!fields.empty()) {
    const auto field = take_field(fields);
    if (!field) return damaged("a field is cut");
    if (field->is_critical()) return newer(bytes);
    if (field->tag == kAuditEnd)
      VAULT_TRY(read_audit_end(field->bytes, head));
    else if (field->tag == kWriter)
      head.writer = as_text(field->bytes);
    else
      append(head.unknown, field->whole());
  }
  return {};
}

}  // namespace

void add_to(Multiset& sum, const crypto::Digest& contribution) {
  add_bytes(sum, contribution, 0x00, 0);
}

// Two's complement: all bits flipped, and one.
void subtract_from(Multiset& sum, const crypto::Digest& contribution) {
  add_bytes(sum, contribution, 0xff, 1);
}

Bytes Head::serialize() const {
  Bytes out;
  out.reserve(kHeadSize);
  append_be(out, kHeadFormat, 1);
  append_be(out, term, 8);
  append(out, incarnation);
  append_be(out, index, 8);
  append_be(out, group, 8);
  append_be(out, static_cast<std::uint64_t>(time_seen.ns), 8);
  append_be(out, audit_synced, 8);
  append(out, multiset);
  append_be(out, audit_position.seq, 8);
  append(out, audit_position.hash);
  append_audit_end(out, *this);
  append_writer(out, *this);
  append(out, unknown);
  return out;
}

Result<Head> Head::deserialize(ByteView bytes) {
  if (bytes.empty()) return damaged("empty");
  if (bytes[0] > kHeadFormat) return newer(bytes);
  const bool first_format = bytes[0] == 1 && bytes.size() == kHeadSize1;
  const bool second_format = bytes[0] == 2 && bytes.size() == kHeadSize;
  const bool has_fields = bytes[0] >= kHeadFormatWithFields && bytes.size() >= kHeadSize;
  if (!first_format && !second_format && !has_fields) return damaged("format or size");
  const std::uint8_t* at = bytes.data() + 1;
  const auto number = [&at] {
    at += 8;
    return get_be(at - 8, 8);
  };
  Head head;
  head.covers_seal = has_fields;
  head.term = number();
  std::memcpy(head.incarnation.data(), at, head.incarnation.size());
  at += head.incarnation.size();
  head.index = number();
  head.group = number();
  head.time_seen.ns = static_cast<std::int64_t>(number());
  head.audit_synced = number();
  std::memcpy(head.multiset.data(), at, head.multiset.size());
  if (first_format) return head;
  at += head.multiset.size();
  head.audit_position.seq = number();
  std::memcpy(head.audit_position.hash.data(), at, head.audit_position.hash.size());
  VAULT_TRY(read_fields(bytes, head));
  return head;
}

barrier::PhysicalKey head_key() { return barrier::PhysicalKey(Table::head); }

Result<std::optional<Head>> read_head(storage::Snapshot& snapshot,
                                      const barrier::Barrier& barrier) {
  const auto key = head_key();
  VAULT_TRY_ASSIGN(const auto found, snapshot.get(key.view()));
  if (!found) return std::optional<Head>();
  VAULT_TRY_ASSIGN(const SecretBytes plain, barrier.open(key, {}, found->value));
  VAULT_TRY_ASSIGN(Head head, Head::deserialize(plain.reveal()));
  // The head is written with the group it describes; another version was put back by hand.
  if (found->mod != head.index) return damaged("its version is not its index");
  return std::optional<Head>(head);
}

bool counts_in_multiset(ByteView key) {
  if (key.empty()) return true;  // of no table, so no business of ours: verification finds it
  const auto table = static_cast<Table>(key[0]);
  return table != Table::head && table != Table::restored;
}

Status cover_seal(storage::Snapshot& snapshot, const barrier::Barrier& barrier, Head& head) {
  const barrier::PhysicalKey table(Table::seal);
  VAULT_TRY(snapshot.scan(table.view(), table.end_of_prefix().view(), SIZE_MAX,
                          storage::Scan::values, [&](const storage::Entry& entry) {
                            add_to(head.multiset,
                                   barrier.contribution(entry.key, entry.value, entry.mod));
                            return true;
                          }));
  head.covers_seal = true;
  return {};
}

Result<Verified> verify_store(storage::Snapshot& snapshot, const barrier::Barrier& barrier,
                              FunctionRef<bool(std::uint64_t)> progress) {
  VAULT_TRY_ASSIGN(const auto head, read_head(snapshot, barrier));
  if (!head) return damaged("missing");
  Verified verified;
  verified.head = *head;
  Multiset sum{};
  bool stopped = false;
  bool foreign = false;  // a key longer than any that was written here
  const auto each = [&](const storage::Entry& entry) {
    if (!counts_in_multiset(entry.key)) return true;
    const bool of_seal = !entry.key.empty() && static_cast<Table>(entry.key[0]) == Table::seal;
    if (!head->covers_seal && of_seal) return true;
    if (entry.key.size() <= storage::kKeyMax)
      add_to(sum, barrier.contribution(entry.key, entry.value, entry.mod));
    else
      foreign = true;
    if (++verified.records % kProgressEvery == 0) stopped = !progress(verified.records);
    return !stopped;
  };
  // One snapshot for all of it: the sum is true of one state only.
  const std::uint8_t first[] = {0x00}, end[] = {0xff};
  VAULT_TRY(snapshot.scan(first, end, SIZE_MAX, storage::Scan::values, each));
  if (stopped) return failure(Code::deadline, "verification was stopped before its end");
  verified.matches = !foreign && sum == head->multiset;
  return verified;
}

}  // namespace leasehold::commit
