#include "vault/base/watch.h"

#include <doctest/doctest.h>

#include "tests/audit/support.h"
#include "vault/audit/sequencer.h"

using namespace leasehold;
using namespace leasehold::audit;

namespace {

// Each of its calls lasts as many looks as the test says.
class SlowDevice final : public Device {
 public:
  explicit SlowDevice(Watch& watch) : watch_(watch) {}
  Result<Tail> open() override {
    hang();
    return Tail{};
  }
  Status write(std::string_view) override {
    hang();
    return {};
  }
  Status sync() override { return {}; }
  Result<bool> reopen() override {
    hang();
    return false;
  }
  std::string where() const override { return "file /slow"; }
  int looks = 0;

 private:
  void hang() {
    for (int i = 0; i < looks; ++i) watch_.look();
  }
  Watch& watch_;
};

struct Watched {
  MemoryLog log;
  int stuck = 0;
  Watch watch{log, "audit", [this] { ++stuck; }};
  int named() const {
    const std::string text = log.text();
    int count = 0;
    for (std::size_t at = 0; (at = text.find("has not answered for 10", at)) != std::string::npos;)
      ++count, ++at;
    return count;
  }
};

}  // namespace

TEST_CASE("audit watch: a call that hangs is named once, and once given up") {
  Watched watched;
  SlowDevice device(watched.watch);
  {
    const Watch::Call call(watched.watch, device);
    for (int i = 1; i < kLooksUntilNamed; ++i) watched.watch.look();
    CHECK(watched.log.text() == "");
    for (int i = kLooksUntilNamed; i < kLooksUntilStuck; ++i) watched.watch.look();
    CHECK(watched.named() == 1);
    CHECK(watched.log.text().find("file /slow") != std::string::npos);
    CHECK(watched.stuck == 0);
    for (int i = 0; i < kLooksUntilStuck; ++i) watched.watch.look();
    CHECK(watched.stuck == 1);
  }
  CHECK(watched.log.text().find("answers again") != std::string::npos);
  for (int i = 0; i < 2 * kLooksUntilStuck; ++i) watched.watch.look();
  CHECK(watched.stuck == 1);
}

TEST_CASE("audit watch: every call of a device is watched, and one that comes back is forgiven") {
  Watched watched;
  std::vector<std::unique_ptr<Device>> devices;
  devices.push_back(std::make_unique<SlowDevice>(watched.watch));
  auto& device = static_cast<SlowDevice&>(*devices.front());
  testing::FakeClock clock;
  Mutex busy;
  Sequencer chain(devices, busy, watched.watch, clock, watched.log);
  const Identity identity = test_identity();
  const auto write = [](const Position&) { return std::string(R"({"type":"closed"})"); };
  device.looks = kLooksUntilNamed - 1;
  chain.open(identity);
  CHECK(chain.append(write).ok());
  CHECK(watched.named() == 0);
  device.looks = kLooksUntilNamed;
  CHECK(chain.append(write).ok());
  CHECK(watched.named() == 1);
  Status failed;
  CHECK_FALSE(chain.reopen(failed));
  CHECK(watched.named() == 2);
  Sequencer again(devices, busy, watched.watch, clock, watched.log);
  again.open(identity);
  CHECK(watched.named() == 3);
}

TEST_CASE("audit watch: its thread looks each second until it is stopped") {
  Watched watched;
  SlowDevice device(watched.watch);
  watched.watch.start();
  {
    const Watch::Call call(watched.watch, device);
    for (int i = 1; i < kLooksUntilNamed; ++i) watched.watch.look();
    CHECK(eventually([&] { return watched.named() == 1; }));
  }
  watched.watch.stop();
  watched.watch.stop();
}
