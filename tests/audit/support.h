#pragma once
// What the audit tests share: a temporary folder, a log that remembers, a device that fails on
// demand, and a running log with one file.

#include <stdlib.h>
#include <sys/stat.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <mutex>
#include <sstream>
#include <thread>

#include "backends/audit/file.h"
#include "backends/audit/log_file.h"
#include "tests/support/eventually.h"
#include "tests/support/fake_clock.h"
#include "tests/support/seeded_random.h"
#include "vault/audit/chain_records.h"
#include "vault/audit/log.h"
#include "vault/audit/record.h"
#include "vault/audit/verify.h"
#include "vault/base/encoding.h"
#include "vault/crypto/ed25519.h"

namespace leasehold::audit {

using testing::eventually;

class Folder {
 public:
  Folder() {
    char name[] = "/tmp/audit-test-XXXXXX";
    path_ = ::mkdtemp(name);
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

class MemoryLog final : public LogSink {
 public:
  void write(LogLevel, std::string_view message) override {
    std::lock_guard<std::mutex> lock(mutex_);
    text_ += std::string(message) + "\n";
  }
  std::string text() const {
    std::lock_guard<std::mutex> lock(mutex_);
    return text_;
  }

 private:
  mutable std::mutex mutex_;
  std::string text_;
};

inline std::string read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}
inline void write_file(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << text;
}
inline std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}
inline std::string joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const auto& line : lines) text += line + "\n";
  return text;
}

// A real file whose disk fills and whose cable comes loose when the test says so.
class FaultyDevice final : public Device {
 public:
  struct Faults {
    std::atomic<bool> write{false}, sync{false}, open{false};
    std::atomic<int> writes{0}, syncs{0};
  };
  FaultyDevice(const std::string& file, Faults& faults) : file_(file, 0600), faults_(faults) {}
  Result<Tail> open() override {
    if (faults_.open) return failure(Code::internal, where() + ": cannot open", "unplugged");
    return file_.open();
  }
  Status write(std::string_view lines) override {
    ++faults_.writes;
    if (faults_.write) return failure(Code::no_space, where() + ": cannot write", "disk full");
    return file_.write(lines);
  }
  Status sync() override {
    ++faults_.syncs;
    if (faults_.sync) return failure(Code::internal, where() + ": cannot flush to disk", "EIO");
    return file_.sync();
  }
  Result<bool> reopen() override { return file_.reopen(); }
  bool moved() override { return file_.moved(); }
  bool astray() override { return file_.astray(); }
  Status each_back(FunctionRef<bool(std::string_view)> each) override {
    return file_.each_back(each);
  }
  std::string where() const override { return file_.where(); }

 private:
  LogFile file_;
  Faults& faults_;
};

inline constexpr std::array<std::uint8_t, 32> kSeed = {7, 7, 7};

inline Identity test_identity() {
  Identity identity;
  identity.store_id = Bytes(16, 0xab);
  identity.incarnation = Bytes(8, 0x01);
  identity.sign_seed = kSeed;
  return identity;
}

inline std::string body(const Record& record, const crypto::HmacKey& key) {
  Texts texts;
  append_body(texts, record, key);
  return std::string(texts[0]);
}

// A log over the given devices; each test brings its own clock and sink through here.
struct Running {
  testing::FakeClock clock;
  MemoryLog sink;
  std::unique_ptr<AuditLog> log;

  explicit Running(std::vector<std::unique_ptr<Device>> devices, bool always = false) {
    if (!devices.empty()) devices.front()->sync_always = always;
    log = std::make_unique<AuditLog>(std::move(devices), clock, sink);
  }
  explicit Running(const std::string& file, bool always = false) : Running(one(file), always) {}
  static std::vector<std::unique_ptr<Device>> one(const std::string& file) {
    std::vector<std::unique_ptr<Device>> devices;
    devices.push_back(std::make_unique<LogFile>(file, 0600));
    return devices;
  }
  Status start() { return log->start(test_identity()); }
  Status add(const std::string& text) {
    const std::string body =
        "{\"time\":\"" + rfc3339(clock.now()) + "\",\"type\":\"request\",\"n\":\"" + text + "\"}";
    const std::string_view bodies[] = {body};
    return log->append(bodies);
  }
};

inline Verdict verified(const std::vector<std::string>& files, const VerifyOptions& options = {}) {
  auto verdict = verify_files(files, options);
  return verdict.ok() ? *verdict : Verdict{};
}

}  // namespace leasehold::audit
