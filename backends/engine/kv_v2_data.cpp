// data/ and subkeys/ of kv version 2: reading a version, and writing the next one.

#include <algorithm>

#include "backends/engine/kv_v2.h"

namespace leasehold::engine::kv_v2 {
namespace {

using core::Call;
using core::Field;
using core::FieldType;
using core::Operation;
using core::ReadTxn;
using core::Response;
using core::WriteTxn;

Response spliced(std::string_view before, ByteView json, std::string_view between,
                 std::string_view after) {
  SecretBytes text;
  text.reserve(before.size() + json.size() + between.size() + after.size() + 1);
  text.append(as_bytes(before));
  text.append(json);
  text.append(as_bytes(between));
  text.append(as_bytes(after));
  text.append(as_bytes("}"));
  return Response::of_text(std::move(text));
}

std::uint64_t asked_version(const Call& call, const Key& key) {
  const std::int64_t asked = call.fields.integer("version");
  return asked > 0 ? static_cast<std::uint64_t>(asked) : key.current;
}

// A version that is deleted or destroyed is a 404 that says so.
Result<Response> read(Call& call, ReadTxn& txn) {
  const std::string path = call.fields.text("path");
  if (path.empty()) return not_at_the_root();
  VAULT_TRY_ASSIGN(const auto key, load_key(txn, path));
  if (!key) return absent();
  const std::uint64_t number = asked_version(call, *key);
  const Version* version = key->version(number);
  if (version == nullptr) return absent();
  const std::string about = describe(*key, number);
  if (version->is_gone(call.now)) {
    Response response = spliced(R"({"data":)", as_bytes("null"), R"(,"metadata":)", about);
    response.status = 404;
    return response;
  }
  VAULT_TRY_ASSIGN(const Data data, load_data(txn, path, number));
  return spliced(R"({"data":)", data.json(), R"(,"metadata":)", about);
}

Status check_cas(const Call& call, const Settings& settings, const Key& key) {
  const Json& options = call.fields.json("options");
  const Json* cas = options.is_object() ? options.find("cas") : nullptr;
  if (cas == nullptr) {
    if (!settings.cas_required && !key.cas_required) return {};
    return failure(Code::invalid, "check-and-set parameter required for this call");
  }
  const auto expected = whole_number(*cas);
  if (!expected) return failure(Code::invalid, "error parsing check-and-set parameter");
  if (*expected < 0 || static_cast<std::uint64_t>(*expected) != key.current)
    return failure(Code::invalid, "check-and-set parameter did not match the current version");
  return {};
}

std::optional<WallTime> end_of_version(const Settings& settings, const Key& key, WallTime now) {
  const Seconds mount = settings.delete_after, own = key.delete_after;
  if (mount < Seconds(0) || (mount == Seconds(0) && own == Seconds(0))) return std::nullopt;
  if (mount == Seconds(0)) return add(now, own);
  return add(now, own == Seconds(0) ? mount : std::min(mount, own));
}

// The larger limit of mount and key counts, as Vault has it.
Result<bool> forget_oldest(WriteTxn& txn, std::string_view path, const Settings& settings,
                           Key& key) {
  const std::uint64_t asked = std::max(settings.versions_max, key.versions_max);
  const std::uint64_t kept = std::min(asked != 0 ? asked : kVersionsDefault, kVersionsMax);
  if (key.current - key.oldest < kept) return false;
  const std::uint64_t first = key.first(), last = key.current - kept;
  key.oldest = last + 1;
  if (first > last) return false;
  const auto numbers = key.with_data(last);
  key.drop_first(last + 1 - first);
  return erase_versions(txn, path, numbers);
}

Result<Response> add_version(Call& call, WriteTxn& txn, std::string_view path,
                             const Settings& settings, Key& key, const Json& data) {
  std::string json = data.dump();
  const Status saved = save_data(txn, path, key.current + 1, json);
  wipe(json);
  VAULT_TRY(saved);
  key.current += 1;
  key.versions.push_back({call.now, end_of_version(settings, key, call.now), false});
  key.updated = call.now;
  VAULT_TRY_ASSIGN(const bool more, forget_oldest(txn, path, settings, key));
  VAULT_TRY(save_key(txn, path, key));
  Response response = Response::of_text(SecretBytes(describe(key, key.current)));
  response.orders.due_work = more;
  return response;
}

Result<Response> write(Call& call, WriteTxn& txn) {
  const std::string path = call.fields.text("path");
  VAULT_TRY(check_writable(path));
  // Null is what a secret may hold, as in Vault.
  const Json* data = call.request.body.is_object() ? call.request.body.find("data") : nullptr;
  if (data == nullptr) return failure(Code::invalid, "no data provided");
  VAULT_TRY_ASSIGN(const Settings settings, load_settings(txn));
  VAULT_TRY_ASSIGN(auto stored, load_key(txn, path));
  Key key;
  key.created = call.now;
  if (stored) key = std::move(*stored);
  VAULT_TRY(check_cas(call, settings, key));
  return add_version(call, txn, path, settings, key, call.fields.json("data"));
}

// RFC 7396. Both sides are sorted, so that members are only ever added at the end.
Json merged(const Json& target, const Json& patch) {
  if (!patch.is_object()) return patch;
  const std::vector<Json::Member> none;
  const auto& old = target.is_object() ? target.members() : none;
  Json out = Json::object();
  auto next = old.begin();
  for (const auto& member : patch.members()) {
    for (; next != old.end() && next->first < member.first; ++next)
      out.set(next->first, next->second);
    const bool replaces = next != old.end() && next->first == member.first;
    if (!member.second.is_null())
      out.set(member.first, merged(replaces ? next->second : Json(), member.second));
    if (replaces) ++next;
  }
  for (; next != old.end(); ++next) out.set(next->first, next->second);
  return out;
}

Result<Response> patch(Call& call, WriteTxn& txn) {
  const std::string path = call.fields.text("path");
  VAULT_TRY(check_writable(path));
  const Json& changes = call.fields.json("data");
  if (!changes.is_object()) return failure(Code::invalid, "no data provided");
  VAULT_TRY_ASSIGN(auto key, load_key(txn, path));
  if (!key) return absent_unsaid();
  VAULT_TRY_ASSIGN(const Settings settings, load_settings(txn));
  VAULT_TRY(check_cas(call, settings, *key));
  const Version* latest = key->version(key->current);
  if (latest == nullptr) return absent_unsaid();
  if (latest->is_gone(call.now)) {
    Response response = Response::of_text(SecretBytes(describe(*key, key->current)));
    response.status = 404;
    return response;
  }
  VAULT_TRY_ASSIGN(const Data before, load_data(txn, path, key->current));
  VAULT_TRY_ASSIGN(const Json data, parse_json(as_text(before.json())));
  return add_version(call, txn, path, settings, *key, merged(data, changes));
}

Result<Response> remove_latest(Call& call, WriteTxn& txn) {
  const std::string path = call.fields.text("path");
  VAULT_TRY_ASSIGN(auto key, load_key(txn, path));
  Version* latest = key ? key->version(key->current) : nullptr;
  if (latest == nullptr || latest->is_gone(call.now)) return Response::none();
  latest->deleted = call.now;
  VAULT_TRY(save_key(txn, path, *key));
  return Response::none();
}

Result<bool> exists(Call& call, ReadTxn& txn) {
  VAULT_TRY_ASSIGN(const std::uint64_t mod, txn.version(call.fields.text("path")));
  return mod != 0;
}

// The names in a secret without their values, `depth` levels of them; 0: all.
Json names_of(const Json& object, std::int64_t depth) {
  Json names = Json::object();
  for (const auto& member : object.members())
    names.set(member.first, member.second.is_object() && depth != 1
                                ? names_of(member.second, depth > 0 ? depth - 1 : 0)
                                : Json());
  return names;
}

Result<Response> read_subkeys(Call& call, ReadTxn& txn) {
  const std::string path = call.fields.text("path");
  if (path.empty()) return not_at_the_root();
  VAULT_TRY_ASSIGN(const auto key, load_key(txn, path));
  if (!key) return absent();
  const std::uint64_t number = asked_version(call, *key);
  const Version* version = key->version(number);
  if (version == nullptr) return absent();
  std::string names = "null";
  const bool is_gone = version->is_gone(call.now);
  if (!is_gone) {
    VAULT_TRY_ASSIGN(const Data stored, load_data(txn, path, number));
    VAULT_TRY_ASSIGN(const Json data, parse_json(as_text(stored.json())));
    if (data.is_object()) names = names_of(data, call.fields.integer("depth")).dump();
  }
  Response response =
      spliced(R"({"metadata":)", as_bytes(describe(*key, number)), R"(,"subkeys":)", names);
  if (is_gone) response.status = 404;
  return response;
}

Field version_field() {
  return {"version", FieldType::integer, {}, "The version to read; 0: the latest."};
}

}  // namespace

core::Route data_route() {
  core::Route route;
  route.pattern = "data/:path*";
  route.slash = core::Slash::names_a_folder;
  route.fields = {version_field(),
                  {"options", FieldType::map, {}, "\"cas\": the version that must be current."},
                  {"data", FieldType::map, {}, "The secret."}};
  route.actions = {{Operation::read, core::ReadHandler(read)},
                   {Operation::update, core::WriteHandler(write)},
                   {Operation::patch, core::WriteHandler(patch)},
                   {Operation::remove, core::WriteHandler(remove_latest)}};
  route.exists = exists;
  route.synopsis = "Read a version of a secret, write or patch the next, delete the latest.";
  route.description =
      "A write stores \"data\" as the next version. With \"options\": {\"cas\": N} it does so only "
      "if version N is current (0: only a new secret). A delete can be undone by undelete/.";
  return route;
}

core::Route subkeys_route() {
  core::Route route;
  route.pattern = "subkeys/:path*";
  route.slash = core::Slash::names_a_folder;
  route.fields = {version_field(),
                  {"depth", FieldType::integer, {}, "How many levels of names; 0: all."}};
  route.actions = {{Operation::read, core::ReadHandler(read_subkeys)}};
  route.synopsis = "Read the names in a secret, without its values.";
  route.description = "Every value reads as null, objects below the depth as well.";
  return route;
}

}  // namespace leasehold::engine::kv_v2
