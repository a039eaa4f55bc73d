// The records of kv version 2, and the small conversions that its routes share.
//
// DO NOT CHANGE: it is on users' disks (vault/core/contract/codec.h; every record begins with a
// version byte).
//   <path>        1  created updated current oldest metadata_version versions_max  (be64 each)
//                    cas_required:u8 metadata_cas_required:u8 delete_after:be64
//                    count:be64  count * (created:be64 deleted:be64, 0 = not; destroyed:u8)
//                    custom_metadata:text
//   <path>/<n>/   1  the secret of version n as JSON text, to the end
//   config/       1  versions_max:be64 cas_required:u8 metadata_cas_required:u8 delete_after:be64
//   upgraded/     1  when:be64, of a mount that was of version 1
//   erasing/      of kv_v2_erasing.cpp
// In such a mount a <path> may still be what kv version 1 wrote (kv_v1.cpp): eight bytes of
// seconds, which begin with 0x00 or 0xff and so with no format of ours, and the secret. It reads as
// a key with one version, made at the time of the upgrade, and is split into the two records by its
// next save. A key of a user never ends in '/', so no key meets a version or the settings; and
// those two are written by key, without a name record, so LIST sees nothing but keys.

#include <fmt/core.h>

#include <algorithm>
#include <charconv>

#include "backends/engine/kv_v2.h"
#include "vault/core/contract/codec.h"

