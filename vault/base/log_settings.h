#pragma once
// How a server's log is asked for, as Vault's files and flags say it. Thread safety: functions.

#include <optional>
#include <string_view>

#include "vault/base/log.h"

namespace leasehold {

enum class LogFormat { standard, json };

// In any case, with the synonyms "notice", "warning" and "err"; empty is the default. Nothing: an
// unknown word.
std::optional<LogLevel> parse_log_level(std::string_view text);
std::optional<LogFormat> parse_log_format(std::string_view text);

}  // namespace leasehold
