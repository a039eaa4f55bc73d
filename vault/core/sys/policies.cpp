// sys/policy, sys/policies/acl, sys/policies/detailed/acl. What a token may do by them is in
// capabilities.cpp.

#include <algorithm>
#include <charconv>

#include "vault/base/encoding.h"
#include "vault/base/nothing_done.h"
#include "vault/core/contract/policy_names.h"
#include "vault/core/sys/system.h"

namespace leasehold::core {

namespace {

constexpr std::size_t kDetailedMax = 32u << 20;  // of one list with texts, in bytes
// What a template may put into a path.
constexpr std::string_view kTemplateFlags[] = {kSlashesFlag, kWildcardsFlag};
Result<std::vector<std::string>> names_of(ReadTxn& txn) {
  ReadTxn core = txn.in(barrier::kCoreSpace);
  VAULT_TRY_ASSIGN(const auto stored, core.list("policies/"));
  std::vector<std::string> names;
  for (const std::string& name : stored)
    if (const auto bytes = from_hex(name)) names.emplace_back(as_text(*bytes));
  std::sort(names.begin(), names.end());
  names.emplace_back("root");
  return names;
}

// Of a list: the names below what the path says ("team/" of policies/acl/team), of all of them with
// "root", in pages when they are asked for.
Result<std::vector<std::string>> asked_names(Call& call, ReadTxn& txn) {
  VAULT_TRY_ASSIGN(auto names, names_of(txn));
  const std::string below = lower_case(call.fields.text("name"));
  const auto elsewhere = [&below](const std::string& name) { return !name.starts_with(below); };
  if (!below.empty()) {
    names.pop_back();  // "root"
    names.erase(std::remove_if(names.begin(), names.end(), elsewhere), names.end());
  }
  VAULT_TRY_ASSIGN(const Page page, page_of(call.request.body));
  if (page.after.empty() && page.limit == 0) return names;
  std::sort(names.begin(), names.end());
  return part_of(std::move(names), page);
}

Result<Response> list(Call& call, ReadTxn& txn, bool old_form) {
  VAULT_TRY_ASSIGN(const auto names, asked_names(call, txn));
  if (names.empty()) return Response::keys(names);
  Json data = Json::object();
  data.set("keys", Json(names));
  if (old_form) data.set("policies", Json(names));
  Response response = Response::of(data);
  if (old_form) response.form = Response::Form::injected;
  return response;
}

std::optional<WallTime> expiration_of(const Json& record) {
  const auto time = parse_rfc3339(record.string_at("expiration"));
  return time.ok() ? std::optional<WallTime>(*time) : std::nullopt;
}

bool is_over(const Json& record, WallTime now) {
  const auto expiration = expiration_of(record);
  return expiration && *expiration <= now;
}

// Nothing when there is none, or its expiration has passed.
Result<std::optional<Json>> record_of(ReadTxn& txn, const std::string& name, WallTime now) {
  VAULT_TRY_ASSIGN(const auto stored, txn.in(barrier::kCoreSpace).get(policy_record(name)));
  if (!stored) return std::optional<Json>();
  VAULT_TRY_ASSIGN(Json record, parse_json(as_text(stored->value.reveal())));
  if (is_over(record, now)) return std::optional<Json>();
  return std::optional<Json>(std::move(record));
}

Json shown(const std::string& name, const Json& record, const char* text_name) {
  Json data = Json::object();
  data.set("name", name).set(text_name, record.string_at("policy"));
  data.set("version", record.integer_at("version"));
  data.set("cas_required", record.bool_at("cas_required"));
  for (const std::string_view flag : kTemplateFlags) data.set(flag, record.bool_at(flag));
  for (const char* time : {"modified", "expiration"})
    if (const Json* set = record.find(time)) data.set(time, *set);
  return data;
}

Result<Response> list_detailed(Call& call, ReadTxn& txn) {
  VAULT_TRY_ASSIGN(const auto names, asked_names(call, txn));
  if (names.empty()) return Response::keys(names);
  std::vector<Json::Member> info;
  std::size_t bytes = 0;
  for (const std::string& name : names) {
    std::optional<Json> record = Json::object();  // of "root"
    if (name != "root") {
      VAULT_TRY_ASSIGN(record, record_of(txn, name, call.now));
    }
    if (!record) continue;
    bytes += record->string_at("policy").size();
    if (bytes > kDetailedMax)
      return failure(Code::invalid,
                     "the policies are larger than 32 MiB together: read them in parts, with "
                     "\"after\" and \"limit\"");
    info.emplace_back(name, shown(name, *record, "policy"));
  }
  Json data = Json::object();
  data.set("keys", Json(names)).set("key_info", Json::object_of(std::move(info)));
  return Response::of(data);
}

// The stored (lower-case) name. The caller needs the right for that spelling as well as for the one
// it used.
Result<std::string> name_in(Unsealed& live, const Call& call, ReadTxn& txn) {
  const std::string given = call.fields.text("name");
  const std::string name = canonical_policy_name(given);
  if (name == given) return name;
  const std::string& path = call.request.path;
  VAULT_TRY_ASSIGN(const Acl acl, acl_of(live, txn, call.caller, call.now));
  const std::string meant =
      path.substr(0, path.size() - std::min(path.size(), given.size())) + name;
  if (acl.decide(call.request.operation, meant, call.request.body, false, std::nullopt).allowed)
    return name;
  return failure(Code::denied, multierror("permission denied"));
}

Result<Response> read(Unsealed& live, Call& call, ReadTxn& txn, bool old_form) {
  VAULT_TRY_ASSIGN(const std::string name, name_in(live, call, txn));
  std::optional<Json> record = Json::object();  // of "root", which no store holds: no text
  if (name != "root") {
    VAULT_TRY_ASSIGN(record, record_of(txn, name, call.now));
  }
  if (!record) return Response::refused(404, "");
  Response response = Response::of(shown(name, *record, old_form ? "rules" : "policy"));
  if (old_form) response.form = Response::Form::injected;
  return response;
}

// Whether the text comes under the name that sys/policy had for it first; sys/policies/acl never
// had.
bool uses_rules(const Fields& fields) {
  return fields.text("policy").empty() && fields.given("rules");
}

// HCL, JSON, or base64 of either; what is stored is the text as it was meant.
std::string text_of(const Fields& fields) {
  const std::string given = fields.text(uses_rules(fields) ? "rules" : "policy");
  if (const auto bytes = from_base64(given); bytes && !bytes->empty())
    if (const std::string_view text = as_text(*bytes); text.find("path") != text.npos)
      return std::string(text);
  return given;
}

// Seconds since 1970, or RFC 3339.
Result<WallTime> time_of(const std::string& text) {
  std::int64_t seconds = 0;
  const auto end = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (end.ec == std::errc() && end.ptr == text.data() + text.size())
    return add(WallTime{}, Seconds{seconds});
  const auto time = parse_rfc3339(text);
  if (time.ok()) return *time;
  return failure(Code::invalid,
                 "Field validation failed: error converting input for field \"expiration\": "
                 "expected a time such as 2027-01-31T00:00:00Z");
}

// An empty time is as absent: Terraform sends such.
Status read_expiration(const Call& call, PolicyTerms& terms) {
  const std::string at = call.fields.text("expiration");
  const bool after = call.fields.given("ttl") && !call.request.body.string_at("ttl").empty();
  const Json* const ttl = call.request.body.find("ttl");
  const bool in_number = ttl != nullptr && ttl->is_number();
  if (!at.empty() && (after || in_number))
    return failure(Code::invalid, "cannot supply both 'expiration' and 'ttl' for policies");
  if (!at.empty()) {
    VAULT_TRY_ASSIGN(terms.expiration, time_of(at));
  } else if (after || in_number) {
    terms.expiration = add(call.now, call.fields.duration("ttl"));
  } else {
    return {};
  }
  if (*terms.expiration > call.now) return {};
  return failure(Code::invalid, "refusing to update policy as expiration time has already elapsed");
}

// Check-and-set, as key/value version 2 has it: -1 for a policy that must not exist.
Status check_version(const Call& call, const std::optional<Json>& before, bool required) {
  if (!call.fields.given("cas")) {
    if (!required) return {};
    return failure(Code::invalid, "check-and-set parameter required for this call");
  }
  const std::int64_t cas = call.fields.integer("cas");
  if (cas == -1 && before)
    return failure(Code::invalid, "check-and-set parameter set to -1 on existing entry");
  if (cas == -1 || cas == (before ? before->integer_at("version") : 0)) return {};
  return failure(Code::invalid, "check-and-set parameter did not match the current version");
}

// What was written before and is not there any more is written anew; one that cannot be read, too.
Result<std::optional<Json>> before_write(WriteTxn& txn, const std::string& name, WallTime now) {
  WriteTxn core = txn.in(barrier::kCoreSpace);
  VAULT_TRY(core.version(policy_record(name)));  // guards what is looked at next
  VAULT_TRY_ASSIGN(auto record, readable_json(core, policy_record(name)));
  if (record && is_over(*record, now)) return std::optional<Json>();
  return record;
}

Status check_name(const std::string& name) {
  if (name.empty() || name.size() > kPolicyNameMax)
    return failure(Code::invalid, "a policy name has 1 to 512 characters");
  if (name == "root" || name == kWrappingPolicy)
    return failure(Code::invalid, "cannot update \"" + name + "\" policy");
  return {};
}

// A patch that does not say it leaves it as it was.
bool flag_of(const Call& call, std::string_view flag, const std::optional<Json>& before,
             bool patches) {
  if (patches && !call.fields.given(flag)) return before->bool_at(flag);
  return call.fields.boolean(flag);
}

// `patches`: what the request does not say stays, and the policy must be there.
Result<Response> write(Unsealed& live, Call& call, WriteTxn& txn, bool patches) {
  VAULT_TRY_ASSIGN(const std::string name, name_in(live, call, txn));
  VAULT_TRY(check_name(name));
  VAULT_TRY_ASSIGN(const auto before, before_write(txn, name, call.now));
  if (patches && !before) return Response::refused(404, "");
  std::string text = text_of(call.fields);
  if (text.empty() && patches) text = before->string_at("policy");
  if (text.empty()) return failure(Code::invalid, "'policy' parameter not supplied or empty");
  PolicyTerms terms;
  if (patches) terms.expiration = expiration_of(*before);
  VAULT_TRY(read_expiration(call, terms));
  VAULT_TRY_ASSIGN(const Policy parsed, parse_new_policy(name, text));
  terms.wildcards_in_values = flag_of(call, kWildcardsFlag, before, patches);
  terms.slashes_in_values = flag_of(call, kSlashesFlag, before, patches);
  const bool required = before && before->bool_at("cas_required");
  terms.cas_required = call.fields.boolean("cas_required");
  VAULT_TRY(check_version(call, before, required || terms.cas_required));
  if (patches && !call.fields.given("cas_required")) terms.cas_required = required;
  VAULT_TRY(put_policy(txn, name, text, call.now, terms));
  Response response;
  if (call.fields.text("name") != name)
    response.warnings.push_back("policy name was converted to " + name);
  if (uses_rules(call.fields))
    response.warnings.emplace_back("'rules' is deprecated, please use 'policy' instead");
  for (std::string& warning : doubts_about(parsed, call.now))
    call.quiet_warnings.push_back(std::move(warning));
  return response;
}

Result<Response> remove(Unsealed& live, Call& call, WriteTxn& txn) {
  VAULT_TRY_ASSIGN(const std::string name, name_in(live, call, txn));
  if (name == "root" || name == kWrappingPolicy)
    return failure(Code::invalid, "cannot delete \"" + name + "\" policy");
  if (name == "default") return failure(Code::invalid, "cannot delete default policy");
  VAULT_TRY_ASSIGN(const auto there, txn.in(barrier::kCoreSpace).version(policy_record(name)));
  if (there == 0) call.quiet_warnings.push_back(nothing_done("no policy has this name"));
  VAULT_TRY(erase_policy(txn, name));
  return Response::none();
}

std::vector<Field> fields_of_policy(bool old_form) {
  std::vector<Field> fields = page_fields();
  const std::vector<Field> own = {
      {"policy", FieldType::text, {}, "The rules, as HCL, JSON or base64 of either."},
      {"cas", FieldType::integer, {}, "The version that is replaced; -1: there is none yet."},
      {"cas_required", FieldType::boolean, {}, "Every write must say `cas`."},
      {"expiration", FieldType::text, {}, "From then on it is as if the policy were not there."},
      {"ttl", FieldType::duration, {}, "The same, counted from now."}};
  fields.insert(fields.end(), own.begin(), own.end());
  if (old_form) fields.push_back({"rules"});
  for (const std::string_view flag : kTemplateFlags)
    fields.push_back({std::string(flag), FieldType::boolean});
  return fields;
}

// sys/policy is the older form, sys/policies/acl the newer; both hold the same policies.
void add_stored(std::vector<Route>& routes, Unsealed& live, bool old_form) {
  const std::string base = old_form ? "policy" : "policies/acl";
  const auto lister = [old_form](Call& call, ReadTxn& txn) { return list(call, txn, old_form); };
  Route all = route(base, page_fields(), {lists(lister)}, "Lists the policies");
  if (old_form) all.actions.push_back(reads(lister, Place::lists));
  routes.push_back(std::move(all));
  const auto shows = [&live, old_form](Call& call, ReadTxn& txn) {
    return read(live, call, txn, old_form);
  };
  const auto changes = [&live](Call& call, WriteTxn& txn) { return write(live, call, txn, false); };
  const auto patches = [&live](Call& call, WriteTxn& txn) { return write(live, call, txn, true); };
  const auto deletes = [&live](Call& call, WriteTxn& txn) { return remove(live, call, txn); };
  Route one = route(base + "/:name*", fields_of_policy(old_form),
                    {reads(shows), writes(changes, Place::lists),  // a policy may be long
                     removes(deletes), lists(lister)},
                    "Reads, writes and deletes a policy");
  if (!old_form) one.actions.push_back({Operation::patch, WriteHandler(patches), Place::lists});
  routes.push_back(std::move(one));
}

}  // namespace

void add_policy_routes(std::vector<Route>& routes, Unsealed& live) {
  add_stored(routes, live, true);
  add_stored(routes, live, false);
  for (const char* pattern : {"policies/detailed/acl", "policies/detailed/acl/:name*"})
    routes.push_back(route(pattern, page_fields(), {lists(list_detailed)},
                           "Lists the policies with what each holds"));
}

}  // namespace leasehold::core
