#include "backends/keyhost/pkcs11/pkcs11_device.h"

#include <array>

#include "backends/keyhost/pkcs11/slot_policy.h"
#include "backends/keyhost/pkcs11/token.h"
#include "vault/base/encoding.h"
#include "vault/seal/codec.h"

namespace leasehold::keyhost {
namespace {

using namespace pkcs11;

constexpr std::size_t kIvSize = 12;
constexpr std::size_t kGcmTagSize = 16;
constexpr std::size_t kSaltSize = 32;
constexpr std::size_t kKekSize = crypto::kKeySize;

// What the slot is bound to: its place, so that a box moved to another slot does not open there.
Bytes bound_to(const SlotContext& context, std::string_view purpose) {
  seal::Writer out;
  out.text(purpose, 1);
  out.raw(context.store);
  out.raw(context.slot);
  out.number(context.generation, 4);
  return out.take_public();
}

// A GCM call's mechanism. The IV lies in `iv` and may be rewritten by the token.
class Gcm {
 public:
  Gcm(Bytes& iv, Bytes& aad)
      : parameters_{iv.data(), iv.size(), iv.size() * 8, aad.data(), aad.size(), kGcmTagSize * 8},
        mechanism_{CKM_AES_GCM, &parameters_, sizeof parameters_} {}
  Gcm(const Gcm&) = delete;
  Gcm& operator=(const Gcm&) = delete;
  CK_MECHANISM* get() { return &mechanism_; }

