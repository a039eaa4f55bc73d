#include "tests/adding/added.h"
#include "vault/core/contract/records.h"
#include "vault/core/contract/routes.h"

namespace leasehold::auth {
namespace {

std::string person_of(const core::Fields& fields) { return fields.text("name"); }

core::Login login_of(const std::string& name) {
  core::Login login;
  login.alias = login.display_name = login.renew_data = name;
  return login;
}

Result<core::Response> write_person(core::Call& call, core::WriteTxn& txn) {
  Json person = Json::object();
  person.set("pin", call.fields.text("pin"));
  VAULT_TRY(core::save_json(txn, "people/" + person_of(call.fields), person));
  return core::Response::none();
}

// Reads only: what it makes of an answer is a login all the same.
Result<core::Response> log_in(core::Call& call, core::ReadTxn& txn) {
  const std::string name = person_of(call.fields);
  VAULT_TRY_ASSIGN(const auto person, core::load_json(txn, "people/" + name));
  const SecretBytes given(call.fields.text("pin"));
  if (!person || !(SecretBytes(person->string_at("pin")) == given))
    return core::Response::refused_login("invalid name or pin");
  return core::Response::of_login(login_of(name));
}

class Pin final : public core::Engine {
 public:
  Pin() {
    const core::Field pin = core::sensitive({"pin"});
    routes_.push_back(core::route("people/:name", {{"name"}, pin}, {core::writes(write_person)},
                                  "Says who may log in."));
    core::Route login =
        core::route("login/:name", {{"name"}, pin}, {core::asks(log_in)}, "Logs in.");
    login.unauthenticated = true;
    login.login_alias = person_of;
    routes_.push_back(std::move(login));
  }
  std::span<const core::Route> routes() const override { return routes_; }
  Result<core::Login> renew_login(std::string_view renew_data, core::ReadTxn& txn) override {
    const std::string name(renew_data);
    VAULT_TRY_ASSIGN(const auto person, core::load_json(txn, "people/" + name));
    if (!person) return failure(Code::not_found, "they are gone");
    return login_of(name);
  }

 private:
  std::vector<core::Route> routes_;
};

}  // namespace

std::unique_ptr<core::Engine> make_pin(const core::EngineContext&) {
  return std::make_unique<Pin>();
}

}  // namespace leasehold::auth
