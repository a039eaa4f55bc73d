#include "backends/keyhost/client.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "backends/keyhost/host.h"
#include "vault/base/environment.h"

namespace leasehold::keyhost {
namespace {

using seal::HostCall;
using seal::Reply;
using seal::Request;

// The host keeps the deadline itself and says what hung; this is how long it may be late with that.
constexpr Millis kGrace{500};
constexpr Millis kStartTimeout{10'000};
constexpr Millis kEndTimeout{2'000};
constexpr Millis kLookEvery{100};  // at whether the vault ends meanwhile
constexpr Millis kPauseMin{100};
constexpr Millis kPauseMax{30'000};

Reply reply_of(DeviceState state, std::string message, std::string detail = {}) {
  Reply reply;
  reply.answer = answer(state, std::move(message), std::move(detail));
  return reply;
}

std::string how_it_ended(int status) {
  if (WIFSIGNALED(status)) return "killed by signal " + std::to_string(WTERMSIG(status));
  return "exit status " + std::to_string(WEXITSTATUS(status));
}

// A process stuck in a driver ends only when the driver lets go: it is not waited for long.
std::string reap(pid_t pid) {
  // glibc 2.36 declares pidfd_open() without C linkage.
  const int handle = static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
  pollfd ended{handle, POLLIN, 0};
  if (handle >= 0) {
    while (::poll(&ended, 1, static_cast<int>(kEndTimeout.count())) < 0 && errno == EINTR) {
    }
    ::close(handle);
  }
  int status = 0;
  if (::waitpid(pid, &status, WNOHANG) != pid) return "stuck in a driver";
  return how_it_ended(status);
}

// posix_spawn's attributes and actions, freed on every path.
struct SpawnPlan {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  SpawnPlan() {
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
  }
  ~SpawnPlan() {
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
  }
  SpawnPlan(const SpawnPlan&) = delete;
  SpawnPlan& operator=(const SpawnPlan&) = delete;
};

// "PATH=…" and what is named, where the vault has it.
std::vector<std::string> environment_of(const KeyHostOptions& options) {
  std::vector<std::string> all = {"PATH=/usr/bin:/bin"};
  const auto copy = [&](const std::string& name) {
    if (const char* const value = find_in_environment(name)) all.push_back(name + "=" + value);
  };
  for (const std::string_view name : kBasicEnvironment) copy(std::string(name));
  for (const std::string& each : options.environment) {
    if (each.find('=') == std::string::npos)
      copy(each);
    else
      all.push_back(each);
  }
  return all;
}

std::vector<char*> pointers_to(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

int spawn_process(const KeyHostOptions& options, int socket, pid_t& pid) {
  SpawnPlan plan;
  posix_spawn_file_actions_adddup2(&plan.actions, socket, kHostDescriptor);
  sigset_t none, all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&plan.attributes, &none);
  posix_spawnattr_setsigdefault(&plan.attributes, &all);
  posix_spawnattr_setflags(&plan.attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  std::vector<std::string> arguments = options.arguments;
  std::vector<std::string> environment = environment_of(options);
  const int error = ::posix_spawn(&pid, options.executable.c_str(), &plan.actions, &plan.attributes,
                                  pointers_to(arguments).data(), pointers_to(environment).data());
  for (std::string& each : environment) wipe(each);  // a PIN may be among them
  forget_in_registers();
  return error;
}

// A pair whose ends are not kHostDescriptor: dup2 onto itself would keep it close-on-exec.
bool make_pair(int (&ends)[2]) {
  int raw[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, raw) != 0) return false;
  for (int i = 0; i < 2; ++i) {
    ends[i] = ::fcntl(raw[i], F_DUPFD_CLOEXEC, 10);
    ::close(raw[i]);
  }
  return ends[0] >= 0 && ends[1] >= 0;
}

}  // namespace

std::string own_executable() {
  const int raw = ::open("/proc/self/exe", O_PATH | O_CLOEXEC);
  const int fd = ::fcntl(raw, F_DUPFD_CLOEXEC, 10);
  if (raw >= 0) ::close(raw);
  return fd < 0 ? "/proc/self/exe" : "/proc/self/fd/" + std::to_string(fd);
}

KeyHost::KeyHost(KeyHostOptions options, std::string kind, Settings settings, Clock& clock,
                 LogSink& log)
    : options_(std::move(options)),
      kind_(std::move(kind)),
      settings_(std::move(settings)),
      clock_(clock),
      log_(log) {}

KeyHost::~KeyHost() {
  MutexLock lock(mutex_);
  end();
}

pid_t KeyHost::pid() const {
  MutexLock lock(mutex_);
  return pid_;
}

Reply KeyHost::call(Request request, Millis timeout) {
  MutexLock lock(mutex_);
  Sent sent = Sent::answered;
  Reply reply = try_call(request, timeout, sent);
  // Every operation may be repeated: enrolling twice leaves nothing behind on the device.
  if (sent == Sent::died) reply = try_call(request, timeout, sent);
  if (sent == Sent::answered) failures_ = 0;
  return reply;
}

Reply KeyHost::try_call(Request& request, Millis timeout, Sent& sent) {
  sent = Sent::late;  // until a running host got the request, there is nothing to repeat
  if (stopped_) return reply_of(DeviceState::failed, "the vault is stopping");
  if (pid_ == 0) {
    DeviceAnswer started = start(timeout);
    if (!started.ok()) return reply_of(started.state, started.message, started.detail);
  }
  return exchange(request, timeout, sent);
}

// Starts the process, greets it and gives it its device.
DeviceAnswer KeyHost::start(Millis timeout) {
  if (clock_.instant() < not_before_)
    return answer(DeviceState::failed,
                  "the key host for the " + kind_ + " keeps ending; it is started again shortly");
  if (const Status spawned = spawn(); !spawned.ok())
    return answer(DeviceState::failed, spawned.error().message, spawned.error().detail);
  Sent sent = Sent::answered;
  Request hello;
  const Millis start_timeout = std::max(timeout, kStartTimeout);
  if (Reply reply = exchange(hello, start_timeout, sent); !reply.answer.ok()) return reply.answer;
  Request configure;
  configure.operation = HostCall::configure;
  configure.kind = kind_;
  for (const seal::Setting& each : settings_)
    configure.settings.push_back({each.name, each.value.clone()});
  Reply configured = exchange(configure, start_timeout, sent);
  if (!configured.answer.ok()) end();
  return configured.answer;
}

Status KeyHost::spawn() {
  int ends[2] = {-1, -1};
  if (!make_pair(ends))
    return failure(Code::internal, "cannot start the key host", std::strerror(errno));
  pid_t pid = 0;
  const int error = spawn_process(options_, ends[1], pid);
  ::close(ends[1]);
  if (error != 0) {
    ::close(ends[0]);
    failed();
    return failure(Code::internal, "cannot start the key host",
                   options_.executable + ": " + std::strerror(error));
  }
  pid_ = pid;
  fd_ = ends[0];
  return {};
}

Reply KeyHost::exchange(Request& request, Millis timeout, Sent& sent) {
  request.id = next_id_++;
  request.timeout_ms = static_cast<std::uint32_t>(timeout.count());
  const auto frame = seal::encode(request);
  sent = Sent::answered;
  if (!frame.ok()) return reply_of(DeviceState::failed, frame.error().message);
  const Deadline deadline(clock_, timeout + kGrace);
  const ByteView bytes = frame->reveal();
  const bool written = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT) ==
                       static_cast<ssize_t>(bytes.size());
  if (written && !wait_for_reply(deadline)) {
    sent = Sent::late;
    if (stopped_) {
      end();
      return reply_of(DeviceState::failed, "the vault is stopping");
    }
    log_.warn("the key host for the {} did not answer in time; it is ended", kind_);
    end();
    failed();
    return reply_of(DeviceState::wedged, "the " + kind_ + " did not answer within " +
                                             std::to_string(timeout.count()) + " ms");
  }
  SecretBytes buffer(seal::kFrameMax);
  const ssize_t size =
      written ? ::recv(fd_, buffer.writable().data(), buffer.size(), MSG_DONTWAIT) : 0;
  if (size > 0) {
    auto reply = seal::decode_reply(buffer.reveal().first(static_cast<std::size_t>(size)));
    if (reply.ok() && reply->id == request.id) return std::move(*reply);
  }
  sent = Sent::died;
  const std::string how = end();
  failed();
  log_.warn("the key host for the {} ended ({}); it is started again", kind_, how);
  return reply_of(DeviceState::failed,
                  "the key host for the " + kind_ +
                      " ended while it worked: a fault of its "
                      "library, most likely",
                  how);
}

// True when there is something to read, which may be the end of the connection; false when it is
// too late, or the vault ends.
bool KeyHost::wait_for_reply(const Deadline& deadline) {
  for (;;) {
    pollfd socket{fd_, POLLIN, 0};
    const Millis pause = std::min(deadline.left(), kLookEvery);
    const int ready = ::poll(&socket, 1, static_cast<int>(pause.count()));
    if (ready > 0) return true;
    if (ready == 0 && (stopped_ || deadline.passed())) return false;
    if (ready < 0 && errno != EINTR) return true;
  }
}

// Closes the connection and waits for the process; returns how it ended.
std::string KeyHost::end() {
  if (pid_ == 0) return {};
  ::close(fd_);
  fd_ = -1;
  ::kill(pid_, SIGKILL);
  const std::string how = reap(pid_);
  pid_ = 0;
  return how;
}

// The first failure after a success is followed by an immediate start; later ones wait longer.
void KeyHost::failed() {
  ++failures_;
  if (failures_ < 2) return;
  const unsigned doublings = std::min(failures_ - 2, 9u);
  not_before_ = add(clock_.instant(), std::min(kPauseMin * (1 << doublings), kPauseMax));
}

}  // namespace leasehold::keyhost