 private:
  CK_GCM_PARAMS parameters_;
  CK_MECHANISM mechanism_;
};

bool gcm_encrypt(Token::Use& use, const SlotContext& context, SecretBytes& kek, SlotPolicy& slot) {
  Bytes aad = bound_to(context, "leasehold pkcs11 aes-gcm");
  Gcm gcm(slot.nonce, aad);
  slot.box.resize(kKekSize + kGcmTagSize);
  CK_ULONG size = slot.box.size();
  return use.check(use.p11->C_EncryptInit(use.session, gcm.get(), use.key),
                   "encrypt with its key") &&
         use.check(use.p11->C_Encrypt(use.session, kek.writable().data(), kek.size(),
                                      slot.box.data(), &size),
                   "encrypt with its key") &&
         (size == slot.box.size() ||
          use.token.fail(DeviceState::failed, "the token's AES-GCM box has an odd size"));
}

bool gcm_decrypt(Token::Use& use, const SlotContext& context, const SlotPolicy& slot,
                 SecretBytes& kek) {
  if (slot.nonce.size() != kIvSize || slot.box.size() != kKekSize + kGcmTagSize)
    return use.token.fail(DeviceState::tampered, "the stored token slot was changed");
  Bytes iv = slot.nonce, aad = bound_to(context, "leasehold pkcs11 aes-gcm"), box = slot.box;
  Gcm gcm(iv, aad);
  if (!use.check(use.p11->C_DecryptInit(use.session, gcm.get(), use.key), "decrypt with its key"))
    return false;
  kek = SecretBytes(box.size());
  CK_ULONG size = kek.size();
  const CK_RV rv =
      use.p11->C_Decrypt(use.session, box.data(), box.size(), kek.writable().data(), &size);
  if (rv != CKR_OK || size != kKekSize) {
    kek = SecretBytes();
    if (rv != CKR_OK && !does_not_open(rv)) return use.check(rv, "decrypt with its key");
    return use.token.fail(DeviceState::tampered,
                          "the token's key does not open the slot: the key is another one of the "
                          "same name, or the stored slot was changed");
  }
  kek.resize(size);
  return true;
}

bool hmac_derive(Token::Use& use, const SlotContext& context, const SlotPolicy& slot,
                 SecretBytes& kek) {
  if (slot.nonce.size() != kSaltSize)
    return use.token.fail(DeviceState::tampered, "the stored token slot was changed");
  Bytes message = bound_to(context, "leasehold pkcs11 hmac-kdf");
  append(message, slot.nonce);
  CK_MECHANISM mechanism{CKM_SHA256_HMAC, nullptr, 0};
  kek = SecretBytes(kKekSize);
  CK_ULONG size = kek.size();
  return use.check(use.p11->C_SignInit(use.session, &mechanism, use.key), "derive with its key") &&
         use.check(use.p11->C_Sign(use.session, message.data(), message.size(),
                                   kek.writable().data(), &size),
                   "derive with its key") &&
         (size == kKekSize || use.token.fail(DeviceState::failed, "the token's HMAC is short"));
}

bool recover_with(Token::Use& use, const SlotContext& context, const SlotPolicy& slot,
                  SecretBytes& kek) {
  return slot.mode == Mode::aes_gcm ? gcm_decrypt(use, context, slot, kek)
                                    : hmac_derive(use, context, slot, kek);
}

bool flag_of(Token::Use& use, CK_ATTRIBUTE_TYPE type, bool fallback) {
  CK_BBOOL value = CK_FALSE;
  CK_ATTRIBUTE attribute{type, &value, sizeof value};
  if (use.p11->C_GetAttributeValue(use.session, use.key, &attribute, 1) != CKR_OK) return fallback;
  return value == CK_TRUE;
}

Bytes id_of(Token::Use& use) {
  std::array<std::uint8_t, 255> buffer{};
  CK_ATTRIBUTE attribute{CKA_ID, buffer.data(), buffer.size()};
  if (use.p11->C_GetAttributeValue(use.session, use.key, &attribute, 1) != CKR_OK ||
      attribute.ulValueLen > buffer.size())
    return {};
  return Bytes(buffer.begin(), buffer.begin() + static_cast<std::ptrdiff_t>(attribute.ulValueLen));
}

// A key that can leave the token, or once could, protects no better than a file.
bool inspect_key(Token::Use& use, DeviceAnswer& note) {
  if (flag_of(use, CKA_EXTRACTABLE, true) || !flag_of(use, CKA_SENSITIVE, false))
    return use.token.fail(DeviceState::unsupported,
                          "the key can be read out of the token; create one that is sensitive and "
                          "not extractable");
  note = {DeviceState::ok, {}, {}};
  if (!flag_of(use, CKA_NEVER_EXTRACTABLE, false) || !flag_of(use, CKA_ALWAYS_SENSITIVE, false) ||
      !flag_of(use, CKA_LOCAL, false))
    note = answer(DeviceState::degraded,
                  "the key was not made on the token: copies of it may exist elsewhere");
  return true;
}

// "AES_GCM", "CKM_AES_GCM", "0x1087", "4231"; empty for the self-test to choose.
Result<std::vector<Mode>> modes_of(const std::string& mechanism) {
  if (mechanism.empty() || mechanism == "auto")
    return std::vector<Mode>{Mode::aes_gcm, Mode::hmac_kdf};
  for (const char* name : {"AES_GCM", "CKM_AES_GCM", "0x1087", "4231", "aes-gcm"})
    if (mechanism == name) return std::vector<Mode>{Mode::aes_gcm};
  for (const char* name : {"SHA256_HMAC", "CKM_SHA256_HMAC", "0x0251", "0x251", "593", "hmac-kdf"})
    if (mechanism == name) return std::vector<Mode>{Mode::hmac_kdf};
  return failure(Code::invalid,
                 "seal \"pkcs11\": mechanism must be AES_GCM or hmac-kdf; leave it out "
                 "to let a self-test choose");
}

class Pkcs11Device final : public Device {
 public:
  Pkcs11Device(const Settings& settings, std::vector<Mode> modes, Clock& clock, Random& random)
      : token_(settings, clock),
        key_label_(setting(settings, "key_label")),
        modes_(std::move(modes)),
        random_(random) {}

  seal::Enrolled enroll(const SlotContext& context, const Deadline&) override {
    seal::Enrolled out;
    SlotPolicy slot;
    DeviceAnswer note;
    bool made = false;
    for (const Mode mode : modes_) {
      slot.mode = mode;
      made = token_.operate({}, Token::Needs::key, [&](Token::Use& use) {
        return inspect_key(use, note) && make(use, context, slot, out.kek);
      });
      // Another mode helps only where this one is what is missing.
      if (made || token_.trouble().state != DeviceState::unsupported) break;
    }
    if (!made) return {token_.trouble(), {}, {}, {}};
    out.answer = note;
    out.policy = slot.serialize();
    out.identity = "token \"" + token_.identity().label + "\" of " + token_.identity().maker +
                   ", serial " + slot.serial + ", key \"" + key_label_ + "\", " +
                   std::string(to_text(slot.mode));
    return out;
  }

