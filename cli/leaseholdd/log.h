#pragma once
// The server's log: one line per message to stderr or a file, as text or JSON, through spdlog. The
// level can change while running (SIGHUP). Thread-safe.

#include <memory>
#include <string>

#include "vault/base/log_settings.h"
#include "vault/base/result.h"

namespace leasehold::server_process {

struct LogSettings {
  LogLevel level = LogLevel::info;
  LogFormat format = LogFormat::standard;
  std::string file;  // empty: stderr
};

// Code::invalid for a file that cannot be opened, with the reason and who tried.
Result<std::unique_ptr<LogSink>> make_log(const LogSettings& settings);

}  // namespace leasehold::server_process
