// The vault's seal over real key hosts, a software TPM and a software token.

#include <doctest/doctest.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>

#include "backends/catalog.h"
#include "backends/keyhost/device_protector.h"
#include "backends/keyhost/protectors.h"
#include "backends/storage/memory.h"
#include "tests/keyhost/processes.h"
#include "tests/support/null_log.h"
#include "tests/support/softhsm.h"
#include "tests/support/swtpm.h"
#include "vault/base/encoding.h"

using namespace leasehold;
using namespace leasehold::seal;
using leasehold::testing::SoftHsm;
using leasehold::testing::SwTpm;
using leasehold::testing::test_key_host;

namespace {

struct Machine {
  std::unique_ptr<storage::Storage> storage = storage::make_memory_storage();
  SystemClock clock;
  SystemRandom random;
  NullLog log;
  std::string state_folder;

  Result<keyhost::SealSetup> setup(const std::string& stanzas) {
    auto body = parse_hcl(stanzas, {"seal"});
    REQUIRE_MESSAGE(body.ok(), body.error().message);
    std::vector<Stanza> list;
    for (const HclBlock& block : body->blocks) list.emplace_back("vault.hcl", block);
    return keyhost::make_protectors(
        std::move(list), {test_key_host(), "/nonexistent", state_folder, clock, random, log},
        catalog::kSeals);
  }
  std::unique_ptr<Seal> start(const std::string& stanzas) {
    auto made = setup(stanzas);
    REQUIRE_MESSAGE(made.ok(), made.error().message);
    auto seal = std::make_unique<Seal>(*storage, random, clock, log, std::move(made->protectors));
    REQUIRE(seal->load().ok());
    return seal;
  }
  void enroll_missing(Seal& seal, Opened& opened) {
    seal.enroll_missing(opened, [&](const storage::Batch& batch, const seal::SlotRecord&) {
      return commit_alone(*storage, batch);
    });
  }
};

std::string tpm_stanza(const SwTpm& tpm, const std::string& more = {}) {
  return "seal \"tpm\" {\n device = \"" + tpm.device() + "\"\n" + more + "\n}\n";
}

std::string token_stanza(const SoftHsm& hsm) {
  return "seal \"pkcs11\" {\n lib = \"" + SoftHsm::module() + "\"\n token_label = \"" +
         SoftHsm::token_label() +
         "\"\n key_label = \"root\"\n pin_source = \"file:" + hsm.pin_file() + "\"\n}\n";
}

Initialized initialize(Seal& seal) {
  auto made = seal.initialize({3, 2, RecoveryMode::unseal, {}});
  REQUIRE_MESSAGE(made.ok(), made.error().message, " ", made.error().detail);
  return std::move(*made);
}

std::optional<Opened> open_with_two(Seal& seal, const std::vector<SecretBytes>& shares) {
  REQUIRE(seal.add_share(shares[0].clone()).ok());
  auto step = seal.add_share(shares[1].clone());
  REQUIRE(step.ok());
  return std::move(step->opened);
}

}  // namespace

TEST_CASE("devices: a TPM opens the vault after a reboot") {
  Machine machine;
  SwTpm tpm;
  const auto made = initialize(*machine.start(tpm_stanza(tpm, "pcrs = \"7+14\"")));
  tpm.reboot();
  const auto seal = machine.start(tpm_stanza(tpm, "pcrs = \"7+14\""));
  const auto opened = seal->open_with_devices();
  REQUIRE_MESSAGE(opened, seal->status().slots[0].message);
  CHECK(opened->keys.index == made.opened.keys.index);
  CHECK(seal->status().access == "tpm OR 2 of 3 shares");
}

TEST_CASE("devices: with the TPM gone the recovery shares open the vault") {
  Machine machine;
  SwTpm tpm;
  const auto made = initialize(*machine.start(tpm_stanza(tpm)));
  tpm.kill();
  const auto seal = machine.start(tpm_stanza(tpm));
  CHECK_FALSE(seal->open_with_devices());
  CHECK(seal->status().slots[0].state == DeviceState::absent);
  const auto opened = open_with_two(*seal, made.shares);
  REQUIRE(opened);
  CHECK(opened->degraded);
}

TEST_CASE("devices: a wedged TPM costs its deadline, and the token opens") {
  Machine machine;
  SwTpm tpm;
  SoftHsm hsm;
  hsm.create_key("root");
  machine.state_folder = hsm.state_folder();
  initialize(*machine.start(tpm_stanza(tpm) + token_stanza(hsm)));
  tpm.stop();
  const auto seal = machine.start(tpm_stanza(tpm) + token_stanza(hsm));
  const auto opened = seal->open_with_devices(Millis(2000));
  REQUIRE(opened);
  CHECK(opened->by.find("pkcs11") == 0);
  CHECK(seal->status().slots[0].state == DeviceState::wedged);
  tpm.cont();
  seal->check_health();
  CHECK(seal->status().slots[0].state == DeviceState::ok);
  CHECK_FALSE(seal->status().degraded);
}

