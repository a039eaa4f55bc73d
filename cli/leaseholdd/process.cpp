#include "cli/leaseholdd/process.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iterator>

#include "api/server/listener.h"
#include "cli/leaseholdd/catalog.h"
#include "cli/leaseholdd/check.h"
#include "cli/leaseholdd/dev_mode.h"
#include "cli/leaseholdd/harden.h"
#include "cli/leaseholdd/offline.h"
#include "cli/leaseholdd/sanitized.h"
#include "cli/leaseholdd/self_init.h"
#include "cli/leaseholdd/service_manager.h"
#include "config/parts.h"
#include "vault/base/process_facts.h"
#include "vault/core/road/core.h"
#include "vault/core/road/workers.h"
#include "vault/core/sys/open_pages.h"
#include "vault/target/own_threads.h"

namespace leasehold::server_process {

namespace {

// Threads, and places for requests that wait. Two hashes at once leave the machine to the others;
// 256 that wait are 10 to 20 s of them, for whoever has them: clients take turns. A body of 2 MiB
// takes a tenth of a second or two.
constexpr core::Workers::Sizes kWorkers = {{
    {2, 1024},  // lists
    {2, 256},   // hashes
    {4, 256},   // outside: devices and targets
    {4, 1024},  // flushes: those that wait together share one fsync
    {2, 128},   // bodies
    {3, 64},    // gate: one opens the vault, one waits for its turn, one says so to the others
}};

constexpr Seconds kLookAtDatesEvery{3600};

// The listener's view of the core.
class CoreHandler final : public server::Handler {
 public:
  CoreHandler(core::Core& core, core::OpenPages pages, const core::AskedHeaders& asked)
      : core_(core), pages_(pages), asked_(asked) {}
  void handle(core::Request&& request, core::Exchange& exchange) override {
    core_.handle(std::move(request), exchange);
  }
  void show(server::OpenPage page, core::Request&& request, core::Exchange& exchange) override {
    using Page = core::OpenPages::Page;
    pages_.show(page == server::OpenPage::metrics ? Page::metrics : Page::requests, request,
                exchange);
  }
  const core::AskedHeaders* asked_headers() const override { return &asked_; }
  void undelivered(core::Issued&& lost) override { core_.undelivered(std::move(lost)); }

 private:
  core::Core& core_;
  core::OpenPages pages_;
  const core::AskedHeaders& asked_;
};

sigset_t handled_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&set, signal);
  return set;
}

// Made anew: what a link at its place points to is not written, and no device is removed.
class PidFile {
 public:
  PidFile(std::string path, LogSink& log) : path_(std::move(path)) {
    if (path_.empty()) return;
    struct stat old {};
    const bool there = ::lstat(path_.c_str(), &old) == 0;
    if (there && (S_ISREG(old.st_mode) || S_ISLNK(old.st_mode))) ::unlink(path_.c_str());
    const int file = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    made_ = file >= 0;
    const std::string text = std::to_string(::getpid()) + "\n";
    const bool written = made_ && ::fchmod(file, 0644) == 0 &&
                         ::write(file, text.data(), text.size()) == std::ssize(text);
    if (!written) log.warn("pid_file {} cannot be written: {}", path_, std::strerror(errno));
    if (made_) ::close(file);
  }
  ~PidFile() {
    if (made_) ::unlink(path_.c_str());
  }
  PidFile(const PidFile&) = delete;
  PidFile& operator=(const PidFile&) = delete;

 private:
  const std::string path_;
  bool made_ = false;
};

std::vector<core::ConfiguredPart> digests_of(const config::Configuration& configuration) {
  std::vector<core::ConfiguredPart> parts;
  config::each_part(configuration, [&](const std::string& name, const std::string& text) {
    parts.push_back({name, crypto::sha256(as_bytes(text))});
  });
  return parts;
}

class Process {
 public:
  Process(const Options& options, config::Configuration configuration, LogSink& log,
          const std::string& own_executable, SystemClock& clock, SystemRandom& random)
      : manager_(ServiceManager::of_environment()),
        options_(options),
        configuration_(std::move(configuration)),
        configured_(digests_of(configuration_)),
        log_(log),
        own_executable_(own_executable),
        clock_(clock),
        random_(random) {}

