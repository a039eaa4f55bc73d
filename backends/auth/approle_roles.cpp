// The roles of approle: as a whole, and field by field as Vault also offers them.

#include <algorithm>

#include "backends/auth/approle.h"
#include "vault/base/cidr.h"
#include "vault/base/encoding.h"
#include "vault/crypto/hash.h"

namespace leasehold::auth::approle {
namespace {

constexpr std::string_view kRoles = "roles/";
constexpr std::size_t kRoleIdMax = 512;  // bytes

std::string role_id_record(std::string_view role_id) {
  return "role-ids/" + hex(crypto::sha256(as_bytes(role_id)));
}

Error no_such_role(const std::string& name) {
  return failure(Code::not_found, "role \"" + name + "\" does not exist");
}

Role new_role(std::string name, Random& random) {
  Role role{std::move(name), new_token_record()};
  role.record.set("role_id", "").set("directory", hex(random.take<16>()));
  role.record.set("bind_secret_id", true).set("local_secret_ids", false);
  role.record.set("secret_id_bound_cidrs", nullptr);
  role.record.set("secret_id_num_uses", 0).set("secret_id_ttl", 0);
  return role;
}

// Shown as they were given.
Status take_cidrs(const Fields& fields, Json& record) {
  for (const char* name : {"bound_cidr_list", "secret_id_bound_cidrs"}) {
    if (!fields.given(name)) continue;
    VAULT_TRY(check_cidrs(fields.list(name)));
    record.set("secret_id_bound_cidrs", fields.json(name));
  }
  return {};
}

Status take_fields(const Fields& fields, Json& record) {
  for (const char* name : {"bind_secret_id", "local_secret_ids"})
    if (fields.given(name)) record.set(name, fields.boolean(name));
  if (fields.given("secret_id_num_uses")) {
    if (fields.integer("secret_id_num_uses") < 0)
      return failure(Code::invalid, "secret_id_num_uses cannot be negative");
    record.set("secret_id_num_uses", fields.integer("secret_id_num_uses"));
  }
  if (fields.given("secret_id_ttl"))
    record.set("secret_id_ttl", std::int64_t{fields.duration("secret_id_ttl").count()});
  VAULT_TRY(take_cidrs(fields, record));
  VAULT_TRY(take_token_fields(fields, kOlder, record));
  const bool bound = record.bool_at("bind_secret_id") ||
                     !record.strings_at("secret_id_bound_cidrs").empty() ||
                     !record.strings_at("token_bound_cidrs").empty();
  if (!bound)
    return failure(Code::invalid,
                   core::multierror("at least one constraint should be enabled on the role"));
  return {};
}

Status set_role_id(Role& role, const std::string& role_id, WriteTxn& txn) {
  if (role_id.empty() || role_id.size() > kRoleIdMax)
    return failure(Code::invalid, "role_id must have 1 to 512 bytes");
  const std::string before = role.record.string_at("role_id");
  if (before == role_id) return {};
  VAULT_TRY_ASSIGN(const auto taken, core::load_json(txn, role_id_record(role_id)));
  if (taken && taken->string_at("role") != role.name)
    return failure(Code::invalid, "this role_id belongs to another role already");
  if (!before.empty()) VAULT_TRY(txn.erase(role_id_record(before)));
  Json link = Json::object();
  link.set("role", role.name);
  role.record.set("role_id", role_id);
  return core::save_json(txn, role_id_record(role_id), link);
}

Status save(const Role& role, WriteTxn& txn) {
  return core::save_json(txn, role_record(role.name), role.record);
}

// Roles mean the same in any case.
std::string name_of(const Fields& fields) { return lower_case(fields.text("role_name")); }

Result<Response> write_role(Call& call, WriteTxn& txn) {
  const std::string name = name_of(call.fields);
  VAULT_TRY_ASSIGN(auto known, find_role(name, txn));
  const bool fresh = !known;
  Role role = known ? std::move(*known) : new_role(name, call.random);
  VAULT_TRY(take_fields(call.fields, role.record));
  const std::string asked = call.fields.text("role_id");
  if (fresh || !asked.empty())
    VAULT_TRY(set_role_id(role, asked.empty() ? uuid(call.random) : asked, txn));
  VAULT_TRY(save(role, txn));
  return written(call.fields, role.record);
}

Result<Response> read_role(Call& call, ReadTxn& txn) {
  VAULT_TRY_ASSIGN(const auto role, find_role(name_of(call.fields), txn));
  if (!role) return Response::refused(404, "");
  Json data = Json::object();
  for (const char* name : {"bind_secret_id", "local_secret_ids", "secret_id_bound_cidrs",
                           "secret_id_num_uses", "secret_id_ttl"})
    data.set(name, *role->record.find(name));
  show_token_fields(role->record, data);
  return Response::of(data);
}

Result<Response> remove_role(Call& call, WriteTxn& txn) {
  VAULT_TRY_ASSIGN(const auto role, find_role(name_of(call.fields), txn));
  if (!role) return Response::none();
  VAULT_TRY(txn.erase(role_id_record(role->record.string_at("role_id"))));
  VAULT_TRY(txn.erase(role_record(role->name)));
  VAULT_TRY(forget_secrets(*role, txn));
  Response response = Response::none();
  response.orders.due_work = true;  // its secret ids go at once
  return response;
}

std::vector<Field> role_fields() {
  std::vector<Field> fields = {
      {"role_name"},
      {"bind_secret_id", FieldType::boolean, {}, "A login needs a secret id."},
      {"bound_cidr_list", FieldType::comma_list, {}, "Use secret_id_bound_cidrs."},
      {"secret_id_bound_cidrs", FieldType::comma_list, {}, "Networks a login may come from."},
      {"secret_id_num_uses", FieldType::integer, {}, "How often one secret id serves; 0: always."},
      {"secret_id_ttl", FieldType::duration, {}, "How long one serves; 0: for ever."},
      {"role_id", FieldType::text, {}, "What a login names the role by; made up when absent."},
      {"local_secret_ids", FieldType::boolean, {}, "Kept; there is one machine."}};
  add_token_fields(fields, kOlder);
  return fields;
}

// role/:role_name/<path>: one field of a role, read, set and reset.
struct Part {
  const char* path;
  std::vector<Field> fields;
  std::vector<const char*> shown;  // in an answer, as far as the record has them
};

Json shown_part(const Part& part, const Json& record) {
  Json data = Json::object();
  for (const char* name : part.shown) {
    const bool older_cidrs = std::string_view(name) == "bound_cidr_list";
    if (const Json* value = record.find(older_cidrs ? "secret_id_bound_cidrs" : name))
      data.set(name, *value);
  }
  return data;
}

// As a new role has it.
Status reset(const Part& part, Role& role, Random& random) {
  const Json fresh = new_role(role.name, random).record;
  for (const Field& field : part.fields) {
    const std::string name = field.name == "bound_cidr_list" ? "secret_id_bound_cidrs" : field.name;
    if (const Json* value = fresh.find(name))
      role.record.set(name, *value);
    else
      role.record.erase(name);
  }
  return take_fields(Fields(), role.record);
}

Route part_route(Part part) {
  std::vector<Field> fields = part.fields;
  fields.insert(fields.begin(), Field{"role_name"});
  const std::string pattern = std::string("role/:role_name/") + part.path;
  const std::string synopsis = "One field of a role: " + part.fields.back().name + ".";
  const auto read = [part](Call& call, ReadTxn& txn) -> Result<Response> {
    VAULT_TRY_ASSIGN(const Role role, role_of(call.fields, txn));
    return Response::of(shown_part(part, role.record));
  };
  const bool of_policies = std::string_view(part.path) == "policies";
  const auto write = [of_policies](Call& call, WriteTxn& txn) -> Result<Response> {
    VAULT_TRY_ASSIGN(Role role, role_of(call.fields, txn));
    VAULT_TRY(take_fields(call.fields, role.record));
    if (of_policies) sort_policies(role.record);
    VAULT_TRY(save(role, txn));
    return written(call.fields, role.record);
  };
  const auto remove = [part](Call& call, WriteTxn& txn) -> Result<Response> {
    VAULT_TRY_ASSIGN(Role role, role_of(call.fields, txn));
    VAULT_TRY(reset(part, role, call.random));
    VAULT_TRY(save(role, txn));
    return Response::none();
  };
  return core::route(pattern, std::move(fields),
                     {core::reads(read), core::writes(write), core::removes(remove)}, synopsis);
}

std::vector<Part> parts() {
  const auto list = FieldType::comma_list;
  const auto duration = FieldType::duration;
  return {
      {"policies", {{"policies", list}, {"token_policies", list}}, {"token_policies", "policies"}},
      {"bound-cidr-list", {{"bound_cidr_list", list}}, {"bound_cidr_list"}},
      {"secret-id-bound-cidrs", {{"secret_id_bound_cidrs", list}}, {"secret_id_bound_cidrs"}},
      {"token-bound-cidrs", {{"token_bound_cidrs", list}}, {"token_bound_cidrs"}},
      {"bind-secret-id", {{"bind_secret_id", FieldType::boolean}}, {"bind_secret_id"}},
      {"secret-id-num-uses", {{"secret_id_num_uses", FieldType::integer}}, {"secret_id_num_uses"}},
      {"secret-id-ttl", {{"secret_id_ttl", duration}}, {"secret_id_ttl"}},
      {"period", {{"period", duration}, {"token_period", duration}}, {"token_period", "period"}},
      {"token-num-uses", {{"token_num_uses", FieldType::integer}}, {"token_num_uses"}},
      {"token-ttl", {{"token_ttl", duration}}, {"token_ttl"}},
      {"token-max-ttl", {{"token_max_ttl", duration}}, {"token_max_ttl"}},
  };
}

Route role_id_route() {
  const auto read = [](Call& call, ReadTxn& txn) -> Result<Response> {
    VAULT_TRY_ASSIGN(const Role role, role_of(call.fields, txn));
    Json data = Json::object();
    data.set("role_id", role.record.string_at("role_id"));
    return Response::of(data);
  };
  const auto write = [](Call& call, WriteTxn& txn) -> Result<Response> {
    VAULT_TRY_ASSIGN(Role role, role_of(call.fields, txn));
    VAULT_TRY(set_role_id(role, call.fields.text("role_id"), txn));
    VAULT_TRY(save(role, txn));
    return Response::none();
  };
  return core::route("role/:role_name/role-id", {{"role_name"}, {"role_id"}},
                     {core::reads(read), core::writes(write)}, "What a login names the role by.");
}

}  // namespace

Status check_cidrs(const std::vector<std::string>& ranges) {
  const std::string wrong = not_a_range(ranges);
  if (wrong.empty()) return {};
  return failure(Code::invalid, core::multierror("failed to validate CIDR blocks: invalid CIDR "
                                                 "address: " +
                                                 wrong));
}

std::string role_record(std::string_view name) { return std::string(kRoles) + std::string(name); }

Result<std::optional<Role>> find_role(const std::string& name, ReadTxn& txn) {
  VAULT_TRY_ASSIGN(auto record, core::load_json(txn, role_record(name)));
  if (!record) return std::optional<Role>();
  return std::optional<Role>(Role{name, std::move(*record)});
}

Result<Role> role_of(const Fields& fields, ReadTxn& txn) {
  const std::string name = name_of(fields);
  VAULT_TRY_ASSIGN(auto role, find_role(name, txn));
  if (!role) return no_such_role(name);
  return std::move(*role);
}

Result<std::optional<Role>> find_role_by_id(std::string_view role_id, ReadTxn& txn) {
  VAULT_TRY_ASSIGN(const auto link, core::load_json(txn, role_id_record(role_id)));
  if (!link) return std::optional<Role>();
  return find_role(link->string_at("role"), txn);
}

void add_role_routes(std::vector<Route>& routes) {
  routes.push_back(core::route(
      "role", core::page_fields(),
      {core::lists([](Call& call, ReadTxn& txn) { return core::list_names(call, txn, kRoles); })},
      "List the roles."));
  Route whole =
      core::route("role/:role_name", role_fields(),
                  {core::reads(read_role), core::writes(write_role), core::removes(remove_role)},
                  "Manage the roles that applications log in with.");
  whole.exists = [](Call& call, ReadTxn& txn) -> Result<bool> {
    const std::string name = name_of(call.fields);
    VAULT_TRY_ASSIGN(const auto mod, txn.version(role_record(name)));
    return mod != 0;
  };
  routes.push_back(std::move(whole));
  for (Part& part : parts()) routes.push_back(part_route(std::move(part)));
  routes.push_back(role_id_route());
  routes.push_back(core::route("role/:role_name/local-secret-ids", {{"role_name"}},
                               {core::reads([](Call& call, ReadTxn& txn) -> Result<Response> {
                                 VAULT_TRY_ASSIGN(const Role role, role_of(call.fields, txn));
                                 Json data = Json::object();
                                 data.set("local_secret_ids",
                                          role.record.bool_at("local_secret_ids"));
                                 return Response::of(data);
                               })},
                               "Whether secret ids are local to this machine."));
}

}  // namespace leasehold::auth::approle