  seal::Recovered recover(const StoredSlot& stored, const Deadline&) override {
    const auto slot = SlotPolicy::deserialize(stored.policy);
    if (!slot.ok()) return {answer(DeviceState::tampered, slot.error().message), {}};
    seal::Recovered out;
    const bool done = token_.operate(slot->serial, Token::Needs::key, [&](Token::Use& use) {
      return recover_with(use, stored.context, *slot, out.kek);
    });
    out.answer = token_.trouble();
    if (!done) out.kek = SecretBytes();
    return out;
  }

  // Never logs in: a check ends sooner than a slow login, and an interrupted login costs a try.
  DeviceAnswer health(const StoredSlot& stored, const Deadline&) override {
    const auto slot = SlotPolicy::deserialize(stored.policy);
    if (!slot.ok()) return answer(DeviceState::tampered, slot.error().message);
    if (token_.logged_in()) {
      SecretBytes kek;
      const bool done = token_.operate_on_connection(slot->serial, [&](Token::Use& use) {
        return recover_with(use, stored.context, *slot, kek);
      });
      const DeviceState state = token_.trouble().state;
      if (done || (state != DeviceState::failed && state != DeviceState::absent))
        return token_.trouble();
    }
    if (!token_.is_present(slot->serial)) return token_.trouble();
    return answer(
        DeviceState::unknown,
        "the token is there; a health check does not log in, so whether its key opens the "
        "slot is known at the next unseal");
  }

  DeviceAnswer presence(const Deadline&) override {
    std::vector<CK_MECHANISM_TYPE> mechanisms;
    for (const Mode mode : modes_)
      mechanisms.push_back(mode == Mode::aes_gcm ? CKM_AES_GCM : CKM_SHA256_HMAC);
    if (!token_.is_fit(mechanisms)) return token_.trouble();
    return answer(DeviceState::unknown,
                  "the token is there; it was not logged in to, so neither its PIN nor its key was "
                  "tried");
  }

  seal::Recovered random(std::size_t count, const Deadline&) override {
    seal::Recovered out{{}, SecretBytes(count)};
    const bool done = token_.operate({}, Token::Needs::session, [&](Token::Use& use) {
      return use.check(use.p11->C_GenerateRandom(use.session, out.kek.writable().data(), count),
                       "give random bytes");
    });
    out.answer = token_.trouble();
    if (!done) out.kek = SecretBytes();
    return out;
  }

 private:
  // Makes the slot's key and gets it back at once: a slot that does not open must not be written.
  bool make(Token::Use& use, const SlotContext& context, SlotPolicy& slot, SecretBytes& kek) {
    slot.serial = token_.identity().serial;
    slot.key_label = key_label_;
    slot.key_id = id_of(use);
    slot.nonce.resize(slot.mode == Mode::aes_gcm ? kIvSize : kSaltSize);
    random_.fill(slot.nonce);
    kek = SecretBytes(kKekSize);
    random_.fill(kek.writable());
    const bool made = slot.mode == Mode::aes_gcm ? gcm_encrypt(use, context, kek, slot)
                                                 : hmac_derive(use, context, slot, kek);
    SecretBytes again;
    return made && recover_with(use, context, slot, again) &&
           (again == kek || token_.fail(DeviceState::failed,
                                        "the token gave back something else than it was given"));
  }

  Token token_;
  const std::string key_label_;
  const std::vector<Mode> modes_;
  Random& random_;
};

}  // namespace

Result<std::unique_ptr<Device>> make_pkcs11_device(const Settings& settings, Clock& clock,
                                                   Random& random) {
  VAULT_TRY_ASSIGN(auto modes, modes_of(setting(settings, "mechanism")));
  if (const std::string slot = setting(settings, "slot"); !slot.empty() && !parse_slot(slot))
    return failure(Code::invalid,
                   "seal \"pkcs11\": slot must be a number, decimal or hexadecimal (0x1a)");
  return std::unique_ptr<Device>(
      std::make_unique<Pkcs11Device>(settings, std::move(modes), clock, random));
}

}  // namespace leasehold::keyhost
