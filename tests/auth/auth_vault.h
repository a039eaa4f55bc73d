#pragma once
// A vault with both auth methods mounted, for the tests of logins.

#include "tests/support/test_vault.h"

namespace leasehold::auth {
core::MakeEngine make_userpass, make_approle;
}

namespace leasehold::testing {

struct AuthWorld : TestWorld {
  AuthWorld() {
    auths = {{"userpass", 0, auth::make_userpass, ""}, {"approle", 0, auth::make_approle, ""}};
  }
};

class AuthVault {
 public:
  AuthVault() : own_(std::make_unique<AuthWorld>()), vault_(*own_) { mount(); }
  explicit AuthVault(AuthWorld& world) : vault_(world) { mount(); }
  TestVault& operator*() { return vault_; }
  TestVault* operator->() { return &vault_; }

  // By the root token.
  Answer write(const std::string& path, const std::string& body = "{}") {
    return vault_.post(path, vault_.root(), body);
  }
  Answer read(const std::string& path) { return vault_.get(path, vault_.root()); }
  // Without a token, as from this address.
  Answer from(const std::string& address, const std::string& path, const std::string& body,
              const std::string& token = {}) {
    core::Request request;
    request.operation = core::Operation::update;
    request.path = path;
    request.token = token;
    request.remote_address = address;
    request.body = std::move(parse_json(body)).value();
    return vault_.wait(vault_.begin(std::move(request)));
  }
  Answer log_in(const std::string& user, const std::string& password,
                const std::string& address = "127.0.0.1") {
    Json body = Json::object();
    body.set("password", password);
    return from(address, "auth/userpass/login/" + user, body.dump());
  }
  Answer role_login(const std::string& role_id, const std::string& secret_id,
                    const std::string& address = "127.0.0.1") {
    Json body = Json::object();
    body.set("role_id", role_id).set("secret_id", secret_id);
    return from(address, "auth/approle/login", body.dump());
  }
  std::string role_id(const std::string& role) {
    return read("auth/approle/role/" + role + "/role-id").data().string_at("role_id");
  }
  std::string secret_id(const std::string& role, const std::string& body = "{}") {
    return write("auth/approle/role/" + role + "/secret-id", body).data().string_at("secret_id");
  }
  bool is_alive(const std::string& token) {
    return vault_.get("auth/token/lookup-self", token).status() == 200;
  }
  int renew(const std::string& token) {
    return vault_.post("auth/token/renew-self", token).status();
  }

 private:
  void mount() {
    for (const char* type : {"userpass", "approle"})
      vault_.post(std::string("sys/auth/") + type, vault_.root(),
                  std::string(R"({"type":")") + type + "\"}");
  }

  std::unique_ptr<AuthWorld> own_;
  TestVault vault_;
};

}  // namespace leasehold::testing
