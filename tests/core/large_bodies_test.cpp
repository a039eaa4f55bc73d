// A large body is read, judged and recorded on a worker, of callers with a valid token; a large
// answer is made and recorded on one.

#include <doctest/doctest.h>

#include "tests/support/occupied.h"
#include "tests/support/test_vault.h"

using namespace leasehold;
using testing::Answer;
using testing::Occupied;
using testing::TestVault;

namespace {

constexpr std::size_t kLarge = core::kSmallBodyMax + 1;

// What became of a body: whether it was read, and where.
struct Seen {
  std::atomic<int> read{0}, on_a_loop{0};
};

class Text final : public core::LateBody {
 public:
  Text(std::string text, Seen& seen) : text_(std::move(text)), seen_(seen) {}
  Status read(Json& body) override {
    ++seen_.read;
    if (Loop::current() != nullptr) ++seen_.on_a_loop;
    VAULT_TRY_ASSIGN(body, parse_json(text_));
    return {};
  }
  std::size_t weight() const override { return text_.size(); }

 private:
  const std::string text_;
  Seen& seen_;
};

core::Request large(const std::string& path, const std::string& token, Seen& seen,
                    const std::string& text = R"({"x":"y"})") {
  core::Request request;
  request.operation = core::Operation::update;
  request.path = path;
  request.token = token;
  request.remote_address = "127.0.0.1";
  request.body_size = kLarge;
  request.late_body = std::make_unique<Text>(text, seen);
  return request;
}

}  // namespace

TEST_CASE("large bodies: one is read on a worker, and its request does what a small one does") {
  TestVault vault;
  Seen seen;
  CHECK(vault.wait(vault.begin(large("test/notes/a", vault.root(), seen))).status() == 204);
  CHECK(vault.get("test/notes/a", vault.root()).data().string_at("x") == "y");
  CHECK(seen.read == 1);
  CHECK(seen.on_a_loop == 0);
}

TEST_CASE("large bodies: others are answered while one waits for its worker") {
  TestVault vault;
  Seen seen;
  Occupied occupied(vault.workers(), core::WorkClass::bodies);
  const auto waiting = vault.begin(large("test/notes/a", vault.root(), seen));
  CHECK(vault.post("test/notes/b", vault.root(), R"({"x":"z"})").status() == 204);
  CHECK(vault.get("test/notes/b", vault.root()).data().string_at("x") == "z");
  CHECK_FALSE(vault.answered(waiting));
  CHECK(seen.read == 0);
  occupied.let_go();
  CHECK(vault.wait(waiting).status() == 204);
}

TEST_CASE("large bodies: too many are refused before they are read, and those refusals recorded") {
  testing::TestWorld world;
  TestVault vault(world);
  Seen seen;
  Occupied occupied(vault.workers(), core::WorkClass::bodies);
  std::vector<TestVault::Waiting> waiting;
  for (int i = 0; i < 4; ++i)
    waiting.push_back(vault.begin(large("test/notes/a", vault.root(), seen)));
  const Answer refused = vault.wait(vault.begin(large("test/notes/over", vault.root(), seen)));
  CHECK(refused.status() == 503);
  CHECK(refused.error() == "busy: 4 large requests are waiting already; try again");
  CHECK(seen.read == 0);
  CHECK(world.audit_text().find("test/notes/over") != std::string::npos);
  occupied.let_go();
  for (const auto& one : waiting) CHECK(vault.wait(one).status() == 204);
}

TEST_CASE("large bodies: of a token that is not valid it stays unread") {
  TestVault vault;
  Seen seen;
  const auto asking = [&](const std::string& path, const std::string& token) {
    return vault.wait(vault.begin(large(path, token, seen))).status();
  };
  CHECK(asking("test/notes/a", "hvs.made-up") == 403);
  CHECK(asking("test/notes/a", std::string(1u << 20, 'x')) == 403);
  CHECK(asking("sys/wrapping/lookup", "hvs.made-up") == 413);  // open to strangers
  CHECK(asking("sys/unseal", vault.root()) == 413);            // works sealed
  CHECK(seen.read == 0);
  const std::string own = vault.token(R"({"policies":["default"]})");
  CHECK(asking("cubbyhole/a", own) == 204);
  CHECK(seen.read == 1);
}

