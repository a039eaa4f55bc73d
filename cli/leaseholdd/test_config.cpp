#include "cli/leaseholdd/test_config.h"

#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "api/server/listener_stanza.h"
#include "backends/keyhost/protectors.h"
#include "backends/storage/lmdb.h"
#include "cli/leaseholdd/catalog.h"
#include "cli/leaseholdd/process.h"

namespace leasehold::server_process {
namespace {

namespace fs = std::filesystem;

constexpr Millis kDeviceTimeout{30'000};

class Findings {
 public:
  void add(const std::string& what) {
    std::fprintf(stderr, "leaseholdd: %s\n", what.c_str());
    ++count_;
  }
  bool take(const Status& status) {
    if (!status.ok()) add(status.error().message);
    return status.ok();
  }
  void note(const std::string& what) const { std::printf("%s\n", what.c_str()); }
  int count() const { return count_; }

 private:
  int count_ = 0;
};

bool may(const fs::path& path, int mode) { return ::access(path.c_str(), mode) == 0; }

// The folder of a storage stanza, which is not opened; empty for memory.
Result<std::string> storage_folder(Stanza stanza, LogSink& log) {
  std::string folder;
  if (stanza.label(0) != "lmdb") {
    VAULT_TRY(make_storage(stanza, folder, log));
    return folder;
  }
  VAULT_TRY(stanza.text("path"));
  VAULT_TRY_ASSIGN(const std::string map_size, stanza.text("map_size"));
  VAULT_TRY(stanza.finish());
  VAULT_TRY_ASSIGN(folder, stanza.require_text("path"));
  const auto bytes = map_size.empty() ? Result<std::size_t>(0) : storage::parse_map_size(map_size);
  if (!bytes.ok())
    return failure(Code::invalid, stanza.where("map_size") + ": " + bytes.error().message);
  return folder;
}

void become_owner_of(const std::string& folder, Findings& findings) {
  struct stat found {};
  if (::geteuid() != 0 || folder.empty()) return;
  if (::stat(folder.c_str(), &found) != 0)
    return findings.note("checked as root, who may read what the service's user may not: " +
                         folder + " does not exist yet, so its owner is not known");
  const passwd* const owner = ::getpwuid(found.st_uid);
  if (found.st_uid == 0) return;
  const std::string name = owner == nullptr ? std::to_string(found.st_uid) : owner->pw_name;
  const bool groups = owner == nullptr ? ::setgroups(0, nullptr) == 0
                                       : ::initgroups(owner->pw_name, owner->pw_gid) == 0;
  const gid_t group = owner == nullptr ? found.st_gid : owner->pw_gid;
  if (!groups || ::setresgid(group, group, group) != 0 ||
      ::setresuid(found.st_uid, found.st_uid, found.st_uid) != 0)
    return findings.add("cannot become " + name + ", the owner of " + folder +
                        ": run this check as that user");
  findings.note("checked as " + name + ", the owner of " + folder);
}

void test_storage(const std::string& folder, Findings& findings) {
  if (folder.empty()) return;
  const bool exists = may(folder, F_OK);
  const fs::path needed = exists ? fs::path(folder) : fs::path(folder).parent_path();
  if (!may(needed, W_OK | X_OK))
    findings.add("the storage folder " + folder + " cannot be " + (exists ? "used" : "made") +
                 " by this user");
}

void test_audit(const config::Configuration& configuration, const std::string& folder,
                Findings& findings) {
  findings.take(check_audit(configuration, !folder.empty()));
  for (Stanza stanza : configuration.audits) {
    const auto device = make_audit_device(stanza, folder);
    if (!findings.take(device.ok() ? Status() : Status(device.error()))) continue;
    for (const auto& [name, value] : (*device)->options) {
      if (name != "file_path" || value.front() != '/') continue;
      const fs::path parent = fs::path(value).parent_path();
      if (!may(parent, W_OK | X_OK))
        findings.add(stanza.where() + ": " + value + " cannot be written: its folder " +
                     parent.string() + " does not exist, or is not this user's to write to");
      else if (may(value, F_OK) && !may(value, W_OK))
        findings.add(stanza.where() + ": " + value + " exists, and this user may not write to it");
    }
  }
}

// A key is made with each device and taken back, as init does; nothing stays on it. The mark of a
// wrong PIN is the server's own, so that this try counts with the server's.
void test_seals(std::vector<Stanza> stanzas, const std::string& folder, const std::string& program,
                LogSink& log, Findings& findings) {
  SystemClock clock;
  SystemRandom random;
  const std::string state = folder.empty() ? "" : folder + "/keyhost";
  const keyhost::SealEnvironment where{{program, {"leaseholdd", "keyhost"}},
                                       folder,
                                       may(state, F_OK) ? state : "",
                                       clock,
                                       random,
                                       log};
  const auto setup = keyhost::make_protectors(std::move(stanzas), where);
  if (!setup.ok()) return findings.add(setup.error().message);
  for (const std::string& warning : setup->warnings) findings.note(warning);
  for (const auto& device : setup->protectors) {
    const seal::DeviceAnswer answer = device->enroll({}, kDeviceTimeout).answer;
    if (!answer.ok())
      findings.add(device->describe() + " cannot keep a key: " + answer.message +
                   (answer.detail.empty() ? "" : " (" + answer.detail + ")"));
  }
}

void test_listeners(std::vector<Stanza>& stanzas, Findings& findings) {
  if (stanzas.empty()) findings.add("the configuration has no listener");
  std::vector<std::string> warnings;
  for (Stanza& stanza : stanzas) {
    const auto settings = server::read_listener(stanza, warnings);
    if (!findings.take(settings.ok() ? Status() : Status(settings.error()))) continue;
    if (!settings->tls) continue;
    const auto context = server::make_tls_context(settings->tls_settings);
    if (!context.ok()) findings.add(stanza.where() + ": " + context.error().message);
  }
  for (const std::string& warning : warnings) findings.note(warning);
}

}  // namespace

int run_test(config::Configuration configuration, LogSink& log, const std::string& own_executable) {
  Findings findings;
  std::error_code ignored;
  const fs::path linked = fs::read_symlink(own_executable, ignored);
  const std::string program = linked.empty() ? own_executable : linked.string();
  std::string folder;
  if (!configuration.storage) {
    findings.add("the configuration has no storage");
  } else {
    const auto found = storage_folder(*configuration.storage, log);
    if (findings.take(found.ok() ? Status() : Status(found.error()))) folder = *found;
  }
  become_owner_of(folder, findings);
  test_storage(folder, findings);
  test_audit(configuration, folder, findings);
  test_seals(std::move(configuration.seals), folder, program, log, findings);
  test_listeners(configuration.listeners, findings);
  if (!arena_is_locked() && !configuration.disable_mlock)
    findings.add(
        "keys cannot be locked in memory: raise the memlock limit (ulimit -l) or set "
        "disable_mlock = true");
  if (findings.count() > 0) return EXIT_FAILURE;
  std::printf("the configuration is good\n");
  return EXIT_SUCCESS;
}

}  // namespace leasehold::server_process
