#pragma once
// What every kind of audit device reads of its stanza.

#include <memory>
#include <optional>
#include <string>

#include "backends/audit/view.h"
#include "vault/audit/log.h"
#include "vault/base/clock.h"
#include "vault/base/stanza.h"

namespace leasehold::audit {

// What a device gets of the process; the references outlive it.
struct Setting {
  const std::string& storage_directory;  // may be empty
  Clock& clock;
};

struct DeviceOptions {
  std::string path, description;
  std::optional<View> view;
};

// Takes the stanza's own keys and those options that all kinds share; the kind's are left for it to
// take. `kinds_own`: its options, to tell where one belongs that stands a level too high.
Result<DeviceOptions> take_device_options(Stanza& stanza, Stanza& options,
                                          std::span<const std::string_view> kinds_own);
// `write_timeout` as Vault writes it (2s), 1 to 30 seconds.
Result<Nanos> take_write_timeout(Stanza& options);
// What `sys/audit` shows of it.
void describe(Device& device, std::string_view kind, DeviceOptions&& taken, const Stanza& options,
              std::span<const std::string_view> kinds_own);
Error refused(const Stanza& stanza, std::string_view key, const std::string& why);

}  // namespace leasehold::audit
