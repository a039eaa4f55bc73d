#include "backends/keyhost/tpm/wire.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace leasehold::keyhost::tpm {
namespace {

constexpr std::uint64_t kMagic = 0x6c6561736568746d;
constexpr std::size_t kHeaderSize = 10;  // tag, size, code
constexpr std::size_t kResponseMax = 4096;
constexpr std::string_view kSocketPrefix = "swtpm:path=";

Wire* wire_of(TSS2_TCTI_CONTEXT* context) { return reinterpret_cast<WireContext*>(context)->wire; }

TSS2_RC transmit(TSS2_TCTI_CONTEXT* context, std::size_t size, const std::uint8_t* command) {
  return wire_of(context)->send({command, size});
}

// tss2 asks for the size first with a null buffer. Its own timeout is for ever: the deadline rules.
TSS2_RC receive(TSS2_TCTI_CONTEXT* context, std::size_t* size, std::uint8_t* out, std::int32_t) {
  return wire_of(context)->receive(size, out);
}

TSS2_RC make_sticky(TSS2_TCTI_CONTEXT*, TPM2_HANDLE*, std::uint8_t) {
  return TSS2_TCTI_RC_NOT_IMPLEMENTED;
}
TSS2_RC cancel(TSS2_TCTI_CONTEXT*) { return TSS2_TCTI_RC_NOT_IMPLEMENTED; }
TSS2_RC set_locality(TSS2_TCTI_CONTEXT*, std::uint8_t) { return TSS2_TCTI_RC_NOT_IMPLEMENTED; }
TSS2_RC poll_handles(TSS2_TCTI_CONTEXT*, TSS2_TCTI_POLL_HANDLE*, std::size_t*) {
  return TSS2_TCTI_RC_NOT_IMPLEMENTED;
}
void finalize(TSS2_TCTI_CONTEXT*) {}

}  // namespace

Wire::Wire(const std::string& device, const Deadline& deadline, Tap tap)
    : deadline_(deadline), tap_(std::move(tap)), name_(device) {
  context_.common.v1.magic = kMagic;
  context_.common.v1.version = 2;
  context_.common.v1.transmit = transmit;
  context_.common.v1.receive = tpm::receive;
  context_.common.v1.finalize = finalize;
  context_.common.v1.cancel = cancel;
  context_.common.v1.getPollHandles = poll_handles;
  context_.common.v1.setLocality = set_locality;
  context_.common.makeSticky = make_sticky;
  context_.wire = this;
  response_.reserve(kResponseMax);
  if (device.compare(0, kSocketPrefix.size(), kSocketPrefix) == 0)
    connect_socket(device.substr(kSocketPrefix.size()));
  else if (!device.empty() && device[0] == '/')
    open_device(device);
  else
    broken(DeviceState::unsupported, "device = \"" + device +
                                         "\" is not understood: give \"/dev/tpmrm0\" or "
                                         "\"swtpm:path=/path/of/socket\"");
}

Wire::~Wire() {
  if (fd_ >= 0) ::close(fd_);
}

void Wire::connect_socket(const std::string& path) {
  is_socket_ = true;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path) {
    broken(DeviceState::unsupported, "the path of the TPM's socket is empty or too long");
    return;
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  fd_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) return;
  const int error = errno;
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
  broken(error == EAGAIN ? DeviceState::wedged : DeviceState::absent,
         "no TPM answers at " + path + " (" + std::strerror(error) + ")");
}

void Wire::open_device(const std::string& path) {
  fd_ = ::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NONBLOCK);
  if (fd_ >= 0) return;
  const int error = errno;
  std::string hint = "; is the TPM switched on in the firmware?";
  if (error == EACCES)
    hint = "; the vault's user must be in the group that owns it (often \"tss\")";
  if (error == EBUSY) hint = "; another program holds it: use /dev/tpmrm0, which is shared";
  broken(DeviceState::absent, "cannot open " + path + ": " + std::strerror(error) + hint);
}

TSS2_RC Wire::broken(DeviceState state, std::string message) {
  if (trouble_.state == DeviceState::ok) trouble_ = answer(state, std::move(message));
  return TSS2_TCTI_RC_IO_ERROR;
}

// False after the deadline or an error, which is noted.
bool Wire::wait(short events) {
  for (;;) {
    pollfd wanted{fd_, events, 0};
    const int ready = ::poll(&wanted, 1, static_cast<int>(deadline_.left().count()));
    if (ready > 0) return true;
    if (ready < 0 && errno == EINTR) continue;
    broken(DeviceState::wedged, "the TPM at " + name_ + " did not answer in time");
    return false;
  }
}

TSS2_RC Wire::send(ByteView command) {
  if (trouble_.state != DeviceState::ok) return TSS2_TCTI_RC_IO_ERROR;
  if (tap_) tap_(Direction::to_tpm, command);
  response_.resize(0);
  while (!command.empty()) {
    if (!wait(POLLOUT)) return TSS2_TCTI_RC_IO_ERROR;
    const ssize_t sent = is_socket_ ? ::send(fd_, command.data(), command.size(), MSG_NOSIGNAL)
                                    : ::write(fd_, command.data(), command.size());
    if (sent < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    if (sent <= 0) return broken(DeviceState::absent, "the connection to the TPM broke");
    command = command.subspan(static_cast<std::size_t>(sent));
  }
  return TSS2_RC_SUCCESS;
}

bool Wire::read_some(std::uint8_t* to, std::size_t size, std::size_t& got) {
  for (;;) {
    if (!wait(POLLIN)) return false;
    const ssize_t read = ::read(fd_, to, size);
    if (read < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    if (read <= 0) {
      broken(DeviceState::absent, "the TPM at " + name_ + " went away");
      return false;
    }
    got = static_cast<std::size_t>(read);
    return true;
  }
}

// The kernel gives a response in one read, a socket in any pieces; its header holds its size.
bool Wire::read_response() {
  SecretBytes buffer(kResponseMax);
  std::size_t have = 0;
  std::size_t size = kHeaderSize;
  while (have < size) {
    std::size_t got = 0;
    if (!read_some(buffer.writable().data() + have, kResponseMax - have, got)) return false;
    have += got;
    if (have >= kHeaderSize) size = get_be(buffer.reveal().data() + 2, 4);
    if (size < kHeaderSize || size > kResponseMax || have > kResponseMax) {
      broken(DeviceState::tampered, "the TPM sent something that is not a response");
      return false;
    }
  }
  response_ = SecretBytes(buffer.reveal().first(size));
  if (tap_) tap_(Direction::from_tpm, response_.reveal());
  return true;
}

TSS2_RC Wire::receive(std::size_t* size, std::uint8_t* out) {
  if (trouble_.state != DeviceState::ok) return TSS2_TCTI_RC_IO_ERROR;
  if (response_.empty() && !read_response()) return TSS2_TCTI_RC_IO_ERROR;
  const std::size_t room = *size;
  *size = response_.size();
  if (out == nullptr) return TSS2_RC_SUCCESS;
  if (room < response_.size()) return TSS2_TCTI_RC_INSUFFICIENT_BUFFER;
  std::memcpy(out, response_.reveal().data(), response_.size());
  response_ = SecretBytes();
  return TSS2_RC_SUCCESS;
}

}  // namespace leasehold::keyhost::tpm
