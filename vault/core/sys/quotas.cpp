// sys/quotas/: rate limits, and what holds for all of them. What a limit does: authority/
// rate_limits.h; where a request is counted: road/rate.h.

#include <algorithm>
#include <cstdlib>

#include "vault/core/authority/rate_limits.h"
#include "vault/core/contract/records.h"
#include "vault/core/sys/system.h"

namespace leasehold::core {

namespace {

constexpr std::size_t kExemptMax = 256, kExemptBytes = 512;
constexpr std::size_t kRateDigits = 32;
constexpr double kRateMost = 1e12;
constexpr std::int64_t kIntervalMax = 10 * 365 * 24 * 3600;  // seconds
constexpr std::size_t kForgottenAtOnce = 10;

std::string quoted(const std::string& text) { return '"' + text + '"'; }

std::string record_of(const std::string& name) { return std::string(kRateRules) + name; }

Result<Response> read_config(ReadTxn& txn) {
  ReadTxn core = txn.in(barrier::kCoreSpace);
  VAULT_TRY_ASSIGN(const auto record, load_json(core, kRateConfig));
  return Response::of((record ? RateConfig::of(*record) : RateConfig::initial()).shown());
}

// As Vault's: what is not given is what it is without.
Result<Response> write_config(Call& call, WriteTxn& txn) {
  RateConfig config;
  config.exempt = call.fields.list("rate_limit_exempt_paths");
  config.audit_logging = call.fields.boolean("enable_rate_limit_audit_logging");
  config.headers = call.fields.boolean("enable_rate_limit_response_headers");
  const auto too_long = [](const std::string& path) { return path.size() > kExemptBytes; };
  if (config.exempt.size() > kExemptMax ||
      std::any_of(config.exempt.begin(), config.exempt.end(), too_long))
    return failure(Code::invalid,
                   "rate_limit_exempt_paths can have at most 256 paths, of 512 bytes each");
  WriteTxn core = txn.in(barrier::kCoreSpace);
  VAULT_TRY(save_json(core, kRateConfig, config.shown()));
  VAULT_TRY(RateLimits::touch(core));
  return Response::none();
}

// With the mounts that they are for: those of a mount that is gone are gone with it.
struct Stored {
  RateRule rule;
  const Mount* mount = nullptr;  // null: for the whole vault
  std::string path() const {
    return (mount == nullptr ? "" : mount->info.path) + rule.suffix + (rule.glob ? "*" : "");
  }
};

Result<std::optional<Stored>> stored(ReadTxn& core, const MountTable& mounts,
                                     const std::string& name) {
  VAULT_TRY_ASSIGN(const auto record, load_json(core, record_of(name)));
  if (!record) return std::optional<Stored>();
  auto rule = RateRule::of(name, *record);
  if (!rule) return std::optional<Stored>();
  Stored found{std::move(*rule)};
  if (found.rule.mount.empty()) return std::optional<Stored>(std::move(found));
  found.mount = mounts.by_accessor(found.rule.mount);
  if (found.mount == nullptr) return std::optional<Stored>();
  return std::optional<Stored>(std::move(found));
}

// A number as it was given, so that 0.1 reads back as 0.1, and 10.0 as 10.
Result<std::string> rate_of(const Fields& fields) {
  const Json& given = fields.json("rate");
  std::string text = given.text();
  const bool fits = (given.is_number() || given.is_string()) && text.size() <= kRateDigits &&
                    is_json_number(text);
  const double rate = fits ? std::strtod(text.c_str(), nullptr) : 0;
  if (!(rate > 0) || rate > kRateMost) return failure(Code::invalid, "'rate' is invalid");
  if (text.find('.') != text.npos && text.find_first_of("eE") == text.npos) {
    while (text.ends_with('0')) text.pop_back();
    if (text.ends_with('.')) text.pop_back();
  }
  return text;
}

// Which mount, and what behind it: "", "secret/", "secret/a/b", "secret/a*".
Status set_place(const Fields& fields, const MountTable& mounts, Stored& to) {
  std::string path = mount_path(fields.text("path"));
  if (path.size() > kExemptBytes) return failure(Code::invalid, "path can have at most 512 bytes");
  if (path == "/") path.clear();
  if (path.empty()) return {};
  to.mount = mounts.find(path);
  if (to.mount == nullptr) return failure(Code::invalid, "invalid mount path " + quoted(path));
  to.rule.mount = to.mount->info.accessor;
  to.rule.suffix = path.substr(std::min(path.size(), to.mount->info.path.size()));
  while (to.rule.suffix.ends_with('/')) to.rule.suffix.pop_back();
  to.rule.glob = to.rule.suffix.ends_with('*');
  if (to.rule.glob) to.rule.suffix.pop_back();
  return {};
}

Status check_role(const Stored& to) {
  if (to.rule.role.empty()) return {};
  if (!to.rule.suffix.empty() || to.rule.glob)
    return failure(Code::invalid,
                   "Quotas cannot contain both a path suffix and a role. If a role is provided, "
                   "path must be a valid auth mount with a concept of roles");
  const std::string path = to.mount == nullptr ? "" : to.mount->info.path;
  if (!is_auth_path(path))
    return failure(Code::invalid, "Mount path " + quoted(path) +
                                      " is not a valid auth method and therefore unsuitable for "
                                      "use with role-based quotas");
  if (to.mount->kind == nullptr || !to.mount->kind->engine->has_login_roles())
    return failure(Code::invalid,
                   "Mount path " + quoted(path) + " does not support use with role-based quotas");
  return {};
}

bool same_place(const RateRule& one, const RateRule& other) {
  return one.mount == other.mount && one.suffix == other.suffix && one.glob == other.glob &&
         one.role == other.role;
}

// Two for one place would leave it open which counts. Those of mounts that are gone are forgotten.
Status check_others(WriteTxn& core, const MountTable& mounts, const Stored& to) {
  ReadTxn look(core.snapshot(), core.barrier(), barrier::kCoreSpace);
  VAULT_TRY_ASSIGN(const auto names, look.list(kRateRules));
  std::size_t others = 0, forgotten = 0;
  for (const std::string& name : names) {
    if (name == to.rule.name) continue;
    VAULT_TRY_ASSIGN(const auto other, stored(look, mounts, name));
    if (!other && ++forgotten <= kForgottenAtOnce) VAULT_TRY(core.erase(record_of(name)));
    if (!other) continue;
    ++others;
    if (same_place(other->rule, to.rule))
      return failure(Code::invalid,
                     "quota rule with similar properties exists under the name " + quoted(name));
  }
  if (others < RateLimits::kRulesMax) return {};
  return failure(Code::invalid, "there can be at most 1000 rate limits: delete one first");
}

Result<Response> write(Unsealed& live, Call& call, WriteTxn& txn) {
  const Fields& fields = call.fields;
  const std::string name = fields.text("name");
  WriteTxn core = txn.in(barrier::kCoreSpace);
  VAULT_TRY(core.version(Mounts::mounts_key()));  // of all rules and mounts
  VAULT_TRY_ASSIGN(const auto compiled, live.mounts.at(core));
  VAULT_TRY_ASSIGN(const auto known, stored(core, compiled->mounts, name));
  Stored to;
  to.rule.name = name;
  VAULT_TRY_ASSIGN(to.rule.rate, rate_of(fields));
  const std::int64_t interval = fields.duration("interval").count();
  const std::int64_t block = fields.duration("block_interval").count();
  if (interval > kIntervalMax || block > kIntervalMax)
    return failure(Code::invalid, "interval and block_interval are at most ten years");
  to.rule.interval = Seconds{interval > 0 ? interval : 1};
  to.rule.block = Seconds{block};
  VAULT_TRY(set_place(fields, compiled->mounts, to));
  to.rule.role = fields.given("role") || !known ? fields.text("role") : known->rule.role;
  if (to.rule.role.size() > kExemptBytes)
    return failure(Code::invalid, "role can have at most 512 bytes");
  VAULT_TRY(check_role(to));
  VAULT_TRY(check_others(core, compiled->mounts, to));
  to.rule.inheritable =
      fields.given("inheritable") ? fields.boolean("inheritable") : to.rule.mount.empty();
  VAULT_TRY(save_json(core, record_of(name), to.rule.record()));
  VAULT_TRY(RateLimits::touch(core));
  return Response::none();
}

Result<Response> read(Unsealed& live, Call& call, ReadTxn& txn) {
  ReadTxn core = txn.in(barrier::kCoreSpace);
  VAULT_TRY_ASSIGN(const auto compiled, live.mounts.at(core));
  VAULT_TRY_ASSIGN(const auto found, stored(core, compiled->mounts, call.fields.text("name")));
  if (!found) return Response::refused(404, "");
  const RateRule& rule = found->rule;
  Json data = Json::object();
  data.set("type", "rate-limit").set("name", rule.name).set("path", found->path());
  data.set("role", rule.role).set("rate", Json::number(rule.rate));
  data.set("interval", static_cast<std::int64_t>(rule.interval.count()));
  data.set("block_interval", static_cast<std::int64_t>(rule.block.count()));
  data.set("inheritable", rule.inheritable);
  return Response::of(data);
}

Result<Response> list(Unsealed& live, Call& call, ReadTxn& txn) {
  ReadTxn core = txn.in(barrier::kCoreSpace);
  VAULT_TRY_ASSIGN(const Page page, page_of(call.request.body));
  VAULT_TRY_ASSIGN(const auto compiled, live.mounts.at(core));
  VAULT_TRY_ASSIGN(const auto names, core.list(kRateRules));
  std::vector<std::string> there;
  for (const std::string& name : names) {
    VAULT_TRY_ASSIGN(const auto found, stored(core, compiled->mounts, name));
    if (found) there.push_back(name);
  }
  return Response::keys(part_of(std::move(there), page));
}

Result<Response> remove(Call& call, WriteTxn& txn) {
  WriteTxn core = txn.in(barrier::kCoreSpace);
  VAULT_TRY(core.erase(record_of(call.fields.text("name"))));
  VAULT_TRY(RateLimits::touch(core));
  return Response::none();
}

}  // namespace

void add_quota_routes(std::vector<Route>& routes, Unsealed& live) {
  routes.push_back(
      route("quotas/config",
            {{"rate_limit_exempt_paths", FieldType::text_list},
             {"enable_rate_limit_audit_logging", FieldType::boolean},
             {"enable_rate_limit_response_headers", FieldType::boolean}},
            {reads([](Call&, ReadTxn& txn) { return read_config(txn); }),
             writes([](Call& call, WriteTxn& txn) { return write_config(call, txn); })},
            "What holds for all rate limits"));
  routes.push_back(
      route("quotas/rate-limit", page_fields(),
            {lists([&live](Call& call, ReadTxn& txn) { return list(live, call, txn); })},
            "Lists the rate limits"));
  routes.push_back(route(
      "quotas/rate-limit/:name",
      {{"type"},
       {"path", FieldType::text, {}, "A mount, or a path in it; without: the whole vault."},
       {"role", FieldType::text, {}, "That logs in at the mount."},
       {"rate", FieldType::any, {}, "Requests that a client may make in an interval."},
       {"interval", FieldType::duration},
       {"block_interval", FieldType::duration},
       {"inheritable", FieldType::boolean}},
      {reads([&live](Call& call, ReadTxn& txn) { return read(live, call, txn); }),
       writes([&live](Call& call, WriteTxn& txn) { return write(live, call, txn); }, Place::lists),
       removes([](Call& call, WriteTxn& txn) { return remove(call, txn); })},
      "Reads, writes and deletes a rate limit"));
}

}  // namespace leasehold::core