TEST_CASE("devices: a replaced TPM gets a slot of its own once the shares opened") {
  Machine machine;
  SwTpm tpm;
  const auto made = initialize(*machine.start(tpm_stanza(tpm)));
  tpm.replace();
  const auto seal = machine.start(tpm_stanza(tpm));
  CHECK_FALSE(seal->open_with_devices());
  CHECK(seal->status().slots[0].state == DeviceState::replaced);
  auto opened = open_with_two(*seal, made.shares);
  REQUIRE(opened);
  machine.enroll_missing(*seal, *opened);
  CHECK(machine.start(tpm_stanza(tpm))->open_with_devices());
}

TEST_CASE("devices: a changed PCR closes the slot, and reenroll accepts the new state") {
  Machine machine;
  SwTpm tpm;
  const auto made = initialize(*machine.start(tpm_stanza(tpm, "pcrs = \"7\"")));
  tpm.extend(7);
  const auto seal = machine.start(tpm_stanza(tpm, "pcrs = \"7\"\n reenroll = true"));
  CHECK_FALSE(seal->open_with_devices());
  CHECK(seal->status().slots[0].state == DeviceState::policy);
  CHECK(seal->status().slots[0].message.find("PCR 7 changed") == 0);
  auto opened = open_with_two(*seal, made.shares);
  machine.enroll_missing(*seal, *opened);
  CHECK(machine.start(tpm_stanza(tpm, "pcrs = \"7\""))->open_with_devices());
}

TEST_CASE("devices: a replaced TPM is not taken in because another device opened") {
  Machine machine;
  SwTpm tpm;
  SoftHsm hsm;
  hsm.create_key("root");
  machine.state_folder = hsm.state_folder();
  initialize(*machine.start(tpm_stanza(tpm) + token_stanza(hsm)));
  tpm.replace();
  const auto seal = machine.start(tpm_stanza(tpm) + token_stanza(hsm));
  auto opened = seal->open_with_devices();
  REQUIRE(opened);
  machine.enroll_missing(*seal, *opened);
  CHECK(seal->status().slots[0].state == DeviceState::replaced);
  CHECK(seal->status().slots[0].generation == 1);
}

TEST_CASE("devices: a TPM added to the configuration gets a slot at the next unseal") {
  Machine machine;
  SwTpm tpm;
  const auto made = initialize(*machine.start(""));
  const auto seal = machine.start(tpm_stanza(tpm));
  auto opened = open_with_two(*seal, made.shares);
  REQUIRE(opened);
  machine.enroll_missing(*seal, *opened);
  const auto next = machine.start(tpm_stanza(tpm));
  CHECK(next->open_with_devices());
  CHECK(next->status().type == "tpm");
}

TEST_CASE("devices: any changed bit of a stored TPM slot is refused") {
  Machine machine;
  SwTpm tpm;
  initialize(*machine.start(tpm_stanza(tpm)));
  const auto snapshot = machine.storage->snapshot();
  auto records = read_records(**snapshot);
  REQUIRE(records.ok());
  const auto& slots = (*records)->slots;
  const auto slot = std::find_if(slots.begin(), slots.end(),
                                 [](const SlotRecord& each) { return each.kind == "tpm"; });
  REQUIRE(slot != slots.end());
  const Bytes good = slot->serialize();
  for (std::size_t at = 33; at < good.size(); at += 17) {
    Bytes bad = good;
    bad[at] ^= 4;
    storage::Batch batch;
    batch.put(slot_key(slot->id).view(), bad);
    REQUIRE(commit_alone(*machine.storage, batch).ok());
    auto made = machine.setup(tpm_stanza(tpm));
    Seal seal(*machine.storage, machine.random, machine.clock, machine.log,
              std::move(made->protectors));
    if (seal.load().ok()) CHECK_MESSAGE(!seal.open_with_devices(), "byte ", at);
  }
}

TEST_CASE("devices: a killed key host does not show") {
  SystemClock clock;
  NullLog log;
  SwTpm tpm;
  auto host = std::make_unique<keyhost::KeyHost>(
      test_key_host(), "tpm", testing::settings({{"device", tpm.device()}}), clock, log);
  keyhost::DeviceProtector protector({"tpm", "the TPM", false}, std::move(host));
  auto enrolled = protector.enroll({}, kDeviceTimeout);
  REQUIRE_MESSAGE(enrolled.answer.ok(), enrolled.answer.message);
  ::kill(protector.host().pid(), SIGKILL);
  SlotRecord slot;
  slot.kind = "tpm";
  slot.policy = enrolled.policy;
  CHECK(protector.recover(slot, kDeviceTimeout).kek == enrolled.kek);
  CHECK(protector.health(slot, kDeviceTimeout).ok());
  CHECK(protector.random(24, kDeviceTimeout).kek.size() == 24);
}

