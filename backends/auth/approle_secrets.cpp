// The secret ids of approle: made, looked up, destroyed, used up. Only a hash of each is kept.

#include <algorithm>

#include "backends/auth/approle.h"
#include "vault/base/cidr.h"
#include "vault/base/encoding.h"
#include "vault/base/nothing_done.h"
#include "vault/crypto/hash.h"

namespace leasehold::auth::approle {
namespace {

constexpr std::string_view kSecrets = "secrets/", kAccessors = "accessors/", kUses = "uses/",
                           kForgotten = "forgotten/";
constexpr std::size_t kSecretIdMax = 4096;   // bytes of a custom one
constexpr std::size_t kMetadataMax = 64;     // pairs
constexpr std::int64_t kErasedAtOnce = 12;   // a batch holds 100 operations
constexpr std::size_t kLookedAtOnce = 1000;  // secret ids in a pass of tidy
constexpr char kNever[] = "0001-01-01T00:00:00Z";

std::string secret_record(const std::string& directory, const std::string& hash) {
  return std::string(kSecrets) + directory + "/" + hash;
}
std::string accessor_record(const std::string& directory, const std::string& accessor) {
  return std::string(kAccessors) + directory + "/" + accessor;
}
std::string uses_counter(const Secret& secret) {
  return std::string(kUses) + secret.directory + "/" + secret.hash;
}

Error bad_metadata() {
  return failure(Code::invalid,
                 "failed to parse metadata: failed to parse the input: invalid <key,value> format");
}

// A JSON object of texts, or `a=b,c=d`.
Result<Json> parse_metadata(const std::string& text) {
  Json out = Json::object();
  if (text.empty()) return out;
  if (const auto parsed = parse_json(text); parsed.ok() && parsed->is_object()) {
    for (const auto& pair : parsed->members()) {
      if (!pair.second.is_string()) return bad_metadata();
      out.set(pair.first, pair.second.text());
    }
  } else {
    for (std::string_view rest = text; !rest.empty() && out.size() <= kMetadataMax;) {
      const std::string_view pair = rest.substr(0, rest.find(','));
      rest.remove_prefix(std::min(pair.size() + 1, rest.size()));
      const std::size_t equals = pair.find('=');
      if (equals == std::string_view::npos || equals == 0) return bad_metadata();
      out.set(pair.substr(0, equals), pair.substr(equals + 1));
    }
  }
  if (out.size() > kMetadataMax)
    return failure(Code::invalid, "a secret id can have at most 64 pairs of metadata");
  return out;
}

// Each range of a secret id lies in one of its role's, if that has any.
Result<Json> narrower(const std::vector<std::string>& asked,
                      const std::vector<std::string>& of_role, const char* field) {
  VAULT_TRY(check_cidrs(asked));
  for (const std::string& range : asked) {
    const bool inside = std::any_of(of_role.begin(), of_role.end(), [&](const std::string& one) {
      return Cidr::parse(one)->contains(*Cidr::parse(range));
    });
    if (!inside && !of_role.empty())
      return failure(Code::invalid, std::string(field) + " must lie within those of the role");
  }
  return Json(asked);
}

// What of the role's limit a secret id asks for: at most the limit, where there is one.
Result<std::int64_t> limited(bool given, std::int64_t asked, std::int64_t limit,
                             const std::string& field) {
  if (!given) return limit;
  if (asked < 0) return failure(Code::invalid, field + " cannot be negative");
  if (limit > 0 && (asked == 0 || asked > limit))
    return failure(Code::invalid, field + " cannot be higher than the role's secret_id_" + field);
  return asked;
}

Result<Json> secret_from(Call& call, const Role& role) {
  const Fields& fields = call.fields;
  const Json& of_role = role.record;
  VAULT_TRY_ASSIGN(const auto uses, limited(fields.given("num_uses"), fields.integer("num_uses"),
                                            of_role.integer_at("secret_id_num_uses"), "num_uses"));
  VAULT_TRY_ASSIGN(const auto ttl, limited(fields.given("ttl"), fields.duration("ttl").count(),
                                           of_role.integer_at("secret_id_ttl"), "ttl"));
  VAULT_TRY_ASSIGN(Json metadata, parse_metadata(fields.text("metadata")));
  VAULT_TRY_ASSIGN(
      Json networks,
      narrower(fields.list("cidr_list"), of_role.strings_at("secret_id_bound_cidrs"), "cidr_list"));
  VAULT_TRY_ASSIGN(Json of_tokens,
                   narrower(fields.list("token_bound_cidrs"),
                            of_role.strings_at("token_bound_cidrs"), "token_bound_cidrs"));
  Json record = Json::object();
  record.set("accessor", uuid(call.random)).set("num_uses", uses).set("ttl", ttl);
  record.set("created", call.now.ns);
  record.set("expires", ttl > 0 ? add(call.now, Seconds{ttl}).ns : std::int64_t{0});
  record.set("metadata", std::move(metadata)).set("cidr_list", std::move(networks));
  record.set("token_bound_cidrs", std::move(of_tokens));
  return record;
}

std::string hash_of(std::string_view secret_id) { return hex(crypto::sha256(as_bytes(secret_id))); }

Result<Response> make_secret(Call& call, WriteTxn& txn, bool custom) {
  VAULT_TRY_ASSIGN(const Role role, role_of(call.fields, txn));
  if (!role.record.bool_at("bind_secret_id"))
    return failure(Code::invalid, "bind_secret_id is not set on the role");
  const SecretBytes given =
      custom ? call.fields.secret("secret_id") : SecretBytes(std::string_view(uuid(call.random)));
  const std::string_view secret_id = as_text(given.reveal());
  if (secret_id.empty()) return failure(Code::invalid, "missing secret_id");
  if (secret_id.size() > kSecretIdMax)
    return failure(Code::invalid, "a secret_id can have at most 4096 bytes");
  VAULT_TRY_ASSIGN(const auto taken, find_secret(role, secret_id, txn));
  if (taken) return failure(Code::invalid, "this secret_id is registered already");
  VAULT_TRY_ASSIGN(Json record, secret_from(call, role));
  const Secret secret{role.directory(), hash_of(secret_id), std::move(record)};
  VAULT_TRY(core::save_json(txn, secret_record(secret.directory, secret.hash), secret.record));
  Json link = Json::object();
  link.set("secret", secret.hash);
  VAULT_TRY(core::save_json(txn, accessor_record(secret.directory, secret.accessor()), link));
  const std::int64_t uses = secret.record.integer_at("num_uses");
  if (uses > 0) txn.add(uses_counter(secret), uses, 0);
  Json data = Json::object();
  data.set("secret_id", secret_id).set("secret_id_accessor", secret.accessor());
  data.set("secret_id_num_uses", uses).set("secret_id_ttl", secret.record.integer_at("ttl"));
  Response response = Response::of(data);
  response.data_accessor = secret.accessor();
  return response;
}

Result<Response> list_secrets(Call& call, ReadTxn& txn) {
  VAULT_TRY_ASSIGN(const Role role, role_of(call.fields, txn));
  return core::list_names(call, txn, std::string(kAccessors) + role.directory() + "/");
}

Result<std::optional<Secret>> by_accessor(const Role& role, const std::string& accessor,
                                          ReadTxn& txn) {
  VAULT_TRY_ASSIGN(const auto link,
                   core::load_json(txn, accessor_record(role.directory(), accessor)));
  if (!link) return std::optional<Secret>();
  const std::string hash = link->string_at("secret");
  VAULT_TRY_ASSIGN(auto record, core::load_json(txn, secret_record(role.directory(), hash)));
  if (!record) return std::optional<Secret>();
  return std::optional<Secret>(Secret{role.directory(), hash, std::move(*record)});
}

Result<std::optional<Secret>> asked_for(Call& call, ReadTxn& txn, bool by_its_accessor) {
  VAULT_TRY_ASSIGN(const Role role, role_of(call.fields, txn));
  const char* const field = by_its_accessor ? "secret_id_accessor" : "secret_id";
  const std::string& text = call.fields.json(field).text();  // no copy: it is wiped there
  if (text.empty()) return failure(Code::invalid, std::string("missing ") + field);
  return by_its_accessor ? by_accessor(role, text, txn) : find_secret(role, text, txn);
}

Response unknown_accessor(const Call& call) {
  Json data = Json::object();
  data.set("error", "failed to find accessor entry for secret_id_accessor: \"" +
                        call.fields.text("secret_id_accessor") + "\"");
  Response response = Response::of(data);
  response.status = 404;
  return response;
}

std::string time_text(std::int64_t ns) { return ns == 0 ? kNever : rfc3339(WallTime{ns}); }

Result<Response> look_up(Call& call, ReadTxn& txn, bool by_its_accessor) {
  VAULT_TRY_ASSIGN(const auto secret, asked_for(call, txn, by_its_accessor));
  bool valid = false;
  if (secret) {
    VAULT_TRY_ASSIGN(const auto over, why_over(*secret, txn, call.now));
    valid = over.empty();
  }
  if (!valid) return by_its_accessor ? unknown_accessor(call) : Response::none();
  std::int64_t uses = secret->record.integer_at("num_uses");
  if (uses > 0) {
    VAULT_TRY_ASSIGN(uses, txn.counter(uses_counter(*secret)));
  }
  Json data = Json::object();
  data.set("secret_id_accessor", secret->accessor()).set("secret_id_num_uses", uses);
  data.set("secret_id_ttl", secret->record.integer_at("ttl"));
  data.set("creation_time", time_text(secret->record.integer_at("created")));
  data.set("last_updated_time", time_text(secret->record.integer_at("created")));
  data.set("expiration_time", time_text(secret->record.integer_at("expires")));
  for (const char* name : {"metadata", "cidr_list", "token_bound_cidrs"})
    data.set(name, *secret->record.find(name));
  return Response::of(data);
}

Result<Response> destroy(Call& call, WriteTxn& txn, bool by_its_accessor) {
  VAULT_TRY_ASSIGN(const auto secret, asked_for(call, txn, by_its_accessor));
  if (!secret && by_its_accessor) return unknown_accessor(call);
  if (secret) VAULT_TRY(erase_secret(*secret, txn));
  if (!secret) call.quiet_warnings.push_back(nothing_done("the role has no such secret id"));
  return Response::none();
}

Route one_secret(const char* path, bool by_its_accessor, bool destroys) {
  const Field which =
      by_its_accessor ? Field{"secret_id_accessor"} : core::sensitive({"secret_id"});
  std::vector<core::Action> actions;
  if (destroys) {
    const auto end = [by_its_accessor](Call& call, WriteTxn& txn) {
      return destroy(call, txn, by_its_accessor);
    };
    actions = {core::ends(end), core::removes(end)};
  } else {
    actions = {core::asks([by_its_accessor](Call& call, ReadTxn& txn) {
      return look_up(call, txn, by_its_accessor);
    })};
  }
  return core::route(std::string("role/:role_name/") + path, {{"role_name"}, which},
                     std::move(actions), destroys ? "Ends a secret id." : "Shows a secret id.");
}

// The first directory of secret ids behind `directory`; "": there is none.
Result<std::string> next_directory(ReadTxn& look, const std::string& directory) {
  VAULT_TRY_ASSIGN(const auto names, look.list(kSecrets, directory, 1));
  return names.empty() ? std::string() : names[0];
}

std::string forgotten_mark(const std::string& directory) {
  return std::string(kForgotten) + directory.substr(0, directory.size() - 1);
}

// Erases it when it is over, guarded as this batch reads it.
Result<bool> erase_if_over(const std::string& directory, const std::string& hash, bool forgotten,
                           ReadTxn& look, WriteTxn& txn, WallTime now) {
  const std::string name = std::string(kSecrets) + directory + hash;
  auto seen = core::load_json(look, name);
  if (!seen.ok() || !*seen) return false;  // a damaged one holds up none behind it
  const Secret secret{directory.substr(0, directory.size() - 1), hash, std::move(**seen)};
  VAULT_TRY_ASSIGN(const auto over, why_over(secret, look, now));
  if (over.empty() && !forgotten) return false;
  VAULT_TRY(txn.version(name));
  VAULT_TRY(erase_secret(secret, txn));
  return true;
}

}  // namespace

Result<std::optional<Secret>> find_secret(const Role& role, std::string_view secret_id,
                                          ReadTxn& txn) {
  const std::string hash = hash_of(secret_id);
  VAULT_TRY_ASSIGN(auto record, core::load_json(txn, secret_record(role.directory(), hash)));
  if (!record) return std::optional<Secret>();
  return std::optional<Secret>(Secret{role.directory(), hash, std::move(*record)});
}

Result<std::string_view> why_over(const Secret& secret, ReadTxn& txn, WallTime now) {
  const WallTime expires{secret.record.integer_at("expires")};
  if (expires.ns != 0 && expires <= now) return std::string_view("the secret id has expired");
  if (secret.record.integer_at("num_uses") == 0) return std::string_view();
  VAULT_TRY_ASSIGN(const std::int64_t left, txn.counter(uses_counter(secret)));
  return std::string_view(left > 0 ? "" : "the secret id is used up");
}

// The counter is folded, so many logins at once do not conflict: its bound refuses whoever comes
// too late, also where the last one erases it.
Status spend(const Secret& secret, WriteTxn& txn) {
  if (secret.record.integer_at("num_uses") == 0) return {};
  VAULT_TRY_ASSIGN(const std::int64_t left, txn.counter(uses_counter(secret)));
  txn.add(uses_counter(secret), -1, 0);
  return left == 1 ? erase_secret(secret, txn) : Status();
}

Status erase_secret(const Secret& secret, WriteTxn& txn) {
  VAULT_TRY(txn.erase(secret_record(secret.directory, secret.hash)));
  VAULT_TRY(txn.erase(accessor_record(secret.directory, secret.accessor())));
  if (secret.record.integer_at("num_uses") > 0) txn.erase_counter(uses_counter(secret));
  return {};
}

Status forget_secrets(const Role& role, WriteTxn& txn) {
  VAULT_TRY_ASSIGN(const auto some,
                   txn.list(std::string(kSecrets) + role.directory() + "/", {}, 1));
  if (some.empty()) return {};
  return core::save_json(txn, forgotten_mark(role.directory() + "/"), Json::object());
}

Result<core::DueSlice> erase_some_over(WriteTxn& txn, const std::string& from, WallTime now) {
  ReadTxn look(txn.snapshot(), txn.barrier(), txn.space());
  std::string directory = from.substr(0, from.find('/') + 1);
  std::string hash = from.substr(directory.size());
  if (directory.empty()) {
    VAULT_TRY_ASSIGN(directory, next_directory(look, {}));
  }
  core::DueSlice slice;
  if (directory.empty()) return slice;
  VAULT_TRY_ASSIGN(const auto forgotten, look.version(forgotten_mark(directory)));
  VAULT_TRY_ASSIGN(const auto hashes,
                   look.list(std::string(kSecrets) + directory, hash, kLookedAtOnce));
  for (const std::string& one : hashes) {
    hash = one;
    VAULT_TRY_ASSIGN(const bool erased,
                     erase_if_over(directory, hash, forgotten != 0, look, txn, now));
    slice.done += erased ? 1 : 0;
    if (slice.done == kErasedAtOnce) break;
  }
  slice.next = directory + hash;
  if (slice.done == kErasedAtOnce || hashes.size() == kLookedAtOnce) return slice;
  if (forgotten != 0) VAULT_TRY(txn.erase(forgotten_mark(directory)));
  VAULT_TRY_ASSIGN(slice.next, next_directory(look, directory));
  return slice;
}

void add_secret_routes(std::vector<Route>& routes) {
  const std::vector<Field> fields = {
      {"role_name"},
      {"metadata", FieldType::text, {}, "A JSON object of texts, as one string."},
      {"cidr_list", FieldType::comma_list, {}, "Networks a login with it may come from."},
      {"token_bound_cidrs", FieldType::comma_list, {}, "Networks its tokens may be used from."},
      {"num_uses", FieldType::integer, {}, "How often it serves; 0: always."},
      {"ttl", FieldType::duration, {}, "How long it serves; 0: for ever."}};
  std::vector<Field> listing = fields;
  for (Field& field : core::page_fields()) listing.push_back(std::move(field));
  routes.push_back(core::route(
      "role/:role_name/secret-id", listing,
      {core::writes([](Call& call, WriteTxn& txn) { return make_secret(call, txn, false); }),
       core::lists(list_secrets)},
      "Makes a secret id; lists their accessors."));
  std::vector<Field> custom = fields;
  custom.push_back(core::sensitive({"secret_id"}));
  routes.push_back(core::route(
      "role/:role_name/custom-secret-id", std::move(custom),
      {core::writes([](Call& call, WriteTxn& txn) { return make_secret(call, txn, true); })},
      "Registers a secret id that was chosen elsewhere."));
  routes.push_back(one_secret("secret-id/lookup", false, false));
  routes.push_back(one_secret("secret-id/destroy", false, true));
  routes.push_back(one_secret("secret-id-accessor/lookup", true, false));
  routes.push_back(one_secret("secret-id-accessor/destroy", true, true));
  routes.push_back(core::route(
      "tidy/secret-id", {}, {core::asks([](Call&, ReadTxn&) -> Result<Response> {
        Response response;
        response.status = 202;
        response.orders.due_work = true;
        response.warnings.push_back(
            "Tidy operation successfully started. Any information from the operation will be "
            "printed to Leasehold's server logs.");
        return response;
      })},
      "Erases secret ids that are expired or used up."));
}

}  // namespace leasehold::auth::approle
