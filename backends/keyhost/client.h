#pragma once
// The vault's end of a key host: starts the process, gives it one device, asks, and ends it when it
// does not answer. One process per device, so that a hung TPM does not hold up a token.
//
//   KeyHost host({own_executable(), {"leaseholdd", "keyhost"}}, "tpm", settings, clock, log);
//   seal::Reply reply = host.call(std::move(request), Millis(60'000));
//
// A host that dies during a call is started again and asked once more; one that keeps dying is left
// alone for a growing while. A host that passes the deadline is killed: state `wedged`.
// Thread-safe; calls wait for each other.

#include <sys/types.h>

#include <atomic>

#include "backends/keyhost/device.h"
#include "vault/base/log.h"
#include "vault/base/mutex.h"

namespace leasehold::keyhost {

struct KeyHostOptions {
  std::string executable;              // a path; own_executable() for the vault itself
  std::vector<std::string> arguments;  // argv, argv[0] included
  // What the process sees beyond kBasicEnvironment: "NAME" as the vault has it, or "NAME=value".
  std::vector<std::string> environment = {};
};

// The process gets no other variable of the vault's: a vendor's library has no business with its
// tokens and passwords, nor may LD_PRELOAD reach it. These are where the common modules look for
// their configuration; other names stand in `environment` of the stanza.
inline constexpr std::string_view kBasicEnvironment[] = {
    "HOME",
    "TZ",
    "SOFTHSM2_CONF",               // SoftHSM
    "KRYOPTIC_CONF",               // Kryoptic
    "OPENSC_CONF",                 // OpenSC
    "ChrystokiConfigurationPath",  // Thales Luna
    "CS_PKCS11_R2_CFG",
    "CS_PKCS11_R3_CFG",  // Utimaco
    "NFAST_HOME",
    "CKNFAST_LOADSHARING",   // Entrust nShield
    "YUBIHSM_PKCS11_CONF",   // YubiHSM
    "CLOUDHSM_PKCS11_CONF",  // AWS CloudHSM
    "TPM2_PKCS11_STORE",
    "TPM2_PKCS11_TCTI",
    "TPM2_PKCS11_BACKEND",     // tpm2-pkcs11
    "P11_KIT_SERVER_ADDRESS",  // p11-kit-client
};

// A path that stays this very program when the file is replaced by an upgrade. Call before threads.
std::string own_executable();

class KeyHost {
 public:
  KeyHost(KeyHostOptions options, std::string kind, Settings settings, Clock& clock, LogSink& log);
  ~KeyHost();
  KeyHost(const KeyHost&) = delete;
  KeyHost& operator=(const KeyHost&) = delete;

  // Fills in id, device and timeout. The answer's state says how it went; never throws, never
  // hangs.
  seal::Reply call(seal::Request request, Millis timeout);
  // A call that waits ends at once, and none begins any more. Waits for nothing.
  void stop() { stopped_ = true; }
  // Of the running process, 0 when there is none. For tests.
  pid_t pid() const;

 private:
  enum class Sent { answered, died, late };
  seal::Reply try_call(seal::Request& request, Millis timeout, Sent& sent) REQUIRES(mutex_);
  DeviceAnswer start(Millis timeout) REQUIRES(mutex_);
  Status spawn() REQUIRES(mutex_);
  seal::Reply exchange(seal::Request& request, Millis timeout, Sent& sent) REQUIRES(mutex_);
  bool wait_for_reply(const Deadline& deadline) REQUIRES(mutex_);
  std::string end() REQUIRES(mutex_);
  void failed() REQUIRES(mutex_);

  const KeyHostOptions options_;
  const std::string kind_;
  const Settings settings_;
  Clock& clock_;
  LogSink& log_;

  std::atomic<bool> stopped_{false};
  mutable Mutex mutex_;
  pid_t pid_ GUARDED_BY(mutex_) = 0;
  int fd_ GUARDED_BY(mutex_) = -1;
  std::uint32_t next_id_ GUARDED_BY(mutex_) = 1;
  unsigned failures_ GUARDED_BY(mutex_) = 0;
  Instant not_before_ GUARDED_BY(mutex_);
};

}  // namespace leasehold::keyhost
