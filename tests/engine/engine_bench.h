#pragma once
// One engine on a storage in memory, asked as the core would ask it, without a server, tokens or
// leases: route, fields, handler, commit; of an effect plan, the work on the target, settle.
//
//   EngineBench kv(engine::make_kv_v1);
//   CHECK(kv.post("a", R"({"x":1})").status == 204);

#include <doctest/doctest.h>

#include <algorithm>

#include "tests/support/vault_store.h"
#include "vault/base/encoding.h"
#include "vault/core/contract/fields.h"
#include "vault/core/contract/router.h"

namespace leasehold::testing {

struct EngineAnswer {
  int status = 0;
  Json data;          // null when there is none
  std::string error;  // the first
  core::Response response;

  std::string text(std::string_view key) const {
    return data.is_object() ? data.string_at(key) : std::string();
  }
};

class KeptLog final : public LogSink {
 public:
  void write(LogLevel level, std::string_view message) override {
    if (level == LogLevel::warn) warnings_.emplace_back(message);
  }
  const std::vector<std::string>& warnings() const { return warnings_; }

 private:
  std::vector<std::string> warnings_;
};

class EngineBench {
 public:
  using Make = std::unique_ptr<core::Engine> (*)(const core::EngineContext&);

  explicit EngineBench(Make make, std::span<const target::TargetRow> targets = {})
      : engine_(make({store.clock, store.random, log, targets})), routes_(engine_->routes()) {
    mount_.path = "mount/";
    mount_.space = kTestSpace;
    mount_.default_ttl = mount_.max_ttl = Seconds(768 * 3600);
  }

  // One slice of due work; false: that was the last.
  bool due() {
    const auto snapshot = store.snapshot();
    commit::Batch batch({}, commit::Unrecorded{"a test"});
    core::WriteTxn txn(*snapshot, store.barrier, kTestSpace, batch);
    const auto slice = engine_->due(txn, "", store.clock.now());
    REQUIRE(slice.ok());
    if (!batch.empty()) REQUIRE(store.committer.commit(batch).status().ok());
    return !slice->next.empty();
  }
  // As a mount's tune to a higher version does.
  void upgrade(Make make, int from) {
    engine_ = make({store.clock, store.random, log, {}});
    routes_ = core::RouteTrie(engine_->routes());
    const auto snapshot = store.snapshot();
    commit::Batch batch({}, commit::Unrecorded{"a test"});
    core::WriteTxn txn(*snapshot, store.barrier, kTestSpace, batch);
    REQUIRE(engine_->upgrade(from, txn, store.clock.now()).ok());
    REQUIRE(store.committer.commit(batch).status().ok());
  }

