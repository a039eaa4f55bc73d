#include "tests/support/test_engine.h"

#include <algorithm>

#include "vault/base/encoding.h"

namespace leasehold::testing {

std::shared_ptr<AccountServer> AccountServers::operator[](const std::string& name) {
  const std::lock_guard<std::mutex> lock(mutex_);
  auto& server = servers_[name];
  if (!server) server = std::make_shared<AccountServer>(clock_);
  return server;
}
void AccountServers::share(const std::string& name, std::shared_ptr<AccountServer> server) {
  const std::lock_guard<std::mutex> lock(mutex_);
  servers_[name] = std::move(server);
}
void AccountServers::lose_settings(const std::string& name, bool lost) {
  const std::lock_guard<std::mutex> lock(mutex_);
  lost_.erase(name);
  if (lost) lost_.insert(name);
}
bool AccountServers::settings_lost(const std::string& name) {
  const std::lock_guard<std::mutex> lock(mutex_);
  ++looks_;
  return lost_.count(name) > 0;
}
void AccountServers::meanwhile(std::function<void()> then) {
  const std::lock_guard<std::mutex> lock(mutex_);
  meanwhile_ = std::move(then);
}

void AccountServers::in_handler() {
  std::function<void()> then;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    then.swap(meanwhile_);
  }
  if (then) then();
}

void AccountServers::between(std::function<void()> then) {
  const std::lock_guard<std::recursive_mutex> lock(between_mutex_);
  between_ = std::move(then);
}
void AccountServers::in_between() {
  const std::lock_guard<std::recursive_mutex> lock(between_mutex_);
  if (const auto then = std::exchange(between_, nullptr)) {
    then();
    if (!between_) between_ = then;
  }
}

void AccountServers::release_all() {
  const std::lock_guard<std::mutex> lock(mutex_);
  for (auto& server : servers_) server.second->release_all();
}

namespace {

using core::Action;
using core::Call;
using core::FieldType;
using core::Intent;
using core::Operation;
using core::Place;
using core::ReadTxn;
using core::Response;
using core::Route;
using core::WriteTxn;

core::TargetId target_id(const std::string& name) {
  core::TargetId id{};
  std::copy_n(name.begin(), std::min(name.size(), id.size()), id.begin());
  return id;
}

class TestEngine final : public core::Engine {
 public:
  explicit TestEngine(AccountServers& servers) : servers_(servers) {
    add_roles();
    add_notes();
    add_oddities();
  }
  std::span<const Route> routes() const override { return routes_; }
  bool has_targets() const override {
    servers_.in_between();
    return true;
  }
  Result<std::unique_ptr<target::Target>> target(const core::TargetId& id, ReadTxn&) override {
    const std::string name(id.begin(), std::find(id.begin(), id.end(), 0));
    servers_.in_between();
    if (servers_.settings_lost(name)) return failure(Code::unavailable, "its settings are lost");
    return make_account_target(servers_[name]);
  }

 private:
  void add_roles();
  void add_notes();
  void add_oddities();
  core::intent::Account account_of(const std::string& name, const Json& role) const;