  Status build();
  Status try_configuration();
  Status serve();
  Status verify(bool& whole);
  Status restore();

 private:
  Status build_storage();
  Status build_seal();
  Status initialize_itself();
  Status build_listener();
  core::Environment environment();
  Result<std::vector<std::unique_ptr<audit::Device>>> audit_devices() const;
  void print_banner() const;
  timespec pause_between_looks() const;
  void look_at_files(Instant& dates_at);
  void reload();
  void handle_signals();

  const ServiceManager manager_;
  const Options& options_;
  config::Configuration configuration_;
  const std::vector<core::ConfiguredPart> configured_;
  LogSink& log_;
  const std::string own_executable_;
  SystemClock& clock_;
  SystemRandom& random_;
  std::string data_directory_;
  std::unique_ptr<storage::Storage> storage_;
  seal::RecoveryMode recovery_mode_ = seal::RecoveryMode::unseal;
  std::unique_ptr<seal::Seal> seal_;
  core::AskedHeaders asked_headers_;
  std::unique_ptr<core::Workers> workers_;
  std::unique_ptr<core::Lifecycle> lifecycle_;
  std::unique_ptr<core::Core> core_;
  std::unique_ptr<CoreHandler> handler_;
  std::unique_ptr<server::Listener> listener_;
};

Status Process::build_storage() {
  VAULT_TRY_ASSIGN(storage_, make_storage(*configuration_.storage, data_directory_, log_));
  return check_audit(configuration_, keeps_data(*configuration_.storage));
}

Status Process::build_seal() {
  keyhost::SealEnvironment where{
      .keyhost = {own_executable_, {"leaseholdd", "keyhost"}},
      .data_directory = data_directory_,
      .state_directory = data_directory_.empty() ? "" : data_directory_ + "/keyhost",
      .clock = clock_,
      .random = random_,
      .log = log_,
  };
  VAULT_TRY_ASSIGN(auto setup, make_protectors(std::move(configuration_.seals), where));
  for (const std::string& warning : setup.warnings) log_.warn("{}", warning);
  recovery_mode_ = setup.recovery_mode;
  seal_ =
      std::make_unique<seal::Seal>(*storage_, random_, clock_, log_, std::move(setup.protectors));
  return seal_->load();
}

Result<std::vector<std::unique_ptr<audit::Device>>> Process::audit_devices() const {
  std::vector<std::string> said_at_the_start;
  return make_audit_devices(configuration_.audits, {data_directory_, clock_}, said_at_the_start);
}

core::Restored restored_of(const Options& options) {
  switch (options.restored) {
    case Options::Restored::no:
      break;
    case Options::Restored::revoke_tokens:
      return core::Restored::revoke_tokens;
    case Options::Restored::keep_tokens:
      return core::Restored::keep_tokens;
    case Options::Restored::drill:
      return core::Restored::drill;
  }
  return core::Restored::no;
}

core::Environment Process::environment() {
  return {
      .storage = *storage_,
      .clock = clock_,
      .random = random_,
      .log = log_,
      .ttls = {configuration_.default_lease_ttl, configuration_.max_lease_ttl},
      .engine_kinds =
          [this] { return make_engine_kinds(make_engine_context(clock_, random_, log_)); },
      .audit_devices = [this] { return audit_devices(); },
      .dev_kv_version = options_.dev ? options_.dev_kv_version : 0,
      .request_seal = nullptr,
      .never_before = [this](WallTime floor) { clock_.never_before(floor); },
      // Not exit(): that would wait for the threads that hang.
      .stuck = [] { std::_Exit(EXIT_FAILURE); },
      .restored = restored_of(options_),
      .configured = configured_,
      .lease_sweep_period = configuration_.lease_sweep_period,
      .asked_headers = &asked_headers_,
      .version = kVersion,
  };
}

Status Process::build_listener() {
  std::vector<server::ListenerSettings> settings;
  std::vector<std::string> warnings;
  for (Stanza& stanza : configuration_.listeners) {
    VAULT_TRY_ASSIGN(auto one, server::read_listener(stanza, warnings));
    settings.push_back(std::move(one));
  }
  for (const std::string& warning : warnings) log_.warn("{}", warning);
  VAULT_TRY_ASSIGN(listener_,
                   server::Listener::open(std::move(settings), {}, *handler_, clock_, log_));
  return {};
}

