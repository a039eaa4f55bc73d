#pragma once
// Which messages the server's log keeps: what the configuration says, until sys/loggers says
// otherwise. One for the process, as its log is. Thread-safe functions.

#include "vault/base/log.h"

namespace leasehold {

LogLevel log_level();
void set_log_level(LogLevel level);
void reset_log_level();  // to what was configured
// Said once, when the log is made; sets both.
void configure_log_level(LogLevel level);

std::string_view name_of(LogLevel level);  // "warn"

}  // namespace leasehold
