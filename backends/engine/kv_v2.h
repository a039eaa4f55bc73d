#pragma once
// Key/value secrets, version 2: what its files share. A key has one metadata record, with a row for
// each version it still has, and one record per version that holds the secret's JSON text. A read
// opens both and splices bytes; no secret is parsed. Functions of a transaction, no state.

#include <optional>

#include "vault/core/contract/engine.h"

namespace leasehold::engine::kv_v2 {

inline constexpr std::uint64_t kVersionsDefault = 10;
// A key's record has 17 bytes for each version it has, and is written with each: at most 512 KiB.
// Of a larger `max_versions` as many are kept.
inline constexpr std::uint64_t kVersionsMax = 30'000;

struct Version {
  WallTime created;
  std::optional<WallTime> deleted;  // may be in the future: delete_version_after
  bool destroyed = false;

  bool is_gone(WallTime now) const { return destroyed || (deleted && *deleted <= now); }
};

struct Key {
  WallTime created, updated;
  std::uint64_t current = 0;  // 0: none was written yet
  std::uint64_t oldest = 0;   // 0 until the first time that as many are kept as are allowed
  std::uint64_t metadata_version = 0;
  std::uint64_t versions_max = 0;  // 0: as the mount says
  bool cas_required = false;
  bool metadata_cas_required = false;
  Seconds delete_after{0};        // 0: as the mount says
  std::vector<Version> versions;  // in order; the last one is `current`
  std::string custom_metadata;    // an object of strings as JSON text; empty: none
  // Its version 1, while the record is the one that kv version 1 wrote; the next save splits it.
  std::optional<SecretBytes> unsplit;

  std::uint64_t first() const { return current + 1 - versions.size(); }
  // Those up to `last` that were not destroyed.
  std::vector<std::uint64_t> with_data(std::uint64_t last) const;
  Version* version(std::uint64_t number);
  const Version* version(std::uint64_t number) const;
  void drop_first(std::uint64_t count) {
    versions.erase(versions.begin(), versions.begin() + static_cast<std::ptrdiff_t>(count));
  }
};

struct Settings {  // of the mount
  std::uint64_t versions_max = 0;
  bool cas_required = false;
  bool metadata_cas_required = false;
  Seconds delete_after{0};  // negative: never, whatever a key says

  bool operator==(const Settings&) const = default;
};

Result<std::optional<Key>> load_key(core::ReadTxn& txn, std::string_view path);
Status save_key(core::WriteTxn& txn, std::string_view path, const Key& key);
Result<Settings> load_settings(core::ReadTxn& txn);
Status save_settings(core::WriteTxn& txn, const Settings& settings);
// A mount of version 1 becomes one of version 2: its records are read as they are.
Status save_upgrade(core::WriteTxn& txn, WallTime now);

// The secret of one version.
struct Data {
  SecretBytes stored;
  ByteView json() const { return stored.reveal().subspan(1); }
};
Result<Data> load_data(core::ReadTxn& txn, std::string_view path, std::uint64_t number);
Status save_data(core::WriteTxn& txn, std::string_view path, std::uint64_t number,
                 std::string_view json);
Status erase_data(core::WriteTxn& txn, std::string_view path, std::uint64_t number);
// Of versions that the key, as it is saved in the same batch, does not have any more, or has as
// destroyed. True: some stand in a list from which due work erases them, which is to be ordered
// (Orders::due_work). Code::busy: the list is full.
Result<bool> erase_versions(core::WriteTxn& txn, std::string_view path,
                            std::span<const std::uint64_t> numbers);
Result<core::DueSlice> erase_waiting(core::WriteTxn& txn);

// {"created_time":…,"custom_metadata":…,"deletion_time":…,"destroyed":…,"version":…}
std::string describe(const Key& key, std::uint64_t number);
std::string deletion_time(const Version& version);
std::string go_duration(Seconds duration);  // "0s", "1h0m0s"

// In the body or the query; of a merge patch (RFC 7396) even as null, which sets a value back.
bool is_mentioned(const core::Call& call, std::string_view field);
// As Vault converts: a number, its text, true or false; null is 0.
std::optional<std::int64_t> whole_number(const Json& value);
Status check_writable(std::string_view path);
Result<std::uint64_t> versions_max_of(const core::Call& call);
// The longest that Go's durations can say, 292 years.
Seconds clamped(Seconds duration);
core::Response absent();         // 404 and {"errors":[]}
core::Response absent_unsaid();  // 404 and no body: a patch of what is not there
core::Response not_at_the_root();

core::Route data_route();
core::Route subkeys_route();
core::Route delete_route();
core::Route undelete_route();
core::Route destroy_route();
core::Route metadata_route();
core::Route detailed_metadata_route();

}  // namespace leasehold::engine::kv_v2