Status Process::build() {
  set_sanitized_configuration(sanitized(configuration_));
  VAULT_TRY(check_stanzas(configuration_, {own_executable_, clock_, random_, log_}));
  VAULT_TRY(build_storage());
  VAULT_TRY(build_seal());
  VAULT_TRY(audit_devices());
  if (!arena_is_locked()) {
    if (!configuration_.disable_mlock)
      return failure(Code::internal,
                     "keys cannot be locked in memory: raise the memlock limit "
                     "(ulimit -l) or set disable_mlock = true");
    log_.warn("keys are not locked in memory and may reach the swap");
  }
  workers_ = std::make_unique<core::Workers>(kWorkers);
  lifecycle_ = std::make_unique<core::Lifecycle>(environment(), *seal_, recovery_mode_,
                                                 configuration_.cluster_name, kVersion, kBuildDate);
  core_ = std::make_unique<core::Core>(*lifecycle_, *workers_, environment());
  handler_ = std::make_unique<CoreHandler>(*core_, core::OpenPages(*lifecycle_, *workers_, clock_),
                                           asked_headers_);
  return build_listener();
}

void Process::print_banner() const {
  std::printf("==> Leasehold server configuration:\n\n");
  for (const std::string& address : listener_->addresses())
    std::printf("%22s: %s\n", "Listener", address.c_str());
  std::printf("%22s: %s\n", "Storage", std::string(storage_->kind()).c_str());
  std::printf("%22s: %s\n", "Seal", seal_->status().type.c_str());
  std::printf("%22s: Leasehold v%s (%s)\n\n", "Version", kVersion, kRevision);
}

// The watchdog wants a word more often than files are looked at.
timespec Process::pause_between_looks() const {
  Nanos pause = kLookAtDatesEvery;
  const Seconds interval = listener_->reload_interval();
  if (interval.count() != 0) pause = std::min(pause, Nanos(interval));
  if (const auto silence = manager_.silence_max()) pause = std::min(pause, *silence);
  return {pause.count() / 1'000'000'000, pause.count() % 1'000'000'000};
}

void Process::look_at_files(Instant& dates_at) {
  listener_->look_at_files();
  if (clock_.instant() < dates_at) return;
  listener_->look_at_dates();
  dates_at = add(clock_.instant(), Nanos(kLookAtDatesEvery));
}

void Process::reload() {
  log_.info("reloading certificates and audit files");
  manager_.reloading();
  for (const Status& status : {listener_->reload(), lifecycle_->reopen_audit()})
    if (!status.ok()) log_.error("{}", status.error().message);
  manager_.ready();
}

void Process::handle_signals() {
  const sigset_t signals = handled_signals();
  const timespec pause = pause_between_looks();
  Instant dates_at = add(clock_.instant(), Nanos(kLookAtDatesEvery));
  for (;;) {
    manager_.alive();
    const int signal = ::sigtimedwait(&signals, nullptr, &pause);
    if (signal < 0) {
      if (errno == EAGAIN) look_at_files(dates_at);
      continue;
    }
    if (signal != SIGHUP) return log_.info("shutting down");
    reload();
  }
}

// Before anybody can connect.
Status Process::initialize_itself() {
  VAULT_TRY(undo_unfinished(*seal_, *lifecycle_, log_));
  if (seal_->initialized() || configuration_.initializes.empty()) return {};
  VAULT_TRY_ASSIGN(const auto steps, read_self_init(configuration_.initializes));
  return self_initialize(steps, *lifecycle_, *core_, clock_, log_);
}

Status Process::serve() {
  const PidFile pid_file(configuration_.pid_file, log_);
  print_banner();
  if (options_.dev && !seal_->initialized()) {
    VAULT_TRY_ASSIGN(const auto dev, lifecycle_->start_dev(options_.dev_root_token));
    print_dev_start(dev, listener_->addresses().front(), options_.dev_authority_file,
                    options_.dev_store_token);
  }
  VAULT_TRY(initialize_itself());
  lifecycle_->start();
  listener_->start();
  std::printf("==> Leasehold server started! Log data will stream in below:\n\n");
  std::fflush(stdout);
  manager_.ready();
  handle_signals();
  manager_.stopping();
  listener_->stop_intake();
  lifecycle_->stop();
  workers_->stop();
  listener_->join();
  return {};
}

