// sys/mounts and sys/auth: enable, disable, list, read and tune mounts.

#include <algorithm>

#include "vault/base/nothing_done.h"
#include "vault/core/authority/indexes.h"
#include "vault/core/sys/mount_config.h"
#include "vault/core/sys/system.h"

namespace leasehold::core {

namespace {

constexpr std::string_view kLater[] = {
    "aws",       "azure",    "cert",       "consul",    "gcp",    "github", "jwt",
    "kerberos",  "kmip",     "kubernetes", "ldap",      "nomad",  "oci",    "oidc",
    "okta",      "openldap", "pki",        "rabbitmq",  "radius", "saml",   "ssh",
    "terraform", "token",    "totp",       "transform", "transit"};

constexpr std::string_view kPlugin = "plugin";

class MountRoutes {
 public:
  explicit MountRoutes(Unsealed& live) : live_(live) {}
  Result<Response> list(ReadTxn& txn, bool auth);
  Result<Response> read(Call& call, ReadTxn& txn);
  Result<Response> enable(Call& call, WriteTxn& txn, bool auth);
  Result<Response> disable(Call& call, WriteTxn& txn);
  Status forget_aliases(WriteTxn& txn, const MountInfo& mount, Response& response);
  Status revoke_logins(Call& call, WriteTxn& txn, const MountInfo& mount, Response& response);
  Result<Response> read_tune(Call& call, ReadTxn& txn);
  Result<Response> tune(Call& call, WriteTxn& txn);

