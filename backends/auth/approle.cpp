// approle: machines log in with a role id, which names the role, and a secret id, which proves the
// right to it. Roles: approle_roles.cpp; secret ids: approle_secrets.cpp

#include "backends/auth/approle.h"

#include "vault/base/cidr.h"

namespace leasehold::auth {
namespace approle {
namespace {

constexpr char kWrong[] = "invalid role or secret ID";

// Told to the client as a wrong secret id is, whatever the reason.
Response refused_by_role(std::string_view reason) {
  Response response = Response::refused_login(kWrong, std::string(reason));
  response.orders.tells_log = true;
  return response;
}

core::Login login_of(const Role& role) {
  core::Login login;
  login.alias = role.record.string_at("role_id");
  login.renew_data = role.name;
  login.metadata.emplace_back("role_name", role.name);
  apply_token_fields(role.record, login);
  return login;
}

// What lies in a range of both; a range that cannot be read holds nothing.
std::vector<std::string> in_both(const std::vector<std::string>& some,
                                 const std::vector<std::string>& others) {
  std::vector<std::string> both;
  for (const std::string& one : some)
    for (const std::string& other : others) {
      const auto a = Cidr::parse(one), b = Cidr::parse(other);
      if (!a || !b) continue;
      if (a->contains(*b))
        both.push_back(other);
      else if (b->contains(*a))
        both.push_back(one);
    }
  return both;
}

// What this secret id adds to the login, or narrows. Its role may have been narrowed since it was
// made: what it may not be made with today it does not grant.
Status apply_secret(const Secret& secret, core::Login& login) {
  for (const auto& pair : secret.record.find("metadata")->members())
    if (pair.first != "role_name") login.metadata.emplace_back(pair.first, pair.second.text());
  auto ranges = secret.record.strings_at("token_bound_cidrs");
  if (ranges.empty()) return {};
  if (!login.bound_cidrs.empty()) ranges = in_both(ranges, login.bound_cidrs);
  if (ranges.empty())  // which would be a token for everywhere
    return failure(Code::denied, "permission denied",
                   "the role binds its tokens to other networks than the secret id does");
  login.bound_cidrs = std::move(ranges);
  return {};
}

Result<Response> log_in(Call& call, WriteTxn& txn) {
  const std::string role_id = call.fields.text("role_id");
  const SecretBytes secret_id = call.fields.secret("secret_id");
  if (role_id.empty()) return failure(Code::invalid, "missing role_id");
  VAULT_TRY_ASSIGN(const auto role, find_role_by_id(role_id, txn));
  // No name of ours to lock, and no hash that it costs: it is not counted.
  if (!role) {
    Response unknown = Response::refused(400, kWrong);
    unknown.reason = "no role has this role id";
    return unknown;
  }
  core::Login login = login_of(*role);
  const std::string& from = call.request.remote_address;
  if (!is_allowed(role->record.strings_at("secret_id_bound_cidrs"), from))
    return refused_by_role("the role's secret_id_bound_cidrs do not hold the address");
  if (!role->record.bool_at("bind_secret_id")) return core::Response::of_login(std::move(login));
  if (secret_id.empty()) return failure(Code::invalid, "missing secret_id");
  VAULT_TRY_ASSIGN(const auto secret, find_secret(*role, as_text(secret_id.reveal()), txn));
  if (!secret)
    return Response::refused_login(kWrong, "the role has no such secret id, or none any more");
  if (!is_allowed(secret->record.strings_at("cidr_list"), from))
    return refused_by_role("the secret id's cidr_list does not hold the address");
  VAULT_TRY_ASSIGN(const auto over, why_over(*secret, txn, call.now));
  if (!over.empty()) return refused_by_role(over);
  VAULT_TRY(spend(*secret, txn));
  VAULT_TRY(apply_secret(*secret, login));
  return core::Response::of_login(std::move(login));
}

Route login_route() {
  Route route = core::route("login", {{"role_id"}, core::sensitive({"secret_id"})},
                            {core::writes(log_in)}, "Log in with a role id and a secret id.");
  route.unauthenticated = true;
  route.login_alias = [](const Fields& fields) { return fields.text("role_id"); };
  return route;
}

constexpr Seconds kTidyEvery{3600};

class Approle final : public core::Engine {
 public:
  Approle() {
    routes_.push_back(login_route());
    add_role_routes(routes_);
    add_secret_routes(routes_);
    for (Route& route : routes_) route.folds_case = true;
  }
  std::span<const Route> routes() const override { return routes_; }

  bool has_login_roles() const override { return true; }
  Result<std::string> login_role(const Fields& login, ReadTxn& txn) override {
    VAULT_TRY_ASSIGN(const auto role, find_role_by_id(login.text("role_id"), txn));
    return role ? role->name : std::string();
  }

  Result<core::Login> renew_login(std::string_view renew_data, ReadTxn& txn) override {
    VAULT_TRY_ASSIGN(const auto role, find_role(std::string(renew_data), txn));
    if (!role) return failure(Code::invalid, "the role no longer exists: its token is not renewed");
    return login_of(*role);
  }

  std::optional<Seconds> due_every() const override { return kTidyEvery; }
  Result<core::DueSlice> due(WriteTxn& txn, const std::string& from, WallTime now) override {
    return erase_some_over(txn, from, now);
  }

 private:
  std::vector<Route> routes_;
};

}  // namespace
}  // namespace approle

std::unique_ptr<core::Engine> make_approle(const core::EngineContext&) {
  return std::make_unique<approle::Approle>();
}

}  // namespace leasehold::auth
