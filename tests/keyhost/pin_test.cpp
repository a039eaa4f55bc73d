// Logins that do not end: what a token's PIN costs when the process, the vault or the token fails
// in the middle. Real key hosts, and a module in front of SoftHSM that fails on demand.

#include <doctest/doctest.h>
#include <p11-kit/pkcs11.h>
#include <signal.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "backends/keyhost/device_protector.h"
#include "backends/keyhost/pkcs11/pin.h"
#include "backends/keyhost/pkcs11/slot_policy.h"
#include "tests/keyhost/processes.h"
#include "tests/support/fake_clock.h"
#include "tests/support/null_log.h"
#include "tests/support/softhsm.h"
#include "vault/seal/seal.h"

using namespace leasehold;
using namespace leasehold::keyhost;
using leasehold::testing::SoftHsm;

namespace {

constexpr Millis kShort{700};

struct ShimmedToken {
  SystemClock clock;
  NullLog log;
  SoftHsm hsm;
  const std::string folder = std::filesystem::path(hsm.pin_file()).parent_path();
  seal::SlotRecord slot;

  ShimmedToken() {
    std::filesystem::copy_file(SHIM_PKCS11, folder + "/shim.so");
    hsm.create_key("root");
    const auto enrolled = start()->enroll({}, seal::kDeviceTimeout);
    REQUIRE_MESSAGE(enrolled.answer.ok(), enrolled.answer.message, " ", enrolled.answer.detail);
    slot.kind = "pkcs11";
    slot.policy = enrolled.policy;
    forget_logins();
  }
  std::unique_ptr<DeviceProtector> start(bool by_serial = false, std::string pin_file = {}) {
    if (pin_file.empty()) pin_file = hsm.pin_file();
    const char* const name = by_serial ? "serial" : "token_label";
    const std::string value =
        by_serial ? pkcs11::SlotPolicy::deserialize(slot.policy)->serial : SoftHsm::token_label();
    auto host =
        std::make_unique<KeyHost>(testing::test_key_host(), "pkcs11",
                                  testing::settings({{"lib", folder + "/shim.so"},
                                                     {name, value},
                                                     {"pin_source", "file:" + pin_file},
                                                     {"key_label", "root"},
                                                     {"state_directory", hsm.state_folder()}}),
                                  clock, log);
    return std::make_unique<DeviceProtector>(DeviceProtector::Names{"pkcs11", "the token", false},
                                             std::move(host));
  }
  void login_is(const std::string& word) const { std::ofstream(folder + "/login") << word; }
  void forget_logins() const { std::filesystem::remove(folder + "/logins"); }
  int logins() const {
    std::ifstream file(folder + "/logins");
    int count = 0;
    for (std::string line; std::getline(file, line);) ++count;
    return count;
  }
  // The pauses are the real clock's here.
  bool opens_in_the_end(DeviceProtector& device) {
    const Deadline deadline(clock, Millis(20'000));
    while (!deadline.passed())
      if (device.recover(slot, seal::kDeviceTimeout).answer.ok()) return true;
    return false;
  }
};

bool says(const DeviceAnswer& answer, std::string_view part) {
  return answer.message.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("pin: a login that took too long does not close the token for ever") {
  ShimmedToken token;
  for (const char* how : {"slow", "slow-before"}) {
    token.login_is(how);
    CHECK(token.start()->recover(token.slot, kShort).answer.state == DeviceState::wedged);
    token.login_is("");
    const auto again = token.start();
    CHECK(token.opens_in_the_end(*again));
  }
}

TEST_CASE("pin: a key host killed in the middle of a login does not close the token for ever") {
  ShimmedToken token;
  token.login_is("slow-before");
  const auto device = token.start();
  device->health(token.slot, seal::kDeviceTimeout);  // starts the process
  const pid_t host = device->host().pid();
  std::thread login([&] { device->recover(token.slot, Millis(20'000)); });
  while (token.logins() == 0) std::this_thread::yield();
  token.login_is("");
  ::kill(host, SIGKILL);
  login.join();
  CHECK(token.opens_in_the_end(*device));
}

TEST_CASE("pin: the end of the vault in the middle of a login does not close the token for ever") {
  ShimmedToken token;
  token.login_is("slow");
  const auto device = token.start();
  std::thread login([&] { device->recover(token.slot, Millis(20'000)); });
  while (token.logins() == 0) std::this_thread::yield();
  device->stop();
  login.join();
  token.login_is("");
  CHECK(token.opens_in_the_end(*token.start()));
}

TEST_CASE("pin: a device error at the login is no refusal") {
  ShimmedToken token;
  token.login_is("device-error");
  CHECK(token.start()->recover(token.slot, seal::kDeviceTimeout).answer.state ==
        DeviceState::failed);
  token.login_is("");
  CHECK(token.opens_in_the_end(*token.start()));
}

TEST_CASE("pin: a wrong PIN is tried once, however its try ended and however often it starts") {
  for (const char* how : {"", "slow", "slow-before", "device-error"}) {
    ShimmedToken token;
    token.hsm.write_pin("9999");
    token.login_is(how);
    token.start()->recover(token.slot, kShort);
    token.login_is("");
    for (int restart = 0; restart < 3; ++restart) {
      const auto answer = token.start()->recover(token.slot, seal::kDeviceTimeout).answer;
      CHECK(answer.state == DeviceState::auth);
      CHECK(says(answer, "is not tried again"));
    }
    CHECK(token.logins() == 1);
    token.hsm.write_pin(SoftHsm::pin());
    CHECK(token.start()->recover(token.slot, seal::kDeviceTimeout).answer.ok());
  }
}

TEST_CASE("pin: a token that was locked, or whose PIN had expired, takes the same PIN afterwards") {
  for (const char* how : {"locked", "expired"}) {
    ShimmedToken token;
    token.login_is(how);
    CHECK(token.start()->recover(token.slot, seal::kDeviceTimeout).answer.state ==
          (how == std::string_view("locked") ? DeviceState::locked : DeviceState::auth));
    token.login_is("");
    CHECK(token.start()->recover(token.slot, seal::kDeviceTimeout).answer.ok());
    // A wrong one is tried once more.
    token.hsm.write_pin("9999");
    token.login_is(how);
    CHECK_FALSE(token.start()->recover(token.slot, seal::kDeviceTimeout).answer.ok());
    token.login_is("");
    token.forget_logins();
    for (int restart = 0; restart < 3; ++restart)
      CHECK_FALSE(token.start()->recover(token.slot, seal::kDeviceTimeout).answer.ok());
    CHECK(token.logins() == 1);
  }
}

TEST_CASE("pin: one that was not looked at, since somebody is logged in, is not known to be good") {
  ShimmedToken token;
  token.hsm.write_pin("9999");
  for (const char* how : {"logged-in", "device-error"}) {
    token.login_is(how);
    token.start()->recover(token.slot, seal::kDeviceTimeout);
  }
  token.login_is("");
  const auto answer = token.start()->recover(token.slot, seal::kDeviceTimeout).answer;
  CHECK(answer.state == DeviceState::auth);
  CHECK(says(answer, "a PIN that is not known to be good"));
  CHECK(token.logins() == 2);
}

TEST_CASE("pin: the final try is never made, not even with a PIN that was good") {
  ShimmedToken token;
  std::ofstream(token.folder + "/flags") << CKF_USER_PIN_FINAL_TRY;
  const auto answer = token.start()->recover(token.slot, seal::kDeviceTimeout).answer;
  CHECK(answer.state == DeviceState::locked);
  CHECK(token.logins() == 0);
}

TEST_CASE("pin: a wrong PIN is tried once, whatever the stanza calls the token and the file") {
  ShimmedToken token;
  token.hsm.write_pin("9999");
  CHECK_FALSE(token.start()->recover(token.slot, seal::kDeviceTimeout).answer.ok());
  REQUIRE(token.logins() == 1);
  token.hsm.write_pin("9999");  // another inode, the same digits
  std::filesystem::copy_file(token.hsm.pin_file(), token.folder + "/other-pin");
  std::filesystem::permissions(token.folder + "/other-pin", std::filesystem::perms::owner_read);
  for (const std::string& file : {token.hsm.pin_file(), token.folder + "/other-pin"})
    for (const bool by_serial : {false, true}) {
      const auto device = token.start(by_serial, file);
      const auto answer = device->recover(token.slot, seal::kDeviceTimeout).answer;
      CHECK(says(answer, "is not tried again"));
    }
  CHECK(token.logins() == 1);
}

TEST_CASE("pin: a health check never logs in") {
  ShimmedToken token;
  const auto device = token.start();
  const auto cold = device->health(token.slot, seal::kDeviceTimeout);
  CHECK(cold.state == DeviceState::unknown);
  CHECK(token.logins() == 0);
  REQUIRE(device->recover(token.slot, seal::kDeviceTimeout).answer.ok());
  CHECK(device->health(token.slot, seal::kDeviceTimeout).state == DeviceState::ok);
  ::kill(device->host().pid(), SIGKILL);
  CHECK(device->health(token.slot, seal::kDeviceTimeout).state == DeviceState::unknown);
  CHECK(token.logins() == 1);
  REQUIRE(device->recover(token.slot, seal::kDeviceTimeout).answer.ok());
  token.hsm.remove_token();
  CHECK(device->health(token.slot, seal::kDeviceTimeout).state == DeviceState::absent);
  token.hsm.restore_token();
  CHECK(device->health(token.slot, seal::kDeviceTimeout).state == DeviceState::unknown);
  CHECK(token.logins() == 2);
}

namespace {

struct LatchFolder {
  std::string path = "/tmp/lh-latch-XXXXXX";
  LatchFolder() { REQUIRE(::mkdtemp(path.data()) != nullptr); }
  ~LatchFolder() { std::filesystem::remove_all(path); }
  pkcs11::PinLatch restart(std::string_view serial = "0815") const {
    pkcs11::PinLatch latch(path);
    latch.name_token("maker", serial);
    return latch;
  }
};

Pin pin_of_file(std::uint64_t inode, std::string_view text = {}) {
  Pin pin;
  pin.text = SecretBytes(text);
  pin.inode = inode;
  pin.modified = 1;
  return pin;
}

}  // namespace

TEST_CASE("pin: a good PIN whose logins stay without an answer is tried after growing pauses") {
  LatchFolder folder;
  testing::FakeClock clock;
  const Pin pin = pin_of_file(5);
  auto first = folder.restart();
  REQUIRE(first.before_try(pin, false, clock.now()).ok());
  first.accepted();
  for (const int seconds : {0, 1, 2, 4, 8}) {
    if (seconds > 0) {
      clock.advance(Seconds(seconds) - Seconds(1));
      CHECK(folder.restart().before_try(pin, true, clock.now()).is(Code::unavailable));
      clock.advance(Seconds(1));
    }
    CHECK(folder.restart().before_try(pin, true, clock.now()).ok());
  }
  auto last = folder.restart();
  clock.advance(Seconds(300));
  REQUIRE(last.before_try(pin, false, clock.now()).ok());
  last.accepted();
  CHECK(folder.restart().before_try(pin, false, clock.now()).ok());  // the pauses begin anew
}

TEST_CASE("pin: a PIN that is not in a file is not tried again when a wrong try was counted") {
  LatchFolder folder;
  testing::FakeClock clock;
  const Pin pin;
  auto latch = folder.restart();
  REQUIRE(latch.before_try(pin, false, clock.now()).ok());
  latch.accepted();
  REQUIRE(folder.restart().before_try(pin, false, clock.now()).ok());
  clock.advance(Seconds(60));
  CHECK(folder.restart().before_try(pin, true, clock.now()).is(Code::denied));
  CHECK(folder.restart().before_try(pin, false, clock.now()).ok());
}

TEST_CASE("pin: a refused PIN stays refused, and a mark that cannot be read lets none be tried") {
  LatchFolder folder;
  testing::FakeClock clock;
  auto latch = folder.restart();
  REQUIRE(latch.before_try(pin_of_file(5), false, clock.now()).ok());
  latch.accepted();
  REQUIRE(latch.before_try(pin_of_file(5), false, clock.now()).ok());
  latch.refused(pin_of_file(5));
  clock.advance(Seconds(100'000));
  CHECK(folder.restart().before_try(pin_of_file(5), false, clock.now()).is(Code::denied));
  CHECK(folder.restart().before_try(pin_of_file(6), false, clock.now()).is(Code::denied));
  CHECK(folder.restart().before_try(pin_of_file(6, "2"), false, clock.now()).ok());
  for (const auto& mark : std::filesystem::directory_iterator(folder.path))
    std::ofstream(mark.path()) << "12 34\n";
  CHECK(folder.restart().before_try(pin_of_file(7), false, clock.now()).is(Code::denied));
}

TEST_CASE("pin: wrong PINs that take turns are tried once each, until one is accepted") {
  LatchFolder folder;
  testing::FakeClock clock;
  std::uint64_t inode = 0;
  const auto try_pin = [&](const char* text) {
    clock.advance(Seconds(1'000));
    auto latch = folder.restart();
    const Pin pin = pin_of_file(++inode, text);
    const bool tried = latch.before_try(pin, false, clock.now()).ok();
    if (tried && std::string_view(text) == "right") latch.accepted();
    if (tried && std::string_view(text) != "right") latch.refused(pin);
    return tried;
  };
  for (const char* wrong : {"000000", "111111", "222222", "333333"}) CHECK(try_pin(wrong));
  for (int turn = 0; turn < 2; ++turn)
    for (const char* wrong : {"000000", "111111", "222222", "333333"}) CHECK_FALSE(try_pin(wrong));
  CHECK(try_pin("right"));
  CHECK(try_pin("000000"));  // the token counts from nothing again
  CHECK_FALSE(try_pin("000000"));
}

TEST_CASE("pin: refused PINs are remembered up to a bound, and the mark keeps its size") {
  LatchFolder folder;
  testing::FakeClock clock;
  for (std::uint64_t i = 1; i <= 10; ++i) {
    auto latch = folder.restart();
    const Pin pin = pin_of_file(i, std::to_string(i));
    REQUIRE(latch.before_try(pin, false, clock.now()).ok());
    latch.refused(pin);
  }
  CHECK(folder.restart().before_try(pin_of_file(20, "10"), false, clock.now()).is(Code::denied));
  CHECK(folder.restart().before_try(pin_of_file(21, "3"), false, clock.now()).is(Code::denied));
  CHECK(folder.restart().before_try(pin_of_file(22, "1"), false, clock.now()).ok());
  for (const auto& mark : std::filesystem::directory_iterator(folder.path))
    CHECK(std::filesystem::file_size(mark.path()) == 2048);
}

// An earlier version writes its shorter line over the beginning of this one's.
TEST_CASE("pin: of a mark only the first line counts, also a shorter one of an earlier version") {
  LatchFolder folder;
  testing::FakeClock clock;
  auto latch = folder.restart();
  REQUIRE(latch.before_try(pin_of_file(5, "1"), false, clock.now()).ok());
  latch.refused(pin_of_file(5, "1"));
  for (const auto& mark : std::filesystem::directory_iterator(folder.path)) {
    std::string line = "good 6 1 1 0 0";
    line.resize(255, ' ');
    std::fstream(mark.path(), std::ios::in | std::ios::out) << line << "\n";
  }
  CHECK(folder.restart().before_try(pin_of_file(6, "2"), false, clock.now()).ok());
  CHECK(folder.restart().before_try(pin_of_file(7, "1"), false, clock.now()).ok());
}
