// A backup from one store into another, and what somebody could do to it in between.
#include <doctest/doctest.h>

#include <algorithm>
#include <memory>

#include "tests/support/vault_store.h"
#include "vault/backup/reader.h"
#include "vault/backup/writer.h"
#include "vault/base/encoding.h"

using namespace leasehold;
using backup::ReadOptions;
using backup::Summary;
using backup::Writer;
using commit::WriteTxn;
using testing::VaultRun;
using testing::VaultStore;

namespace {

Bytes back_up(VaultRun& run) {
  auto writer = Writer::begin(run.snapshot(), run.barrier, run.clock.now());
  REQUIRE(writer.ok());
  Bytes all, piece;
  while (!(*writer)->done()) {
    REQUIRE((*writer)->next(piece).ok());
    CHECK(piece.size() < 2 * backup::kFrameWanted + (1u << 20));
    append(all, piece);
  }
  return all;
}

using Each = FunctionRef<Status(std::span<const storage::Entry>)>;

Result<Summary> read(const Bytes& bytes, Each each, const ReadOptions& options = {}) {
  std::FILE* file = ::fmemopen(const_cast<std::uint8_t*>(bytes.data()), bytes.size(), "rb");
  REQUIRE(file != nullptr);
  auto summary = backup::read_backup(file, options, each);
  std::fclose(file);
  return summary;
}

Result<Summary> look(const Bytes& bytes, const ReadOptions& options = {}) {
  return read(
      bytes, [](std::span<const storage::Entry>) { return Status(); }, options);
}

void fill(VaultRun& run, int count, std::size_t size) {
  const std::string value(size, 'v');
  for (int i = 0; i < count; ++i)
    REQUIRE(run.write([&](WriteTxn& txn) {
                 txn.add("count", 1, 0);
                 return txn.put("d/" + std::to_string(i), as_bytes(value));
               })
                .ok());
}

struct Record {
  Bytes key, value;
  std::uint64_t mod = 0;
};

}  // namespace

