#include <doctest/doctest.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/audit/support.h"
#include "vault/base/hcl.h"

using namespace leasehold;
using namespace leasehold::audit;

namespace {

Result<std::unique_ptr<Device>> from(const std::string& options, const std::string& storage = {},
                                     const std::string& label = "file") {
  const auto parsed =
      parse_hcl("audit \"" + label + "\" \"main\" {\n description = \"d\"\n options {\n" + options +
                    "\n }\n}\n",
                {"audit", "options"});
  REQUIRE(parsed.ok());
  Stanza stanza("vault.hcl", parsed->blocks.at(0));
  static testing::FakeClock clock;
  return make_file_device(stanza, {storage, clock});
}

// Part of the message of the error that `options` cause.
bool refused(const std::string& options, const std::string& message,
             const std::string& storage = {}) {
  const auto device = from(options, storage);
  if (device.ok()) return false;
  CAPTURE(device.error().message);
  CHECK(device.error().message.find(message) != std::string::npos);
  return device.is(Code::invalid);
}

unsigned mode_of(const std::string& file) {
  struct stat status {};
  ::stat(file.c_str(), &status);
  return status.st_mode & 07777;
}

// Files of this process cannot grow beyond a size: the kernel writes a part of a line, then
// refuses.
class SizeLimit {
 public:
  explicit SizeLimit(rlim_t bytes) {
    handler_ = ::signal(SIGXFSZ, SIG_IGN);
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit{bytes, before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~SizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    ::signal(SIGXFSZ, handler_);
  }
  SizeLimit(const SizeLimit&) = delete;
  SizeLimit& operator=(const SizeLimit&) = delete;

 private:
  rlimit before_{};
  void (*handler_)(int);
};

}  // namespace

TEST_CASE("file: an option beside \"options\" is told where it belongs") {
  const auto parsed =
      parse_hcl("audit \"file\" \"main\" {\n file_path = \"/a/b\"\n}\n", {"audit", "options"});
  REQUIRE(parsed.ok());
  Stanza stanza("vault.hcl", parsed->blocks.at(0));
  testing::FakeClock clock;
  const auto device = make_file_device(stanza, {{}, clock});
  REQUIRE_FALSE(device.ok());
  CHECK(device.error().message.find("vault.hcl:2") == 0);
  CHECK(device.error().message.find("options { file_path = ... }") != std::string::npos);
}

TEST_CASE("audit file: a stanza becomes a device with Vault's names") {
  Folder folder;
  const auto device = from("file_path = \"" + (folder / "a.log") +
                           "\"\n mode = \"0640\"\n sync = \"always\"\n hmac_accessor = true\n"
                           " log_raw = \"false\"\n format = \"json\"");
  REQUIRE(device.ok());
  CHECK((*device)->type == "file");
  CHECK((*device)->path == "main/");
  CHECK((*device)->description == "d");
  CHECK((*device)->sync_always);
  CHECK((*device)->where() == "file " + (folder / "a.log"));
  CHECK((*device)->options.front().second == folder / "a.log");
  CHECK(from("path = \"" + (folder / "a.log") + "\"").ok());
  CHECK((*from("file_path = \"stdout\""))->where() == "stdout");
  CHECK((*from("file_path = \"discard\""))->where() == "discard");
}

TEST_CASE("audit file: options that are unsafe or unknown name their line") {
  CHECK(refused("", "file_path"));
  CHECK(refused("file_path = \"/tmp/a\"\n log_raw = true", "vault.hcl:5:2: secrets are never"));
  CHECK(refused("file_path = \"/tmp/a\"\n prefix = \"#!/bin/sh\"", "vault.hcl:5:2: \"prefix\""));
  CHECK(refused("file_path = \"/tmp/a\"\n hmac_accessor = false", "vault.hcl:5:2: accessors"));
  CHECK(refused("file_path = \"/tmp/a\"\n format = \"jsonx\"", "vault.hcl:5"));
  CHECK(refused("file_path = \"/tmp/a\"\n filter = \"mount = kv\"", "vault.hcl:5:2: \"filter\""));
  CHECK(refused("file_path = \"discard\"\n elide_list_responses = true", "name one"));
  CHECK(refused("file_path = \"stdout\"\n rotate_bytes = 70000", "vault.hcl:5"));
  CHECK(refused("file_path = \"/tmp/a\"\n sync = \"never\"", "vault.hcl:5"));
  CHECK(refused("file_path = \"/tmp/a\"\n sbx = 1", "vault.hcl:5:2: unknown key \"sbx\""));
  CHECK(refused("file_pth = \"/tmp/a\"", "vault.hcl:4:1: unknown key \"file_pth\""));
  CHECK(refused("file_path = \"relative.log\"", "absolute"));
  for (const char* mode : {"0777", "0666", "0644", "0700", "0400", "4600", "rw", "0x180", "06000"})
    CHECK(refused("file_path = \"/tmp/a\"\n mode = \"" + std::string(mode) + "\"", "vault.hcl:5"));
}

TEST_CASE("audit file: one that leaves something out does not count as one that records") {
  Folder folder;
  const std::string path = "file_path = \"" + (folder / "a.log") + "\"\n ";
  CHECK((*from(path + "rotate_bytes = 70000"))->counts());
  const auto view = from(path + "elide_list_responses = true");
  REQUIRE(view.ok());
  CHECK_FALSE((*view)->counts());
  CHECK((*view)->options.back() ==
        std::pair<std::string, std::string>("elide_list_responses", "true"));
}

TEST_CASE("audit file: the storage directory is refused, by whatever road") {
  Folder folder;
  std::filesystem::create_directory(folder / "data");
  std::filesystem::create_directory(folder / "data2");
  std::filesystem::create_symlink(folder / "data", folder / "link");
  const auto in = [&](const std::string& file) {
    return refused("file_path = \"" + file + "\"", "must not lie in the storage directory",
                   folder / "data");
  };
  CHECK(in(folder / "data/audit.log"));
  CHECK(in(folder / "data/deep/audit.log"));
  CHECK(in(folder / "x/../data/audit.log"));
  CHECK(in(folder / "link/audit.log"));
  CHECK(in(folder / "data"));
  CHECK(from("file_path = \"" + (folder / "data2/audit.log") + "\"", folder / "data").ok());
  CHECK(from("file_path = \"" + (folder / "audit.log") + "\"", folder / "data/").ok());
}

TEST_CASE("audit file: it is made with its mode, and what is no plain file is refused") {
  Folder folder;
  LogFile plain(folder / "a.log", 0600), group(folder / "b.log", 0640);
  const mode_t before = ::umask(077);  // as the server's
  REQUIRE(plain.open().ok());
  REQUIRE(group.open().ok());
  ::umask(before);
  CHECK(mode_of(folder / "a.log") == 0600);
  CHECK(mode_of(folder / "b.log") == 0640);
  ::chmod((folder / "b.log").c_str(), 0600);
  REQUIRE(group.open().ok());
  CHECK(mode_of(folder / "b.log") == 0600);  // a file that was there keeps its own
  std::filesystem::create_symlink(folder / "target", folder / "link.log");
  const auto refusal = [](const std::string& file) {
    LogFile device(file, 0600);
    const auto tail = device.open();
    return tail.ok() ? std::string() : tail.error().message + ": " + tail.error().detail;
  };
  CHECK(refusal(folder / "link.log").find("symbolic link") != std::string::npos);
  CHECK_FALSE(std::filesystem::exists(folder / "target"));
  CHECK(refusal(folder / "none/a.log").find("directory does not exist") != std::string::npos);
  CHECK(refusal(folder / "none/a.log").find(folder / "none/a.log") != std::string::npos);
  CHECK(::mkfifo((folder / "fifo").c_str(), 0600) == 0);
  CHECK(refusal(folder / "fifo").find("not a regular file") != std::string::npos);
  CHECK_FALSE(refusal(folder.path()).empty());
  CHECK(refusal(folder / "a.log").find("another process") != std::string::npos);
}

TEST_CASE("audit file: a file that ends with something else is not appended to") {
  Folder folder;
  write_file(folder / "a.log", "{\"time\":\"x\",\"type\":\"request\"}\n");
  LogFile device(folder / "a.log", 0600);
  const auto tail = device.open();
  REQUIRE_FALSE(tail.ok());
  CHECK(tail.error().detail.find("move the file away") != std::string::npos);
  CHECK(read_file(folder / "a.log") == "{\"time\":\"x\",\"type\":\"request\"}\n");
}

TEST_CASE("audit file: the tail is found again, whatever the length of the last line") {
  Folder folder;
  for (const std::size_t size : {10ul, 60'000ul, 65'536ul, 200'000ul, 3'000'000ul}) {
    const std::string file = folder / std::to_string(size);
    Position last;
    {
      Running running(file);
      REQUIRE(running.start().ok());
      CHECK(running.add(std::string(size, 'x')).ok());
      last = running.log->position();
      // As a kill would leave it: without close record or checkpoint.
      std::filesystem::copy_file(file, file + ".killed");
    }
    LogFile device(file + ".killed", 0600);
    const auto tail = device.open();
    REQUIRE(tail.ok());
    CHECK(tail->seq == last.seq);
    CHECK(tail->hash == last.hash);
    CHECK_FALSE(tail->torn);
  }
}

TEST_CASE("audit file: a torn last line is cut at any byte, recorded, and the log is whole") {
  Folder folder;
  const std::string file = folder / "audit.log";
  {
    Running running(file);
    REQUIRE(running.start().ok());
    CHECK(running.add("last").ok());
  }
  const std::string text = read_file(file);
  const std::size_t last_line = text.rfind('\n', text.size() - 2) + 1;
  for (std::size_t size = 1; size < text.size(); size += size < last_line - 3 ? 37 : 1) {
    CAPTURE(size);
    write_file(file, text.substr(0, size));
    const bool torn = text[size - 1] != '\n';
    {
      Running running(file);
      REQUIRE(running.start().ok());
      CHECK((running.sink.text().find("half written") != std::string::npos) == torn);
    }
    const std::string after = read_file(file);
    CHECK((after.find("\"torn\"") != std::string::npos) == torn);
    CHECK(verified({file}).broken == "");
  }
}

TEST_CASE("audit file: a partly written line is taken back and the log heals by itself") {
  Folder folder;
  const std::string file = folder / "audit.log";
  Running running(file);
  REQUIRE(running.start().ok());
  CHECK(running.add("before").ok());
  const auto size = std::filesystem::file_size(file);
  {
    SizeLimit limit(size + 100);
    CHECK_FALSE(running.add("lost").ok());
    CHECK(std::filesystem::file_size(file) == size);
    CHECK_FALSE(running.add("lost").ok());
  }
  CHECK(running.sink.text().find(file) != std::string::npos);
  running.clock.advance(std::chrono::seconds(1));  // it is tried again once a second
  CHECK(eventually([&] { return running.add("after").ok(); }));
  running.log->close();
  CHECK(verified({file}).whole);
  CHECK(read_file(file).find("lost") == std::string::npos);
}

TEST_CASE("audit file: reopen keeps the old file when the new one cannot be used") {
  Folder folder;
  const std::string file = folder / "audit.log";
  Running running(file);
  REQUIRE(running.start().ok());
  CHECK(running.log->reopen().ok());  // nothing has moved: nothing changes
  std::filesystem::rename(file, file + ".1");
  write_file(file, "somebody else's\n");
  CHECK_FALSE(running.log->reopen().ok());
  CHECK(running.sink.text().find("not empty") != std::string::npos);
  CHECK(running.add("x").ok());
  std::filesystem::remove(file);
  CHECK(running.log->reopen().ok());
  CHECK(running.add("y").ok());
  running.log->close();
  CHECK(verified({file + ".1", file}).broken == "");
}

TEST_CASE("audit file: after kill -9 every acknowledged line is there and the log is whole") {
  Folder folder;
  const std::string file = folder / "audit.log";
  std::uint64_t acknowledged = 0;
  for (int round = 0; round < 8; ++round) {
    int pipe_ends[2];
    REQUIRE(::pipe(pipe_ends) == 0);
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      ::close(pipe_ends[0]);
      Running running(file);
      if (!running.start().ok()) ::_exit(1);
      for (;;) {
        if (!running.add("round " + std::to_string(round)).ok()) ::_exit(2);
        if (::write(pipe_ends[1], "a", 1) != 1) ::_exit(3);
      }
    }
    ::close(pipe_ends[1]);
    std::uint64_t seen = 0;
    char bytes[64];
    ssize_t count = 0;
    while (seen < 30u + 40u * static_cast<unsigned>(round) &&
           (count = ::read(pipe_ends[0], bytes, sizeof bytes)) > 0)
      seen += static_cast<std::uint64_t>(count);
    ::kill(child, SIGKILL);
    int status = 0;
    ::waitpid(child, &status, 0);
    CHECK(WIFSIGNALED(status));
    while ((count = ::read(pipe_ends[0], bytes, sizeof bytes)) > 0)
      seen += static_cast<std::uint64_t>(count);
    ::close(pipe_ends[0]);
    acknowledged += seen;
  }
  {
    Running running(file);
    REQUIRE(running.start().ok());
  }
  const Verdict verdict = verified({file});
  CHECK(verdict.broken == "");
  CHECK(verdict.whole);
  CHECK(verdict.epochs == 9);
  std::uint64_t found = 0;
  for (const auto& line : lines_of(read_file(file)))
    if (line.find("\"n\":\"round") != std::string::npos) ++found;
  CHECK(found >= acknowledged);
}
