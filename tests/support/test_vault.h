#pragma once
// A whole vault in the test: storage, seal with one unseal share, audit file, core, workers and one
// io thread, on a clock that moves when the test says so. Unsealed when it is constructed, with the
// test engine mounted at "test/".
//
//   TestVault vault;
//   const Answer answer = vault.post("test/notes/a", vault.root(), R"({"x":1})");
//   CHECK(answer.status() == 204);
//   auto pending = vault.begin("GET", "test/creds/ro", vault.root());   // does not wait
//   ... CHECK(vault.wait(pending).status() == 200);
//
// Requests run on the io thread as a listener's would; any test thread may make them.

#include <mutex>
#include <thread>

#include "backends/storage/memory.h"
#include "tests/support/eventually.h"
#include "tests/support/every_storage.h"
#include "tests/support/fake_clock.h"
#include "tests/support/seeded_random.h"
#include "tests/support/test_engine.h"
#include "vault/core/contract/asked_headers.h"
#include "vault/core/life/lifecycle.h"
#include "vault/core/road/core.h"
#include "vault/core/road/workers.h"

namespace leasehold::testing {

class SafeRandom final : public Random {
 public:
  void fill(std::span<std::uint8_t> out) override {
    const std::lock_guard<std::mutex> lock(mutex_);
    random_.fill(out);
  }

 private:
  std::mutex mutex_;
  SeededRandom random_;
};

class KeptLog final : public LogSink {
 public:
  void write(LogLevel level, std::string_view message) override {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (level == LogLevel::error) text_ += "error: ";
    text_ += std::string(message) + "\n";
  }
  std::string text() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return text_;
  }

 private:
  mutable std::mutex mutex_;
  std::string text_;
};

// What a client gets to see.
class Answer {
 public:
  Answer() = default;
  explicit Answer(core::Response&& response) : response_(std::move(response)) {}
  int status() const;
  Json data() const;          // null when there is none
  std::string error() const;  // the first; "" without
  std::string token() const;  // of `auth`
  const core::Response& response() const { return response_; }
  core::Response& response() { return response_; }

 private:
  core::Response response_;
};

// Where a vault lives, so that it can be started again. `clock` and `servers` are the world's.
struct TestWorld {
  TestWorld() : servers(clock), storage(storage::make_memory_storage()) {}
  explicit TestWorld(std::unique_ptr<storage::Storage> kept)
      : servers(clock), storage(std::move(kept)) {}
  // Changed by a test: audit devices refuse.
  std::atomic<bool> audit_fails{false};
  // An init goes on in a log that has lines, as earlier versions did.
  std::atomic<bool> audit_seems_new{false};
  FakeClock clock;
  SafeRandom random;
  KeptLog log;
  AccountServers servers;
  TemporaryDirectory directory;  // of the audit file
  std::unique_ptr<storage::Storage> storage;
  std::string unseal_key, root_token;
  std::function<seal::Seal::Protectors()> protectors;  // none: shares only
  std::vector<core::EngineRow> engines, auths;         // beside the test engine
  std::span<const target::TargetRow> targets;          // of the engines
  unsigned shares = 1, threshold = 1;
  seal::RecoveryMode recovery_mode = seal::RecoveryMode::unseal;  // of an init with devices
  bool audited = true;
  bool audit_sync_always = false;
  core::Restored restored = core::Restored::no;  // what the operator says at the next start
  std::vector<core::ConfiguredPart> configured;
  Seconds sweep_period{0};  // 0: the vault does not sweep by itself
  core::AskedHeaders asked_headers;
  std::size_t held_max = core::Workers::kHeldMax;

  std::string audit_path() const { return directory.path() + "/audit.log"; }
  std::string audit_text() const;
  std::vector<std::string> audit_lines() const;
};

class TestVault {
 public:
  // A vault of its own world, or one over `world`, which is initialized when it was not yet.
  TestVault();
  // `raw`: neither initialized nor unsealed nor mounted.
  explicit TestVault(TestWorld& world, bool raw = false);
  ~TestVault();
  TestVault(const TestVault&) = delete;
  TestVault& operator=(const TestVault&) = delete;

