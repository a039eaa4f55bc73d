#pragma once
// The contract of a device that keeps a slot's key: a TPM, a PKCS#11 token, a key file. It makes a
// 32-byte key-encryption key for a slot and gives it back later from the slot's policy bytes, which
// only it understands. It never sees the root key.
//
// Every call ends within `timeout`, whatever the device does. Errors are states, not codes: the
// operator's next step depends on them. Thread-safe.

#include <string>

#include "vault/seal/slot.h"

namespace leasehold::seal {

// DO NOT CHANGE A VALUE: they cross the key host's socket.
enum class DeviceState : std::uint8_t {
  ok = 0,
  unknown = 1,      // not tried yet
  degraded = 2,     // works, with something to repair; the message says what
  absent = 3,       // no such device, token or key
  replaced = 4,     // a device is there, and it is another one
  locked = 5,       // refuses tries for now (dictionary attack lockout, PIN locked)
  auth = 6,         // the PIN or authorization value is wrong; never tried again by itself
  policy = 7,       // the machine is not in the state the slot was made for (PCRs)
  tampered = 8,     // the stored slot or an answer on the wire was changed
  unsupported = 9,  // the device or this program cannot do what is asked
  wedged = 10,      // did not answer in time
  failed = 11,      // any other error of the device or the key host
};
std::string_view to_text(DeviceState state);

struct DeviceAnswer {
  DeviceState state = DeviceState::unknown;
  std::string message;  // for the operator; says what to do
  std::string detail;   // for the log
  bool ok() const { return state == DeviceState::ok || state == DeviceState::degraded; }
};

// Binds what a device seals to one slot of one store.
struct SlotContext {
  StoreId store{};
  SlotId slot{};
  std::uint32_t generation = 1;
};
inline SlotContext context_of(const SlotRecord& slot) {
  return {slot.store, slot.id, slot.generation};
}

struct Enrolled {
  DeviceAnswer answer;
  SecretBytes kek;
  std::string identity;
  Bytes policy;
};
struct Recovered {
  DeviceAnswer answer;
  SecretBytes kek;
};

class Protector {
 public:
  virtual ~Protector() = default;
  virtual std::string_view kind() const = 0;  // of the slot records it makes and reads
  virtual std::string describe() const = 0;   // "TPM /dev/tpmrm0"
  virtual bool is_hardware() const = 0;
  // The stanza says `reenroll = true`: once the vault was opened another way, this device gets a
  // new slot in place of one it can no longer open.
  virtual bool reenrolls() const { return false; }
  virtual Enrolled enroll(const SlotContext& context, Millis timeout) = 0;
  virtual Recovered recover(const SlotRecord& slot, Millis timeout) = 0;
  // A real operation with the slot's key object, as far as that needs no login: `unknown` else.
  virtual DeviceAnswer health(const SlotRecord& slot, Millis timeout) = 0;
  // Whether a slot could be made, as far as that needs no login: `unknown` where it does.
  virtual DeviceAnswer presence(Millis timeout) { return enroll({}, timeout).answer; }
  // A call that waits ends now, and later ones end at once: the process ends.
  virtual void stop() {}
};

}  // namespace leasehold::seal