TEST_CASE("stanzas: what is wrong is named with file and line") {
  Machine machine;
  const auto message = [&](const std::string& text) {
    const auto made = machine.setup(text);
    REQUIRE_FALSE(made.ok());
    return made.error().message;
  };
  CHECK(message("seal \"abacus\" {}").find("there is no seal \"abacus\"") != std::string::npos);
  CHECK(message("seal \"tpm\" {\n typo = 1\n}").find("vault.hcl:2") == 0);
  CHECK(message("seal \"tpm\" {\n pcr_policy_key = \"/x\"\n}").find("not support pcr_policy_key") !=
        std::string::npos);
  CHECK(message("seal \"tpm\" {}\nseal \"tpm\" {}").find("a second seal") != std::string::npos);
  CHECK(message("seal \"pkcs11\" {\n key_label = \"x\"\n}").find("needs lib") != std::string::npos);
  CHECK(message("seal \"tpm\" {\n recovery_mode = \"maybe\"\n}").find("recovery_mode") !=
        std::string::npos);
}

namespace {

// More is no memory of ours: a sanitizer maps terabytes for its own use.
constexpr unsigned long kMappedMax = 1UL << 30;

// Whether the bytes whose complement is `inverted` lie anywhere in the writable memory of
// `process`.
bool is_in_memory_of(pid_t process, const std::string& inverted) {
  const std::string proc = "/proc/" + std::to_string(process);
  std::ifstream maps(proc + "/maps");
  const int memory = ::open((proc + "/mem").c_str(), O_RDONLY | O_CLOEXEC);
  bool found = memory < 0;
  for (std::string line; std::getline(maps, line);) {
    unsigned long from = 0, to = 0;
    char mode[5] = {};
    if (std::sscanf(line.c_str(), "%lx-%lx %4s", &from, &to, mode) != 3 || mode[1] != 'w') continue;
    if (to - from > kMappedMax) continue;
    std::string bytes(to - from, 0);
    if (::pread(memory, bytes.data(), bytes.size(), static_cast<off_t>(from)) <= 0) continue;
    for (char& byte : bytes) byte = static_cast<char>(~byte);
    found = found || bytes.find(inverted) != std::string::npos;
  }
  return found;
}

// Looked for by a child, because the look itself leaves copies behind.
bool is_in_memory(const std::string& inverted) {
  const pid_t self = ::getpid(), child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) ::_exit(is_in_memory_of(self, inverted) ? 1 : 0);
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  return WEXITSTATUS(status) != 0;
}

}  // namespace

TEST_CASE("stanzas: a key that stands in a stanza is nowhere in memory as text once it is read") {
  Machine machine;
  std::string inverted = hex(machine.random.take<32>());
  for (char& digit : inverted) digit = static_cast<char>(~digit);
  const auto stanza = [&] {
    std::string text = "seal \"static\" {\n current_key_id = \"1\"\n current_key = \"";
    text.reserve(256);  // in one piece: what a growing string leaves behind would be found
    for (const char digit : inverted) text += static_cast<char>(~digit);
    text += "\"\n}\n";
    return text;
  };
  std::string text = stanza();
  CHECK(is_in_memory(inverted));
  const auto made = machine.setup(text);
  wipe(text);
  REQUIRE(made.ok());
  CHECK_FALSE(is_in_memory(inverted));
  CHECK(made->protectors.front()->enroll({}, kDeviceTimeout).answer.ok());
  CHECK_FALSE(is_in_memory(inverted));
}

TEST_CASE("stanzas: the environment of a key host is a list of names") {
  Machine machine;
  CHECK(machine.setup("seal \"tpm\" {\n environment = [\"A\", \"B=c\"]\n}").ok());
  CHECK_FALSE(machine.setup("seal \"tpm\" {\n environment = [\"=c\"]\n}").ok());
}

TEST_CASE("stanzas: shamir and disabled ones are no devices, Vault's extras are warned about") {
  Machine machine;
  const auto none = machine.setup("seal \"shamir\" {}\nseal \"tpm\" {\n disabled = \"true\"\n}");
  REQUIRE(none.ok());
  CHECK(none->protectors.empty());
  const auto token = machine.setup(
      "seal \"pkcs11\" {\n lib = \"/x.so\"\n slot = 5\n pin = 1234\n key_label = \"root\"\n"
      " generate_key = \"true\"\n recovery_mode = \"authorize\"\n}");
  REQUIRE_MESSAGE(token.ok(), token.error().message);
  CHECK(token->warnings.size() == 1);
  CHECK(token->recovery_mode == RecoveryMode::authorize);
}
