// The data of versions that are gone. A batch erases a part of many at once; the rest stands in one
// record of the mount, from the same batch on, and due work erases it moments later, also after a
// crash. Nobody reads it meanwhile: the key says that those versions are gone.
//
// DO NOT CHANGE: it is on users' disks.
//   erasing/   1  count:be64  count * (path:text first:be64 last:be64)

#include <algorithm>

#include "backends/engine/kv_v2.h"
#include "vault/core/contract/codec.h"

namespace leasehold::engine::kv_v2 {
namespace {

using core::Decoder;
using core::Encoder;
using core::ReadTxn;
using core::WriteTxn;

constexpr std::uint8_t kFormat = 1;
constexpr std::string_view kErasing = "erasing/";
// Of a batch, beside the key, its directories, the guards on the caller's token and this record.
constexpr std::uint64_t kAtOnce = 40;
constexpr std::uint64_t kOfASlice = 80;
static_assert(kOfASlice < storage::kBatchOperationsMax);
constexpr std::size_t kWaitingBytesMax = 512 << 10;
constexpr std::size_t kNumbersSize = 4 + 8 + 8;  // of one, beside the path

struct Waiting {
  std::string path;
  std::uint64_t first = 0, last = 0;
};

barrier::PhysicalKey erasing_key(ReadTxn& txn) {
  return txn.barrier().value_key(txn.space(), kErasing);
}

Result<std::vector<Waiting>> load_waiting(ReadTxn& txn) {
  std::vector<Waiting> waiting;
  VAULT_TRY_ASSIGN(const auto stored, txn.get(erasing_key(txn), kErasing));
  if (!stored) return waiting;
  Decoder from(stored->value.reveal(), kFormat);
  waiting.resize(std::min<std::uint64_t>(from.number(), stored->value.size() / kNumbersSize));
  for (Waiting& one : waiting) {
    one.path = from.text();
    one.first = from.number();
    one.last = from.number();
  }
  if (from.whole()) return waiting;
  return failure(Code::internal, "internal error", "the list of versions to erase is damaged");
}

Status save_waiting(WriteTxn& txn, const std::vector<Waiting>& waiting) {
  if (waiting.empty()) return txn.erase(erasing_key(txn));
  Encoder to(kFormat);
  to.number(static_cast<std::uint64_t>(waiting.size()));
  for (const Waiting& one : waiting) to.text(one.path).number(one.first).number(one.last);
  return txn.put(erasing_key(txn), kErasing, to.bytes());
}

// A key of the same path may have been made since, and this be its own.
bool is_kept(const std::optional<Key>& key, std::uint64_t number) {
  const Version* version = key ? key->version(number) : nullptr;
  return version != nullptr && !version->destroyed;
}

}  // namespace

Result<bool> erase_versions(WriteTxn& txn, std::string_view path,
                            std::span<const std::uint64_t> numbers) {
  const std::size_t at_once = std::min<std::size_t>(numbers.size(), kAtOnce);
  for (const std::uint64_t number : numbers.first(at_once))
    VAULT_TRY(erase_data(txn, path, number));
  if (at_once == numbers.size()) return false;
  VAULT_TRY_ASSIGN(auto waiting, load_waiting(txn));
  const std::size_t before = waiting.size();
  for (const std::uint64_t number : numbers.subspan(at_once)) {
    if (waiting.size() > before && waiting.back().last + 1 == number)
      waiting.back().last = number;
    else
      waiting.push_back({std::string(path), number, number});
  }
  std::size_t bytes = 0;
  for (const Waiting& one : waiting) bytes += one.path.size() + kNumbersSize;
  if (bytes > kWaitingBytesMax)
    return failure(
        Code::busy,
        "the data of many other secrets with many versions is being erased; try again in "
        "a moment");
  VAULT_TRY(save_waiting(txn, waiting));
  return true;
}

Result<core::DueSlice> erase_waiting(WriteTxn& txn) {
  VAULT_TRY_ASSIGN(auto waiting, load_waiting(txn));
  if (waiting.empty()) return core::DueSlice();
  Waiting& one = waiting.front();
  VAULT_TRY_ASSIGN(const auto key, load_key(txn, one.path));
  core::DueSlice slice;
  for (std::uint64_t looked = 0; looked < kOfASlice && one.first <= one.last; ++looked) {
    if (!is_kept(key, one.first)) {
      VAULT_TRY(erase_data(txn, one.path, one.first));
      ++slice.done;
    }
    ++one.first;
  }
  if (one.first > one.last) waiting.erase(waiting.begin());
  if (!waiting.empty()) slice.next = "more";
  VAULT_TRY(save_waiting(txn, waiting));
  return slice;
}

}  // namespace leasehold::engine::kv_v2
