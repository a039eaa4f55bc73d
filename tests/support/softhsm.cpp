#include "tests/support/softhsm.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace leasehold::testing {
namespace {

[[noreturn]] void give_up(const std::string& what) {
  std::fprintf(stderr, "SoftHSM for the tests: %s (apt install softhsm2 opensc)\n", what.c_str());
  std::abort();
}

// Every word is ours; nothing needs quoting.
void run(const std::string& command) {
  if (std::system((command + " >/dev/null 2>&1").c_str()) != 0) give_up("failed: " + command);
}

}  // namespace

SoftHsm::SoftHsm() {
  char name[] = "/tmp/lh-hsm-XXXXXX";
  if (::mkdtemp(name) == nullptr) give_up("cannot make a temporary folder");
  folder_ = name;
  std::filesystem::create_directory(folder_ + "/tokens");
  std::ofstream(folder_ + "/softhsm2.conf") << "directories.tokendir = " << folder_ << "/tokens\n"
                                            << "objectstore.backend = file\n"
                                            << "log.level = ERROR\n";
  ::setenv("SOFTHSM2_CONF", (folder_ + "/softhsm2.conf").c_str(), 1);
  write_pin(pin());
  add_token(token_label());
}

SoftHsm::~SoftHsm() {
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

void SoftHsm::write_pin(const std::string& pin) const {
  const std::string fresh = folder_ + "/pin.new";
  std::ofstream(fresh) << pin << "\n";
  ::chmod(fresh.c_str(), 0600);
  std::filesystem::rename(fresh, pin_file());
}

unsigned long SoftHsm::slot() const {
  const std::string list = folder_ + "/slots";
  if (std::system(("softhsm2-util --show-slots >" + list).c_str()) != 0) give_up("no slots");
  std::ifstream in(list);
  std::string word;
  unsigned long slot = 0;
  while (in >> word && word != "Slot") {
  }
  in >> slot;
  return slot;
}

void SoftHsm::create_key(const std::string& label, const std::string& type,
                         const std::string& options) const {
  run("pkcs11-tool --module " + module() + " --token-label " + token_label() + " --login --pin " +
      pin() + " --keygen --key-type " + type + " --label " + label + " --id 01 " + options);
}

void SoftHsm::add_token(const std::string& label) const {
  run("softhsm2-util --init-token --free --label " + label + " --so-pin 5678 --pin " + pin());
}

void SoftHsm::remove_token() const {
  std::filesystem::rename(folder_ + "/tokens", folder_ + "/away");
  std::filesystem::create_directory(folder_ + "/tokens");
}

void SoftHsm::restore_token() const {
  std::filesystem::remove_all(folder_ + "/tokens");
  std::filesystem::rename(folder_ + "/away", folder_ + "/tokens");
}

void SoftHsm::replace_token() const {
  remove_token();
  add_token(token_label());
}

}  // namespace leasehold::testing
