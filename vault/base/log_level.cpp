#include "vault/base/log_level.h"

#include <atomic>

namespace leasehold {

namespace {

std::atomic<LogLevel> current{LogLevel::info}, configured{LogLevel::info};

}  // namespace

LogLevel log_level() { return current; }
void set_log_level(LogLevel level) { current = level; }
void reset_log_level() { current = configured.load(); }
void configure_log_level(LogLevel level) {
  configured = level;
  current = level;
}

std::string_view name_of(LogLevel level) {
  switch (level) {
    case LogLevel::trace:
      return "trace";
    case LogLevel::debug:
      return "debug";
    case LogLevel::info:
      return "info";
    case LogLevel::warn:
      return "warn";
    case LogLevel::error:
      break;
  }
  return "error";
}

}  // namespace leasehold
