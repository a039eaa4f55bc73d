#include "vault/core/sys/token_roles.h"

#include <algorithm>

#include "vault/base/cidr.h"
#include "vault/base/glob.h"
#include "vault/core/contract/policy_names.h"
#include "vault/core/contract/records.h"
#include "vault/core/contract/router.h"

namespace leasehold::core {

namespace {

constexpr std::string_view kRoles = "roles/";
constexpr std::size_t kNamesMax = 256;  // of each list: every one is held against every policy
constexpr std::size_t kSuffixMax = 256;

// As Vault names the four lists, and whether one holds names that a token can have: of those "root"
// makes all others pointless.
struct PolicyList {
  const char* name;
  bool grants;
};
constexpr PolicyList kPolicyLists[] = {{"allowed_policies", true},
                                       {"disallowed_policies", false},
                                       {"allowed_policies_glob", true},
                                       {"disallowed_policies_glob", false}};
constexpr const char* kAliases = "allowed_entity_aliases";
constexpr std::string_view kTypes[] = {"service", "batch", "default-service", "default-batch"};

// An older name of a field: it counts where the newer one is absent, and is shown from then on.
struct Twin {
  const char *newer, *older;
};
constexpr Twin kTwins[] = {{"token_period", "period"},
                           {"token_bound_cidrs", "bound_cidrs"},
                           {"token_explicit_max_ttl", "explicit_max_ttl"}};

std::string record_of(const std::string& name) { return std::string(kRoles) + name; }

// What stands in a record from the beginning.
Json new_record(const std::string& name) {
  Json record = Json::object();
  record.set("name", name).set("orphan", false).set("renewable", true).set("path_suffix", "");
  for (const PolicyList& list : kPolicyLists) record.set(list.name, Json::array());
  record.set(kAliases, nullptr).set("token_type", "default-service");
  record.set("token_no_default_policy", false);
  for (const char* time : {"period", "token_period", "explicit_max_ttl", "token_explicit_max_ttl"})
    record.set(time, 0);
  return record;
}

// Without blanks around them, in lower case, sorted and once each.
std::vector<std::string> canonical_names(const std::vector<std::string>& given) {
  std::vector<std::string> names;
  for (const std::string& one : given) names.push_back(canonical_policy_name(one));
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  if (!names.empty() && names.front().empty()) names.erase(names.begin());
  return names;
}

Status check_names(const char* field, const std::vector<std::string>& names) {
  const auto too_long = [](const std::string& name) { return name.size() > kPolicyNameMax; };
  if (names.size() <= kNamesMax && std::none_of(names.begin(), names.end(), too_long)) return {};
  return failure(Code::invalid, std::string(field) + " can have at most " +
                                    std::to_string(kNamesMax) + " names, of 512 bytes each");
}

Status take_lists(const Fields& fields, Json& record) {
  for (const PolicyList& list : kPolicyLists) {
    if (!fields.given(list.name)) continue;
    const auto given = fields.list(list.name);
    const auto names = list.grants ? canonical_policies(given) : canonical_names(given);
    VAULT_TRY(check_names(list.name, names));
    if (list.grants) VAULT_TRY(check_assignable(names));
    record.set(list.name, Json(names));
  }
  if (!fields.given(kAliases)) return {};
  const auto aliases = canonical_names(fields.list(kAliases));
  VAULT_TRY(check_names(kAliases, aliases));
  record.set(kAliases, Json(aliases));
  return {};
}

bool is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

// Part of the path of each token: letters, digits and "_", and between them "-" and ".".
Status take_suffix(const Fields& fields, Json& record) {
  if (!fields.given("path_suffix")) return {};
  const std::string suffix = fields.text("path_suffix");
  const auto fits = [](char c) { return is_word(c) || c == '-' || c == '.'; };
  const bool matches = suffix.size() >= 3 && suffix.size() <= kSuffixMax &&
                       is_word(suffix.front()) && is_word(suffix.back()) &&
                       std::all_of(suffix.begin(), suffix.end(), fits);
  if (!suffix.empty() && !matches)
    return failure(Code::invalid,
                   "given role path suffix contains invalid characters; must match \\w[\\w-.]+\\w");
  if (suffix.find("..") != suffix.npos)
    return failure(Code::invalid,
                   "error registering path suffix: path cannot contain parent references");
  record.set("path_suffix", suffix);
  return {};
}

Status take_type(const Fields& fields, Json& record) {
  if (!fields.given("token_type")) return {};
  const std::string type = fields.text("token_type");
  if (std::find(std::begin(kTypes), std::end(kTypes), type) == std::end(kTypes))
    return failure(Code::invalid, "invalid 'token_type' value \"" + type + '"');
  record.set("token_type", type);
  return {};
}

Result<Json> checked(const char* field, const Json& value) {
  if (!value.is_array()) return value;
  std::vector<std::string> ranges;
  std::size_t bytes = 0;
  for (const Json& one : value.items()) {
    ranges.push_back(one.text());
    bytes += one.text().size();
  }
  if (bytes > kBoundCidrsMax)
    return failure(Code::invalid, std::string(field) + " can have at most 16384 bytes");
  VAULT_TRY_ASSIGN(ranges, canonical_cidrs(ranges));
  return Json(ranges);
}

bool is_nothing(const Json& value) {
  return value.is_null() || (value.is_array() && value.size() == 0) ||
         (value.is_number() && value.integer() == 0);
}

// An empty list of networks is not shown, and neither is the older name of it.
void put(Json& record, const char* field, const Json& value) {
  if (value.is_array() && is_nothing(value))
    record.erase(field);
  else
    record.set(field, value);
}

Status take_twins(Call& call, Json& record) {
  const Fields& fields = call.fields;
  for (const Twin& twin : kTwins) {
    const bool newer = fields.given(twin.newer), older = fields.given(twin.older);
    if (!newer && !older) continue;
    VAULT_TRY_ASSIGN(const Json value,
                     checked(twin.newer, fields.json(newer ? twin.newer : twin.older)));
    put(record, twin.newer, value);
    if (!newer)
      put(record, twin.older, value);
    else
      put(record, twin.older, value.is_array() ? Json::array() : Json(0));
    if (newer && older)
      call.warnings.push_back("Both '" + std::string(twin.newer) + "' and deprecated '" +
                              twin.older + "' value supplied, ignoring the deprecated value");
  }
  return {};
}

// What a batch token cannot have.
Status check_batch(const Json& record) {
  if (record.string_at("token_type") != "batch") return {};
  const auto refused = [](const char* what) {
    return failure(
        Code::invalid,
        std::string("'token_type' cannot be 'batch' when role is set to generate ") + what);
  };
  if (!record.bool_at("orphan")) return refused("non-orphan tokens");
  if (record.integer_at("token_period") != 0) return refused("periodic tokens");
  if (record.bool_at("renewable")) return refused("renewable tokens");
  if (record.integer_at("token_explicit_max_ttl") != 0)
    return refused("tokens with an explicit max TTL");
  if (record.integer_at("token_num_uses") != 0) return refused("tokens with limited use count");
  return {};
}

void warn_of_maximum(Call& call, const Json& record) {
  const std::int64_t max = record.integer_at("token_explicit_max_ttl");
  const auto allowed = static_cast<std::int64_t>(call.mount.max_ttl.count());
  if (max <= allowed) return;
  call.warnings.push_back("Given explicit max TTL of " + std::to_string(max) +
                          " is greater than system/mount allowed value of " +
                          std::to_string(allowed) +
                          " seconds; until this is fixed attempting to create tokens against this "
                          "role will result in an error");
}

Result<Response> write(Call& call, WriteTxn& txn) {
  const Fields& fields = call.fields;
  const std::string name = fields.text("role_name");
  VAULT_TRY_ASSIGN(auto known, load_json(txn, record_of(name)));
  Json record = known ? std::move(*known) : new_record(name);
  for (const char* flag : {"orphan", "renewable", "token_no_default_policy"})
    if (fields.given(flag)) record.set(flag, fields.boolean(flag));
  VAULT_TRY(take_suffix(fields, record));
  VAULT_TRY(take_lists(fields, record));
  VAULT_TRY(take_type(fields, record));
  VAULT_TRY(take_twins(call, record));
  if (fields.given("token_num_uses")) {
    const std::int64_t uses = fields.integer("token_num_uses");
    if (uses < 0)
      return failure(Code::invalid,
                     "error parsing role fields: 'token_num_uses' cannot be negative");
    record.erase("token_num_uses");
    if (uses > 0) record.set("token_num_uses", uses);
  }
  VAULT_TRY(check_batch(record));
  warn_of_maximum(call, record);
  VAULT_TRY(save_json(txn, record_of(name), record));
  Response response;
  if (fields.given("allowed_policies"))
    response.orders.named_policies = record.strings_at("allowed_policies");
  return response;
}

Result<Response> read(Call& call, ReadTxn& txn) {
  VAULT_TRY_ASSIGN(const auto record, load_json(txn, record_of(call.fields.text("role_name"))));
  return record ? Response::of(*record) : Response::refused(404, "");
}

Result<Response> remove(Call& call, WriteTxn& txn) {
  VAULT_TRY(txn.erase(record_of(call.fields.text("role_name"))));
  return Response::none();
}

Result<bool> exists(Call& call, ReadTxn& txn) {
  VAULT_TRY_ASSIGN(const auto mod, txn.version(record_of(call.fields.text("role_name"))));
  return mod != 0;
}

std::vector<Field> role_fields() {
  std::vector<Field> fields;
  for (const PolicyList& list : kPolicyLists) fields.push_back({list.name, FieldType::comma_list});
  fields.push_back({kAliases, FieldType::comma_list});
  for (const char* flag : {"orphan", "token_no_default_policy"})
    fields.push_back({flag, FieldType::boolean});
  fields.push_back({"renewable", FieldType::boolean, Json(true)});
  for (const char* text : {"path_suffix", "token_type"}) fields.push_back({text});
  for (const char* time : {"token_period", "period", "token_explicit_max_ttl", "explicit_max_ttl"})
    fields.push_back({time, FieldType::duration});
  for (const char* list : {"token_bound_cidrs", "bound_cidrs"})
    fields.push_back({list, FieldType::comma_list});
  fields.push_back({"token_num_uses", FieldType::integer});
  return fields;
}

}  // namespace

bool is_listed(const std::vector<std::string>& names, const std::vector<std::string>& globs,
               std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end() ||
         std::any_of(globs.begin(), globs.end(),
                     [name](const std::string& glob) { return matches_glob(glob, name); });
}

Result<std::optional<TokenRole>> token_role(ReadTxn& txn, const std::string& name) {
  if (!is_name(name)) return std::optional<TokenRole>();
  VAULT_TRY_ASSIGN(const auto record, load_json(txn, record_of(name)));
  if (!record) return std::optional<TokenRole>();
  TokenRole role;
  role.name = name;
  role.allowed = record->strings_at("allowed_policies");
  role.allowed_globs = record->strings_at("allowed_policies_glob");
  role.disallowed = record->strings_at("disallowed_policies");
  role.disallowed_globs = record->strings_at("disallowed_policies_glob");
  role.no_default_policy = record->bool_at("token_no_default_policy");
  role.orphan = record->bool_at("orphan");
  role.renewable = record->bool_at("renewable");
  role.path_suffix = record->string_at("path_suffix");
  role.token_type = record->string_at("token_type");
  role.period = Seconds{record->integer_at("token_period")};
  role.explicit_max_ttl = Seconds{record->integer_at("token_explicit_max_ttl")};
  role.num_uses = record->integer_at("token_num_uses");
  role.bound_cidrs = record->strings_at("token_bound_cidrs");
  role.entity_aliases = record->strings_at(kAliases);
  return std::optional<TokenRole>(std::move(role));
}

void add_token_role_routes(std::vector<Route>& routes) {
  routes.push_back(
      route("roles", page_fields(),
            {lists([](Call& call, ReadTxn& txn) { return list_names(call, txn, kRoles); })},
            "Lists the token roles"));
  Route one =
      route("roles/:role_name", role_fields(), {reads(read), writes(write), removes(remove)},
            "Reads, writes and deletes a token role");
  one.exists = exists;
  routes.push_back(std::move(one));
}

}  // namespace leasehold::core
