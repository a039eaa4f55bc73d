#include "vault/commit/txn.h"

#include <algorithm>

#include "vault/base/metrics.h"
#include "vault/commit/counters.h"
#include "vault/commit/head.h"

namespace leasehold::commit {

namespace {

using barrier::PhysicalKey;
using storage::Scan;

constexpr std::size_t kErasedDirectory = 4;  // operations that erasing one takes
constexpr std::size_t kKeptFree = 8;         // for what a caller does besides

Status check_name(std::string_view name) {
  if (name.empty() || name.back() == '/')
    return failure(Code::invalid, "a name may not be empty or end in '/'");
  if (name.size() > kNameMax) return failure(Code::invalid, "a name may have at most 4096 bytes");
  return {};
}

// "a/b/" and "a/b/c" stand in "a/" and "a/b/"; what stands at the root stands in "".
std::string_view directory_of(std::string_view name) {
  const auto slash = name.size() < 2 ? std::string_view::npos : name.rfind('/', name.size() - 2);
  return slash == std::string_view::npos ? std::string_view() : name.substr(0, slash + 1);
}

bool begins_with(ByteView key, ByteView prefix) {
  return key.size() >= prefix.size() && compare(key.first(prefix.size()), prefix) == 0;
}

Bytes after_key(ByteView key) {
  Bytes next = to_bytes(key);
  next.push_back(0);
  return next;
}

}  // namespace

Result<std::optional<storage::Found>> ReadTxn::find(const PhysicalKey& key) {
  return snapshot_.get(key.view());
}

Status ReadTxn::scan(const PhysicalKey& from, const PhysicalKey& to, std::size_t limit, Scan what,
                     FunctionRef<bool(const storage::Entry&)> each) {
  if (limit == 0) return {};
  const auto take = [&](const storage::Entry& entry) {
    return !barrier::is_well_formed(entry.key) || (each(entry) && --limit > 0);
  };
  return snapshot_.scan(from.view(), to.view(), SIZE_MAX, what, take);
}

Result<std::optional<Record>> ReadTxn::get(const PhysicalKey& key, std::string_view name) {
  const metrics::Stopwatch watch(metrics::Timer::barrier_get, metrics::kTimedOneOf);
  VAULT_TRY_ASSIGN(const auto found, find(key));
  if (!found) return std::optional<Record>();
  VAULT_TRY_ASSIGN(SecretBytes value, barrier_.open(key, name, found->value));
  return std::optional<Record>(Record{std::move(value), found->mod});
}

Result<std::optional<Record>> ReadTxn::get(std::string_view name) {
  if (!check_name(name).ok()) return std::optional<Record>();
  return get(barrier_.value_key(space_, name), name);
}

Result<std::uint64_t> ReadTxn::version(const PhysicalKey& key) {
  VAULT_TRY_ASSIGN(const auto found, find(key));
  return found ? found->mod : 0;
}

Result<std::uint64_t> ReadTxn::version(std::string_view name) {
  if (!check_name(name).ok()) return std::uint64_t{0};
  return version(barrier_.value_key(space_, name));
}

Result<std::vector<std::string>> ReadTxn::list(std::string_view directory, std::string_view after,
                                               std::size_t limit) {
  const metrics::Stopwatch watch(metrics::Timer::barrier_list, metrics::kTimedOneOf);
  if (!directory.empty() && directory.back() != '/')
    return failure(Code::invalid, "a directory ends in '/'");
  const PhysicalKey prefix = barrier_.directory_prefix(space_, directory);
  VAULT_TRY_ASSIGN(const auto head, snapshot_.get(head_key().view()));
  const bool shared = head && (written() == nullptr || !written()->has_writes());
  const std::uint64_t index = shared ? head->mod : 0;
  if (shared)
    if (const auto kept = barrier_.name_lists().find(prefix, index))
      return kept->page(after, limit);
  const auto names = std::make_shared<barrier::NameList>();
  VAULT_TRY(read_names(prefix, directory.size(), *names));
  names->sort();
  if (shared && names->size() >= barrier::NameLists::kSizeMin)
    barrier_.name_lists().keep(prefix, index, names);
  return names->page(after, limit);
}

// All that are stored in a directory, and what this transaction did to it.
Status ReadTxn::read_names(const PhysicalKey& prefix, std::size_t skipped,
                           barrier::NameList& names) {
  Status opened;
  const auto take = [&](ByteView key, ByteView sealed) {
    auto record = barrier_.open_named(PhysicalKey::from(key), sealed);
    if (record.ok()) {
      names.add(std::string_view(record->name).substr(skipped));
      wipe(record->name);
    } else {
      opened = std::move(record).error();
    }
    return opened.ok();
  };
  const storage::Batch* own = written();
  const auto each = [&](const storage::Entry& entry) {
    if (!barrier::is_well_formed(entry.key)) return true;
    return (own != nullptr && own->written(entry.key)) || take(entry.key, entry.value);
  };
  VAULT_TRY(
      snapshot_.scan(prefix.view(), prefix.end_of_prefix().view(), SIZE_MAX, Scan::values, each));
  for (std::size_t i = 0; own != nullptr && i < own->size() && opened.ok(); ++i) {
    const auto operation = (*own)[i];
    if (operation.kind == storage::Batch::Kind::put && begins_with(operation.key, prefix.view()))
      take(operation.key, operation.value);
  }
  return opened;
}

Result<std::int64_t> ReadTxn::counter(const PhysicalKey& key) {
  // Not by find(): a counter is folded by the Committer, and a guard on it would bring the
  // conflicts back that folding avoids.
  VAULT_TRY_ASSIGN(const auto found, snapshot_.get(key.view()));
  if (!found) return std::int64_t{0};
  VAULT_TRY_ASSIGN(const SecretBytes value, barrier_.open(key, {}, found->value));
  if (value.size() != kCounterSize)
    return failure(Code::internal, "storage is damaged: a counter has a wrong size");
  return static_cast<std::int64_t>(get_be(value.reveal().data(), kCounterSize));
}

Result<std::int64_t> ReadTxn::counter(std::string_view name) {
  return counter(barrier_.counter_key(space_, name));
}

Result<std::optional<storage::Found>> WriteTxn::find(const PhysicalKey& key) {
  if (const auto own = changes_.storage.written(key.view())) {
    if (own->kind == storage::Batch::Kind::erase) return std::optional<storage::Found>();
    return std::optional<storage::Found>({own->value, 0});
  }
  VAULT_TRY(room_for(0, key.size()));
  if (changes_.storage.guards() == storage::kBatchGuardsMax)
    return failure(Code::invalid, "this looks at too many records at once: do it in smaller parts");
  VAULT_TRY_ASSIGN(const auto found, snapshot_.get(key.view()));
  guard(key, found ? found->mod : 0);
  return found;
}

void WriteTxn::guard(const PhysicalKey& key, std::uint64_t mod) {
  for (std::size_t i = 0; i < changes_.storage.size(); ++i) {
    const auto operation = changes_.storage[i];
    if (operation.kind == storage::Batch::Kind::version && operation.mod == mod &&
        compare(operation.key, key.view()) == 0)
      return;
  }
  changes_.storage.guard(key.view(), mod);
}

Status WriteTxn::room_for(std::size_t operations, std::size_t bytes) const {
  if (changes_.operations() + operations > storage::kBatchOperationsMax)
    return failure(Code::invalid, "this changes too many records at once: do it in smaller parts");
  if (changes_.storage.bytes() + bytes > storage::kBatchBytesMax)
    return failure(Code::invalid, "this writes more than 1 MiB at once: do it in smaller parts");
  return {};
}

Status WriteTxn::put(const PhysicalKey& key, std::string_view name, ByteView value) {
  return put_in_tree(key, name, value, {});
}

Status WriteTxn::put_in_tree(const PhysicalKey& key, std::string_view name, ByteView value,
                             barrier::NameOrder order) {
  VAULT_TRY(room_for(1, key.size() + barrier::kOverheadMax + name.size() + value.size()));
  changes_.sealed_under = std::min(changes_.sealed_under, barrier_.term());
  Bytes sealed;
  barrier_.seal(key, name, value, sealed, order);
  changes_.storage.put(key.view(), sealed);
  return {};
}

Status WriteTxn::mark(const PhysicalKey& key) {
  VAULT_TRY(room_for(1, key.size()));
  changes_.storage.put(key.view(), {});
  return {};
}

Status WriteTxn::erase(const PhysicalKey& key) {
  VAULT_TRY(room_for(1, key.size()));
  changes_.storage.erase(key.view());
  return {};
}

// The guard that find() leaves on the value, and on every directory on the way up to the first that
// stands already, is what keeps a name record from outliving, or missing, its value.
Status WriteTxn::put(std::string_view name, ByteView value) {
  VAULT_TRY(check_name(name));
  const PhysicalKey key = barrier_.value_key(space_, name);
  VAULT_TRY_ASSIGN(const auto before, find(key));
  if (before) return put_in_tree(key, name, value, barrier::name_order(before->value));

  VAULT_TRY_ASSIGN(const barrier::NameOrder order, next_order());
  VAULT_TRY(put_in_tree(key, name, value, order));
  VAULT_TRY(put(barrier::name_of(key, order), name, {}));
  for (auto directory = directory_of(name); !directory.empty();
       directory = directory_of(directory)) {
    const PhysicalKey record = barrier_.name_key(space_, directory);
    VAULT_TRY_ASSIGN(const auto found, find(record));
    if (found) break;
    VAULT_TRY(put(record, directory, {}));
  }
  return {};
}

// The index of the last commit that this transaction saw. Two names may share it.
Result<barrier::NameOrder> WriteTxn::next_order() {
  VAULT_TRY_ASSIGN(const auto head, snapshot_.get(head_key().view()));
  return barrier::NameOrder(head ? head->mod : 0);
}

Status WriteTxn::erase(std::string_view name) {
  if (!check_name(name).ok()) return {};
  const PhysicalKey key = barrier_.value_key(space_, name);
  VAULT_TRY_ASSIGN(const auto before, find(key));
  if (!before) return {};
  const PhysicalKey name_record = barrier::name_of(key, barrier::name_order(before->value));
  VAULT_TRY(erase(key));
  VAULT_TRY(erase(name_record));

  // A batch that has no room for more directories leaves the upper ones, empty: better than a
  // secret that cannot be removed. They go with the last of what is put there later.
  for (auto directory = directory_of(name);
       !directory.empty() && room_for(kErasedDirectory + kKeptFree, 0).ok();
       directory = directory_of(directory)) {
    VAULT_TRY_ASSIGN(const bool emptied, emptied_by_this(directory));
    if (!emptied) break;
    const PhysicalKey record = barrier_.name_key(space_, directory);
    VAULT_TRY_ASSIGN(const auto found, find(record));
    if (found) VAULT_TRY(erase(record));
  }
  return {};
}

// True when this batch erases all that stands in `directory`; guards that nothing else comes to
// stand there, by the ranges between the erased children.
Result<bool> WriteTxn::emptied_by_this(std::string_view directory) {
  const PhysicalKey prefix = barrier_.directory_prefix(space_, directory);
  std::vector<Bytes> erased;
  for (std::size_t i = 0; i < changes_.storage.size(); ++i) {
    const auto operation = changes_.storage[i];
    if (!begins_with(operation.key, prefix.view())) continue;
    if (operation.kind == storage::Batch::Kind::put) return false;
    if (operation.kind == storage::Batch::Kind::erase) erased.push_back(to_bytes(operation.key));
  }
  std::sort(erased.begin(), erased.end());

  bool others = false;
  const auto each = [&](const storage::Entry& entry) {
    others = !std::binary_search(erased.begin(), erased.end(), to_bytes(entry.key));
    return !others;
  };
  const PhysicalKey end = prefix.end_of_prefix();
  VAULT_TRY(snapshot_.scan(prefix.view(), end.view(), erased.size() + 1, Scan::keys, each));
  if (others) return false;

  VAULT_TRY(room_for(erased.size() + 1, (erased.size() + 1) * 2 * PhysicalKey::kMax));
  Bytes from = to_bytes(prefix.view());
  for (const Bytes& child : erased) {
    changes_.storage.guard_empty(from, child);
    from = after_key(child);
  }
  changes_.storage.guard_empty(from, end.view());
  return true;
}

void WriteTxn::add(const PhysicalKey& counter, std::int64_t delta, std::int64_t min,
                   std::int64_t max, const Bound* bound) {
  changes_.additions.push_back({counter, delta, min, max, false, bound});
}

void WriteTxn::erase_counter(const PhysicalKey& counter) {
  changes_.additions.push_back({counter, 0, 0, 0, true, nullptr});
}

void WriteTxn::add(std::string_view counter, std::int64_t delta, std::int64_t min, std::int64_t max,
                   const Bound* bound) {
  add(barrier_.counter_key(space_, counter), delta, min, max, bound);
}

void WriteTxn::erase_counter(std::string_view counter) {
  erase_counter(barrier_.counter_key(space_, counter));
}

}  // namespace leasehold::commit
