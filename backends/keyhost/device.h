#pragma once
// A device as the key host sees it: it enrolls and recovers slot keys, and ends within a deadline.
// Implementations live in tpm/ and pkcs11/; the host calls them from one thread.
//
// Settings are the keys of the seal stanza, as text; a PIN may be among them. Errors are states
// with a message for the operator (vault/seal/protector.h).

#include <algorithm>
#include <memory>

#include "vault/base/clock.h"
#include "vault/base/random.h"
#include "vault/seal/keyhost_protocol.h"

namespace leasehold::keyhost {

using seal::DeviceAnswer;
using seal::DeviceState;
using seal::SlotContext;
using Settings = std::vector<seal::Setting>;

class Deadline {
 public:
  Deadline(Clock& clock, Millis timeout) : clock_(&clock), due_(add(clock.instant(), timeout)) {}
  Millis left() const {
    const auto ns = std::max<std::int64_t>(due_.ns - clock_->instant().ns, 0);
    return std::chrono::ceil<Millis>(Nanos(ns));
  }
  bool passed() const { return left().count() == 0; }

 private:
  Clock* clock_;
  Instant due_;
};

// What recover() gets of a stored slot.
struct StoredSlot {
  SlotContext context;
  std::string identity;
  Bytes policy;
};

class Device {
 public:
  virtual ~Device() = default;
  virtual seal::Enrolled enroll(const SlotContext& context, const Deadline& deadline) = 0;
  virtual seal::Recovered recover(const StoredSlot& slot, const Deadline& deadline) = 0;
  // Uses the slot's key as recover() does, as far as that needs no login.
  virtual DeviceAnswer health(const StoredSlot& slot, const Deadline& deadline) {
    return recover(slot, deadline).answer;
  }
  // Whether enroll() could work, as far as that needs no login; `unknown` where it does.
  virtual DeviceAnswer presence(const Deadline& deadline) { return enroll({}, deadline).answer; }
  // `count` bytes of the device's own generator.
  virtual seal::Recovered random(std::size_t count, const Deadline& deadline) = 0;
};

inline DeviceAnswer answer(DeviceState state, std::string message, std::string detail = {}) {
  return {state, std::move(message), std::move(detail)};
}

// Text of a setting, which may be a PIN: as long as `settings` stay. Empty when it is absent.
inline std::string_view shown(const Settings& settings, std::string_view name) {
  for (const seal::Setting& each : settings)
    if (each.name == name) return as_text(each.value.reveal());
  return {};
}
// The same of one that is no secret.
inline std::string setting(const Settings& settings, std::string_view name) {
  return std::string(shown(settings, name));
}

// Makes the device of a kind from its settings; Code::invalid says which setting is wrong.
using DeviceFactory = Result<std::unique_ptr<Device>> (*)(const Settings& settings, Clock& clock,
                                                          Random& random);

}  // namespace leasehold::keyhost