  struct Pending;
  using Waiting = std::shared_ptr<Pending>;
  Waiting begin(const std::string& method, const std::string& path, const std::string& token,
                const std::string& body = {});
  Waiting begin(core::Request request);
  // The client of a request hangs up: its answer goes back to the core.
  void hang_up(const Waiting& waiting);
  bool answered(const Waiting& waiting) const;
  // Within two minutes, or the program ends.
  Answer wait(const Waiting& waiting);

  Answer request(const std::string& method, const std::string& path, const std::string& token,
                 const std::string& body = {}) {
    return wait(begin(method, path, token, body));
  }
  Answer get(const std::string& path, const std::string& token) {
    return request("GET", path, token);
  }
  Answer post(const std::string& path, const std::string& token, const std::string& body = "{}") {
    return request("POST", path, token, body);
  }
  Answer list(const std::string& path, const std::string& token) {
    return request("LIST", path, token);
  }
  Answer remove(const std::string& path, const std::string& token) {
    return request("DELETE", path, token);
  }

  const std::string& root() const { return world_.root_token; }
  // A token made by `by` (the root token when empty): `fields` as of auth/token/create.
  std::string token(const std::string& fields, const std::string& by = {});
  void policy(const std::string& name, const std::string& text);
  // A role "ro" of the test engine over server "db", with these fields.
  void role(const std::string& fields = "{}", const std::string& name = "ro");
  std::shared_ptr<AccountServer> server(const std::string& name = "db") {
    return world_.servers[name];
  }

  Answer init();
  Answer unseal();
  // Through sys/seal; returns when the vault is sealed.
  void seal();
  bool sealed();
  void advance(Nanos by) { world_.clock.advance(by); }

  // Polls until `condition` holds, at most a minute of real time: the machine may be busy.
  template <class Condition>
  static bool eventually(Condition condition);
  // The same, while the clock goes on by `step` with each look.
  template <class Condition>
  bool as_time_passes(Condition condition, Nanos step = std::chrono::milliseconds(500));

  // Looks at storage the way the core does.
  template <class Body>
  auto read(Body body);
  std::size_t count(barrier::Table table);  // records of a table
  std::size_t targets();                    // that have a lane
  bool verifies();                          // the head's hash covers the store
  // Eventually: what is seen done is told only then.
  bool logs(const std::string& text) {
    return eventually([&] { return world_.log.text().find(text) != std::string::npos; });
  }

  TestWorld& world() { return world_; }
  core::Core& core() { return *core_; }
  core::Workers& workers() { return *workers_; }
  core::Lifecycle& lifecycle() { return *lifecycle_; }
  seal::Seal& seal_of() { return *seal_; }

 private:
  void build();
  void prepare();
  core::Environment environment();

  std::unique_ptr<TestWorld> own_;
  TestWorld& world_;
  std::unique_ptr<seal::Seal> seal_;
  std::unique_ptr<core::Workers> workers_;
  std::unique_ptr<core::Lifecycle> lifecycle_;
  std::unique_ptr<core::Core> core_;
  std::unique_ptr<Loop> loop_;
  std::thread thread_;
};

template <class Condition>
bool TestVault::eventually(Condition condition) {
  return testing::eventually(std::move(condition));
}

template <class Condition>
bool TestVault::as_time_passes(Condition condition, Nanos step) {
  return eventually([&] {
    if (condition()) return true;
    advance(step);
    return false;
  });
}

template <class Body>
auto TestVault::read(Body body) {
  core::Unsealed* live = lifecycle_->enter();
  VAULT_ASSERT(live != nullptr);
  auto held = live->snapshots.take();
  VAULT_ASSERT(held.ok());
  commit::ReadTxn txn(**held, live->barrier, barrier::kCoreSpace);
  auto result = body(*live, txn);
  lifecycle_->leave();
  return result;
}

}  // namespace leasehold::testing
