#include "vault/base/log_settings.h"

#include <algorithm>

namespace leasehold {
namespace {

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return out;
}

}  // namespace

std::optional<LogLevel> parse_log_level(std::string_view text) {
  const std::string name = lower(text);
  if (name == "trace") return LogLevel::trace;
  if (name == "debug") return LogLevel::debug;
  if (name.empty() || name == "info" || name == "notice") return LogLevel::info;
  if (name == "warn" || name == "warning") return LogLevel::warn;
  if (name == "err" || name == "error") return LogLevel::error;
  return std::nullopt;
}

std::optional<LogFormat> parse_log_format(std::string_view text) {
  const std::string name = lower(text);
  if (name.empty() || name == "standard") return LogFormat::standard;
  if (name == "json") return LogFormat::json;
  return std::nullopt;
}

}  // namespace leasehold
