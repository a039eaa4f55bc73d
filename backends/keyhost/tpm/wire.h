#pragma once
// The way to a TPM: raw TPM 2.0 commands and responses over /dev/tpmrm0 or a swtpm's unix socket,
// as a TCTI for tss2. Unlike the stock ones it ends every command by a deadline and says how it
// failed.
//
//   tpm::Wire wire("swtpm:path=/run/tpm.sock", deadline);
//   if (!wire.connected()) return wire.trouble();
//   Esys_Initialize(&esys, wire.tcti(), nullptr);
//
// After a failure every later command fails at once. Thread safety: none.
// Source: TCG TSS 2.0 TCTI Specification; TPM 2.0 Library part 1, 16 (command format).

#include <tss2/tss2_tcti.h>

#include <functional>

#include "backends/keyhost/device.h"

namespace leasehold::keyhost::tpm {

enum class Direction { to_tpm, from_tpm };
using Tap = std::function<void(Direction, ByteView)>;

class Wire;
// tss2 sees `common`; our callbacks find the wire behind it.
struct WireContext {
  TSS2_TCTI_CONTEXT_COMMON_V2 common;
  Wire* wire;
};

class Wire {
 public:
  Wire(const std::string& device, const Deadline& deadline, Tap tap = {});
  ~Wire();
  Wire(const Wire&) = delete;
  Wire& operator=(const Wire&) = delete;

  bool connected() const { return fd_ >= 0; }
  // Why it is not connected, or what broke it; state ok while nothing did.
  const DeviceAnswer& trouble() const { return trouble_; }
  // A socket has no resource manager behind it: others' leftovers are ours to flush.
  bool needs_sweep() const { return is_socket_; }
  TSS2_TCTI_CONTEXT* tcti() { return reinterpret_cast<TSS2_TCTI_CONTEXT*>(&context_); }

  TSS2_RC send(ByteView command);
  TSS2_RC receive(std::size_t* size, std::uint8_t* out);

 private:
  void connect_socket(const std::string& path);
  void open_device(const std::string& path);
  bool wait(short events);
  bool read_some(std::uint8_t* to, std::size_t size, std::size_t& got);
  bool read_response();
  TSS2_RC broken(DeviceState state, std::string message);

  const Deadline deadline_;
  const Tap tap_;
  std::string name_;
  bool is_socket_ = false;
  int fd_ = -1;
  DeviceAnswer trouble_{DeviceState::ok, {}, {}};
  SecretBytes response_;
  WireContext context_{};
};

}  // namespace leasehold::keyhost::tpm
