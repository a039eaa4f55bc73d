// metadata/ and detailed-metadata/ of kv version 2: what is known of a key besides its secrets.

#include <fmt/core.h>

#include <algorithm>

#include "backends/engine/kv_v2.h"
#include "vault/core/contract/routes.h"
#include "vault/core/contract/scan.h"

namespace leasehold::engine::kv_v2 {
namespace {

using core::Call;
using core::FieldType;
using core::Operation;
using core::ReadTxn;
using core::Response;
using core::WriteTxn;

constexpr std::size_t kCustomKeysMax = 64;
constexpr std::size_t kCustomKeyBytesMax = 128;
constexpr std::size_t kCustomValueBytesMax = 512;

Result<Json> shown(const Key& key) {
  Json versions = Json::object();
  for (std::uint64_t number = key.first(); number <= key.current; ++number) {
    const Version& version = *key.version(number);
    Json row = Json::object();
    row.set("created_time", rfc3339(version.created)).set("deletion_time", deletion_time(version));
    row.set("destroyed", version.destroyed);
    versions.set(std::to_string(number), std::move(row));
  }
  Json custom;
  if (!key.custom_metadata.empty()) {
    VAULT_TRY_ASSIGN(custom, parse_json(key.custom_metadata));
  }
  Json data = Json::object();
  data.set("created_time", rfc3339(key.created)).set("updated_time", rfc3339(key.updated));
  data.set("current_version", key.current).set("oldest_version", key.oldest);
  data.set("current_metadata_version", key.metadata_version).set("max_versions", key.versions_max);
  data.set("cas_required", key.cas_required);
  data.set("metadata_cas_required", key.metadata_cas_required);
  data.set("delete_version_after", go_duration(key.delete_after));
  data.set("custom_metadata", std::move(custom)).set("versions", std::move(versions));
  return data;
}

Result<Response> read(Call& call, ReadTxn& txn) {
  const std::string path = call.fields.text("path");
  if (path.empty()) return not_at_the_root();
  VAULT_TRY_ASSIGN(const auto key, load_key(txn, path));
  if (!key) return absent();
  VAULT_TRY_ASSIGN(const Json data, shown(*key));
  return Response::of(data);
}

Error bad_custom(std::string_view why) {
  return failure(Code::invalid, fmt::format("custom_metadata validation failed: {}", why));
}

Error bad_length(std::string_view of, std::size_t bytes, std::string_view name, std::size_t most) {
  return bad_custom(
      fmt::format("length of {} is {} but must be 0 < len({}) <= {}", of, bytes, name, most));
}

bool is_printable(std::string_view text) {
  return std::none_of(text.begin(), text.end(), [](char c) {
    return static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) == 0x7f;
  });
}

Status check_custom(std::string_view key, const std::string& value) {
  if (key.empty() || key.size() > kCustomKeyBytesMax)
    return bad_length("a key", key.size(), "key", kCustomKeyBytesMax);
  if (!is_printable(key)) return bad_custom("a key contains unprintable characters");
  if (value.empty() || value.size() > kCustomValueBytesMax)
    return bad_length(fmt::format("value for key \"{}\"", key), value.size(), "value",
                      kCustomValueBytesMax);
  if (!is_printable(value))
    return bad_custom(fmt::format("value for key \"{}\" contains unprintable characters", key));
  return {};
}

Result<std::string> custom_text(std::string_view key, const Json& value) {
  if (value.is_object() || value.is_array())
    return bad_custom(fmt::format("the value of a key of {} bytes is no text", key.size()));
  const std::string text = value.is_bool() ? (value.boolean() ? "1" : "0") : value.text();
  VAULT_TRY(check_custom(key, text));
  return text;
}

// `given` over `custom`; in a patch null takes a pair away.
Status merge_custom(const Json& given, bool is_patch, Json& custom) {
  // Before any work: a body may name many more.
  if (given.size() > kCustomKeysMax)
    return bad_custom(fmt::format("payload must contain at most {} keys, provided {}",
                                  kCustomKeysMax, given.size()));
  for (const auto& member : given.members()) {
    if (is_patch && member.second.is_null()) {
      custom.erase(member.first);
      continue;
    }
    VAULT_TRY_ASSIGN(const std::string text, custom_text(member.first, member.second));
    custom.set(member.first, text);
  }
  if (custom.size() > kCustomKeysMax)
    return bad_custom(fmt::format("a secret can have at most {} keys", kCustomKeysMax));
  return {};
}

Status set_custom(const Call& call, bool is_patch, Key& key) {
  if (!is_mentioned(call, "custom_metadata")) return {};
  const Json& given = call.fields.json("custom_metadata");
  Json custom = Json::object();
  if (is_patch && given.is_object() && !key.custom_metadata.empty()) {
    VAULT_TRY_ASSIGN(custom, parse_json(key.custom_metadata));
  }
  if (given.is_object()) VAULT_TRY(merge_custom(given, is_patch, custom));
  key.custom_metadata = custom.size() == 0 ? std::string() : custom.dump();
  return {};
}

bool changes_something(const Call& call) {
  for (const char* field : {"cas_required", "metadata_cas_required", "max_versions",
                            "delete_version_after", "custom_metadata"})
    if (is_mentioned(call, field)) return true;
  return false;
}

Status check_metadata_cas(const Call& call, const Settings& settings, const Key& key) {
  if (!call.fields.given("metadata_cas")) {
    if (!settings.metadata_cas_required && !key.metadata_cas_required) return {};
    return failure(Code::invalid, "check-and-set parameter required for this call");
  }
  const std::int64_t expected = call.fields.integer("metadata_cas");
  if (expected < 0 || static_cast<std::uint64_t>(expected) != key.metadata_version)
    return failure(Code::invalid, "check-and-set parameter did not match the current version");
  return {};
}

void warn_if_mandated(const Call& call, const char* field, bool mandated, Response& response) {
  if (mandated && call.fields.given(field) && !call.fields.boolean(field))
    response.warnings.push_back(
        fmt::format("\"{}\" set to false, but is mandated by backend config. This value will be "
                    "ignored.",
                    field));
}

Result<Response> change(Call& call, WriteTxn& txn, std::string_view path, bool is_patch, Key key) {
  VAULT_TRY_ASSIGN(const Settings settings, load_settings(txn));
  VAULT_TRY(check_metadata_cas(call, settings, key));
  VAULT_TRY(set_custom(call, is_patch, key));
  if (is_mentioned(call, "max_versions")) {
    VAULT_TRY_ASSIGN(key.versions_max, versions_max_of(call));
  }
  if (is_mentioned(call, "cas_required")) key.cas_required = call.fields.boolean("cas_required");
  if (is_mentioned(call, "metadata_cas_required"))
    key.metadata_cas_required = call.fields.boolean("metadata_cas_required");
  if (is_mentioned(call, "delete_version_after"))
    key.delete_after = clamped(call.fields.duration("delete_version_after"));
  key.metadata_version += 1;
  VAULT_TRY(save_key(txn, path, key));
  Response response = Response::none();
  warn_if_mandated(call, "cas_required", settings.cas_required, response);
  warn_if_mandated(call, "metadata_cas_required", settings.metadata_cas_required, response);
  return response;
}

Result<Response> write(Call& call, WriteTxn& txn) {
  const std::string path = call.fields.text("path");
  VAULT_TRY(check_writable(path));
  if (!changes_something(call)) return Response::none();
  VAULT_TRY_ASSIGN(auto stored, load_key(txn, path));
  Key key;
  key.created = key.updated = call.now;
  if (stored) key = std::move(*stored);
  return change(call, txn, path, false, std::move(key));
}

Result<Response> patch(Call& call, WriteTxn& txn) {
  const std::string path = call.fields.text("path");
  VAULT_TRY(check_writable(path));
  VAULT_TRY_ASSIGN(auto key, load_key(txn, path));
  if (!key) return absent_unsaid();
  if (!changes_something(call)) return Response::none();
  return change(call, txn, path, true, std::move(*key));
}

// The key with all its versions, at once.
Result<Response> remove(Call& call, WriteTxn& txn) {
  const std::string path = call.fields.text("path");
  VAULT_TRY_ASSIGN(const auto key, load_key(txn, path));
  if (!key) return Response::none();
  VAULT_TRY_ASSIGN(const bool more, erase_versions(txn, path, key->with_data(key->current)));
  VAULT_TRY(txn.erase(path));
  Response response = Response::none();
  response.orders.due_work = more;
  return response;
}

struct Listing {
  std::string directory;
  std::vector<std::string> names;
};

// Of a list those in the directory itself, of a scan all below it.
Result<Listing> names_below(const Call& call, ReadTxn& txn) {
  Listing listing;
  listing.directory = call.fields.text("path");
  if (!listing.directory.empty() && listing.directory.back() != '/') listing.directory += '/';
  VAULT_TRY_ASSIGN(const core::Page page, core::page_of(call.request.body));
  if (call.request.operation == Operation::scan) {
    VAULT_TRY_ASSIGN(listing.names, core::scan_names(txn, listing.directory, page));
  } else {
    VAULT_TRY_ASSIGN(listing.names, txn.list(listing.directory, page.after, page.limit));
  }
  return listing;
}

Result<Response> list(Call& call, ReadTxn& txn) {
  VAULT_TRY_ASSIGN(const Listing listing, names_below(call, txn));
  return Response::keys(listing.names);
}

Result<Response> list_detailed(Call& call, ReadTxn& txn) {
  VAULT_TRY_ASSIGN(const Listing listing, names_below(call, txn));
  if (listing.names.empty()) return absent();
  Json info = Json::object();
  for (const std::string& name : listing.names) {
    if (name.back() == '/') continue;
    VAULT_TRY_ASSIGN(const auto key, load_key(txn, listing.directory + name));
    if (!key) continue;
    VAULT_TRY_ASSIGN(Json metadata, shown(*key));
    info.set(name, std::move(metadata));
  }
  Json data = Json::object();
  data.set("keys", Json(listing.names)).set("key_info", std::move(info));
  return Response::of(data);
}

Result<bool> exists(Call& call, ReadTxn& txn) {
  VAULT_TRY_ASSIGN(const std::uint64_t mod, txn.version(call.fields.text("path")));
  return mod != 0;
}

}  // namespace

