#include "cli/leaseholdd/check.h"

#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "api/server/listener_stanza.h"
#include "backends/storage/data_directory.h"
#include "backends/storage/lmdb.h"
#include "cli/leaseholdd/catalog.h"
#include "cli/leaseholdd/self_init.h"
#include "cli/leaseholdd/user_name.h"
#include "vault/base/problems.h"

namespace leasehold::server_process {

namespace {

constexpr Millis kTrialTimeout{30'000};

bool is_there(const std::string& path) {
  return !path.empty() && ::access(path.c_str(), F_OK) == 0;
}

keyhost::SealEnvironment seal_environment(const Surroundings& where, const std::string& directory) {
  return {
      .keyhost = {where.own_executable, {"leaseholdd", "keyhost"}},
      .data_directory = directory,
      .state_directory = is_there(directory) ? directory + "/keyhost" : "",
      .clock = where.clock,
      .random = where.random,
      .log = where.log,
  };
}

std::string data_directory_of(const config::Configuration& configuration) {
  std::string directory;
  if (auto storage = configuration.storage) read_storage(*storage, directory).ignore();
  return directory;
}

void say(const std::vector<std::string>& warnings, LogSink& log) {
  for (const std::string& warning : warnings) log.warn("{}", warning);
}

Status may_write_in(const std::string& file, const char* what) {
  const std::string folder = std::filesystem::path(file).parent_path().string();
  if (!folder.empty() && ::access(folder.c_str(), F_OK) != 0 && errno == ENOENT)
    return failure(Code::invalid, std::string("the folder of the ") + what + " " + file +
                                      " does not exist: make it for the user of the server, "
                                      "`install -d -m 700 -o USER " +
                                      folder +
                                      "` (the systemd unit makes /var/log/leasehold at its start)");
  const std::string& asked = ::access(file.c_str(), F_OK) == 0 ? file : folder;
  if (::access(asked.empty() ? "." : asked.c_str(), W_OK) == 0) return {};
  const int why = errno;
  const std::string advice =
      why == EACCES ? "; give it to the user of the server: `chown USER " + asked + "`" : "";
  return failure(Code::invalid, std::string("the ") + what + " " + file + " cannot be written: " +
                                    std::strerror(why) + " (" + asked + ")" + advice);
}

// Whom root asks for: the owner of the data directory, or of the folder that it will be made in.
uid_t user_of(const std::string& directory) {
  struct stat found {};
  if (directory.empty() || ::stat(directory.c_str(), &found) != 0) return ::geteuid();
  return found.st_uid;
}

Status become(uid_t user, std::string& name) {
  name = user_name(user);
  const passwd* entry = ::getpwuid(user);
  const gid_t group = entry != nullptr ? entry->pw_gid : static_cast<gid_t>(user);
  const bool groups =
      entry != nullptr ? ::initgroups(entry->pw_name, group) == 0 : ::setgroups(0, nullptr) == 0;
  if (groups && ::setgid(group) == 0 && ::setuid(user) == 0) return {};
  return failure(Code::internal, "cannot check as the user " + name + ": " + std::strerror(errno));
}

Status check_devices(const config::Configuration& configuration, const std::string& directory,
                     Clock& clock, LogSink& log) {
  Problems problems;
  const bool is_new = !storage::holds_records(directory);
  std::vector<std::string> told;
  const auto devices = make_audit_devices(configuration.audits, {directory, clock}, told);
  if (!devices.ok()) return {};  // told by check_stanzas
  for (const auto& device : *devices) {
    if (const Status fit = device->check(); !fit.ok())
      problems.add(failure(fit.error().code, fit.error().message + ": " + fit.error().detail));
    if (is_new && device->is_used())
      log.warn(
          "the audit log, {}, holds lines, and {} no vault yet: `operator init` is refused until "
          "the log is moved aside; a restore of the log's own vault goes on with it",
          device->where(), directory);
    for (const auto& option : device->options)
      if (option.first == "file_path" && option.second.starts_with('/'))
        problems.add(may_write_in(option.second, "audit file"));
  }
  return problems.status();
}

// A server says the warnings when it opens them, as it does those of the seals.
Status check_listeners(const config::Configuration& configuration, Clock& clock, LogSink& log) {
  Problems problems;
  std::vector<std::string> warnings;
  for (Stanza stanza : configuration.listeners) {
    const auto settings = server::read_listener(stanza, warnings);
    if (!settings.ok()) continue;  // told by check_stanzas
    if (settings->tls) {
      const auto context = server::make_tls_context(settings->tls_settings);
      if (!context.ok()) problems.add(stanza.where() + ": " + context.error().message);
      const std::string dates =
          context.ok() ? server::trouble_with_dates(**context, clock.now()) : std::string();
      if (!dates.empty()) warnings.push_back(stanza.where() + ": " + dates);
    }
    if (settings->kind == server::ListenerSettings::Kind::unix_socket) {
      problems.add(may_write_in(settings->address, "socket"));
      continue;
    }
    const auto loopback = server::is_loopback(settings->address);
    if (!loopback.ok())
      problems.add(stanza.where() + ": " + loopback.error().message);
    else if (!settings->tls && !*loopback)
      warnings.push_back(server::plain_http_warning(settings->address));
  }
  say(warnings, log);
  return problems.status();
}

// A key is made with each device or key file and taken back, as init does; nothing is stored. The
// mark of a wrong PIN is the server's own, so that this try counts with the server's. Where it
// could not be kept nothing logs in: each run would cost a token one of its few tries.
Status check_seals(const config::Configuration& configuration, const Surroundings& where,
                   const std::string& directory) {
  const auto setup = make_protectors(configuration.seals, seal_environment(where, directory));
  if (!setup.ok()) return {};
  say(setup->warnings, where.log);
  Problems problems;
  for (const auto& protector : setup->protectors) {
    const auto tried = is_there(directory) ? protector->enroll({}, kTrialTimeout).answer
                                           : protector->presence(kTrialTimeout);
    if (tried.state == seal::DeviceState::unknown)
      where.log.warn("{}: {}; make the data directory {} to have them tried", protector->describe(),
                     tried.message, directory);
    else if (!tried.ok())
      problems.add(protector->describe() + ": " + tried.message +
                   (tried.detail.empty() ? "" : " (" + tried.detail + ")"));
  }
  return problems.status();
}

}  // namespace

Status check_each_stanza(const config::Configuration& configuration, const Surroundings& where) {
  Problems problems;
  std::string directory;
  if (auto storage = configuration.storage) problems.add(read_storage(*storage, directory));
  const auto setup = make_protectors(configuration.seals, seal_environment(where, directory));
  if (!setup.ok()) problems.add(setup.error().message);
  if (const auto steps = read_self_init(configuration.initializes); !steps.ok())
    problems.add(steps.error().message);
  if (!configuration.initializes.empty() && configuration.seals.empty())
    problems.add(configuration.initializes.front().where() +
                 ": initialize needs a seal that opens by itself (seal \"tpm\", \"pkcs11\" or "
                 "\"static\"): nobody is there to give shares");
  std::vector<std::string> warnings;
  const auto devices = make_audit_devices(configuration.audits, {directory, where.clock}, warnings);
  if (!devices.ok()) problems.add(devices.error().message);
  say(warnings, where.log);
  warnings.clear();
  for (Stanza listener : configuration.listeners) {
    const auto settings = server::read_listener(listener, warnings);
    if (!settings.ok()) problems.add(settings.error().message);
  }
  return problems.status();
}

Status check_stanzas(const config::Configuration& configuration, const Surroundings& where) {
  Problems problems;
  problems.add(check_each_stanza(configuration, where));
  if (!configuration.storage)
    problems.add(
        "the configuration has no storage: add storage \"lmdb\" { path = \"/var/lib/leasehold\" }");
  if (configuration.listeners.empty())
    problems.add(
        "the configuration has no listener: add listener \"tcp\" { address = \"127.0.0.1:8200\" "
        "... }");
  return problems.status();
}

bool owns_data(const config::Configuration& configuration) {
  if (!configuration.storage) return false;
  std::string directory;
  Stanza storage = *configuration.storage;
  if (!read_storage(storage, directory).ok()) return false;
  return directory.empty() || storage::check_owner(directory).ok();
}

Status check_machine(const config::Configuration& configuration, const Surroundings& where,
                     std::string& as) {
  const std::string directory = data_directory_of(configuration);
  const uid_t user = user_of(directory);
  if (::geteuid() == 0 && user != 0) VAULT_TRY(become(user, as));
  Problems problems;
  if (!directory.empty()) problems.add(storage::check_lmdb(directory, where.log));
  problems.add(check_devices(configuration, directory, where.clock, where.log));
  problems.add(check_listeners(configuration, where.clock, where.log));
  problems.add(check_seals(configuration, where, directory));
  if (!configuration.log_file.empty())
    problems.add(may_write_in(configuration.log_file, "log_file"));
  if (!configuration.pid_file.empty())
    problems.add(may_write_in(configuration.pid_file, "pid_file"));
  return problems.status();
}

}  // namespace leasehold::server_process
