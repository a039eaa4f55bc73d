#include "tests/support/test_vault.h"

#include <cstdio>
#include <fstream>
#include <sstream>

#include "backends/audit/log_file.h"

namespace leasehold::testing {

namespace {

// The world's audit file, until the test makes it fail.
class SwitchedDevice final : public audit::Device {
 public:
  SwitchedDevice(const std::string& file, std::atomic<bool>& fails, std::atomic<bool>& seems_new)
      : file_(file, 0600), fails_(fails), seems_new_(seems_new) {
    type = "file";
    path = "file/";
  }
  Result<audit::Tail> open() override {
    VAULT_TRY(works());
    return file_.open();
  }
  Status write(std::string_view lines) override {
    VAULT_TRY(works());
    return file_.write(lines);
  }
  Status sync() override { return file_.sync(); }
  Result<bool> reopen() override { return file_.reopen(); }
  Status each_back(FunctionRef<bool(std::string_view)> each) override {
    return file_.each_back(each);
  }
  bool is_used() const override { return !seems_new_ && file_.is_used(); }
  std::string where() const override { return file_.where(); }

 private:
  Status works() const {
    if (fails_) return failure(Code::no_space, "the audit device failed as the test asked");
    return {};
  }
  audit::LogFile file_;
  std::atomic<bool>& fails_;
  std::atomic<bool>& seems_new_;
};

core::Operation operation_of(const std::string& method) {
  if (method == "GET") return core::Operation::read;
  if (method == "LIST") return core::Operation::list;
  if (method == "DELETE") return core::Operation::remove;
  if (method == "PATCH") return core::Operation::patch;
  if (method == "HELP") return core::Operation::help;
  if (method == "HEAD") return core::Operation::head;
  return core::Operation::update;
}

}  // namespace

int Answer::status() const {
  return response_.status != 0 ? response_.status : response_.has_body() ? 200 : 204;
}
Json Answer::data() const {
  if (response_.data.empty()) return {};
  auto parsed = parse_json(as_text(response_.data.reveal()));
  return parsed.ok() ? std::move(parsed).value() : Json();
}
std::string Answer::error() const {
  return response_.errors.empty() ? std::string() : response_.errors.front();
}
std::string Answer::token() const {
  return response_.auth ? std::string(as_text(response_.auth->client_token.reveal()))
                        : std::string();
}

std::string TestWorld::audit_text() const {
  std::ifstream in(audit_path(), std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}
std::vector<std::string> TestWorld::audit_lines() const {
  std::vector<std::string> lines;
  std::istringstream in(audit_text());
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

// One request, its client, and its answer.
struct TestVault::Pending final : core::Exchange, Waiter {
  TestVault* vault = nullptr;
  core::Request request;
  std::shared_ptr<Pending> self;  // until it is answered
  mutable std::mutex mutex;
  std::condition_variable changed;
  bool has_answer = false, hung_up = false;
  Answer answer;

  bool has_gone() const override {
    const std::lock_guard<std::mutex> lock(mutex);
    return hung_up;
  }
  void deliver(core::Response&& response) override {
    {
      const std::lock_guard<std::mutex> lock(mutex);
      if (!hung_up) answer = Answer(std::move(response));
    }
    if (hung_up) vault->core_->undelivered(core::issued_by(response));
    --vault->loop_->live;
    const auto keep = std::move(self);
    const std::lock_guard<std::mutex> lock(mutex);
    has_answer = true;
    changed.notify_all();
  }
};

TestVault::TestVault() : own_(std::make_unique<TestWorld>()), world_(*own_) {
  build();
  prepare();
}
TestVault::TestVault(TestWorld& world, bool raw) : world_(world) {
  build();
  if (!raw) prepare();
}

TestVault::~TestVault() {
  world_.servers.release_all();
  lifecycle_->stop();
  workers_->stop();
  loop_->stop();
  thread_.join();
}

core::Environment TestVault::environment() {
  core::Environment made{
      *world_.storage,
      world_.clock,
      world_.random,
      world_.log,
      {},
      [this] {
        std::vector<std::unique_ptr<core::EngineKind>> kinds;
        kinds.push_back(make_test_engine_kind(world_.servers));
        const core::EngineContext context{world_.clock, world_.random, world_.log, world_.targets};
        for (const core::EngineRow& row : world_.engines)
          kinds.push_back(core::make_kind(row, context, false));
        for (const core::EngineRow& row : world_.auths)
          kinds.push_back(core::make_kind(row, context, true));
        return kinds;
      },
      [this]() -> Result<std::vector<std::unique_ptr<audit::Device>>> {
        std::vector<std::unique_ptr<audit::Device>> devices;
        if (world_.audited) {
          devices.push_back(std::make_unique<SwitchedDevice>(
              world_.audit_path(), world_.audit_fails, world_.audit_seems_new));
          devices.back()->sync_always = world_.audit_sync_always;
        }
        return devices;
      },
      false,
      nullptr,
      nullptr};
  made.restored = world_.restored;
  made.configured = world_.configured;
  made.lease_sweep_period = world_.sweep_period;
  made.asked_headers = &world_.asked_headers;
  return made;
}

void TestVault::build() {
  seal_ = std::make_unique<seal::Seal>(
      *world_.storage, world_.random, world_.clock, world_.log,
      world_.protectors ? world_.protectors() : seal::Seal::Protectors());
  const Status loaded = seal_->load();
  VAULT_ASSERT(loaded.ok());
  workers_ = std::make_unique<core::Workers>(
      core::Workers::Sizes{{{2, 64}, {2, 64}, {2, 64}, {2, 64}, {2, 4}, {2, 64}}}, world_.held_max);
  lifecycle_ = std::make_unique<core::Lifecycle>(environment(), *seal_, world_.recovery_mode,
                                                 "test-cluster", "0.0.0", "2026-11-23");
  core_ = std::make_unique<core::Core>(*lifecycle_, *workers_, environment());
  loop_ = std::make_unique<Loop>(world_.clock);
  thread_ = std::thread([this] { loop_->run(); });
  lifecycle_->start();
}

void TestVault::prepare() {
  const bool fresh = !seal_->initialized();
  if (fresh) VAULT_ASSERT(init().status() == 200);
  VAULT_ASSERT(unseal().status() == 200);
  VAULT_ASSERT(!sealed());
  if (!fresh) return;
  const Answer mounted = post("sys/mounts/test", root(), R"({"type":"test"})");
  if (mounted.status() != 204) std::fprintf(stderr, "mount: %s\n", mounted.error().c_str());
  VAULT_ASSERT(mounted.status() == 204);
}

TestVault::Waiting TestVault::begin(core::Request request) {
  auto pending = std::make_shared<Pending>();
  pending->vault = this;
  pending->request = std::move(request);
  pending->self = pending;
  pending->home = loop_.get();
  pending->resume = [](Waiter* waiter) {
    auto* one = static_cast<Pending*>(waiter);
    ++one->vault->loop_->live;
    one->vault->core_->handle(std::move(one->request), *one);
  };
  loop_->post(pending.get());
  return pending;
}

TestVault::Waiting TestVault::begin(const std::string& method, const std::string& path,
                                    const std::string& token, const std::string& body) {
  core::Request request;
  request.operation = operation_of(method);
  request.path = path;
  // As the listener does.
  if (request.operation == core::Operation::list && !path.ends_with('/')) request.path += '/';
  request.token = token;
  request.remote_address = "127.0.0.1";
  if (!body.empty()) {
    auto parsed = parse_json(body);
    VAULT_ASSERT(parsed.ok());
    request.body = std::move(parsed).value();
  }
  return begin(std::move(request));
}

void TestVault::hang_up(const Waiting& waiting) {
  const std::lock_guard<std::mutex> lock(waiting->mutex);
  waiting->hung_up = true;
}
bool TestVault::answered(const Waiting& waiting) const {
  const std::lock_guard<std::mutex> lock(waiting->mutex);
  return waiting->has_answer;
}

Answer TestVault::wait(const Waiting& waiting) {
  std::unique_lock<std::mutex> lock(waiting->mutex);
  const bool in_time = waiting->changed.wait_for(lock, std::chrono::seconds(120),
                                                 [&] { return waiting->has_answer; });
  if (!in_time) std::fprintf(stderr, "no answer; the log:\n%s", world_.log.text().c_str());
  VAULT_ASSERT(in_time);
  return std::move(waiting->answer);
}

std::string TestVault::token(const std::string& fields, const std::string& by) {
  const Answer made = post("auth/token/create", by.empty() ? root() : by, fields);
  if (made.token().empty()) std::fprintf(stderr, "token: %s\n", made.error().c_str());
  VAULT_ASSERT(!made.token().empty());
  return made.token();
}
void TestVault::policy(const std::string& name, const std::string& text) {
  Json body = Json::object();
  body.set("policy", text);
  VAULT_ASSERT(post("sys/policies/acl/" + name, root(), body.dump()).status() == 204);
}
void TestVault::role(const std::string& fields, const std::string& name) {
  VAULT_ASSERT(post("test/roles/" + name, root(), fields).status() == 204);
}

Answer TestVault::init() {
  Json body = Json::object();
  body.set("secret_shares", static_cast<std::int64_t>(world_.shares));
  body.set("secret_threshold", static_cast<std::int64_t>(world_.threshold));
  Answer made = post("sys/init", "", body.dump());
  if (made.status() != 200) return made;
  const Json data = made.data();
  world_.root_token = data.string_at("root_token");
  world_.unseal_key = data.strings_at("keys").front();
  return made;
}

Answer TestVault::unseal() {
  Json body = Json::object();
  body.set("key", world_.unseal_key);
  return post("sys/unseal", "", body.dump());
}

void TestVault::seal() {
  const Answer asked = post("sys/seal", root());
  if (asked.status() != 204)
    std::fprintf(stderr, "seal: %d %s\n", asked.status(), asked.error().c_str());
  VAULT_ASSERT(asked.status() == 204);
  VAULT_ASSERT(eventually([&] { return sealed(); }));
}

bool TestVault::sealed() { return get("sys/seal-status", "").data().bool_at("sealed"); }

std::size_t TestVault::count(barrier::Table table) {
  return read([&](core::Unsealed&, commit::ReadTxn& txn) {
    const barrier::PhysicalKey from(table);
    std::size_t records = 0;
    const Status scanned = txn.scan(from, from.end_of_prefix(), SIZE_MAX, storage::Scan::keys,
                                    [&](const storage::Entry&) {
                                      ++records;
                                      return true;
                                    });
    VAULT_ASSERT(scanned.ok());
    return records;
  });
}

std::size_t TestVault::targets() {
  return read([](core::Unsealed& live, commit::ReadTxn&) { return live.revoker->lanes(); });
}

bool TestVault::verifies() {
  return read([&](core::Unsealed& live, commit::ReadTxn& txn) {
    const auto verified =
        commit::verify_store(txn.snapshot(), live.barrier, [](std::uint64_t) { return true; });
    return verified.ok() && verified->matches;
  });
}

}  // namespace leasehold::testing
