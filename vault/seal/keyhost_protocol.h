#pragma once
// What the vault and its key host say to each other: one request, one reply per frame of a
// SEQPACKET socketpair. Big-endian; every variable field is preceded by its length; a frame with a
// byte too many or too few is refused.
//
//   request: version:u8 operation:u8 id:u32 device:u8 timeout_ms:u32
//            store[16] slot[16] generation:u32
//            count:u16 kind:t8 identity:t16 policy:b16 settings:u8 × (name:t8 value:b16)
//   reply:   version:u8 id:u32 state:u8 message:t16 detail:t16 identity:t16 policy:b16 secret:b16
//
// Both sides are this executable, so a version mismatch means an upgrade without a restart: the
// client says so and starts a new host. Decoders are total functions: any bytes give a value or
// Code::invalid. Thread-safe.

#include <string>
#include <vector>

#include "vault/seal/protector.h"

namespace leasehold::seal {

inline constexpr std::uint8_t kKeyHostVersion = 1;
inline constexpr std::size_t kFrameMax = 64 * 1024;
inline constexpr std::size_t kSettingsMax = 32;
inline constexpr std::size_t kRandomMax = 1024;

enum class HostCall : std::uint8_t {
  hello = 1,      // first on every connection
  configure = 2,  // `device` is a `kind` with `settings`; a second one replaces the first
  enroll = 3,     // answers secret, identity, policy
  recover = 4,    // identity and policy in, secret out
  health = 5,     // as recover, without the secret
  random = 6,     // `count` bytes from the device
  presence = 7,   // whether a slot could be made, without a login
};

// A key of the seal stanza. May be a PIN.
struct Setting {
  std::string name;
  SecretBytes value;
};

struct Request {
  HostCall operation = HostCall::hello;
  std::uint32_t id = 0;
  std::uint8_t device = 0;
  std::uint32_t timeout_ms = 0;
  SlotContext context;
  std::uint16_t count = 0;
  std::string kind;
  std::string identity;
  Bytes policy;
  std::vector<Setting> settings;
};

struct Reply {
  std::uint32_t id = 0;
  DeviceAnswer answer;
  std::string identity;
  Bytes policy;
  SecretBytes secret;
};

// Frames may hold secrets; Code::invalid when it does not fit in kFrameMax.
Result<SecretBytes> encode(const Request& request);
Result<SecretBytes> encode(const Reply& reply);
Result<Request> decode_request(ByteView frame);
Result<Reply> decode_reply(ByteView frame);

}  // namespace leasehold::seal