  EngineAnswer get(std::string_view path) { return ask(core::Operation::read, path, {}); }
  EngineAnswer get(std::string_view path, std::string_view query) {
    return ask(core::Operation::read, path, query);
  }
  EngineAnswer list(std::string_view path, std::string_view query = {}) {
    return ask(core::Operation::list, path, query);
  }
  EngineAnswer scan(std::string_view path, std::string_view query = {}) {
    return ask(core::Operation::scan, path, query);
  }
  EngineAnswer remove(std::string_view path) { return ask(core::Operation::remove, path, {}); }
  EngineAnswer patch(std::string_view path, std::string_view body) {
    return ask(core::Operation::patch, path, body);
  }
  EngineAnswer post(std::string_view path, std::string_view body = "{}") {
    return ask(core::Operation::update, path, body);
  }
  bool exists(std::string_view path) {
    core::Captures captures;
    const core::Route* route = routes_.find(path, captures);
    core::Request request;
    std::vector<std::string> warnings;
    auto fields = core::fields_of(*route, request.operation, captures, request.body, warnings);
    core::Call call = call_of(request, path, *fields);
    const auto snapshot = store.snapshot();
    core::ReadTxn txn(*snapshot, store.barrier, kTestSpace);
    const auto found = route->exists(call, txn);
    REQUIRE(found.ok());
    return *found;
  }
  // What the last effect planned and, with an account, made.
  const core::Intent& intent() const { return *intent_; }
  template <class Kind>
  const Kind& planned() const {
    return core::only<Kind>(intent());
  }
  const std::vector<core::Event>& events() const { return events_; }  // of the last settle
  Result<std::unique_ptr<target::Target>> target(const core::TargetId& id) {
    const auto snapshot = store.snapshot();
    core::ReadTxn txn(*snapshot, store.barrier, kTestSpace);
    return engine_->target(id, txn);
  }
  // Another server answered where the target led to.
  bool moves(const core::TargetId& id, const std::string& server_now) {
    const auto snapshot = store.snapshot();
    commit::Batch batch({}, commit::Unrecorded{"a test"});
    core::WriteTxn txn(*snapshot, store.barrier, kTestSpace, batch);
    const auto moved = engine_->moved(id, server_now, txn);
    REQUIRE(moved.ok());
    if (!batch.empty()) REQUIRE(store.committer.commit(batch).status().ok());
    return *moved;
  }
  // A connection of this target settles a rotation that was begun.
  Status recovers(const core::TargetId& id, target::Connection& connection) {
    const auto snapshot = store.snapshot();
    commit::Batch batch({}, commit::Unrecorded{"a test"});
    core::WriteTxn txn(*snapshot, store.barrier, kTestSpace, batch);
    VAULT_TRY_ASSIGN(const auto event, engine_->recover(id, {connection, "run", soon()}, txn));
    static_cast<void>(event);
    return store.committer.commit(batch).status();
  }
  std::string target_name(const core::TargetId& id) {
    const auto snapshot = store.snapshot();
    core::ReadTxn txn(*snapshot, store.barrier, kTestSpace);
    return engine_->target_name(id, txn);
  }
  Instant soon() { return add(real_clock.instant(), std::chrono::seconds(10)); }

  VaultStore store;
  KeptLog log;  // of the engine
  core::Caller caller;
  SystemClock real_clock;
  const target::Tag tag{"bench1", "benchincarnation"};

 private:
  core::Call call_of(const core::Request& request, std::string_view path,
                     const core::Fields& fields) {
    return {request, mount_, caller, fields, path, store.clock.now(), store.random, {}};
  }

  EngineAnswer ask(core::Operation operation, std::string_view path, std::string_view body) {
    core::Request request;
    request.operation = operation;
    if (!body.empty()) {
      auto parsed = parse_json(body);
      REQUIRE(parsed.ok());
      request.body = std::move(*parsed);
    }
    auto answer = run(request, path);
    return answer.ok() ? shown(std::move(*answer)) : shown(core::error_response(answer.error()));
  }

  Result<core::Response> run(const core::Request& request, std::string_view path) {
    core::Captures captures;
    const core::Route* route = routes_.find(path, captures);
    if (route == nullptr) return failure(Code::not_found, "unsupported path");
    for (const core::Action& action : route->actions) {
      if (action.operation != request.operation) continue;
      std::vector<std::string> ignored;
      VAULT_TRY_ASSIGN(const core::Fields fields,
                       core::fields_of(*route, request.operation, captures, request.body, ignored));
      core::Call call = call_of(request, path, fields);
      VAULT_TRY_ASSIGN(core::Response response, handle(action, call));
      say(response.warnings, call.warnings);
      auto& quiet = response.has_body() ? response.warnings : response.quiet_warnings;
      say(quiet, call.quiet_warnings);
      say(quiet, ignored);
      return response;
    }
    return failure(Code::unsupported, "unsupported operation");
  }

  // As the road does: what several parts of an effect say is said once.
  static void say(std::vector<std::string>& into, const std::vector<std::string>& warnings) {
    for (const std::string& one : warnings)
      if (std::find(into.begin(), into.end(), one) == into.end()) into.push_back(one);
  }

