// sys/mounts, sys/auth (reading), sys/internal/ui: enable, disable, list, read and tune mounts.

#include <algorithm>

#include "vault/base/duration.h"
#include "vault/core/contract/version.h"
#include "vault/core/sys/system.h"

namespace leasehold::core {

namespace {

constexpr std::size_t kAwaitedMax = 10'000;  // leases an answer waits for
constexpr std::string_view kLater[] = {
    "approle", "aws",       "azure",    "cert",       "consul",    "gcp",     "github",
    "jwt",     "kerberos",  "kmip",     "kubernetes", "ldap",      "nomad",   "oci",
    "oidc",    "okta",      "openldap", "pki",        "rabbitmq",  "radius",  "saml",
    "ssh",     "terraform", "token",    "totp",       "transform", "transit", "userpass"};
constexpr const char* kProtected[] = {"sys/", "cubbyhole/", "identity/", "auth/"};

std::string with_slash(std::string path) {
  while (path.starts_with('/')) path.erase(0, 1);
  if (!path.ends_with('/')) path += '/';
  return path;
}

// As sys/mounts shows it: the stored record without what only we need.
Json shown(const Mount& mount) {
  Json info = mount.record;
  for (const char* ours : {"path", "space", "tainted"}) info.erase(ours);
  info.set("external_entropy_access", false).set("plugin_version", "");
  info.set("running_plugin_version", "v" + std::string(kApiVersion) + "+builtin.leasehold");
  info.set("running_sha256", "");
  if (mount.kind != nullptr && !mount.kind->is_system) info.set("deprecation_status", "supported");
  return info;
}

class Mounts {
 public:
  explicit Mounts(Unsealed& live) : live_(live) {}
  Result<Response> list(ReadTxn& txn, bool auth);
  Result<Response> read(Call& call, ReadTxn& txn, bool auth);
  Result<Response> enable(Call& call, WriteTxn& txn);
  Result<Response> disable(Call& call, WriteTxn& txn);
  Result<Response> read_tune(Call& call, ReadTxn& txn);
  Result<Response> tune(Call& call, WriteTxn& txn);
  Result<Response> ui_mounts(Call& call, ReadTxn& txn);
  Result<Response> ui_mount(Call& call, ReadTxn& txn);