TEST_CASE("large bodies: what opens a wrapped answer has none, so that no use goes uncounted") {
  TestVault vault;
  Seen seen;
  const std::string twice = vault.token(R"({"policies":["default"],"num_uses":2})");
  CHECK(vault.wait(vault.begin(large("sys/wrapping/unwrap", twice, seen))).status() == 413);
  CHECK(seen.read == 0);
  CHECK(vault.get("auth/token/lookup-self", twice).status() == 200);
  CHECK(vault.get("auth/token/lookup-self", twice).status() == 403);
}

TEST_CASE("large bodies: one that is no JSON is refused, on record, and counts no use") {
  testing::TestWorld world;
  TestVault vault(world);
  Seen seen;
  const std::string once = vault.token(R"({"policies":["default"],"num_uses":1})");
  const Answer broken = vault.wait(vault.begin(large("cubbyhole/broken", once, seen, "{")));
  CHECK(broken.status() == 400);
  CHECK(broken.error() == "failed to decode JSON input: unexpected EOF");
  CHECK(world.audit_text().find("cubbyhole/broken") != std::string::npos);
  CHECK(vault.get("auth/token/lookup-self", once).status() == 200);
}

TEST_CASE("large bodies: a denied one is recorded with its data, as a small one") {
  testing::TestWorld world;
  TestVault vault(world);
  Seen seen;
  const std::string own = vault.token(R"({"policies":["default"]})");
  CHECK(vault.wait(vault.begin(large("test/notes/no", own, seen))).status() == 403);
  int lines = 0;
  for (const std::string& line : world.audit_lines())
    if (line.find("test/notes/no") != std::string::npos &&
        line.find(R"("data":{"x":"hmac-sha256:)") != std::string::npos)
      ++lines;
  CHECK(lines == 2);  // the request's and the answer's
}

namespace {

// Stores a large value; its text.
std::string stored_large(TestVault& vault, const std::string& path, const std::string& token) {
  Seen seen;
  const std::string text = std::string(kLarge, 'v');
  CHECK(vault.wait(vault.begin(large(path, token, seen, R"({"x":")" + text + "\"}"))).status() ==
        204);
  return text;
}

core::Request read_of(const std::string& path, const std::string& token) {
  core::Request request;
  request.operation = core::Operation::read;
  request.path = path;
  request.token = token;
  request.remote_address = "127.0.0.1";
  return request;
}

// Not compared in the check: a failure would print it.
bool holds(const Answer& answer, const std::string& text) {
  CHECK(answer.status() == 200);
  CHECK(answer.error().empty());
  return answer.data().string_at("x") == text;
}

}  // namespace

TEST_CASE("large answers: others are answered while one waits for its worker") {
  testing::TestWorld world;
  TestVault vault(world);
  const std::string own = vault.token(R"({"policies":["default"]})");
  const std::string text = stored_large(vault, "cubbyhole/a", own);
  Occupied occupied(vault.workers(), core::WorkClass::bodies);
  const auto waiting = vault.begin(read_of("cubbyhole/a", own));
  CHECK(vault.post("cubbyhole/b", own, R"({"x":"z"})").status() == 204);
  CHECK(vault.get("cubbyhole/b", own).data().string_at("x") == "z");
  CHECK_FALSE(vault.answered(waiting));
  occupied.let_go();
  CHECK(holds(vault.wait(waiting), text));
  int lines = 0;
  for (const std::string& line : world.audit_lines())
    if (line.find(R"("operation":"read")") != std::string::npos &&
        line.find(R"("path":"cubbyhole/a")") != std::string::npos)
      ++lines;
  CHECK(lines == 2);
}

TEST_CASE("large answers: none is refused, however many wait for a worker") {
  TestVault vault;
  const std::string text = stored_large(vault, "test/notes/a", vault.root());
  const std::string twice = vault.token(R"({"policies":["root"],"num_uses":2})");
  Occupied occupied(vault.workers(), core::WorkClass::bodies);
  std::vector<TestVault::Waiting> waiting;
  for (int i = 0; i < 9; ++i) waiting.push_back(vault.begin(read_of("test/notes/a", vault.root())));
  const auto counted = vault.begin(read_of("test/notes/a", twice));
  CHECK_FALSE(vault.answered(waiting.back()));
  CHECK_FALSE(vault.answered(counted));
  occupied.let_go();
  for (const auto& one : waiting) CHECK(holds(vault.wait(one), text));
  CHECK(holds(vault.wait(counted), text));
}
