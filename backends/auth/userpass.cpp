// userpass: people log in with a name and a password. The password is kept as an Argon2id hash, or
// as the bcrypt hash that was brought along, until its owner logs in. A name that does not exist
// costs a login as much as a wrong password.

#include "backends/auth/token_fields.h"
#include "vault/base/encoding.h"
#include "vault/core/contract/records.h"
#include "vault/core/contract/router.h"
#include "vault/core/contract/routes.h"
#include "vault/crypto/password.h"

namespace leasehold::auth {
namespace {

using core::Call;
using core::Field;
using core::Fields;
using core::FieldType;
using core::ReadTxn;
using core::Response;
using core::Route;
using core::WriteTxn;

constexpr std::string_view kOlder[] = {"policies", "ttl", "max_ttl", "bound_cidrs"};
constexpr std::string_view kUsers = "users/";
constexpr char kHash[] = "password_hash";
// A login with a dearer hash keeps others waiting: this one takes ten times as long as our own.
constexpr int kBcryptCostMax = 12;
// Of a password that nobody knows, with the costs of hash_password().
constexpr char kNobodysHash[] =
    "$argon2id$v=19$m=19456,t=2,p=1$ly7X2tUc/"
    "lTl98qoqsCvKw$eCrEnygWnIgey0UYhZDsES8D+6a2zrFsdAlI03QQHoA";

std::string name_of(const Fields& fields) { return lower_case(fields.text("username")); }
std::string record_of(const std::string& user) { return std::string(kUsers) + user; }

// Into `user`; false when neither field is given.
Result<bool> take_password(const Fields& fields, Json& user) {
  const SecretBytes password = fields.secret("password");
  const std::string hash = fields.text(kHash);
  if (!password.empty() && !hash.empty())
    return failure(Code::invalid, "give password or password_hash, not both");
  if (!password.empty()) {
    const auto made = crypto::hash_password(as_text(password.reveal()));
    if (!made.ok()) return made.error();
    user.set(kHash, *made);
    return true;
  }
  if (hash.empty()) {
    if (fields.given("password")) return failure(Code::invalid, "missing password");
    return false;
  }
  const auto cost = crypto::bcrypt_cost(hash);
  if (!cost || *cost > kBcryptCostMax)
    return failure(Code::invalid, "password_hash must be a bcrypt hash with a cost of 4 to 12");
  user.set(kHash, hash);
  return true;
}

Result<Response> write_user(Call& call, WriteTxn& txn) {
  const std::string name = record_of(name_of(call.fields));
  VAULT_TRY_ASSIGN(auto known, core::load_json(txn, name));
  Json user = known ? std::move(*known) : new_token_record();
  VAULT_TRY_ASSIGN(const bool has_password, take_password(call.fields, user));
  if (!known && !has_password) return failure(Code::invalid, "missing password");
  VAULT_TRY(take_token_fields(call.fields, kOlder, user));
  VAULT_TRY(core::save_json(txn, name, user));
  return written(call.fields, user);
}

Result<Response> read_user(Call& call, ReadTxn& txn) {
  VAULT_TRY_ASSIGN(const auto user, core::load_json(txn, record_of(name_of(call.fields))));
  if (!user) return Response::refused(404, "");
  Json data = Json::object();
  show_token_fields(*user, data);
  return Response::of(data);
}

Result<Response> remove_user(Call& call, WriteTxn& txn) {
  VAULT_TRY(txn.erase(record_of(name_of(call.fields))));
  return Response::none();
}

// users/:username/password and users/:username/policies: of somebody who exists.
Result<Response> change(Call& call, WriteTxn& txn, bool password) {
  const std::string name = record_of(name_of(call.fields));
  VAULT_TRY_ASSIGN(auto user, core::load_json(txn, name));
  if (!user) return failure(Code::invalid, core::multierror("username does not exist"));
  if (password) {
    VAULT_TRY_ASSIGN(const bool given, take_password(call.fields, *user));
    if (!given) return failure(Code::invalid, "missing password");
  } else {
    VAULT_TRY(take_token_fields(call.fields, kOlder, *user));
    sort_policies(*user);
  }
  VAULT_TRY(core::save_json(txn, name, *user));
  return written(call.fields, *user);
}

core::Login login_of(const std::string& name, const Json& user) {
  core::Login login;
  login.alias = login.display_name = login.renew_data = name;
  login.metadata = {{"username", name}};
  apply_token_fields(user, login);
  return login;
}

Result<Response> log_in(Call& call, WriteTxn& txn) {
  const std::string name = name_of(call.fields);
  if (!core::is_name(name)) return failure(Code::not_found, core::multierror("unsupported path"));
  const SecretBytes password = call.fields.secret("password");
  if (password.empty()) return failure(Code::invalid, core::multierror("missing password"));
  VAULT_TRY_ASSIGN(auto user, core::load_json(txn, record_of(name)));
  const std::string hash = user ? user->string_at(kHash) : kNobodysHash;
  const bool right = crypto::verify_password(hash, as_text(password.reveal())) && user;
  if (!right)
    return Response::refused_login("invalid username or password",
                                   user ? "wrong password" : "no user has this name");
  if (crypto::bcrypt_cost(hash)) {
    VAULT_TRY_ASSIGN(const std::string ours, crypto::hash_password(as_text(password.reveal())));
    user->set(kHash, ours);
    VAULT_TRY(core::save_json(txn, record_of(name), *user));
  }
  return core::Response::of_login(login_of(name, *user));
}

// Open to strangers whatever it names: a name that no user can have is told so, too.
Route login_route() {
  Route route = core::route("login/:username*", {{"username"}, core::sensitive({"password"})},
                            {core::writes(log_in)}, "Log in with a name and a password.");
  route.actions[0].place = core::Place::hashes;
  route.unauthenticated = true;
  route.login_alias = name_of;
  return route;
}

Route user_route() {
  std::vector<Field> fields = {
      {"username"},
      core::sensitive({"password", FieldType::text, {}, "What the user logs in with."}),
      core::sensitive({kHash, FieldType::text, {}, "A bcrypt hash of it instead."})};
  add_token_fields(fields, kOlder);
  Route route =
      core::route("users/:username", std::move(fields),
                  {core::reads(read_user), core::writes(write_user), core::removes(remove_user)},
                  "Manage the people who may log in.");
  route.actions[1].place = core::Place::hashes;  // it hashes
  route.exists = [](Call& call, ReadTxn& txn) -> Result<bool> {
    VAULT_TRY_ASSIGN(const auto mod, txn.version(record_of(name_of(call.fields))));
    return mod != 0;
  };
  return route;
}

Route change_route(bool password) {
  std::vector<Field> fields = {{"username"}};
  if (password) {
    fields.push_back(core::sensitive({"password"}));
    fields.push_back(core::sensitive({kHash}));
  } else {
    for (const char* name : {"policies", "token_policies"})
      fields.push_back({name, FieldType::comma_list});
  }
  Route route = core::route(
      password ? "users/:username/password" : "users/:username/policies", std::move(fields),
      {core::writes([password](Call& call, WriteTxn& txn) { return change(call, txn, password); })},
      password ? "Change a password." : "Change the policies of a user.");
  if (password) route.actions[0].place = core::Place::hashes;
  return route;
}

class Userpass final : public core::Engine {
 public:
  Userpass() {
    routes_.push_back(login_route());
    routes_.push_back(core::route(
        "users", core::page_fields(),
        {core::lists([](Call& call, ReadTxn& txn) { return core::list_names(call, txn, kUsers); })},
        "List the people who may log in."));
    routes_.push_back(user_route());
    routes_.push_back(change_route(true));
    routes_.push_back(change_route(false));
    for (Route& route : routes_) route.folds_case = true;
  }
  std::span<const Route> routes() const override { return routes_; }

  bool has_login_roles() const override { return true; }
  Result<std::string> login_role(const Fields& login, ReadTxn&) override { return name_of(login); }

  Result<core::Login> renew_login(std::string_view renew_data, ReadTxn& txn) override {
    const std::string name(renew_data);
    VAULT_TRY_ASSIGN(const auto user, core::load_json(txn, record_of(name)));
    if (!user) return failure(Code::not_found, "the user no longer exists");
    return login_of(name, *user);
  }

 private:
  std::vector<Route> routes_;
};

}  // namespace

std::unique_ptr<core::Engine> make_userpass(const core::EngineContext&) {
  return std::make_unique<Userpass>();
}

}  // namespace leasehold::auth