 private:
  Result<std::shared_ptr<const Mount>> find(ReadTxn& txn, const std::string& path);
  Result<const EngineKind*> upgraded_kind(const Mount& mount, const Json& options);
  static Result<Response> upgrade(const Mount& mount, const EngineKind& kind, Call& call,
                                  WriteTxn& txn);
  TtlDefaults system_ttls() const {
    return {live_.mounts.defaults().default_ttl, live_.mounts.defaults().max_ttl};
  }
  Unsealed& live_;
};

Result<std::shared_ptr<const Mount>> MountRoutes::find(ReadTxn& txn, const std::string& path) {
  VAULT_TRY_ASSIGN(const auto compiled, live_.mounts.at(txn));
  const auto found = compiled->mounts.all().find(path);
  if (found == compiled->mounts.all().end()) return std::shared_ptr<const Mount>();
  return found->second;
}

Result<Response> MountRoutes::list(ReadTxn& txn, bool auth) {
  VAULT_TRY_ASSIGN(const auto compiled, live_.mounts.at(txn));
  Json data = Json::object();
  for (const auto& entry : compiled->mounts.all()) {
    const bool is_auth = is_auth_path(entry.first);
    if (is_auth == auth)
      data.set(auth ? entry.first.substr(kAuthPrefix.size()) : entry.first,
               shown_mount(*entry.second));
  }
  Response response = Response::of(data);
  response.form = Response::Form::injected;
  return response;
}

Result<Response> MountRoutes::read(Call& call, ReadTxn& txn) {
  const std::string path = mount_path(call.fields.text("path"));
  VAULT_TRY_ASSIGN(const auto mount, find(txn, path));
  if (!mount)
    return failure(Code::invalid, is_auth_path(path)
                                      ? "No auth engine at " + path.substr(kAuthPrefix.size())
                                      : "No secret engine mount at " + path);
  Response response = Response::of(shown_mount(*mount));
  response.form = Response::Form::injected;
  return response;
}

// Of an auth method, `path` has kAuthPrefix.
Status check_path(const std::string& path, bool auth) {
  VAULT_TRY(check_size_of_path(path));
  if (!auth && (is_auth_path(path) || is_core_path(path)))
    return failure(Code::invalid, "cannot mount \"" + path + "\"");
  return {};
}

// Says whether the type is one of Vault's that this version lacks, or no type at all.
Error not_here(const std::string& type, const std::string& nearest) {
  const bool known = std::find(std::begin(kLater), std::end(kLater), type) != std::end(kLater);
  const bool meant = !known && !nearest.empty();
  return failure(Code::invalid, "plugin not found in the catalog: " + type +
                                    (known ? " (it is not in this version of Leasehold)" : "") +
                                    (meant ? "; did you mean \"" + nearest + "\"?" : ""));
}

// What a new mount may be given, is shown, and changes nothing.
void warn_of_flags(const Fields& fields, const Json& options, std::vector<std::string>& warnings) {
  constexpr std::pair<const char*, const char*> kFlags[] = {
      {"local", "nothing is replicated by this version"},
      {"seal_wrap", "every record is sealed alike"},
      {"external_entropy_access", "random numbers come from the operating system"}};
  for (const auto& flag : kFlags)
    if (fields.boolean(flag.first))
      warnings.push_back(std::string(flag.first) + " has no effect: " + flag.second);
  warn_of_options(options, warnings);
}

Error no_version(const std::string& type, bool auth) {
  return failure(Code::invalid, std::string(auth ? "auth method" : "secrets engine") + " \"" +
                                    type + "\" does not allow setting a version");
}

// Older clients call every engine a plugin and give its type as the plugin's name.
Result<std::string> type_of(const Fields& fields) {
  std::string type = fields.text("type");
  if (type.empty()) return failure(Code::invalid, "backend type must be specified as a string");
  if (type != kPlugin) return type;
  type = fields.json("config").string_at("plugin_name");
  if (type.empty()) type = fields.text("plugin_name");
  if (type.empty())
    return failure(Code::invalid, "plugin_name must be provided for plugin backend");
  return type;
}

Status check_free(const MountTable& mounts, const std::string& path, bool auth) {
  for (const auto& entry : mounts.all())
    if (entry.first.starts_with(path) || path.starts_with(entry.first))
      return failure(Code::invalid,
                     "path is already in use at " +
                         (auth ? entry.first.substr(kAuthPrefix.size()) : entry.first));
  return {};
}

Result<Response> MountRoutes::enable(Call& call, WriteTxn& txn, bool auth) {
  const std::string path = mount_path(call.fields.text("path"));
  VAULT_TRY_ASSIGN(std::string type, type_of(call.fields));
  VAULT_TRY(txn.version(Mounts::mounts_key()));  // guards what is free and what is taken
  VAULT_TRY_ASSIGN(const auto compiled, live_.mounts.at(txn));
  Json options = call.fields.json("options");
  if (!options.is_object()) options = Json::object();
  if (const EngineKind* called = live_.mounts.kind_called(type); called != nullptr) {
    type = called->wire_type;
    options.set("version", std::to_string(called->version));
  }
  const EngineKind* kind = live_.mounts.kind(type, options.string_at("version"));
  const std::string versions = live_.mounts.versions_of(type);
  if (versions.empty() && !options.string_at("version").empty()) return no_version(type, auth);
  if (kind == nullptr && !versions.empty())
    return failure(Code::invalid, "the version of a " + type + " mount is " + versions);
  if (kind == nullptr || kind->is_auth != auth || kind->is_system) {
    if (kind != nullptr && kind->is_system)
      return failure(Code::invalid, "mount type of \"" + type + "\" is not mountable");
    return not_here(type, live_.mounts.nearest_type(type, auth));
  }
  VAULT_TRY(check_path(path, auth));
  VAULT_TRY(check_free(compiled->mounts, path, auth));
  Json record = Mounts::new_mount(call.random, path, type, call.fields.text("description"));
  warn_of_flags(call.fields, options, call.quiet_warnings);
  record.set("options", std::move(options)).set("local", call.fields.boolean("local"));
  record.set("seal_wrap", call.fields.boolean("seal_wrap"));
  VAULT_TRY_ASSIGN(Json config, mount_config(call.fields.json("config"), *record.find("config"),
                                             {path, type, kind}, system_ttls()));
  warn_of_no_effect(config, call.quiet_warnings);
  warn_of_unused(call.fields.json("config"), true, call.quiet_warnings);
  warn_of_unused(call.request.body, false, call.quiet_warnings);  // plugin_version beside the type
  if (call.fields.text("type") == kPlugin) std::erase(call.quiet_warnings, unused("plugin_name"));
  record.set("config", std::move(config));
  VAULT_TRY(Mounts::put_mount(txn, record));
  return Response::none();
}

// The path is gone at once; leases are revoked and data erased behind it, through any crash.
Result<Response> MountRoutes::disable(Call& call, WriteTxn& txn) {
  if (live_.drill()) return refused_in_drill();
  const std::string path = mount_path(call.fields.text("path"));
  VAULT_TRY(txn.version(Mounts::mounts_key()));
  VAULT_TRY_ASSIGN(const auto mount, find(txn, path));
  if (is_core_mount(path, mount.get()))
    return failure(Code::invalid, is_auth_path(path) ? "token credential backend cannot be disabled"
                                                     : "cannot unmount \"" + path + "\"");
  if (mount) {
    Json record = mount->record;
    record.set("tainted", true).set("removed_by", call.caller.display_name);
    record.set("removed_at", call.now.ns);
    VAULT_TRY(Mounts::put_mount(txn, record));
  } else {
    call.quiet_warnings.push_back(nothing_done("nothing is mounted at this path"));
  }
  if (is_auth_path(path)) {
    Response response = Response::none();
    if (mount) VAULT_TRY(revoke_logins(call, txn, mount->info, response));
    if (mount) VAULT_TRY(forget_aliases(txn, mount->info, response));
    return response;
  }
  ReadTxn look(txn.snapshot(), txn.barrier(), barrier::kCoreSpace);
  VAULT_TRY_ASSIGN(auto leases, live_.leases.below(look, path, kAwaitedMax));
  VAULT_TRY_ASSIGN(const auto due, live_.leases.revoking_below(look, path, kAwaitedMax));
  if (std::max(leases.size(), due.size()) == kAwaitedMax) return too_many_to_await();
  leases.insert(leases.end(), due.begin(), due.end());
  Response response = Response::none();
  for (const auto& id : leases) response.orders.awaited.push_back(lease_key(id));
  return response;
}

// The tokens that were handed out by an auth method end with it: by a job, which the answer awaits.
Status MountRoutes::revoke_logins(Call& call, WriteTxn& txn, const MountInfo& mount,
                                  Response& response) {
  const LeaseJob all{mount.path, false, mount.accessor, call.caller.display_name};
  VAULT_TRY_ASSIGN(const auto job, live_.leases.queue(txn, all, call.now, call.random));
  response.orders.awaited.push_back(job);
  return txn.mark(job_key(call.now, live_.tokens.owner_of_batch_leases(&mount)));
}

// Those that log in there are known by no name of it any more.
Status MountRoutes::forget_aliases(WriteTxn& txn, const MountInfo& mount, Response& response) {
  WriteTxn core = txn.in(barrier::kCoreSpace);
  VAULT_TRY(forget_accessor(core, mount.accessor));
  VAULT_TRY_ASSIGN(const auto compiled, live_.mounts.at(txn));
  const Mount* identity = compiled->mounts.at("identity/");
  if (identity == nullptr) return {};
  response.orders.on_commit = [&live = live_, space = identity->info.space] {
    live.due_work->ask(space);
  };
  return {};
}

Result<Response> MountRoutes::read_tune(Call& call, ReadTxn& txn) {
  const std::string path = mount_path(call.fields.text("path"));
  VAULT_TRY_ASSIGN(const auto mount, find(txn, path));
  if (!mount) return failure(Code::invalid, "cannot fetch sysview for path \"" + path + "\"");
  Response response = Response::of(shown_tuning(mount->record, system_ttls()));
  response.form = Response::Form::injected;
  return response;
}

// The kind of a higher version that a tune asks for; null: the mount keeps its own.
Result<const EngineKind*> MountRoutes::upgraded_kind(const Mount& mount, const Json& options) {
  const Json* asked = options.is_object() ? options.find("version") : nullptr;
  if (asked == nullptr) return nullptr;
  const int has = mount.kind == nullptr ? 0 : mount.kind->version;
  const bool auth = is_auth_path(mount.info.path);
  if (has == 0) return no_version(mount.record.string_at("type"), auth);
  const std::string& version = asked->text();
  if (version == std::to_string(has)) return nullptr;
  const EngineKind* kind = live_.mounts.kind(mount.record.string_at("type"), version);
  if (kind == nullptr) return failure(Code::invalid, "invalid version provided: " + version);
  if (kind->version < has)
    return failure(Code::invalid, "cannot downgrade mount from version " + std::to_string(has));
  return kind;
}

// At once, whatever the mount holds: the newer version reads its records as they are.
Result<Response> MountRoutes::upgrade(const Mount& mount, const EngineKind& kind, Call& call,
                                      WriteTxn& txn) {
  const int from = mount.kind->version;
  WriteTxn records = txn.in(mount.info.space);
  VAULT_TRY(kind.engine->upgrade(from, records, call.now));
  Json about = Json::object();
  about.set("path", mount.info.path).set("from", from).set("to", kind.version);
  call.events.push_back({"mount-upgraded", std::move(about)});
  Response response;
  response.warnings.push_back(
      "the mount is of version " + std::to_string(kind.version) +
      " from here on, and what it holds is the first version of each secret");
  return response;
}

Result<Response> MountRoutes::tune(Call& call, WriteTxn& txn) {
  const std::string path = mount_path(call.fields.text("path"));
  VAULT_TRY(txn.version(Mounts::mounts_key()));
  VAULT_TRY_ASSIGN(const auto mount, find(txn, path));
  if (is_core_mount(path, mount.get())) VAULT_TRY(check_tunable(path, call.fields));
  if (!mount)
    return failure(Code::invalid, "tune of path \"" + path + "\" failed: no mount entry found");
  Json record = mount->record;
  const Json& options = call.fields.json("options");
  VAULT_TRY_ASSIGN(const EngineKind* const upgraded, upgraded_kind(*mount, options));
  VAULT_TRY(tune_mount(record, mount->kind, call.fields, system_ttls()));
  tune_options(record, options);
  Json given = Json::object();
  for (const Field& field : tune_fields())
    if (const Json* set = record.find("config")->find(field.name); call.fields.given(field.name))
      given.set(field.name, set != nullptr ? *set : Json());
  warn_of_no_effect(given, call.quiet_warnings);
  warn_of_options(options, call.quiet_warnings);
  warn_of_unused(call.request.body, false, call.quiet_warnings);
  VAULT_TRY(Mounts::put_mount(txn, record));
  if (upgraded != nullptr) return upgrade(*mount, *upgraded, call, txn);
  return Response::none();
}

// By the handlers below, which outlive the call that makes them.
using Shared = std::shared_ptr<MountRoutes>;

// A mount's path may hold slashes, so `…/tune` is told apart here and not by the pattern.
bool tunes(Call& call) {
  constexpr std::string_view kTune = "/tune";
  std::string path = call.fields.text("path");
  if (!path.ends_with(kTune)) return false;
  path.resize(path.size() - kTune.size());
  call.fields.set("path", Json(path), true);
  return true;
}

Call& in_auth(Call& call) {
  call.fields.set("path", Json(std::string(kAuthPrefix) + call.fields.text("path")), true);
  return call;
}

std::vector<Field> mount_fields() {
  std::vector<Field> fields = {{"type"},
                               {"description"},
                               {"config", FieldType::map},
                               {"options", FieldType::text_map},
                               {"local", FieldType::boolean},
                               {"seal_wrap", FieldType::boolean},
                               {"external_entropy_access", FieldType::boolean},
                               {"plugin_name"},
                               {"plugin_version"}};
  for (Field& field : tune_fields()) fields.push_back(std::move(field));
  for (Field& field : unused_fields()) fields.push_back(std::move(field));
  return fields;
}

Route all_of(const Shared& mounts, bool auth) {
  const auto lists = [mounts, auth](Call&, ReadTxn& txn) { return mounts->list(txn, auth); };
  return route(auth ? "auth" : "mounts", {}, {reads(lists)},
               auth ? "Lists the auth methods" : "Lists the mounts");
}

// An auth method is read and tuned here, too, as `auth/x`, and without sudo.
Route one_mount(const Shared& mounts) {
  const auto shows = [mounts](Call& call, ReadTxn& txn) -> Result<Response> {
    if (call.fields.text("path").empty())
      return failure(Code::not_found, multierror("unsupported path"));
    return tunes(call) ? mounts->read_tune(call, txn) : mounts->read(call, txn);
  };
  const auto changes = [mounts](Call& call, WriteTxn& txn) -> Result<Response> {
    return tunes(call) ? mounts->tune(call, txn) : mounts->enable(call, txn, false);
  };
  const auto disables = [mounts](Call& call, WriteTxn& txn) -> Result<Response> {
    // An auth method is disabled at sys/auth, where that takes sudo.
    const std::string path = mount_path(call.fields.text("path"));
    if (is_auth_path(path)) return failure(Code::invalid, "cannot unmount \"" + path + "\"");
    return mounts->disable(call, txn);
  };
  return route("mounts/:path*", mount_fields(),
               {reads(shows), writes(changes), removes(disables, Place::lists)},
               "Enables, reads, tunes and disables a mount");
}

Route one_auth(const Shared& mounts) {
  const auto shows = [mounts](Call& call, ReadTxn& txn) -> Result<Response> {
    return tunes(call) ? mounts->read_tune(in_auth(call), txn) : mounts->read(in_auth(call), txn);
  };
  const auto changes = [mounts](Call& call, WriteTxn& txn) -> Result<Response> {
    if (tunes(call)) return mounts->tune(in_auth(call), txn);
    return mounts->enable(in_auth(call), txn, true);
  };
  const auto disables = [mounts](Call& call, WriteTxn& txn) {
    return mounts->disable(in_auth(call), txn);
  };
  Route one =
      route("auth/:path*", mount_fields(), {reads(shows), writes(changes), removes(disables)},
            "Enables, reads, tunes and disables an auth method");
  one.sudo = true;
  return one;
}

}  // namespace

void add_mount_routes(std::vector<Route>& routes, Unsealed& live) {
  const auto mounts = std::make_shared<MountRoutes>(live);
  routes.push_back(all_of(mounts, false));
  routes.push_back(one_mount(mounts));
  routes.push_back(all_of(mounts, true));
  routes.push_back(one_auth(mounts));
}

}  // namespace leasehold::core