  AccountServers& servers_;
  std::vector<Route> routes_;
};

Json role_of(const Call& call) {
  Json role = Json::object();
  role.set("target", call.fields.text("target"));
  role.set("ttl", static_cast<std::int64_t>(call.fields.duration("ttl").count()));
  role.set("max_ttl", static_cast<std::int64_t>(call.fields.duration("max_ttl").count()));
  role.set("renewable", call.fields.boolean("renewable"));
  role.set("revoked_by", call.fields.text("revoked_by"));
  return role;
}

Result<Response> store_role(Call& call, WriteTxn& txn) {
  VAULT_TRY(txn.put("roles/" + call.fields.text("name"), as_bytes(role_of(call).dump())));
  return Response::none();
}

core::intent::Account TestEngine::account_of(const std::string& name, const Json& role) const {
  core::intent::Account account;
  account.target = target_id(role.string_at("target"));
  account.role = name;
  account.create.password = SecretBytes(std::string_view("the-password"));
  account.terms.ttl = Seconds{role.integer_at("ttl")};
  account.terms.max_ttl = Seconds{role.integer_at("max_ttl")};
  account.terms.renewable = role.bool_at("renewable", true);
  if (const std::string statement = role.string_at("revoked_by"); !statement.empty())
    account.revocation_statements = {statement};
  return account;
}

Route route(std::string pattern, std::vector<core::Field> fields, std::vector<Action> actions) {
  Route made;
  made.pattern = std::move(pattern);
  made.fields = std::move(fields);
  made.actions = std::move(actions);
  made.synopsis = "For tests";
  return made;
}

void TestEngine::add_roles() {
  const std::vector<core::Field> fields = {{"target", FieldType::text, Json("db")},
                                           {"ttl", FieldType::duration, Json(0)},
                                           {"max_ttl", FieldType::duration, Json(0)},
                                           {"revoked_by"},
                                           {"renewable", FieldType::boolean, Json(true)}};
  const auto erase = [](Call& call, WriteTxn& txn) -> Result<Response> {
    VAULT_TRY(txn.erase("roles/" + call.fields.text("name")));
    return Response::none();
  };
  routes_.push_back(route("roles/:name", fields,
                          {{Operation::update, core::WriteHandler(store_role), Place::inline_},
                           {Operation::remove, core::WriteHandler(erase), Place::inline_}}));

  core::Effect issue;
  issue.plan = [this](Call& call, ReadTxn& txn) -> Result<Intent> {
    const std::string name = call.fields.text("name");
    VAULT_TRY_ASSIGN(const auto stored, txn.get("roles/" + name));
    if (!stored) return failure(Code::invalid, "unknown role: " + name);
    VAULT_TRY_ASSIGN(const Json role, parse_json(as_text(stored->value.reveal())));
    return Intent(core::intent::Issue{account_of(name, role), {}});
  };
  issue.settle = [](Call&, WriteTxn&, const Intent& intent) -> Result<Response> {
    const auto& create = core::only<core::intent::Issue>(intent).create;
    Json data = Json::object();
    data.set("username", create.account);
    data.set("password", as_text(create.password.reveal()));
    return Response::of(data);
  };
  issue.explain = [](const Error& error) {
    if (error.code != Code::denied) return error;
    return failure(Code::internal, "the target: " + error.message, error.detail);
  };
  routes_.push_back(route("creds/:name", {}, {{Operation::read, issue, Place::inline_}}));

  core::Effect probe;
  probe.plan = [this](Call& call, ReadTxn&) -> Result<Intent> {
    return Intent(core::intent::Probe{account_of(call.fields.text("name"), role_of(call))});
  };
  probe.settle = [](Call& call, WriteTxn& txn, const Intent&) { return store_role(call, txn); };
  probe.untried = [](const Error& error) { return "untried: " + error.message; };
  routes_.push_back(route("tried/:name", fields, {{Operation::update, probe, Place::inline_}}));

  core::Effect check;
  check.plan = [](Call&, ReadTxn&) -> Result<Intent> { return Intent(core::intent::Check()); };
  check.candidate = [this](Call& call, ReadTxn&) {
    return Result<std::unique_ptr<target::Target>>(
        make_account_target(servers_[call.fields.text("target")]));
  };
  check.settle = [](Call& call, WriteTxn& txn, const Intent&) { return store_role(call, txn); };
  check.explain = [](const Error& error) {
    return failure(Code::invalid, "the target: " + error.message, error.detail);
  };
  routes_.push_back(route("checked/:name", fields, {{Operation::update, check, Place::inline_}}));
}

void TestEngine::add_notes() {
  const auto read = [](Call& call, ReadTxn& txn) -> Result<Response> {
    VAULT_TRY_ASSIGN(auto stored, txn.get("notes/" + call.fields.text("path")));
    if (!stored) return Response::refused(404, "");
    return Response::of_text(std::move(stored->value));
  };
  const auto write = [](Call& call, WriteTxn& txn) -> Result<Response> {
    const std::string text = call.request.body.dump();
    VAULT_TRY(txn.put("notes/" + call.fields.text("path"), as_bytes(text)));
    return Response::none();
  };
  const auto erase = [](Call& call, WriteTxn& txn) -> Result<Response> {
    VAULT_TRY(txn.erase("notes/" + call.fields.text("path")));
    return Response::none();
  };
  const auto list = [](Call& call, ReadTxn& txn) -> Result<Response> {
    std::string directory = call.fields.text("path");
    if (!directory.empty() && !directory.ends_with('/')) directory += '/';
    VAULT_TRY_ASSIGN(const auto names, txn.list("notes/" + directory));
    return Response::keys(names);
  };
  Route notes = route("notes/:path*", {},
                      {{Operation::read, core::ReadHandler(read), Place::inline_},
                       {Operation::update, core::WriteHandler(write), Place::inline_},
                       {Operation::remove, core::WriteHandler(erase), Place::inline_},
                       {Operation::list, core::ReadHandler(list), Place::lists}});
  notes.whole_body = true;
  notes.exists = [](Call& call, ReadTxn& txn) -> Result<bool> {
    VAULT_TRY_ASSIGN(const auto version, txn.version("notes/" + call.fields.text("path")));
    return version != 0;
  };
  routes_.push_back(std::move(notes));
}

void TestEngine::add_oddities() {
  const auto count = [this](Call& call, WriteTxn& txn) -> Result<Response> {
    servers_.count();
    servers_.in_handler();
    const std::string name = "counters/" + call.fields.text("name");
    VAULT_TRY_ASSIGN(const auto stored, txn.get(name));
    const int value = stored ? std::stoi(std::string(as_text(stored->value.reveal()))) : 0;
    VAULT_TRY(txn.put(name, as_bytes(std::to_string(value + 1))));
    Json data = Json::object();
    data.set("value", value + 1);
    call.events.push_back({"counted", data});
    return Response::of(data);
  };
  routes_.push_back(route("counters/:name", {},
                          {{Operation::update, core::WriteHandler(count), Place::inline_}}));
  const auto open = [](Call& call, ReadTxn&) -> Result<Response> {
    Json data = Json::object();
    data.set("known", call.caller.present);
    call.events.push_back({"looked", data});
    return Response::of(data);
  };
  routes_.push_back(
      route("open/:name", {}, {{Operation::read, core::ReadHandler(open), Place::inline_}}));
  routes_.back().unauthenticated = true;
  const auto slow = [this](Call&, ReadTxn&) -> Result<Response> {
    servers_.in_handler();
    return Response::of(Json::object());
  };
  routes_.push_back(route("slow", {}, {{Operation::read, core::ReadHandler(slow), Place::lists}}));
  const auto broken = [](Call&, ReadTxn&) -> Result<Response> {
    return failure(Code::internal, "internal error", "a detail for the log");
  };
  routes_.push_back(
      route("broken", {}, {{Operation::read, core::ReadHandler(broken), Place::inline_}}));
}

}  // namespace

std::unique_ptr<core::EngineKind> make_test_engine_kind(AccountServers& servers) {
  auto kind = std::make_unique<core::EngineKind>();
  kind->wire_type = "test";
  kind->engine = std::make_unique<TestEngine>(servers);
  kind->routes = std::make_unique<core::RouteTrie>(kind->engine->routes());
  return kind;
}

}  // namespace leasehold::testing
