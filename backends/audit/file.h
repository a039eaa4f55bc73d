#pragma once
// The audit device "file": one file, appended to, made with mode 0600 in a directory that must
// exist.
//
//   audit "file" "main" {
//     description = "what happened"
//     options { file_path = "/var/log/leasehold/audit.log"  mode = "0640"  sync = "always" }
//   }
//
// `file_path` may be "stdout" or "discard" as in Vault. Never followed: a symbolic link; never
// used: a file in the storage directory, a file another process logs to, a file that ends with
// something else. A half-written line is cut off, or, where the file system forbids that
// (append-only), ended and reported as a remnant. Errors name path and reason. Thread safety: as
// Device says.

#include <memory>
#include <string>

#include "backends/audit/device_options.h"
#include "vault/audit/log.h"
#include "vault/base/stanza.h"

namespace leasehold::audit {

// Code::invalid with file and line for an option that is unknown, unsafe (`log_raw`, `prefix`, a
// mode that lets others write) or not supported.
Result<std::unique_ptr<Device>> make_file_device(Stanza& stanza, const Setting& setting);

}  // namespace leasehold::audit