  Result<core::Response> handle(const core::Action& action, core::Call& call) {
    const auto snapshot = store.snapshot();
    if (const auto* read = std::get_if<core::ReadHandler>(&action.handler)) {
      core::ReadTxn txn(*snapshot, store.barrier, kTestSpace);
      return (*read)(call, txn);
    }
    if (const auto* write = std::get_if<core::WriteHandler>(&action.handler)) {
      commit::Batch batch({}, commit::Unrecorded{"a test"});
      core::WriteTxn txn(*snapshot, store.barrier, kTestSpace, batch);
      VAULT_TRY_ASSIGN(core::Response response, (*write)(call, txn));
      if (!batch.empty()) VAULT_TRY(store.committer.commit(batch).status());
      return response;
    }
    const auto& effect = std::get<core::Effect>(action.handler);
    auto answer = apply(effect, call, *snapshot);
    if (!answer.ok() && at_target_ && effect.explain) return effect.explain(answer.error());
    return answer;
  }

  Result<core::Response> apply(const core::Effect& effect, core::Call& call,
                               storage::Snapshot& snapshot) {
    core::ReadTxn txn(snapshot, store.barrier, kTestSpace);
    intent_.reset();
    at_target_ = false;
    VAULT_TRY_ASSIGN(intent_, effect.plan(call, txn));
    at_target_ = true;
    if (effect.candidate) {
      VAULT_TRY_ASSIGN(const auto candidate, effect.candidate(call, txn));
      if (candidate) {
        VAULT_TRY_ASSIGN(const auto connected, candidate->connect(tag, soon()));
        if (auto* check = std::get_if<core::intent::Check>(&*intent_))
          check->server = connected->identity();
      }
    }
    const Status done = on_target(*intent_, txn);
    if (done.is(Code::unavailable) && effect.untried) {
      call.quiet_warnings.push_back(effect.untried(done.error()));
      intent_ = core::intent::Nothing();
    } else {
      VAULT_TRY(done);
    }
    at_target_ = false;
    commit::Batch batch({}, commit::Unrecorded{"a test"});
    core::WriteTxn writes(snapshot, store.barrier, kTestSpace, batch);
    VAULT_TRY_ASSIGN(core::Response response, effect.settle(call, writes, *intent_));
    events_ = std::move(call.events);
    if (!batch.empty()) VAULT_TRY(store.committer.commit(batch).status());
    return response;
  }

  Status on_target(core::Intent& intent, core::ReadTxn& txn) {
    core::intent::Account* account = core::account_of(intent);
    if (account == nullptr) return {};
    target::CreateOrder& create = account->create;
    VAULT_TRY_ASSIGN(const auto made, engine_->target(account->target, txn));
    VAULT_TRY_ASSIGN(const auto connection, made->connect(tag, soon()));
    if (create.account.empty())
      create.account =
          made->account_name(tag, account->role, leasehold::hex(store.random.take<10>()));
    VAULT_TRY(made->takes_name(create.account));
    create.not_after = add(real_clock.now(), Seconds(600));
    VAULT_TRY_ASSIGN(const std::string handle, connection->create(create, soon()));
    if (std::holds_alternative<core::intent::Issue>(intent)) return {};
    const Status logged_in = connection->try_login(create.account, create.password, soon());
    const target::RevokeOrder undo{create.account, account->revocation_statements, handle};
    VAULT_TRY(connection->revoke(undo, soon()));
    return logged_in;
  }

  static EngineAnswer shown(core::Response&& response) {
    EngineAnswer answer;
    answer.status = response.status != 0 ? response.status : response.has_body() ? 200 : 204;
    if (!response.errors.empty()) answer.error = response.errors.front();
    if (!response.data.empty()) {
      auto parsed = parse_json(as_text(response.data.reveal()));
      REQUIRE(parsed.ok());
      answer.data = std::move(*parsed);
    }
    answer.response = std::move(response);
    return answer;
  }

  std::unique_ptr<core::Engine> engine_;
  core::RouteTrie routes_;
  core::MountInfo mount_;
  std::optional<core::Intent> intent_;
  bool at_target_ = false;  // what failed, failed there
  std::vector<core::Event> events_;
};

}  // namespace leasehold::testing