core::Route metadata_route() {
  core::Route route;
  route.pattern = "metadata/:path*";
  route.slash = core::Slash::names_a_folder;
  route.fields = core::page_fields();
  const std::vector<core::Field> own = {
      {"cas_required", FieldType::boolean, {}, "Every write must say `cas`."},
      {"metadata_cas_required", FieldType::boolean, {}, "As must every write of metadata."},
      {"max_versions", FieldType::integer, {}, "How many versions to keep; 0: as the mount says."},
      {"delete_version_after",
       FieldType::duration,
       {},
       "When a version ends; 0: as the mount says."},
      {"custom_metadata", FieldType::map, {}, "Pairs of text, up to 64."},
      {"metadata_cas",
       FieldType::integer,
       {},
       "The version of the metadata that must be current."}};
  route.fields.insert(route.fields.end(), own.begin(), own.end());
  route.actions = {{Operation::read, core::ReadHandler(read)},
                   core::lists(list),
                   core::scans(list),
                   {Operation::update, core::WriteHandler(write)},
                   {Operation::patch, core::WriteHandler(patch)},
                   {Operation::remove, core::WriteHandler(remove)}};
  route.exists = exists;
  route.synopsis = "Read and set what is known of a secret, list secrets, remove one for good.";
  route.description =
      "Of max_versions the larger of the key's and the mount's counts; old versions go at the next "
      "write. A delete removes all versions and cannot be undone.";
  return route;
}

core::Route detailed_metadata_route() {
  core::Route route;
  route.pattern = "detailed-metadata/:path*";
  route.slash = core::Slash::names_a_folder;
  route.fields = core::page_fields();
  route.actions = {core::lists(list_detailed), core::scans(list_detailed)};
  route.synopsis = "List secrets with what is known of them.";
  route.description = "\"keys\" as a list of metadata/ has them, and \"key_info\" of each secret.";
  return route;
}

}  // namespace leasehold::engine::kv_v2