Status Process::try_configuration() {
  const Surroundings where{own_executable_, clock_, random_, log_};
  VAULT_TRY(check_stanzas(configuration_, where));
  std::string as;
  const Status found = check_machine(configuration_, where, as);
  if (!as.empty()) std::printf("checked as the user %s, who owns the data directory\n", as.c_str());
  VAULT_TRY(found);
  VAULT_TRY(check_audit(configuration_, keeps_data(*configuration_.storage)));
  std::printf("the configuration is good\n");
  return {};
}

Status Process::verify(bool& whole) {
  if (!configuration_.storage) return failure(Code::invalid, "the configuration has no storage");
  VAULT_TRY(build_storage());
  VAULT_TRY(build_seal());
  return verify_offline(options_, *storage_, *seal_, random_, whole);
}

Status Process::restore() {
  VAULT_TRY(build_storage());
  return restore_backup(options_, *storage_, clock_.now());
}

}  // namespace

Status check_audit(const config::Configuration& configuration, bool persistent) {
  if (!persistent || !configuration.audits.empty() || !configuration.audit_required) return {};
  return failure(Code::invalid,
                 "a vault that keeps data needs an audit device; add to the configuration\n\n"
                 "  audit \"file\" \"main\" {\n"
                 "    options { file_path = \"/var/log/leasehold/audit.log\" }\n"
                 "  }\n\n"
                 "(its directory must exist), or audit_required = false to go without");
}

void tell_steps(SystemClock& clock, LogSink& log) {
  clock.tell_steps([&log](WallTime from, WallTime to) {
    log.warn(
        "the clock jumped from {} to {}: when that has stood for five minutes the vault follows, "
        "ends what ended in between, and never goes back. If it is wrong, set it before then",
        rfc3339(from), rfc3339(to));
  });
}

int run_server(const Options& options, config::Configuration configuration, LogSink& log,
               const std::string& own_executable) {
  prepare_targets();
  // Before the first thread: one that does not block them would be ended by them, and all with it.
  const sigset_t signals = handled_signals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  SystemClock clock;
  SystemRandom random;
  tell_steps(clock, log);
  Status status;
  {
    Process process(options, std::move(configuration), log, own_executable, clock, random);
    status = options.test_config ? process.try_configuration() : process.build();
    if (status.ok() && !options.test_config) status = process.serve();
  }
  clock.tell_steps({});
  if (!status.ok()) {
    std::fprintf(stderr, "leaseholdd: %s\n", status.error().message.c_str());
    if (!status.error().detail.empty()) log.error("{}", status.error().detail);
  }
  const int exit_status = status.ok() ? EXIT_SUCCESS : EXIT_FAILURE;
  // A thread that hangs in a driver still uses the clock, and the libraries it is in.
  if (target::own_threads() > 0) {
    std::fflush(nullptr);
    std::_Exit(exit_status);
  }
  return exit_status;
}

int run_verify(const Options& options, config::Configuration configuration, LogSink& log,
               const std::string& own_executable) {
  SystemClock clock;
  SystemRandom random;
  Process process(options, std::move(configuration), log, own_executable, clock, random);
  bool whole = false;
  const Status status = process.verify(whole);
  if (status.ok()) return whole ? 0 : 2;
  std::fprintf(stderr, "leaseholdd: %s\n", status.error().message.c_str());
  return 1;
}

int run_restore(const Options& options, config::Configuration configuration, LogSink& log,
                const std::string& own_executable) {
  SystemClock clock;
  SystemRandom random;
  Process process(options, std::move(configuration), log, own_executable, clock, random);
  const Status status = process.restore();
  if (status.ok()) return 0;
  std::fprintf(stderr, "leaseholdd: %s\n", status.error().message.c_str());
  if (!status.error().detail.empty()) std::fprintf(stderr, "%s\n", status.error().detail.c_str());
  return 1;
}

}  // namespace leasehold::server_process
