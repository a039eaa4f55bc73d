#pragma once
// A PKCS#11 token of its own for a test: SoftHSM with its store in a temporary folder. While it
// lives, SOFTHSM2_CONF points at it, also for processes started by the test.
//
//   SoftHsm hsm;                       // token "vault", user PIN 1234
//   hsm.create_key("root");            // AES-256, as the README says: with pkcs11-tool
//   hsm.pin_file();                    // a file with the PIN, mode 0600
//
// A machine without SoftHSM and pkcs11-tool ends the program: a test without its counterpart fails.

#include <string>

namespace leasehold::testing {

class SoftHsm {
 public:
  SoftHsm();
  ~SoftHsm();
  SoftHsm(const SoftHsm&) = delete;
  SoftHsm& operator=(const SoftHsm&) = delete;

  static std::string module() { return "/usr/lib/softhsm/libsofthsm2.so"; }
  static std::string token_label() { return "vault"; }
  static std::string pin() { return "1234"; }
  std::string pin_file() const { return folder_ + "/pin"; }
  // Another inode and time, as an editor leaves it.
  void write_pin(const std::string& pin) const;
  std::string state_folder() const { return folder_ + "/state"; }

  unsigned long slot() const;  // of the token; SoftHSM chooses a large number
  void create_key(const std::string& label, const std::string& type = "AES:32",
                  const std::string& options = "--sensitive") const;
  void add_token(const std::string& label) const;
  void remove_token() const;   // pulled out
  void restore_token() const;  // and put back
  void replace_token() const;  // another token of the same label

 private:
  std::string folder_;
};

}  // namespace leasehold::testing