TEST_CASE("backup: what is restored verifies, reads the same and goes on") {
  VaultStore store;
  fill(store, 20, 300'000);  // several frames
  const Bytes bytes = back_up(store);
  const auto restored = storage::make_memory_storage();
  const auto summary = read(
      bytes, [&](std::span<const storage::Entry> entries) { return restored->import(entries); });
  REQUIRE(summary.ok());
  CHECK(summary->header.group == store.committer.head().group);
  CHECK(summary->header.store == testing::kTestStore);

  VaultRun run(*restored, 2);
  CHECK(run.verifies());
  REQUIRE(run.start().ok());
  CHECK(run.read("d/7").size() == 300'000);
  CHECK(run.counter("count") == 20);
  CHECK(run.write([](WriteTxn& txn) { return txn.put("new", as_bytes("v")); }).ok());
  CHECK(run.verifies());
}

TEST_CASE("backup: it is of one moment, whatever is written while it is made") {
  VaultStore store;
  fill(store, 10, 300'000);
  auto writer = Writer::begin(store.snapshot(), store.barrier, store.clock.now());
  REQUIRE(writer.ok());
  Bytes all, piece;
  for (int i = 0; !(*writer)->done(); ++i) {
    REQUIRE((*writer)->next(piece).ok());
    append(all, piece);
    REQUIRE(store
                .write([&](WriteTxn& txn) {
                  return txn.put("d/" + std::to_string(i), as_bytes("later"));
                })
                .ok());
  }
  const auto restored = storage::make_memory_storage();
  REQUIRE(read(all, [&](std::span<const storage::Entry> entries) {
            return restored->import(entries);
          }).ok());
  VaultRun run(*restored, 2);
  CHECK(run.verifies());
  CHECK(run.read("d/0").size() == 300'000);
}

TEST_CASE("backup: no byte of it can be changed, cut off or added") {
  VaultStore store;
  fill(store, 2, 20);
  const Bytes good = back_up(store);
  REQUIRE(look(good).ok());
  for (std::size_t at = 0; at < good.size(); ++at) {
    Bytes bad = good;
    bad[at] ^= 0x10;
    CAPTURE(at);
    CHECK_FALSE(look(bad).ok());
    bad.resize(at);
    if (at > 0) CHECK_FALSE(look(bad).ok());
  }
  Bytes longer = good;
  longer.push_back(0);
  CHECK_FALSE(look(longer).ok());
}

TEST_CASE("backup: frames cannot be left out or put in another order") {
  VaultStore store;
  fill(store, 12, 300'000);
  const Bytes good = back_up(store);
  std::vector<std::pair<std::size_t, std::size_t>> frames;  // from, size
  for (std::size_t at = backup::kMagic.size(); at < good.size();) {
    const std::size_t size = backup::kFrameHead + get_be(&good[at + 1], 4) + backup::kChainSize;
    frames.emplace_back(at, size);
    at += size;
  }
  REQUIRE(frames.size() >= 5);
  const auto with = [&](const std::vector<std::size_t>& order) {
    Bytes out = to_bytes(ByteView(good).first(backup::kMagic.size()));
    for (const std::size_t i : order)
      append(out, ByteView(good).subspan(frames[i].first, frames[i].second));
    return out;
  };
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < frames.size(); ++i) order.push_back(i);
  REQUIRE(look(with(order)).ok());
  std::swap(order[1], order[2]);
  CHECK_FALSE(look(with(order)).ok());
  std::swap(order[1], order[2]);
  order.erase(order.begin() + 2);
  CHECK_FALSE(look(with(order)).ok());
}

TEST_CASE("backup: it must be signed by the key that is given") {
  VaultStore store;
  const Bytes good = back_up(store);
  ReadOptions options;
  options.key = crypto::ed25519_public(store.barrier.keys().audit_sign.reveal());
  CHECK(look(good, options).ok());
  const std::string own = hex(*options.key);
  (*options.key)[0] ^= 1;
  const auto other = look(good, options);
  REQUIRE_FALSE(other.ok());
  CHECK(other.error().message.find("not damaged: it is signed by the key " + own) !=
        std::string::npos);
  CHECK(other.error().message.find("the key given is " + hex(*options.key)) != std::string::npos);
  // Whatever key is given, bytes that nobody signed are damaged.
  Bytes changed = good;
  changed.back() ^= 1;
  const auto damaged = look(changed, options);
  REQUIRE_FALSE(damaged.ok());
  CHECK(damaged.error().message.find("is damaged at byte") != std::string::npos);
}

namespace {

// The backup of `good` with other records, signed by somebody else.
Bytes signed_anew(const Bytes& good, FunctionRef<void(std::vector<Record>&)> change) {
  std::vector<Record> records;
  const auto summary = read(good, [&](std::span<const storage::Entry> entries) {
    for (const storage::Entry& entry : entries)
      records.push_back({to_bytes(entry.key), to_bytes(entry.value), entry.mod});
    return Status();
  });
  REQUIRE(summary.ok());
  change(records);
  std::sort(records.begin(), records.end(),
            [](const Record& a, const Record& b) { return compare(a.key, b.key) < 0; });
  const Bytes seed(32, 7);
  backup::Header header = summary->header;
  header.key = crypto::ed25519_public(seed);
  Bytes payload, out = to_bytes(as_bytes(backup::kMagic));
  crypto::Digest chain = backup::chain_begin();
  const auto add_frame = [&](backup::FrameType type, const Bytes& content) {
    const std::size_t at = out.size();
    append_be(out, static_cast<std::uint8_t>(type), 1);
    append_be(out, content.size(), 4);
    append(out, content);
    chain = backup::chain_next(chain, ByteView(out).subspan(at));
    append(out, chain);
  };
  for (const Record& one : records) backup::append_record(payload, {one.key, one.value, one.mod});
  add_frame(backup::FrameType::header, header.serialize());
  add_frame(backup::FrameType::records, payload);
  backup::End end{records.size(), payload.size(), {}};
  const Bytes message = backup::End::message(header.store, end.records, end.bytes, chain);
  end.signature = crypto::ed25519_sign(seed, message);
  add_frame(backup::FrameType::end, end.serialize());
  return out;
}

std::string refusal(const Bytes& bytes) {
  const auto summary = look(bytes);
  return summary.ok() ? std::string() : summary.error().message;
}

bool says(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

bool is_head(const Record& record) {
  return record.key[0] == static_cast<std::uint8_t>(barrier::Table::head);
}

}  // namespace

TEST_CASE("backup: records that no store holds are refused, whoever signs them") {
  VaultStore store;
  fill(store, 3, 20);
  const Bytes good = back_up(store);
  const auto index = store.committer.head().index;
  const auto with = [&](Bytes key, std::uint64_t mod) {
    return refusal(signed_anew(good, [&](std::vector<Record>& records) {
      records.push_back({std::move(key), Bytes{1}, mod});
    }));
  };
  REQUIRE(refusal(signed_anew(good, [](std::vector<Record>&) {})).empty());
  CHECK(says(with(Bytes(20, 0x7f), 1), "does not know"));
  CHECK(says(with(Bytes{0x01, 0x01}, 1), "does not know"));  // a head with something behind it
  CHECK(says(with(Bytes{0x04}, 1), "does not know"));        // the mark of a restore
  CHECK(says(with(Bytes{0x02, 0x7f}, index + 1), "newer than the commit"));
  CHECK(with(Bytes{0x02, 0x7f}, index).empty());
  CHECK(says(refusal(signed_anew(good,
                                 [](std::vector<Record>& records) {
                                   for (Record& one : records)
                                     if (is_head(one)) one.value.resize(barrier::kOverhead);
                                 })),
             "head record is cut"));
  CHECK(says(refusal(signed_anew(good,
                                 [](std::vector<Record>& records) {
                                   records.erase(
                                       std::remove_if(records.begin(), records.end(), is_head),
                                       records.end());
                                 })),
             "no head record"));
}

TEST_CASE("backup: a record replaced by somebody who signs anew is found with the keys") {
  VaultStore store;
  fill(store, 3, 20);
  const Bytes good = back_up(store);
  const auto restored = storage::make_memory_storage();
  bool changed = false;
  REQUIRE(read(good, [&](std::span<const storage::Entry> entries) -> Status {
            std::vector<storage::Entry> some(entries.begin(), entries.end());
            for (storage::Entry& entry : some) {
              if (entry.key[0] != static_cast<std::uint8_t>(barrier::Table::value)) continue;
              entry.mod += changed ? 0 : 1;
              changed = true;
            }
            return restored->import(some);
          }).ok());
  REQUIRE(changed);
  CHECK_FALSE(VaultRun(*restored, 2).verifies());
}
