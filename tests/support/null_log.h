#pragma once
// A log that keeps nothing. Thread-safe.

#include "vault/base/log.h"

namespace leasehold {

class NullLog final : public LogSink {
 public:
  void write(LogLevel, std::string_view) override {}
};

}  // namespace leasehold
