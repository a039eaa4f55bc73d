#pragma once
// A software TPM of its own for a test: a real TPM 2.0 behind a unix socket in a temporary folder.
// The listening socket is made here and inherited, so there is nothing to wait for. It dies with
// the test.
//
//   SwTpm tpm;
//   tpm.device()          // "swtpm:path=/tmp/…/sock"
//   tpm.reboot();         // PCRs, sessions and loaded objects are gone, keys stay
//   tpm.extend(7);        // a PCR gets another value
//
// A machine without swtpm ends the program: a test without its counterpart fails.

#include <sys/types.h>

#include <string>

namespace leasehold::testing {

class SwTpm {
 public:
  SwTpm();
  ~SwTpm();
  SwTpm(const SwTpm&) = delete;
  SwTpm& operator=(const SwTpm&) = delete;

  std::string device() const { return "swtpm:path=" + socket_; }
  void reboot();
  void kill();     // gone, and nobody listens
  void start();    // after kill()
  void stop();     // accepts and does not answer
  void cont();     // answers again
  void replace();  // another TPM in the same place
  void extend(unsigned pcr);
  // Objects and sessions loaded right now.
  unsigned loaded() const;
  // Makes the storage key of the standard template persistent, as an operating system may have
  // done.
  void persist_storage_key();
  // Another storage key in its place.
  void persist_other_storage_key();

 private:
  void make_folder();
  void end();

  std::string folder_;
  std::string socket_;
  pid_t pid_ = 0;
};

}  // namespace leasehold::testing
