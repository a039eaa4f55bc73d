#include <doctest/doctest.h>
#include <sys/stat.h>

#include <filesystem>
#include <sstream>

#include "backends/keyhost/pin_source.h"
#include "backends/keyhost/pkcs11/errors.h"
#include "backends/keyhost/pkcs11/pkcs11_device.h"
#include "backends/keyhost/pkcs11/slot_policy.h"
#include "tests/keyhost/processes.h"
#include "tests/support/softhsm.h"

using namespace leasehold;
using namespace leasehold::keyhost;
using leasehold::testing::settings;
using leasehold::testing::SoftHsm;
using leasehold::testing::stored;

namespace {

struct Fixture {
  SystemClock clock;
  SystemRandom random;
  SoftHsm hsm;

  std::unique_ptr<Device> device(const std::string& key = "root", const std::string& mechanism = {},
                                 const std::string& serial = {}) {
    auto made = make_pkcs11_device(settings({{"lib", SoftHsm::module()},
                                             {"token_label", SoftHsm::token_label()},
                                             {"serial", serial},
                                             {"pin_source", "file:" + hsm.pin_file()},
                                             {"key_label", key},
                                             {"mechanism", mechanism},
                                             {"state_directory", hsm.state_folder()}}),
                                   clock, random);
    REQUIRE_MESSAGE(made.ok(), made.error().message);
    return std::move(*made);
  }
  Deadline soon() { return Deadline(clock, Millis(20'000)); }
  seal::Enrolled enroll(Device& device) {
    auto enrolled = device.enroll({}, soon());
    REQUIRE_MESSAGE(enrolled.answer.ok(), enrolled.answer.message, " ", enrolled.answer.detail);
    return enrolled;
  }
};

bool says(const DeviceAnswer& answer, std::string_view part) {
  return answer.message.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("pkcs11: a slot's key comes back, also in a new process of the module") {
  Fixture fixture;
  fixture.hsm.create_key("root");
  auto device = fixture.device();
  const auto enrolled = fixture.enroll(*device);
  CHECK(pkcs11::SlotPolicy::deserialize(enrolled.policy)->mode == pkcs11::Mode::aes_gcm);
  CHECK(enrolled.identity.find("token \"vault\"") == 0);
  CHECK(device->recover(stored(enrolled), fixture.soon()).kek == enrolled.kek);
  device = fixture.device();
  const auto again = device->recover(stored(enrolled), fixture.soon());
  REQUIRE_MESSAGE(again.answer.ok(), again.answer.message, " ", again.answer.detail);
  CHECK(again.kek == enrolled.kek);
}

TEST_CASE("pkcs11: the self-test takes hmac-kdf for a key that cannot encrypt") {
  Fixture fixture;
  fixture.hsm.create_key("root", "GENERIC:32", "--sensitive --usage-sign");
  const auto device = fixture.device();
  const auto enrolled = fixture.enroll(*device);
  CHECK(pkcs11::SlotPolicy::deserialize(enrolled.policy)->mode == pkcs11::Mode::hmac_kdf);
  CHECK(device->recover(stored(enrolled), fixture.soon()).kek == enrolled.kek);
  CHECK_FALSE(device->enroll({}, fixture.soon()).kek == enrolled.kek);
  const auto wrong = fixture.device("root", "AES_GCM")->enroll({}, fixture.soon());
  CHECK_FALSE(wrong.answer.ok());
}

TEST_CASE("pkcs11: a slot's box opens for its own slot only") {
  Fixture fixture;
  fixture.hsm.create_key("root");
  const auto device = fixture.device();
  const auto enrolled = fixture.enroll(*device);
  StoredSlot moved = stored(enrolled);
  moved.context.slot[0] = 1;
  CHECK(device->recover(moved, fixture.soon()).answer.state == DeviceState::tampered);
  CHECK(device->recover(stored(enrolled), fixture.soon()).kek == enrolled.kek);
}

TEST_CASE("pkcs11: no changed byte of a slot's policy opens it") {
  Fixture fixture;
  fixture.hsm.create_key("root");
  const auto device = fixture.device();
  auto enrolled = fixture.enroll(*device);
  const Bytes good = enrolled.policy;
  for (std::size_t at = 0; at < good.size(); ++at) {
    enrolled.policy = good;
    enrolled.policy[at] ^= 0x10;
    const auto found = device->recover(stored(enrolled), fixture.soon());
    // The label and id are only what the operator is told; the vault authenticates the whole
    // record.
    CHECK_MESSAGE((!found.answer.ok() || found.kek == enrolled.kek), "byte ", at);
  }
}

TEST_CASE("pkcs11: a token that was pulled out is absent, and opens again when it is back") {
  Fixture fixture;
  fixture.hsm.create_key("root");
  const auto device = fixture.device();
  const auto enrolled = fixture.enroll(*device);
  fixture.hsm.remove_token();
  const auto gone = device->recover(stored(enrolled), fixture.soon());
  CHECK(gone.answer.state == DeviceState::absent);
  CHECK(says(gone.answer, "no token with token_label \"vault\""));
  fixture.hsm.restore_token();
  const auto back = device->recover(stored(enrolled), fixture.soon());
  REQUIRE_MESSAGE(back.answer.ok(), back.answer.message, " ", back.answer.detail);
  CHECK(back.kek == enrolled.kek);
}

TEST_CASE("pkcs11: another token of the same label is named as replaced") {
  Fixture fixture;
  fixture.hsm.create_key("root");
  const auto enrolled = fixture.enroll(*fixture.device());
  fixture.hsm.replace_token();
  fixture.hsm.create_key("root");
  const auto other = fixture.device()->recover(stored(enrolled), fixture.soon());
  CHECK(other.answer.state == DeviceState::replaced);
  CHECK(says(other.answer, "serial"));
}

TEST_CASE("pkcs11: a token that is another one is not given the PIN") {
  Fixture fixture;
  fixture.hsm.create_key("root");
  const auto enrolled = fixture.enroll(*fixture.device());
  fixture.hsm.replace_token();
  fixture.hsm.create_key("root");
  fixture.hsm.write_pin("9999");
  const auto other = fixture.device()->recover(stored(enrolled), fixture.soon());
  CHECK(other.answer.state == DeviceState::replaced);
  fixture.hsm.write_pin("9999");  // what was not tried is not refused
  CHECK(fixture.device()->enroll({}, fixture.soon()).answer.message.find("PIN is wrong") !=
        std::string::npos);
}

TEST_CASE("pkcs11: only an answer about the PIN is a refusal, and a device error decides nothing") {
  using pkcs11::PinVerdict;
  CHECK(pkcs11::verdict_of(CKR_OK) == PinVerdict::accepted);
  for (const CK_RV rv :
       {CK_RV(CKR_TOKEN_NOT_PRESENT), CK_RV(CKR_USER_PIN_NOT_INITIALIZED),
        CK_RV(CKR_USER_ALREADY_LOGGED_IN), CK_RV(CKR_PIN_EXPIRED), CK_RV(CKR_PIN_LOCKED)})
    CHECK(pkcs11::verdict_of(rv) == PinVerdict::not_looked_at);
  for (const CK_RV rv :
       {CK_RV(CKR_PIN_INCORRECT), CK_RV(CKR_PIN_INVALID), CK_RV(CKR_PIN_LEN_RANGE)})
    CHECK(pkcs11::verdict_of(rv) == PinVerdict::refused);
  for (const CK_RV rv :
       {CK_RV(CKR_GENERAL_ERROR), CK_RV(CKR_DEVICE_ERROR), CK_RV(CKR_FUNCTION_FAILED),
        CK_RV(CKR_DEVICE_REMOVED), CK_RV(CKR_VENDOR_DEFINED | 1)})
    CHECK(pkcs11::verdict_of(rv) == PinVerdict::undecided);
}

TEST_CASE("pkcs11: only an answer about the box says that it does not open") {
  for (const CK_RV rv : {CK_RV(CKR_ENCRYPTED_DATA_INVALID), CK_RV(CKR_ENCRYPTED_DATA_LEN_RANGE),
                         CK_RV(CKR_GENERAL_ERROR)})
    CHECK(pkcs11::does_not_open(rv));
  for (const CK_RV rv :
       {CK_RV(CKR_DEVICE_ERROR), CK_RV(CKR_DEVICE_MEMORY), CK_RV(CKR_FUNCTION_FAILED),
        CK_RV(CKR_SESSION_HANDLE_INVALID), CK_RV(CKR_VENDOR_DEFINED | 1)})
    CHECK_FALSE(pkcs11::does_not_open(rv));
}

TEST_CASE("pkcs11: of a PIN that is not in a file the refusal says what to do once it is right") {
  Fixture fixture;
  fixture.hsm.create_key("root");
  const auto enrolled = fixture.enroll(*fixture.device());
  const auto with_pin = [&](const std::string& pin) {
    auto made = make_pkcs11_device(settings({{"lib", SoftHsm::module()},
                                             {"token_label", SoftHsm::token_label()},
                                             {"pin", pin},
                                             {"key_label", "root"},
                                             {"state_directory", fixture.hsm.state_folder()}}),
                                   fixture.clock, fixture.random);
    return (*made)->recover(stored(enrolled), fixture.soon());
  };
  CHECK(says(with_pin("9999").answer, "PIN is wrong"));
  const auto refused = with_pin(SoftHsm::pin());
  CHECK(refused.answer.state == DeviceState::auth);
  CHECK(says(refused.answer, "does not come from a file"));
  const std::string start = "once it is right, remove ";
  const std::size_t at = refused.answer.message.find(start);
  REQUIRE(at != std::string::npos);
  REQUIRE(std::filesystem::remove(refused.answer.message.substr(at + start.size())));
  CHECK(with_pin(SoftHsm::pin()).kek == enrolled.kek);
}

TEST_CASE("pkcs11: a slot may be hexadecimal, and pin may name a file or a variable") {
  Fixture fixture;
  fixture.hsm.create_key("root");
  const auto enroll = [&](std::string slot, std::string pin) {
    auto made = make_pkcs11_device(settings({{"lib", SoftHsm::module()},
                                             {"slot", std::move(slot)},
                                             {"pin", std::move(pin)},
                                             {"key_label", "root"},
                                             {"state_directory", fixture.hsm.state_folder()}}),
                                   fixture.clock, fixture.random);
    REQUIRE_MESSAGE(made.ok(), made.error().message);
    return (*made)->enroll({}, fixture.soon()).answer;
  };
  std::ostringstream hexadecimal;
  hexadecimal << "0x" << std::hex << fixture.hsm.slot();
  CHECK(enroll(hexadecimal.str(), "file://" + fixture.hsm.pin_file()).ok());
  ::setenv("LEASEHOLD_TEST_PIN", SoftHsm::pin().c_str(), 1);
  CHECK(enroll(std::to_string(fixture.hsm.slot()), "env://LEASEHOLD_TEST_PIN").ok());
  CHECK(enroll("0x7", "file://" + fixture.hsm.pin_file()).state == DeviceState::absent);
  for (const char* slot : {"0x", "seven", "7 ", "-1"})
    CHECK_FALSE(make_pkcs11_device(settings({{"slot", slot}}), fixture.clock, fixture.random).ok());
}

TEST_CASE("pkcs11: a wrong PIN is tried once, until its file is another") {
  Fixture fixture;
  fixture.hsm.create_key("root");
  const auto enrolled = fixture.enroll(*fixture.device());
  fixture.hsm.write_pin("9999");
  auto device = fixture.device();
  const auto wrong = device->recover(stored(enrolled), fixture.soon());
  CHECK(wrong.answer.state == DeviceState::auth);
  CHECK(says(wrong.answer, "PIN is wrong"));
  CHECK_FALSE(says(wrong.answer, "9999"));
  CHECK(says(device->recover(stored(enrolled), fixture.soon()).answer, "tried before"));
  device = fixture.device();  // a restart
  const auto refused = device->recover(stored(enrolled), fixture.soon());
  CHECK(refused.answer.state == DeviceState::auth);
  CHECK(says(refused.answer, "tried before"));
  fixture.hsm.write_pin(SoftHsm::pin());
  CHECK(device->recover(stored(enrolled), fixture.soon()).kek == enrolled.kek);
  CHECK(fixture.device()->recover(stored(enrolled), fixture.soon()).kek == enrolled.kek);
}

TEST_CASE("pkcs11: a PIN file that others can read is refused") {
  Fixture fixture;
  fixture.hsm.create_key("root");
  ::chmod(fixture.hsm.pin_file().c_str(), 0644);
  const auto refused = fixture.device()->enroll({}, fixture.soon());
  CHECK(refused.answer.state == DeviceState::auth);
  CHECK(says(refused.answer, "chmod 600"));
}

TEST_CASE(
    "a credential of systemd may have an access list, any other PIN file is its owner's alone") {
  const std::string credential = "/run/credentials/leasehold.service/hsm-pin";
  CHECK_FALSE(others_may_read(0400, credential));
  CHECK_FALSE(others_may_read(0440, credential));
  CHECK(others_may_read(0444, credential));
  CHECK(others_may_read(0460, credential));
  CHECK(others_may_read(0440, "/run/credentials/../../etc/leasehold/pin"));
  CHECK(others_may_read(0440, "/etc/leasehold/pin"));
  CHECK_FALSE(others_may_read(0600, "/etc/leasehold/pin"));
}

TEST_CASE("pkcs11: a key that can leave the token is refused") {
  Fixture fixture;
  fixture.hsm.create_key("root", "AES:32", "--extractable");
  const auto refused = fixture.device()->enroll({}, fixture.soon());
  CHECK(refused.answer.state == DeviceState::unsupported);
  CHECK(says(refused.answer, "not extractable"));
}

TEST_CASE("pkcs11: no key and two keys of the label are told apart") {
  Fixture fixture;
  const auto none = fixture.device()->enroll({}, fixture.soon());
  CHECK(none.answer.state == DeviceState::absent);
  CHECK(says(none.answer, "pkcs11-tool --keygen"));
  fixture.hsm.create_key("root");
  fixture.hsm.create_key("root");
  const auto two = fixture.device()->enroll({}, fixture.soon());
  CHECK(two.answer.state == DeviceState::unsupported);
  CHECK(says(two.answer, "several keys"));
}

TEST_CASE("pkcs11: two tokens of one label need a serial, which a slot remembers") {
  Fixture fixture;
  fixture.hsm.create_key("root");
  const auto enrolled = fixture.enroll(*fixture.device());
  fixture.hsm.add_token(SoftHsm::token_label());
  const auto two = fixture.device()->enroll({}, fixture.soon());
  CHECK(says(two.answer, "2 tokens have"));
  CHECK(fixture.device()->recover(stored(enrolled), fixture.soon()).kek == enrolled.kek);
  const std::string serial = pkcs11::SlotPolicy::deserialize(enrolled.policy)->serial;
  CHECK(fixture.device("root", "", serial)->enroll({}, fixture.soon()).answer.ok());
}

TEST_CASE("pkcs11: a module that cannot be loaded is named") {
  SystemClock clock;
  SystemRandom random;
  const auto device = make_pkcs11_device(
      settings({{"lib", "/nonexistent/module.so"}, {"pin", "1"}, {"key_label", "root"}}), clock,
      random);
  const auto found = (*device)->random(8, Deadline(clock, Millis(1000)));
  CHECK(found.answer.state == DeviceState::absent);
  CHECK(says(found.answer, "/nonexistent/module.so"));
  CHECK_FALSE(make_pkcs11_device(settings({{"mechanism", "DES"}}), clock, random).ok());
}

TEST_CASE("pkcs11: the token gives random bytes") {
  Fixture fixture;
  const auto found = fixture.device()->random(100, fixture.soon());
  REQUIRE(found.answer.ok());
  CHECK(found.kek.size() == 100);
  CHECK_FALSE(found.kek == SecretBytes(std::size_t{100}));
}
