#include "vault/seal/keyhost_protocol.h"

#include "vault/seal/codec.h"

namespace leasehold::seal {
namespace {

constexpr std::size_t kNameMax = 64;
constexpr std::size_t kValueMax = 8 * 1024;
constexpr std::size_t kTextMax = 2 * 1024;
constexpr std::size_t kSecretMax = kRandomMax;

Error refused(const char* what) {
  return failure(Code::invalid, std::string("the key host's socket carried ") + what);
}

void write_settings(Writer& out, const std::vector<Setting>& settings) {
  out.number(settings.size(), 1);
  for (const Setting& setting : settings) {
    out.text(setting.name, 1);
    out.bytes(setting.value.reveal(), 2);
  }
}

bool read_settings(Reader& in, std::vector<Setting>& settings) {
  const std::uint64_t count = in.number(1);
  if (count > kSettingsMax) return false;
  for (std::uint64_t i = 0; i < count && !in.failed(); ++i) {
    Setting setting;
    setting.name = in.text(1, kNameMax);
    setting.value = SecretBytes(in.bytes(2, kValueMax));
    settings.push_back(std::move(setting));
  }
  return !in.failed();
}

bool fits(const Request& request) {
  bool fit = request.kind.size() <= kKindMax && request.identity.size() <= kIdentityMax &&
             request.policy.size() <= kPolicyMax && request.settings.size() <= kSettingsMax;
  for (const Setting& setting : request.settings)
    fit = fit && setting.name.size() <= kNameMax && setting.value.size() <= kValueMax;
  return fit;
}

bool fits(const Reply& reply) {
  return reply.identity.size() <= kIdentityMax && reply.policy.size() <= kPolicyMax &&
         reply.secret.size() <= kSecretMax;
}

bool known(std::uint64_t operation) {
  return operation >= static_cast<std::uint64_t>(HostCall::hello) &&
         operation <= static_cast<std::uint64_t>(HostCall::presence);
}

std::string_view at_most(std::string_view text, std::size_t size) { return text.substr(0, size); }

}  // namespace

Result<SecretBytes> encode(const Request& request) {
  if (!fits(request)) return refused("a request that is too large");
  Writer out;
  out.number(kKeyHostVersion, 1);
  out.number(static_cast<std::uint64_t>(request.operation), 1);
  out.number(request.id, 4);
  out.number(request.device, 1);
  out.number(request.timeout_ms, 4);
  out.raw(request.context.store);
  out.raw(request.context.slot);
  out.number(request.context.generation, 4);
  out.number(request.count, 2);
  out.text(request.kind, 1);
  out.text(request.identity, 2);
  out.bytes(request.policy, 2);
  write_settings(out, request.settings);
  if (out.size() > kFrameMax) return refused("a request that is too large");
  return out.take();
}

Result<Request> decode_request(ByteView frame) {
  Reader in(frame);
  if (frame.size() > kFrameMax) return refused("a frame that is too large");
  if (in.number(1) != kKeyHostVersion) return refused("another version of the protocol");
  const std::uint64_t operation = in.number(1);
  if (!known(operation)) return refused("an unknown operation");
  Request request;
  request.operation = static_cast<HostCall>(operation);
  request.id = static_cast<std::uint32_t>(in.number(4));
  request.device = static_cast<std::uint8_t>(in.number(1));
  request.timeout_ms = static_cast<std::uint32_t>(in.number(4));
  request.context.store = in.array<16>();
  request.context.slot = in.array<16>();
  request.context.generation = static_cast<std::uint32_t>(in.number(4));
  request.count = static_cast<std::uint16_t>(in.number(2));
  request.kind = in.text(1, kKindMax);
  request.identity = in.text(2, kIdentityMax);
  request.policy = to_bytes(in.bytes(2, kPolicyMax));
  if (!read_settings(in, request.settings) || !in.finished()) return refused("a malformed request");
  return request;
}

Result<SecretBytes> encode(const Reply& reply) {
  if (!fits(reply)) return refused("a reply that is too large");
  Writer out;
  out.number(kKeyHostVersion, 1);
  out.number(reply.id, 4);
  out.number(static_cast<std::uint64_t>(reply.answer.state), 1);
  out.text(at_most(reply.answer.message, kTextMax), 2);
  out.text(at_most(reply.answer.detail, kTextMax), 2);
  out.text(reply.identity, 2);
  out.bytes(reply.policy, 2);
  out.bytes(reply.secret.reveal(), 2);
  return out.take();
}

Result<Reply> decode_reply(ByteView frame) {
  Reader in(frame);
  if (frame.size() > kFrameMax) return refused("a frame that is too large");
  if (in.number(1) != kKeyHostVersion) return refused("another version of the protocol");
  Reply reply;
  reply.id = static_cast<std::uint32_t>(in.number(4));
  const std::uint64_t state = in.number(1);
  if (state > static_cast<std::uint64_t>(DeviceState::failed)) return refused("an unknown state");
  reply.answer.state = static_cast<DeviceState>(state);
  reply.answer.message = in.text(2, kTextMax);
  reply.answer.detail = in.text(2, kTextMax);
  reply.identity = in.text(2, kIdentityMax);
  reply.policy = to_bytes(in.bytes(2, kPolicyMax));
  reply.secret = SecretBytes(in.bytes(2, kSecretMax));
  if (!in.finished()) return refused("a malformed reply");
  return reply;
}

}  // namespace leasehold::seal
