#pragma once
// A vault for the tests of identity: userpass and approle, and a method whose logins say which
// groups they are in.

#include "tests/auth/auth_vault.h"
#include "vault/core/contract/routes.h"
#include "vault/core/road/unsealed.h"

namespace leasehold::testing {

// badge/login/:name {"groups": [...]}: lets everybody in.
class BadgeAuth final : public core::Engine {
 public:
  BadgeAuth() {
    const auto log_in = [](core::Call& call, core::ReadTxn&) -> Result<core::Response> {
      core::Login login;
      login.alias = login.display_name = call.fields.text("name");
      login.groups = call.fields.list("groups");
      login.alias_metadata = {{"badge", "b-" + login.alias}};
      return core::Response::of_login(std::move(login));
    };
    core::Route login =
        core::route("login/:name", {{"name"}, {"groups", core::FieldType::comma_list}},
                    {core::asks(log_in)}, "Logs in.");
    login.unauthenticated = true;
    login.login_alias = [](const core::Fields& fields) { return fields.text("name"); };
    routes_.push_back(std::move(login));
  }
  std::span<const core::Route> routes() const override { return routes_; }

 private:
  std::vector<core::Route> routes_;
};
inline std::unique_ptr<core::Engine> make_badge(const core::EngineContext&) {
  return std::make_unique<BadgeAuth>();
}

struct IdentityWorld : AuthWorld {
  IdentityWorld() { auths.push_back({"badge", 0, make_badge, ""}); }
};

class IdentityVault {
 public:
  IdentityVault() : vault_(world_) {
    vault_.write("sys/auth/badge", R"({"type":"badge"})");
    vault_.write("auth/userpass/users/bob", R"({"password":"hunter2"})");
    vault_.write("auth/userpass/users/ann", R"({"password":"hunter2"})");
    vault_->policy("reads", R"(path "test/notes/*" { capabilities = ["read"] })");
    vault_.write("test/notes/a", R"({"x":1})");
  }
  AuthVault& operator*() { return vault_; }
  TestVault& vault() { return *vault_; }

  Answer write(const std::string& path, const std::string& body = "{}") {
    return vault_.write(path, body);
  }
  Answer read(const std::string& path) { return vault_.read(path); }
  Answer remove(const std::string& path) { return vault_->remove(path, vault_->root()); }
  Answer list(const std::string& path) { return vault_->list(path, vault_->root()); }
  Answer log_in(const std::string& user) { return vault_.log_in(user, "hunter2"); }
  Answer badge(const std::string& name, const std::string& groups = "") {
    return vault_.from("127.0.0.1", "auth/badge/login/" + name, R"({"groups":")" + groups + "\"}");
  }
  std::string accessor(const std::string& path) {
    return vault_.read("sys/auth").data().find(path)->string_at("accessor");
  }
  // Of what is made with this body; "" when it is refused.
  std::string made(const std::string& kind, const std::string& body) {
    return write("identity/" + kind, body).data().string_at("id");
  }
  std::string entity_of(const std::string& token) {
    return vault_->get("auth/token/lookup-self", token).data().string_at("entity_id");
  }
  int reads(const std::string& token) { return vault_->get("test/notes/a", token).status(); }
  // {"entity_id"} as this name is known; "" when it is not.
  std::string known(const std::string& mount, const std::string& name) {
    return write("identity/lookup/entity", R"({"alias_name":")" + name +
                                               R"(","alias_mount_accessor":")" + accessor(mount) +
                                               "\"}")
        .data()
        .string_at("id");
  }

 private:
  IdentityWorld world_;
  AuthVault vault_{world_};
};

}  // namespace leasehold::testing
