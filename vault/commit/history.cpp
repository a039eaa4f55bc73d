// The runs of a store, and heads that were noted elsewhere.

#include "vault/base/encoding.h"
#include "vault/commit/head.h"

namespace leasehold::commit {

namespace {

using barrier::PhysicalKey;
using barrier::Table;

constexpr std::size_t kGroupSize = 8;

Error damaged(const char* detail) {
  return failure(Code::internal,
                 "the list of the vault's runs in storage is damaged: restore a backup", detail);
}

Error unreadable_note() {
  return failure(
      Code::invalid,
      "a noted head looks as `leasehold operator verify` prints it: a number, then 32 and 64 "
      "hexadecimal digits, with a dash between them");
}

}  // namespace

PhysicalKey run_key(std::uint64_t first_group) {
  PhysicalKey key(Table::incarnation);
  key.push_be(first_group, kGroupSize);
  return key;
}

Result<std::vector<Run>> read_runs(storage::Snapshot& snapshot, const barrier::Barrier& barrier) {
  std::vector<Run> runs;
  Status opened;
  const auto each = [&](const storage::Entry& entry) {
    if (entry.key.size() != 1 + kGroupSize) {
      opened = damaged("a key has a wrong size");
      return false;
    }
    const auto id = barrier.open(PhysicalKey::from(entry.key), {}, entry.value);
    Run run{get_be(&entry.key[1], kGroupSize), {}};
    if (!id.ok()) {
      opened = id.error();
    } else if (id->size() != run.incarnation.size()) {
      opened = damaged("an incarnation has a wrong size");
    } else {
      std::memcpy(run.incarnation.data(), id->reveal().data(), run.incarnation.size());
      runs.push_back(run);
    }
    return opened.ok();
  };
  const PhysicalKey table(Table::incarnation);
  VAULT_TRY(snapshot.scan(table.view(), table.end_of_prefix().view(), SIZE_MAX,
                          storage::Scan::values, each));
  VAULT_TRY(std::move(opened));
  return runs;
}

std::string NotedHead::to_text() const {
  return std::to_string(group) + "-" + hex(incarnation) + "-" + hex(multiset);
}

Result<NotedHead> NotedHead::parse(std::string_view text) {
  const std::size_t first = text.find('-');
  const std::size_t second = first == std::string_view::npos ? first : text.find('-', first + 1);
  if (second == std::string_view::npos) return unreadable_note();
  NotedHead noted;
  for (const char digit : text.substr(0, first)) {
    if (digit < '0' || digit > '9' || noted.group > UINT64_MAX / 10 - 1) return unreadable_note();
    noted.group = noted.group * 10 + static_cast<std::uint64_t>(digit - '0');
  }
  const auto run = array_from_hex<Incarnation>(text.substr(first + 1, second - first - 1));
  const auto sum = array_from_hex<Multiset>(text.substr(second + 1));
  if (first == 0 || !run || !sum) return unreadable_note();
  noted.incarnation = *run;
  noted.multiset = *sum;
  return noted;
}

std::optional<std::string> contradiction(const NotedHead& noted, const Head& head,
                                         const std::vector<Run>& runs) {
  const std::string at = "the noted head is commit " + std::to_string(noted.group);
  if (noted.group > head.group)
    return at + ", and this store ends at commit " + std::to_string(head.group) +
           ": an older copy of it was put back";
  const Run* writer = nullptr;  // of the noted commit, as this store remembers it
  for (const Run& run : runs)
    if (run.first_group <= noted.group) writer = &run;
  if (writer == nullptr || writer->incarnation != noted.incarnation)
    return at +
           ", which another run of the vault wrote than this store remembers: an older copy was "
           "put back, and written to since";
  if (noted.group == head.group && noted.multiset != head.multiset)
    return at + ", at which this store holds other records";
  return std::nullopt;
}

}  // namespace leasehold::commit
