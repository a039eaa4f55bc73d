#include "cli/leaseholdd/log.h"

#include <fcntl.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "cli/leaseholdd/user_name.h"
#include "vault/base/json.h"
#include "vault/base/log_level.h"
#include "vault/base/printable.h"

namespace leasehold::server_process {

namespace {

spdlog::level::level_enum to_spdlog(LogLevel level) {
  switch (level) {
    case LogLevel::trace:
      return spdlog::level::trace;
    case LogLevel::debug:
      return spdlog::level::debug;
    case LogLevel::info:
      return spdlog::level::info;
    case LogLevel::warn:
      return spdlog::level::warn;
    case LogLevel::error:
      return spdlog::level::err;
  }
  return spdlog::level::info;
}

class SpdLog final : public LogSink {
 public:
  SpdLog(std::shared_ptr<spdlog::logger> logger, bool as_json)
      : logger_(std::move(logger)), as_json_(as_json) {}
  void write(LogLevel level, std::string_view message) override {
    if (level < log_level()) return;
    if (!as_json_) return logger_->log(to_spdlog(level), printable(message));
    std::string quoted;
    write_json_string(quoted, message);
    logger_->log(to_spdlog(level), quoted);
  }

 private:
  const std::shared_ptr<spdlog::logger>
      logger_;  // spdlog's own interface asks for shared ownership
  const bool as_json_;
};

Error cannot_open(const std::string& file, const std::string& why) {
  return failure(Code::invalid, "log_file " + file + " cannot be opened by the user " +
                                    user_name(::geteuid()) + ": " + why);
}

// The library would make it for others to read: the first messages come before the umask is set.
Status make_private(const std::string& file) {
  const int made = ::open(file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (made < 0) return cannot_open(file, std::strerror(errno));
  ::close(made);
  return {};
}

}  // namespace

Result<std::unique_ptr<LogSink>> make_log(const LogSettings& settings) {
  const bool as_json = settings.format == LogFormat::json;
  try {
    std::shared_ptr<spdlog::sinks::sink> sink;
    if (settings.file.empty()) {
      sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
    } else {
      VAULT_TRY(make_private(settings.file));
      sink = std::make_shared<spdlog::sinks::basic_file_sink_mt>(settings.file);
    }
    auto logger = std::make_shared<spdlog::logger>("leasehold", std::move(sink));
    configure_log_level(settings.level);
    logger->set_level(spdlog::level::trace);  // log_level() decides
    logger->flush_on(spdlog::level::info);
    logger->set_pattern(
        as_json ? R"({"@timestamp":"%Y-%m-%dT%H:%M:%S.%eZ","@level":"%l","@message":%v})"
                : "%Y-%m-%dT%H:%M:%S.%eZ [%^%l%$] %v",
        spdlog::pattern_time_type::utc);
    return std::unique_ptr<LogSink>(std::make_unique<SpdLog>(std::move(logger), as_json));
  } catch (const spdlog::spdlog_ex& error) {
    return cannot_open(settings.file, error.what());
  }
}

}  // namespace leasehold::server_process
