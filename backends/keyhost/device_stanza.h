#pragma once
// What the stanzas of devices share: settings that go to the key host as they are, and the
// environment that its libraries see.

#include <span>

#include "backends/keyhost/device_protector.h"
#include "backends/keyhost/seal_row.h"

namespace leasehold::keyhost {

// The settings that are there. Takes `environment` and `reenroll`, too, and with these the stanza
// is read.
struct DeviceStanza {
  Settings settings;
  std::vector<std::string> variables;
  std::string pin_variable;  // of the vault's environment, whose value is among the settings
  bool reenrolls = false;
};
Result<DeviceStanza> read_device(Stanza& stanza, std::span<const std::string_view> keys);

// A device that works in a key host of its own.
std::unique_ptr<seal::Protector> in_key_host(std::string_view kind, std::string description,
                                             DeviceStanza stanza,
                                             const SealEnvironment& environment);

}  // namespace leasehold::keyhost
