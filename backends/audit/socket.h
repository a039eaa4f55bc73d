#pragma once
// The audit devices "socket" and "syslog": lines to another machine or to this one's log.
//
//   audit "socket" "siem" {
//     options { address = "10.0.0.9:9090"  socket_type = "tcp"  write_timeout = "2s" }
//   }
//   audit "syslog" "local" { options { facility = "AUTH"  tag = "leasehold" } }
//
// Each has its own thread (queued_device.h). `address` of `socket_type = "unix"` is a path.

#include <memory>
#include <string>

#include "backends/audit/device_options.h"
#include "vault/audit/log.h"
#include "vault/base/stanza.h"

namespace leasehold::audit {

// Code::invalid with file and line for an option that is unknown or cannot be.
Result<std::unique_ptr<Device>> make_socket_device(Stanza& stanza, const Setting& setting);
Result<std::unique_ptr<Device>> make_syslog_device(Stanza& stanza, const Setting& setting);

}  // namespace leasehold::audit
