// How many large answers are in memory at once, however many are asked for.

#include <doctest/doctest.h>

#include "tests/support/occupied.h"
#include "tests/support/test_vault.h"
#include "vault/core/contract/routes.h"

using namespace leasehold;
using core::WorkClass;
using testing::Occupied;
using testing::TestVault;

namespace {

constexpr std::size_t kLarge = 2 * core::kSmallBodyMax;
constexpr int kThreads = 2;  // of a class

std::atomic<int> made{0};
std::atomic<bool> blocked{false}, meeting{false}, let_go{false};

// Large answers of each kind, and a handler that stops its io thread.
class Heavy final : public core::Engine {
 public:
  Heavy() {
    const auto walk = [](core::Call&, core::ReadTxn&) -> Result<core::Response> {
      ++made;
      return core::Response::of_text(SecretBytes("\"" + std::string(kLarge, 'x') + "\""));
    };
    const auto read = [](core::Call&, core::ReadTxn& txn) -> Result<core::Response> {
      VAULT_TRY_ASSIGN(auto stored, txn.get("value"));
      ++made;
      return core::Response::of_text(std::move(stored->value));
    };
    const auto write = [](core::Call&, core::WriteTxn& txn) -> Result<core::Response> {
      VAULT_TRY(txn.get("value"));
      ++made;
      if (meeting) let_go.wait(false);
      VAULT_TRY(txn.put("value", as_bytes("\"" + std::string(kLarge, 'y') + "\"")));
      return core::Response::none();
    };
    const auto touch = [](core::Call&, core::WriteTxn& txn) -> Result<core::Response> {
      VAULT_TRY(txn.put("value", as_bytes("1")));
      return core::Response::none();
    };
    const auto block = [](core::Call&, core::ReadTxn&) -> Result<core::Response> {
      blocked = true;
      blocked.notify_all();
      let_go.wait(false);
      return core::Response::of(Json::object());
    };
    routes_.push_back(core::route("walk", {}, {core::reads(walk, core::Place::lists)}, "Walks."));
    routes_.push_back(core::route(
        "value", {}, {core::reads(read), core::writes(write, core::Place::lists)}, "Reads."));
    routes_.push_back(core::route("touch", {}, {core::writes(touch)}, "Writes."));
    routes_.push_back(core::route("block", {}, {core::reads(block)}, "Waits."));
  }
  std::span<const core::Route> routes() const override { return routes_; }

 private:
  std::vector<core::Route> routes_;
};

std::unique_ptr<core::Engine> make_heavy(const core::EngineContext&) {
  return std::make_unique<Heavy>();
}

// Room for one answer: as many as a class has threads may begin before it is taken.
struct HeavyWorld : testing::TestWorld {
  HeavyWorld() {
    engines = {{"heavy", 0, make_heavy, "Heavy"}};
    held_max = kLarge;
  }
};

struct HeavyVault {
  HeavyVault() : vault(world) {
    CHECK(vault.post("sys/mounts/heavy", vault.root(), R"({"type":"heavy"})").status() == 204);
    CHECK(vault.post("heavy/value", vault.root()).status() == 204);
    made = 0;
  }
  HeavyWorld world;
  TestVault vault;
};

// Each of the class's threads has had many chances to begin something else.
void let_threads_look(core::Workers& workers, WorkClass kind) {
  struct Look : core::WorkerTask {
    std::atomic<bool> done{false};
  };
  for (int i = 0; i < 200; ++i) {
    Look look;
    look.entry = core::WorkerTask::Entry::ends;
    look.work = [](core::WorkerTask*) {};
    look.resume = [](Waiter* waiter) { static_cast<Look*>(waiter)->done = true; };
    REQUIRE(workers.submit(kind, &look));
    CHECK(TestVault::eventually([&] { return look.done.load(); }));
  }
}

}  // namespace

TEST_CASE_FIXTURE(HeavyVault,
                  "large answers: so much is made before it is delivered, and no more") {
  std::string path, wrap_ttl;
  WorkClass kind = WorkClass::bodies;
  SUBCASE("values") { path = "heavy/value"; }
  SUBCASE("lists") {
    path = "heavy/walk";
    kind = WorkClass::lists;
  }
  SUBCASE("values that are wrapped, each a large batch") {
    path = "heavy/value";
    wrap_ttl = "60";
  }
  const auto asks = [&](const std::string& where) {
    core::Request request;
    request.path = where;
    request.token = vault.root();
    request.remote_address = "127.0.0.1";
    if (!wrap_ttl.empty() && where == path) request.wrap_ttl = Seconds{60};
    return vault.begin(std::move(request));
  };
  blocked = let_go = false;
  Occupied occupied(vault.workers(), kind);
  std::vector<TestVault::Waiting> waiting;
  for (int i = 0; i < 12; ++i) waiting.push_back(asks(path));
  const auto blocker = asks("heavy/block");
  blocked.wait(false);  // the io thread delivers nothing now
  CHECK(made == 0);
  occupied.let_go();
  CHECK(TestVault::eventually([] { return made >= 1; }));
  let_threads_look(vault.workers(), kind);
  CHECK(made >= 1);
  CHECK(made <= kThreads);
  let_go = true;
  let_go.notify_all();
  for (const auto& one : waiting) CHECK(vault.wait(one).status() == 200);
  CHECK(vault.wait(blocker).status() == 200);
  CHECK(made == 12);
}

TEST_CASE_FIXTURE(HeavyVault, "large answers: who waits for another to end holds no room of it") {
  let_go = false;
  meeting = true;
  std::vector<TestVault::Waiting> waiting;
  for (int i = 0; i < kThreads; ++i)
    waiting.push_back(vault.begin("POST", "heavy/value", vault.root(), "{}"));
  CHECK(TestVault::eventually([] { return made == kThreads; }));
  CHECK(vault.post("heavy/touch", vault.root()).status() == 204);  // both are too late now
  meeting = false;
  let_go = true;
  let_go.notify_all();
  for (const auto& one : waiting) CHECK(vault.wait(one).status() == 204);
  CHECK(made >= 2 * kThreads);
}