 private:
  Result<std::shared_ptr<const Mount>> find(ReadTxn& txn, const std::string& path);
  Status check_path(const std::string& path) const;
  Unsealed& live_;
};

Result<std::shared_ptr<const Mount>> Mounts::find(ReadTxn& txn, const std::string& path) {
  VAULT_TRY_ASSIGN(const auto compiled, live_.registry.at(txn));
  const auto found = compiled->mounts.all().find(path);
  if (found == compiled->mounts.all().end()) return std::shared_ptr<const Mount>();
  return found->second;
}

Result<Response> Mounts::list(ReadTxn& txn, bool auth) {
  VAULT_TRY_ASSIGN(const auto compiled, live_.registry.at(txn));
  Json data = Json::object();
  for (const auto& entry : compiled->mounts.all()) {
    const bool is_auth = entry.first.starts_with("auth/");
    if (is_auth == auth) data.set(auth ? entry.first.substr(5) : entry.first, shown(*entry.second));
  }
  Response response = Response::of(data);
  response.form = Response::Form::injected;
  return response;
}

Result<Response> Mounts::read(Call& call, ReadTxn& txn, bool auth) {
  const std::string path = with_slash(call.fields.text("path"));
  VAULT_TRY_ASSIGN(const auto mount, find(txn, (auth ? "auth/" : "") + path));
  if (!mount)
    return failure(Code::invalid,
                   auth ? "No auth engine at " + path : "No secret engine mount at " + path);
  Response response = Response::of(shown(*mount));
  response.form = Response::Form::injected;
  return response;
}

Status Mounts::check_path(const std::string& path) const {
  if (path.size() > kMountPathMax || path == "/")
    return failure(Code::invalid, "the path of a mount has 1 to 256 characters");
  for (const char* taken : kProtected)
    if (path.starts_with(taken)) return failure(Code::invalid, "cannot mount \"" + path + "\"");
  return {};
}

struct Ttl {
  std::int64_t seconds = 0;
};
// A number of seconds, a duration, or "system" for the vault's own.
Result<Ttl> ttl_of(const Json* value, std::string_view which) {
  if (value == nullptr || value->is_null() || value->text().empty() || value->text() == "system")
    return Ttl{};
  const auto parsed = parse_duration(value->text());
  if (!parsed.ok())
    return failure(Code::invalid, "unable to parse " + std::string(which) +
                                      " TTL: give a duration such as 30, 5m or 24h");
  if (parsed->count() < 0)
    return failure(Code::invalid, std::string(which) + " TTL cannot be negative");
  return Ttl{parsed->count()};
}

Result<Json> config_of(const Json& given, Json config) {
  VAULT_TRY_ASSIGN(const Ttl ttl, ttl_of(given.find("default_lease_ttl"), "default"));
  VAULT_TRY_ASSIGN(const Ttl max, ttl_of(given.find("max_lease_ttl"), "max"));
  if (max.seconds > 0 && ttl.seconds > max.seconds)
    return failure(Code::invalid, "given default lease TTL greater than given max lease TTL");
  config.set("default_lease_ttl", ttl.seconds).set("max_lease_ttl", max.seconds);
  config.set("force_no_cache", given.bool_at("force_no_cache"));
  for (const char* key : {"audit_non_hmac_request_keys", "audit_non_hmac_response_keys"})
    if (given.find(key) != nullptr) config.set(key, Json(given.strings_at(key)));
  if (given.find("listing_visibility") != nullptr)
    config.set("listing_visibility", given.string_at("listing_visibility"));
  return config;
}

// What Vault has and this version has not is told from what nobody has.
Error not_here(const std::string& type) {
  const bool known = std::find(std::begin(kLater), std::end(kLater), type) != std::end(kLater);
  return failure(Code::invalid, "plugin not found in the catalog: " + type +
                                    (known ? " (it is not in this version of Leasehold)" : ""));
}

Result<Response> Mounts::enable(Call& call, WriteTxn& txn) {
  const std::string path = with_slash(call.fields.text("path"));
  std::string type = call.fields.text("type");
  if (type.empty()) return failure(Code::invalid, "backend type must be specified as a string");
  VAULT_TRY(txn.version(Registry::mounts_key()));  // guards what is free and what is taken
  VAULT_TRY_ASSIGN(const auto compiled, live_.registry.at(txn));
  Json options = call.fields.json("options");
  if (!options.is_object()) options = Json::object();
  if (type == "kv-v1" || type == "kv-v2" || type == "generic") {
    const bool two = type == "kv-v2";
    type = "kv";
    options.set("version", two ? "2" : "1");
  }
  const std::string asked = options.string_at("version", "1");
  if (type == "kv" && asked != "1" && asked != "2")
    return failure(Code::invalid, "the version of a kv mount is 1 or 2");
  const EngineKind* kind = live_.registry.kind(type, asked == "2" ? 2 : 1);
  if (kind == nullptr) kind = live_.registry.kind(type, 0);
  if (kind == nullptr || kind->is_auth || kind->is_system) {
    if (kind != nullptr && kind->is_system)
      return failure(Code::invalid, "mount type of \"" + type + "\" is not mountable");
    return not_here(type);
  }
  VAULT_TRY(check_path(path));
  for (const auto& entry : compiled->mounts.all())
    if (entry.first.starts_with(path) || path.starts_with(entry.first))
      return failure(Code::invalid, "path is already in use at " + entry.first);
  Json record = Registry::new_mount(call.random, path, type, call.fields.text("description"));
  record.set("options", std::move(options)).set("local", call.fields.boolean("local"));
  record.set("seal_wrap", call.fields.boolean("seal_wrap"));
  VAULT_TRY_ASSIGN(Json config, config_of(call.fields.json("config"), *record.find("config")));
  const std::int64_t system_max = live_.registry.defaults().max_ttl.count();
  if (config.integer_at("max_lease_ttl") == 0 &&
      config.integer_at("default_lease_ttl") > system_max)
    return failure(Code::invalid, "given default lease TTL greater than system max lease TTL of " +
                                      std::to_string(system_max));
  record.set("config", std::move(config));
  VAULT_TRY(Registry::put_mount(txn, record));
  return Response::none();
}

// The path is gone at once; leases are revoked and data erased behind it, through any crash.
Result<Response> Mounts::disable(Call& call, WriteTxn& txn) {
  const std::string path = with_slash(call.fields.text("path"));
  if (path == "auth/token/")
    return failure(Code::invalid, "token credential backend cannot be disabled");
  for (const char* fixed : {"sys/", "cubbyhole/", "identity/"})
    if (path == fixed) return failure(Code::invalid, "cannot unmount \"" + path + "\"");
  VAULT_TRY(txn.version(Registry::mounts_key()));
  VAULT_TRY_ASSIGN(const auto mount, find(txn, path));
  if (path.starts_with("auth/")) return Response::none();
  if (mount) {
    Json record = mount->record;
    record.set("tainted", true);
    VAULT_TRY(Registry::put_mount(txn, record));
  }
  ReadTxn look(txn.snapshot(), txn.barrier(), barrier::kCoreSpace);
  VAULT_TRY_ASSIGN(auto leases, live_.leases.below(look, path, kAwaitedMax));
  VAULT_TRY_ASSIGN(const auto due, live_.leases.revoking_below(look, path, kAwaitedMax));
  leases.insert(leases.end(), due.begin(), due.end());
  Response response = Response::none();
  for (const auto& id : leases) response.awaited.push_back(lease_key(id));
  return response;
}

Result<Response> Mounts::read_tune(Call& call, ReadTxn& txn) {
  const std::string path = with_slash(call.fields.text("path"));
  VAULT_TRY_ASSIGN(const auto mount, find(txn, path));
  if (!mount) return failure(Code::invalid, "cannot fetch sysview for path \"" + path + "\"");
  Json data = Json::object();
  data.set("description", mount->info.description).set("force_no_cache", false);
  data.set("default_lease_ttl", static_cast<std::int64_t>(mount->info.default_ttl.count()));
  data.set("max_lease_ttl", static_cast<std::int64_t>(mount->info.max_ttl.count()));
  if (mount->info.options.size() > 0) data.set("options", mount->info.options);
  const Json& config = *mount->record.find("config");
  for (const char* key : {"audit_non_hmac_request_keys", "audit_non_hmac_response_keys",
                          "listing_visibility", "token_type"})
    if (const Json* value = config.find(key)) data.set(key, *value);
  Response response = Response::of(data);
  response.form = Response::Form::injected;
  return response;
}

// Stored secrets have the form of one version; nothing rewrites them behind a tune.
Status check_version_kept(const MountInfo& mount, const Json& options) {
  const Json* asked = options.is_object() ? options.find("version") : nullptr;
  const std::string has =
      mount.options.is_object() ? mount.options.string_at("version", "1") : std::string("1");
  if (asked == nullptr || asked->text() == has) return {};
  return failure(Code::invalid, "a mount keeps its version: enable another with version=" +
                                    asked->text() + " and copy the secrets to it");
}

Result<Response> Mounts::tune(Call& call, WriteTxn& txn) {
  const std::string path = with_slash(call.fields.text("path"));
  VAULT_TRY(txn.version(Registry::mounts_key()));
  VAULT_TRY_ASSIGN(const auto mount, find(txn, path));
  if (!mount)
    return failure(Code::invalid, "tune of path \"" + path + "\" failed: no mount entry found");
  Json record = mount->record;
  Json config = *record.find("config");
  const Fields& fields = call.fields;
  VAULT_TRY(check_version_kept(mount->info, fields.json("options")));
  for (const char* key : {"default_lease_ttl", "max_lease_ttl"}) {
    if (!fields.given(key)) continue;
    VAULT_TRY_ASSIGN(const Ttl ttl, ttl_of(&fields.json(key), key[0] == 'd' ? "default" : "max"));
    config.set(key, ttl.seconds);
  }
  const std::int64_t ttl = config.integer_at("default_lease_ttl");
  const std::int64_t max = config.integer_at("max_lease_ttl");
  if (max > 0 && ttl > max)
    return failure(Code::invalid, "backend max lease TTL of " + std::to_string(max) +
                                      " would be less than backend default lease TTL of " +
                                      std::to_string(ttl));
  for (const char* key : {"audit_non_hmac_request_keys", "audit_non_hmac_response_keys"})
    if (fields.given(key)) config.set(key, fields.json(key));
  if (fields.given("listing_visibility"))
    config.set("listing_visibility", fields.text("listing_visibility"));
  if (fields.given("description")) record.set("description", fields.text("description"));
  record.set("config", std::move(config));
  VAULT_TRY(Registry::put_mount(txn, record));
  return Response::none();
}

Result<Response> Mounts::ui_mounts(Call& call, ReadTxn& txn) {
  VAULT_TRY_ASSIGN(const auto compiled, live_.registry.at(txn));
  VAULT_TRY_ASSIGN(const Acl acl, acl_of(live_, txn, call.caller.policies, call.now));
  Json secret = Json::object(), auth = Json::object();
  for (const auto& entry : compiled->mounts.all()) {
    const bool is_auth = entry.first.starts_with("auth/");
    Json info = shown(*entry.second);
    if (!call.caller.present) {
      if (entry.second->record.find("config")->string_at("listing_visibility") != "unauth")
        continue;
      Json little = Json::object();
      for (const char* key : {"type", "description", "options"})
        if (const Json* value = info.find(key)) little.set(key, *value);
      info = std::move(little);
    } else if (!acl.may_reach(entry.first)) {
      continue;
    }
    (is_auth ? auth : secret).set(is_auth ? entry.first.substr(5) : entry.first, std::move(info));
  }
  Json data = Json::object();
  data.set("secret", std::move(secret)).set("auth", std::move(auth));
  return Response::of(data);
}

Result<Response> Mounts::ui_mount(Call& call, ReadTxn& txn) {
  const std::string path = with_slash(call.fields.text("path"));
  VAULT_TRY_ASSIGN(const auto compiled, live_.registry.at(txn));
  VAULT_TRY_ASSIGN(const Acl acl, acl_of(live_, txn, call.caller.policies, call.now));
  const Mount* mount = compiled->mounts.find(path);
  if (!call.caller.present) return failure(Code::denied, "permission denied");
  // An unknown mount and a forbidden one look the same.
  if (mount == nullptr || !acl.may_reach(mount->info.path))
    return failure(Code::denied,
                   "preflight capability check returned 403, please ensure client's policies "
                   "grant access to path \"" +
                       path + "\"");
  Json data = shown(*mount);
  data.set("path", mount->info.path);
  return Response::of(data);
}

}  // namespace

void add_mount_routes(std::vector<Route>& routes, Unsealed& live) {
  const auto mounts =
      std::make_shared<Mounts>(live);  // shared by the handlers below, which outlive this call
  const auto all = [mounts](bool auth) {
    return reads([mounts, auth](Call&, ReadTxn& txn) { return mounts->list(txn, auth); });
  };
  const auto one = [mounts](bool auth) {
    return reads(
        [mounts, auth](Call& call, ReadTxn& txn) { return mounts->read(call, txn, auth); });
  };
  routes.push_back(route("mounts", {}, {all(false)}, "Lists the mounts"));
  const std::vector<Field> single_fields = {{"type"},
                                            {"description"},
                                            {"config", FieldType::map},
                                            {"options", FieldType::text_map},
                                            {"local", FieldType::boolean},
                                            {"seal_wrap", FieldType::boolean},
                                            {"external_entropy_access", FieldType::boolean},
                                            {"plugin_name"},
                                            {"plugin_version"},
                                            {"default_lease_ttl"},
                                            {"max_lease_ttl"},
                                            {"audit_non_hmac_request_keys", FieldType::comma_list},
                                            {"audit_non_hmac_response_keys", FieldType::comma_list},
                                            {"listing_visibility"}};
  Route single =
      route("mounts/:path*", single_fields, {}, "Enables, reads, tunes and disables a mount");
  // A mount's path may hold slashes, so `…/tune` is told apart here and not by the pattern.
  const auto tunes = [](Call& call) {
    std::string path = call.fields.text("path");
    if (!path.ends_with("/tune")) return false;
    path.resize(path.size() - 5);
    call.fields.set("path", Json(path), true);
    return true;
  };
  const auto in_auth = [](Call& call) -> Call& {
    call.fields.set("path", Json("auth/" + call.fields.text("path")), true);
    return call;
  };
  const auto listed = [](Call& call) { return call.fields.text("path").empty(); };
  single.actions.push_back(reads([=](Call& call, ReadTxn& txn) -> Result<Response> {
    if (listed(call)) return failure(Code::not_found, multierror("unsupported path"));
    return tunes(call) ? mounts->read_tune(call, txn) : mounts->read(call, txn, false);
  }));
  single.actions.push_back(writes([=](Call& call, WriteTxn& txn) -> Result<Response> {
    return tunes(call) ? mounts->tune(call, txn) : mounts->enable(call, txn);
  }));
  single.actions.push_back(removes(
      [=](Call& call, WriteTxn& txn) { return mounts->disable(call, txn); }, Place::worker));
  routes.push_back(std::move(single));
  routes.push_back(route("auth", {}, {all(true)}, "Lists the auth methods"));
  Route auth = route("auth/:path*", single_fields, {}, "Reads and tunes an auth method");
  auth.actions.push_back(reads([=](Call& call, ReadTxn& txn) -> Result<Response> {
    if (!tunes(call)) return mounts->read(call, txn, true);
    return mounts->read_tune(in_auth(call), txn);
  }));
  auth.actions.push_back(writes([=](Call& call, WriteTxn& txn) -> Result<Response> {
    if (tunes(call)) return mounts->tune(in_auth(call), txn);
    const std::string type = call.fields.text("type");
    return type.empty() ? failure(Code::invalid, "backend type must be specified as a string")
                        : not_here(type);
  }));
  auth.actions.push_back(removes([=](Call& call, WriteTxn& txn) -> Result<Response> {
    return mounts->disable(in_auth(call), txn);
  }));
  auth.sudo = true;
  routes.push_back(std::move(auth));
  Route ui =
      route("internal/ui/mounts", {},
            {reads([mounts](Call& call, ReadTxn& txn) { return mounts->ui_mounts(call, txn); },
                   Place::worker)},
            "Mounts the caller can reach");
  ui.unauthenticated = true;
  routes.push_back(std::move(ui));
  Route ui_one =
      route("internal/ui/mounts/:path*", {},
            {reads([mounts](Call& call, ReadTxn& txn) { return mounts->ui_mount(call, txn); })},
            "The mount behind a path");
  ui_one.unauthenticated = true;
  routes.push_back(std::move(ui_one));
}

}  // namespace leasehold::core
