// sys/policies/password: what generated passwords look like.

#include "vault/core/contract/password_policies.h"

#include <algorithm>

#include "vault/base/encoding.h"
#include "vault/base/nothing_done.h"
#include "vault/core/contract/records.h"
#include "vault/core/sys/system.h"

namespace leasehold::core {

namespace {

// As Vault says what it refuses by a code of its own.
Error coded(Code code, std::string_view message) { return failure(code, multierror(message)); }

Result<Response> list(Call& call, ReadTxn& txn) {
  VAULT_TRY_ASSIGN(const Page page, page_of(call.request.body));
  ReadTxn core = txn.in(barrier::kCoreSpace);
  VAULT_TRY_ASSIGN(const auto stored, core.list(kPasswordPolicies));
  std::vector<std::string> names;
  for (const std::string& name : stored)
    if (const auto bytes = from_hex(name)) names.emplace_back(as_text(*bytes));
  std::sort(names.begin(), names.end());
  return Response::keys(part_of(std::move(names), page));
}

Result<Response> read(Call& call, ReadTxn& txn) {
  ReadTxn core = txn.in(barrier::kCoreSpace);
  VAULT_TRY_ASSIGN(const auto record,
                   load_json(core, password_policy_record(call.fields.text("name"))));
  if (!record) return coded(Code::not_found, "policy does not exist");
  return Response::of(Json::object().set("policy", record->string_at("policy")));
}

Result<Response> write(Call& call, WriteTxn& txn) {
  const std::string name = call.fields.text("name");
  if (name.empty()) return coded(Code::invalid, "missing policy name");
  if (name.size() > kPasswordPolicyNameMax)
    return failure(Code::invalid, "the name of a password policy has at most 512 bytes");
  std::string text = call.fields.text("policy");
  if (text.empty()) return coded(Code::invalid, "missing policy");
  if (const auto bytes = from_base64(text)) text = as_text(*bytes);
  const auto policy = policy::parse_password_policy(text);
  if (!policy.ok())
    return coded(Code::invalid, "invalid password policy: " + policy.error().message);
  if (const Status tried = policy->try_out(call.random); !tried.ok())
    return coded(Code::invalid, tried.error().message);
  for (const std::string& warning : policy->warnings) call.quiet_warnings.push_back(warning);
  WriteTxn core = txn.in(barrier::kCoreSpace);
  VAULT_TRY(save_json(core, password_policy_record(name), Json::object().set("policy", text)));
  return Response::none();
}

Result<Response> remove(Call& call, WriteTxn& txn) {
  const std::string name = call.fields.text("name");
  VAULT_TRY_ASSIGN(const bool there, has_password_policy(txn, name));
  if (!there) call.quiet_warnings.push_back(nothing_done("no password policy has this name"));
  VAULT_TRY(txn.in(barrier::kCoreSpace).erase(password_policy_record(name)));
  return Response::none();
}

Result<Response> generate(Call& call, ReadTxn& txn) {
  const auto policy = password_policy(txn, call.fields.text("name"));
  if (policy.is(Code::not_found)) return coded(Code::not_found, policy.error().message);
  if (!policy.ok()) return policy.error();
  VAULT_TRY_ASSIGN(const SecretBytes password, policy->generate(call.random));
  return Response::of(Json::object().set("password", as_text(password.reveal())));
}

}  // namespace

void add_password_policy_routes(std::vector<Route>& routes) {
  routes.push_back(
      route("policies/password", page_fields(), {lists(list)}, "Lists the password policies"));
  // What is drawn until it follows the rules is bounded, and longer than an io thread waits.
  routes.push_back(route("policies/password/:name/generate", {}, {reads(generate, Place::hashes)},
                         "Makes a password by a password policy"));
  routes.push_back(
      route("policies/password/:name*",
            {{"policy", FieldType::text, {}, "The policy, in HCL or JSON, or in base64."}},
            {reads(read), writes(write, Place::hashes), removes(remove)},
            "Reads, writes and deletes a password policy"));
}

}  // namespace leasehold::core