namespace leasehold::engine::kv_v2 {
namespace {

using core::Call;
using core::Decoder;
using core::Encoder;
using core::ReadTxn;
using core::Response;
using core::WriteTxn;

constexpr std::uint8_t kFormat = 1;
constexpr std::string_view kSettings = "config/", kUpgraded = "upgraded/";
constexpr std::size_t kOldHeaderSize = 8;

Error damaged(std::string_view detail) {
  return failure(Code::internal, "internal error", std::string(detail));
}

std::string data_name(std::string_view path, std::uint64_t number) {
  return fmt::format("{}/{}/", path, number);
}

barrier::PhysicalKey hidden(ReadTxn& txn, std::string_view name) {
  return txn.barrier().value_key(txn.space(), name);
}

bool is_old(const SecretBytes& stored) {
  const ByteView bytes = stored.reveal();
  return bytes.size() > kOldHeaderSize && (bytes[0] == 0x00 || bytes[0] == 0xff);
}

Result<std::optional<Key>> unsplit_key(ReadTxn& txn, SecretBytes stored) {
  VAULT_TRY_ASSIGN(const auto upgraded, txn.get(hidden(txn, kUpgraded), kUpgraded));
  if (!upgraded) return damaged("a kv key is of version 1, and its mount was not upgraded");
  Decoder from(upgraded->value.reveal(), kFormat);
  Key key;
  key.created.ns = from.integer();
  if (!from.whole()) return damaged("the time of the upgrade of a kv mount is damaged");
  key.updated = key.created;
  key.current = 1;
  key.versions.push_back({key.created, std::nullopt, false});
  stored.drop_front(kOldHeaderSize);
  key.unsplit = std::move(stored);
  return std::optional<Key>(std::move(key));
}

}  // namespace

const Version* Key::version(std::uint64_t number) const {
  return number < first() || number > current ? nullptr : &versions[number - first()];
}
Version* Key::version(std::uint64_t number) {
  return number < first() || number > current ? nullptr : &versions[number - first()];
}

std::vector<std::uint64_t> Key::with_data(std::uint64_t last) const {
  std::vector<std::uint64_t> numbers;
  for (std::uint64_t number = first(); number <= std::min(last, current); ++number)
    if (!version(number)->destroyed) numbers.push_back(number);
  return numbers;
}

Result<std::optional<Key>> load_key(ReadTxn& txn, std::string_view path) {
  VAULT_TRY_ASSIGN(auto stored, txn.get(path));
  if (!stored) return std::optional<Key>();
  if (is_old(stored->value)) return unsplit_key(txn, std::move(stored->value));
  Decoder from(stored->value.reveal(), kFormat);
  Key key;
  key.created.ns = from.integer();
  key.updated.ns = from.integer();
  key.current = from.number();
  key.oldest = from.number();
  key.metadata_version = from.number();
  key.versions_max = from.number();
  key.cas_required = from.flag();
  key.metadata_cas_required = from.flag();
  key.delete_after = Seconds(from.integer());
  const std::uint64_t count = from.number();
  if (count > key.current || count > kVersionsMax + 1)
    return damaged("a kv key has more versions than can be");
  key.versions.resize(count);
  for (Version& version : key.versions) {
    version.created.ns = from.integer();
    const std::int64_t deleted = from.integer();
    if (deleted != 0) version.deleted = WallTime{deleted};
    version.destroyed = from.flag();
  }
  key.custom_metadata = from.text();
  if (!from.whole()) return damaged("the metadata of a kv key is damaged");
  return std::optional<Key>(std::move(key));
}

Status save_key(WriteTxn& txn, std::string_view path, const Key& key) {
  VAULT_ASSERT(key.versions.size() <= kVersionsMax + 1);
  const Version* first = key.unsplit ? key.version(1) : nullptr;
  if (first != nullptr && !first->destroyed)
    VAULT_TRY(save_data(txn, path, 1, as_text(key.unsplit->reveal())));
  Encoder to(kFormat);
  to.number(key.created.ns).number(key.updated.ns).number(key.current).number(key.oldest);
  to.number(key.metadata_version).number(key.versions_max);
  to.flag(key.cas_required).flag(key.metadata_cas_required);
  to.number(key.delete_after.count());
  to.number(static_cast<std::uint64_t>(key.versions.size()));
  for (const Version& version : key.versions) {
    to.number(version.created.ns).number(version.deleted ? version.deleted->ns : 0);
    to.flag(version.destroyed);
  }
  to.text(key.custom_metadata);
  return txn.put(path, to.bytes());
}

Result<Settings> load_settings(ReadTxn& txn) {
  VAULT_TRY_ASSIGN(const auto stored, txn.get(hidden(txn, kSettings), kSettings));
  Settings settings;
  if (!stored) return settings;
  Decoder from(stored->value.reveal(), kFormat);
  settings.versions_max = from.number();
  settings.cas_required = from.flag();
  settings.metadata_cas_required = from.flag();
  settings.delete_after = Seconds(from.integer());
  if (!from.whole()) return damaged("the settings of a kv mount are damaged");
  return settings;
}

Status save_settings(WriteTxn& txn, const Settings& settings) {
  Encoder to(kFormat);
  to.number(settings.versions_max);
  to.flag(settings.cas_required).flag(settings.metadata_cas_required);
  to.number(settings.delete_after.count());
  return txn.put(hidden(txn, kSettings), kSettings, to.bytes());
}

Status save_upgrade(WriteTxn& txn, WallTime now) {
  Encoder to(kFormat);
  to.number(now.ns);
  return txn.put(hidden(txn, kUpgraded), kUpgraded, to.bytes());
}

Result<Data> load_data(ReadTxn& txn, std::string_view path, std::uint64_t number) {
  const std::string name = data_name(path, number);
  VAULT_TRY_ASSIGN(auto stored, txn.get(hidden(txn, name), name));
  if (!stored && number == 1) {
    VAULT_TRY_ASSIGN(auto whole, txn.get(path));
    if (whole && is_old(whole->value)) {
      whole->value.drop_front(kOldHeaderSize - 1);  // Data passes over one byte
      return Data{std::move(whole->value)};
    }
  }
  if (!stored) return damaged("the data of a kv version is missing");
  const ByteView bytes = stored->value.reveal();
  if (bytes.empty() || bytes[0] != kFormat) return damaged("the data of a kv version is damaged");
  return Data{std::move(stored->value)};
}

Status save_data(WriteTxn& txn, std::string_view path, std::uint64_t number,
                 std::string_view json) {
  const std::string name = data_name(path, number);
  SecretBytes stored;
  stored.reserve(1 + json.size());
  stored.append(ByteView(&kFormat, 1));
  stored.append(as_bytes(json));
  return txn.put(hidden(txn, name), name, stored.reveal());
}

Status erase_data(WriteTxn& txn, std::string_view path, std::uint64_t number) {
  return txn.erase(hidden(txn, data_name(path, number)));
}

std::string deletion_time(const Version& version) {
  return version.deleted ? rfc3339(*version.deleted) : std::string();
}

std::string describe(const Key& key, std::uint64_t number) {
  const Version& version = *key.version(number);
  return fmt::format(
      R"({{"created_time":"{}","custom_metadata":{},"deletion_time":"{}","destroyed":{},"version":{}}})",
      rfc3339(version.created), key.custom_metadata.empty() ? "null" : key.custom_metadata,
      deletion_time(version), version.destroyed, number);
}

std::string go_duration(Seconds duration) {
  const std::int64_t seconds = duration.count();
  if (seconds < 0) return "-" + go_duration(-duration);
  if (seconds < 60) return fmt::format("{}s", seconds);
  if (seconds < 3600) return fmt::format("{}m{}s", seconds / 60, seconds % 60);
  return fmt::format("{}h{}m{}s", seconds / 3600, seconds / 60 % 60, seconds % 60);
}

bool is_mentioned(const Call& call, std::string_view field) {
  if (call.request.operation != core::Operation::patch) return call.fields.given(field);
  return call.request.body.is_object() && call.request.body.find(field) != nullptr;
}

std::optional<std::int64_t> whole_number(const Json& value) {
  if (value.is_null()) return 0;
  if (value.is_bool()) return value.boolean() ? 1 : 0;
  if (value.is_number()) return value.integer();
  const std::string& text = value.text();
  std::int64_t number = 0;
  const auto end = std::from_chars(text.data(), text.data() + text.size(), number);
  if (!value.is_string() || end.ec != std::errc() || end.ptr != text.data() + text.size())
    return std::nullopt;
  return number;
}

Status check_writable(std::string_view path) {
  if (path.empty()) return failure(Code::invalid, "missing path");
  if (path.back() == '/') return failure(Code::invalid, "cannot write to a path ending in '/'");
  return {};
}

Result<std::uint64_t> versions_max_of(const Call& call) {
  const std::int64_t asked = call.fields.integer("max_versions");
  if (asked < 0) return failure(Code::invalid, "max_versions must not be negative");
  return static_cast<std::uint64_t>(asked);
}

Seconds clamped(Seconds duration) {
  return std::min(duration, std::chrono::duration_cast<Seconds>(Nanos::max()));
}

Response absent() { return Response::refused(404, ""); }

Response absent_unsaid() {
  Response response;
  response.status = 404;
  response.form = Response::Form::raw;
  return response;
}

Response not_at_the_root() {
  Response response;
  response.status = 404;
  response.warnings = {"Non-listing operations on the root of a K/V v2 mount are not supported."};
  return response;
}

}  // namespace leasehold::engine::kv_v2
