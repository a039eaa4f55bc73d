#include "backends/keyhost/host.h"

#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <map>
#include <thread>

namespace leasehold::keyhost {
namespace {

using seal::HostCall;
using seal::Reply;
using seal::Request;

// Keys pass through here: no core file, no ptrace by the same user, no death by a lost connection.
void harden(int fd) {
  ::signal(SIGPIPE, SIG_IGN);
  ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  ::prctl(PR_SET_NAME, "keyhost", 0, 0, 0);
  const rlimit none{0, 0};
  ::setrlimit(RLIMIT_CORE, &none);
  ::close_range(static_cast<unsigned>(fd) + 1, ~0u, 0);
  // tss2 writes a line to stderr for every error that we report in our own words.
  ::setenv("TSS2_LOG", "all+none", 0);
}

// The main thread may hang in a library when the vault goes. PR_SET_PDEATHSIG would not do: it
// fires when the thread that spawned us ends, and any thread of the vault may have.
void end_with_parent(int fd) {
  std::thread([fd] {
    pollfd socket{fd, POLLRDHUP, 0};
    while (::poll(&socket, 1, -1) < 0 && errno == EINTR) {
    }
    ::_exit(0);
  }).detach();
}

class Host {
 public:
  Host(int fd, std::span<const SealRow> rows) : fd_(fd), rows_(rows) {}

  int run() {
    SecretBytes frame(seal::kFrameMax + 1);
    for (;;) {
      const ssize_t size = ::recv(fd_, frame.writable().data(), frame.size(), 0);
      if (size < 0 && errno == EINTR) continue;
      if (size <= 0) return 0;
      const auto request =
          seal::decode_request(frame.reveal().first(static_cast<std::size_t>(size)));
      wipe(frame.writable().data(), static_cast<std::size_t>(size));
      // Our own executable wrote it; if not, nothing good can follow.
      if (!request.ok()) return 1;
      if (!send(answer_to(*request))) return 1;
    }
  }

 private:
  bool send(const Reply& reply) const {
    const auto frame = seal::encode(reply);
    if (!frame.ok()) return false;
    const ByteView bytes = frame->reveal();
    return ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL) ==
           static_cast<ssize_t>(bytes.size());
  }

  Reply answer_to(const Request& request) {
    Reply reply;
    if (request.operation == HostCall::hello)
      reply.answer.state = DeviceState::ok;
    else if (request.operation == HostCall::configure)
      reply.answer = configure(request);
    else if (const auto device = devices_.find(request.device); device != devices_.end())
      reply = operate(*device->second, request);
    else
      reply.answer = answer(DeviceState::failed, "the key host has no such device");
    reply.id = request.id;
    return reply;
  }

  DeviceAnswer configure(const Request& request) {
    for (const SealRow& row : rows_) {
      if (row.kind != request.kind || row.device == nullptr) continue;
      auto device = row.device(request.settings, clock_, random_);
      if (!device.ok()) return answer(DeviceState::unsupported, device.error().message);
      devices_[request.device] = std::move(*device);
      return {DeviceState::ok, {}, {}};
    }
    return answer(DeviceState::unsupported, "this build has no seal \"" + request.kind + "\"");
  }

  Reply operate(Device& device, const Request& request) {
    const Deadline deadline(clock_, Millis(request.timeout_ms));
    Reply reply;
    if (request.operation == HostCall::enroll) {
      auto enrolled = device.enroll(request.context, deadline);
      reply.answer = std::move(enrolled.answer);
      reply.identity = std::move(enrolled.identity);
      reply.policy = std::move(enrolled.policy);
      reply.secret = std::move(enrolled.kek);
      return reply;
    }
    if (request.operation == HostCall::presence) {
      reply.answer = device.presence(deadline);
      return reply;
    }
    const StoredSlot slot{request.context, request.identity, request.policy};
    if (request.operation == HostCall::health) {
      reply.answer = device.health(slot, deadline);
      return reply;
    }
    auto found =
        request.operation == HostCall::random
            ? device.random(std::min<std::size_t>(request.count, seal::kRandomMax), deadline)
            : device.recover(slot, deadline);
    reply.answer = std::move(found.answer);
    reply.secret = std::move(found.kek);
    return reply;
  }

  const int fd_;
  const std::span<const SealRow> rows_;
  SystemClock clock_;
  SystemRandom random_;
  std::map<std::uint8_t, std::unique_ptr<Device>> devices_;
};

}  // namespace

int keyhost_main(int fd, std::span<const SealRow> rows) {
  harden(fd);
  end_with_parent(fd);
  return Host(fd, rows).run();
}

}  // namespace leasehold::keyhost
