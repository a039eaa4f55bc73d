#include "vault/base/log_settings.h"

#include "vault/base/encoding.h"

namespace leasehold {

std::optional<LogLevel> parse_log_level(std::string_view text) {
  const std::string name = lower_case(text);
  if (name == "trace") return LogLevel::trace;
  if (name == "debug") return LogLevel::debug;
  if (name.empty() || name == "info" || name == "notice") return LogLevel::info;
  if (name == "warn" || name == "warning") return LogLevel::warn;
  if (name == "err" || name == "error") return LogLevel::error;
  return std::nullopt;
}

std::optional<LogFormat> parse_log_format(std::string_view text) {
  const std::string name = lower_case(text);
  if (name.empty() || name == "standard") return LogFormat::standard;
  if (name == "json") return LogFormat::json;
  return std::nullopt;
}

}  // namespace leasehold
