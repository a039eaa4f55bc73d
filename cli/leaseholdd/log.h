#pragma once
// The server's log: one line per message to stderr or a file, as text or JSON, through spdlog. The
// level can change while running (SIGHUP). Thread-safe.

#include <memory>
#include <string>

#include "vault/base/log.h"
#include "vault/base/result.h"

namespace leasehold::server_process {

struct LogSettings {
  std::string level = "info";       // trace, debug, info, warn, error
  std::string format = "standard";  // or "json"
  std::string file;                 // empty: stderr
};

// Code::invalid for an unknown level or format, or a file that cannot be opened.
Result<std::unique_ptr<LogSink>> make_log(const LogSettings& settings);

}  // namespace leasehold::server_process
