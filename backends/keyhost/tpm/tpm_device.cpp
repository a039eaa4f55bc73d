#include "backends/keyhost/tpm/tpm_device.h"

#include <tss2/tss2_mu.h>

#include "backends/keyhost/pin_source.h"
#include "backends/keyhost/tpm/slot_policy.h"
#include "vault/base/encoding.h"

namespace leasehold::keyhost {
namespace {

using namespace tpm;

constexpr int kPcrTries = 5;
constexpr std::size_t kRandomStep = 32;
constexpr std::size_t kPinSaltSize = 16;
constexpr std::size_t kPinMin = 20;

template <class Area>
using Marshal = TSS2_RC (*)(const Area*, std::uint8_t*, std::size_t, std::size_t*);
template <class Area>
using Unmarshal = TSS2_RC (*)(const std::uint8_t*, std::size_t, std::size_t*, Area*);

template <class Area>
Bytes marshalled(Marshal<Area> marshal, const Area& area) {
  std::uint8_t buffer[sizeof(Area)];
  std::size_t size = 0;
  if (marshal(&area, buffer, sizeof buffer, &size) != TSS2_RC_SUCCESS) return {};
  return Bytes(buffer, buffer + size);
}

template <class Area>
bool unmarshalled(Unmarshal<Area> unmarshal, const Bytes& bytes, Area& area) {
  std::size_t used = 0;
  return unmarshal(bytes.data(), bytes.size(), &used, &area) == TSS2_RC_SUCCESS &&
         used == bytes.size();
}

// Opens by policy alone: userWithAuth is clear, so no password does. noDA: no lockout counter.
TPM2B_PUBLIC sealed_template(const crypto::Digest& policy) {
  TPM2B_PUBLIC whole{};
  TPMT_PUBLIC& area = whole.publicArea;
  area.type = TPM2_ALG_KEYEDHASH;
  area.nameAlg = TPM2_ALG_SHA256;
  area.objectAttributes = TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT | TPMA_OBJECT_NODA;
  area.parameters.keyedHashDetail.scheme.scheme = TPM2_ALG_NULL;
  area.authPolicy.size = static_cast<UINT16>(policy.size());
  std::copy(policy.begin(), policy.end(), area.authPolicy.buffer);
  return whole;
}

// 32 bytes for the TPM from a PIN of any length. Some stacks trim zeros behind, so none are left.
SecretBytes auth_of(const Pin& pin, const Bytes& salt) {
  SecretBytes auth = crypto::hkdf(pin.text.reveal(), salt, "leasehold tpm pin", 32);
  while (!auth.empty() && auth.reveal().back() == 0) auth.resize(auth.size() - 1);
  return auth;
}

void copy_auth(const SecretBytes& auth, TPM2B_AUTH& out) {
  out.size = static_cast<UINT16>(auth.size());
  std::copy_n(auth.reveal().data(), auth.size(), out.buffer);
}

bool create_sealed(Esys& tpm, const Handle& parent, const SecretBytes& payload,
                   const SecretBytes& auth, SlotPolicy& slot) {
  Handle session(tpm);
  if (!start_session(tpm, TPM2_SE_HMAC, parent.get(), session)) return false;
  TPM2B_SENSITIVE_CREATE secret{};
  secret.sensitive.data.size = static_cast<UINT16>(payload.size());
  std::copy_n(payload.reveal().data(), payload.size(), secret.sensitive.data.buffer);
  copy_auth(auth, secret.sensitive.userAuth);
  const TPM2B_PUBLIC wanted = sealed_template(policy_digest(slot.pcrs, !auth.empty()));
  const TPM2B_DATA outside{};
  const TPML_PCR_SELECTION no_pcrs{};
  Owned<TPM2B_PRIVATE> made_private;
  Owned<TPM2B_PUBLIC> made_public;
  Owned<TPM2B_CREATION_DATA> data;
  Owned<TPM2B_DIGEST> hash;
  Owned<TPMT_TK_CREATION> ticket;
  const bool made =
      tpm.check(Esys_Create(tpm.context(), parent.get(), session.get(), ESYS_TR_NONE, ESYS_TR_NONE,
                            &secret, &wanted, &outside, &no_pcrs, made_private.out(),
                            made_public.out(), data.out(), hash.out(), ticket.out()),
                "seal the slot's key");
  wipe(&secret, sizeof secret);
  if (!made) return false;
  slot.public_area = marshalled(Tss2_MU_TPM2B_PUBLIC_Marshal, *made_public);
  slot.private_area = marshalled(Tss2_MU_TPM2B_PRIVATE_Marshal, *made_private);
  return true;
}

bool load_sealed(Esys& tpm, const Handle& parent, const SlotPolicy& slot, Handle& object) {
  TPM2B_PUBLIC public_area{};
  TPM2B_PRIVATE private_area{};
  if (!unmarshalled(Tss2_MU_TPM2B_PUBLIC_Unmarshal, slot.public_area, public_area) ||
      !unmarshalled(Tss2_MU_TPM2B_PRIVATE_Unmarshal, slot.private_area, private_area))
    return tpm.fail(DeviceState::tampered, "the stored TPM slot was changed");
  // Else each wrong PIN would count, and a vault that tries again and again would lock the TPM.
  if ((public_area.publicArea.objectAttributes & TPMA_OBJECT_NODA) == 0)
    return tpm.fail(DeviceState::tampered,
                    "the stored TPM slot was changed: a wrong PIN would count toward the TPM's "
                    "lockout");
  return tpm.check(Esys_Load(tpm.context(), parent.get(), ESYS_TR_PASSWORD, ESYS_TR_NONE,
                             ESYS_TR_NONE, &private_area, &public_area, object.out()),
                   "load the slot's sealed key");
}

// Names the PCRs that changed. A TPM that lies here gains nothing: it is the one that unseals.
bool policy_differs(Esys& tpm, const SlotPolicy& slot) {
  PcrValues now;
  if (!read_pcrs(tpm, indexes_of(slot.pcrs), now)) return false;
  std::string which = differing(slot.pcrs, now);
  if (which.empty()) which = "the policy of the slot";
  return tpm.fail(DeviceState::policy,
                  which +
                      " changed since the slot was made: firmware, boot loader or Secure Boot "
                      "keys are others now. If that was intended, open the vault with its "
                      "recovery shares and reenroll = true in the seal stanza");
}

// The session's digest is compared with the slot's before the object is touched.
bool satisfy_policy(Esys& tpm, const Handle& session, const SlotPolicy& slot) {
  ESYS_CONTEXT* const context = tpm.context();
  if (!tpm.check(Esys_PolicyCommandCode(context, session.get(), ESYS_TR_NONE, ESYS_TR_NONE,
                                        ESYS_TR_NONE, TPM2_CC_Unseal),
                 "check the policy"))
    return false;
  const TPM2B_DIGEST current{};
  const TPML_PCR_SELECTION selection = selection_of(indexes_of(slot.pcrs));
  if (!slot.pcrs.empty() &&
      !tpm.check(Esys_PolicyPCR(context, session.get(), ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
                                &current, &selection),
                 "check the PCRs"))
    return false;
  if (!slot.pin_salt.empty() &&
      !tpm.check(
          Esys_PolicyAuthValue(context, session.get(), ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE),
          "ask for the PIN"))
    return false;
  Owned<TPM2B_DIGEST> digest;
  if (!tpm.check(Esys_PolicyGetDigest(context, session.get(), ESYS_TR_NONE, ESYS_TR_NONE,
                                      ESYS_TR_NONE, digest.out()),
                 "tell the policy"))
    return false;
  if (compare({digest->buffer, digest->size}, policy_digest(slot.pcrs, !slot.pin_salt.empty())) !=
      0)
    return policy_differs(tpm, slot);
  return true;
}

// False with trouble, or with `again` when a PCR moved in between.
bool unseal_once(Esys& tpm, const Handle& parent, const Handle& object, const SlotPolicy& slot,
                 SecretBytes& payload, bool& again) {
  Handle session(tpm);
  if (!start_session(tpm, TPM2_SE_POLICY, parent.get(), session)) return false;
  // Unseal has no parameter to decrypt; asking for it would be refused.
  if (!tpm.check(Esys_TRSess_SetAttributes(tpm.context(), session.get(), 0, TPMA_SESSION_DECRYPT),
                 "encrypt its answer"))
    return false;
  if (!satisfy_policy(tpm, session, slot)) return false;
  Owned<TPM2B_SENSITIVE_DATA> data;
  const TSS2_RC rc = Esys_Unseal(tpm.context(), object.get(), session.get(), ESYS_TR_NONE,
                                 ESYS_TR_NONE, data.out());
  again = is_pcr_changed(rc);
  if (!tpm.check(rc, "unseal the slot's key")) return false;
  payload = SecretBytes(ByteView(data->buffer, data->size));
  return true;
}

bool set_auth(Esys& tpm, const Handle& object, const SecretBytes& auth) {
  TPM2B_AUTH value{};
  copy_auth(auth, value);
  const TSS2_RC rc = Esys_TR_SetAuth(tpm.context(), object.get(), &value);
  wipe(&value, sizeof value);
  return tpm.check(rc, "take the PIN");
}

bool unseal(Esys& tpm, const Handle& parent, const SlotPolicy& slot, const SecretBytes& auth,
            SecretBytes& payload) {
  Handle object(tpm);
  if (!load_sealed(tpm, parent, slot, object) || !set_auth(tpm, object, auth)) return false;
  for (int left = kPcrTries; left > 0; --left) {
    bool again = false;
    if (unseal_once(tpm, parent, object, slot, payload, again)) return true;
    if (!again || left == 1) return false;
    tpm.forget_trouble();
  }
  return false;
}

class TpmDevice final : public Device {
 public:
  TpmDevice(TpmOptions options, Random& random) : options_(std::move(options)), random_(random) {}

  seal::Enrolled enroll(const SlotContext&, const Deadline& deadline) override {
    Esys tpm(options_.device, deadline, options_.tap);
    seal::Enrolled out;
    SlotPolicy slot;
    SecretBytes kek(crypto::kKeySize);
    random_.fill(kek.writable());
    if (!tpm.ok() || !make(tpm, kek, slot, out.identity)) {
      out.answer = tpm.trouble();
      return out;
    }
    out.answer.state = DeviceState::ok;
    out.kek = std::move(kek);
    out.policy = slot.serialize();
    return out;
  }

  seal::Recovered recover(const StoredSlot& stored, const Deadline& deadline) override {
    const auto slot = SlotPolicy::deserialize(stored.policy);
    if (!slot.ok()) return {answer(DeviceState::tampered, slot.error().message), {}};
    Esys tpm(options_.device, deadline, options_.tap);
    Handle parent(tpm);
    SecretBytes auth;
    seal::Recovered out;
    if (tpm.ok() && same_storage_key(tpm, slot->source, slot->key_name, parent) &&
        find_auth(tpm, *slot, auth) && unseal(tpm, parent, *slot, auth, out.kek))
      out.answer = compared_with_configuration(*slot);
    else
      out.answer = worded(tpm.trouble(), *slot);
    return out;
  }

  // The TPM gives at most a digest's worth at a time, silently.
  seal::Recovered random(std::size_t count, const Deadline& deadline) override {
    Esys tpm(options_.device, deadline, options_.tap);
    seal::Recovered out;
    while (tpm.ok() && out.kek.size() < count) {
      Owned<TPM2B_DIGEST> bytes;
      const auto wanted = static_cast<UINT16>(std::min(count - out.kek.size(), kRandomStep));
      if (!tpm.check(Esys_GetRandom(tpm.context(), ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, wanted,
                                    bytes.out()),
                     "give random bytes"))
        break;
      if (bytes->size == 0 || bytes->size > wanted) {
        tpm.fail(DeviceState::failed, "the TPM gave no random bytes");
        break;
      }
      out.kek.append({bytes->buffer, bytes->size});
    }
    out.answer = tpm.trouble();
    return out;
  }

 private:
  // Seals, and unseals again at once: a slot that does not open must not be written.
  bool make(Esys& tpm, const SecretBytes& kek, SlotPolicy& slot, std::string& identity) {
    identity = "TPM " + describe(tpm);
    SecretBytes auth;
    if (!options_.pin.empty()) {
      slot.pin_salt.resize(kPinSaltSize);
      random_.fill(slot.pin_salt);
    }
    Handle parent(tpm);
    if (!tpm.ok() || !find_auth(tpm, slot, auth) ||
        !any_storage_key(tpm, parent, slot.source, slot.key_name) ||
        !read_pcrs(tpm, options_.pcrs, slot.pcrs) || !create_sealed(tpm, parent, kek, auth, slot))
      return false;
    identity += ", storage key " + hex(ByteView(slot.key_name).first(10));
    SecretBytes again;
    if (!unseal(tpm, parent, slot, auth, again)) return false;
    return again == kek ||
           tpm.fail(DeviceState::failed, "the TPM gave back something else than it was given");
  }

  // Nothing for a slot without a PIN.
  bool find_auth(Esys& tpm, const SlotPolicy& slot, SecretBytes& auth) const {
    if (slot.pin_salt.empty()) return true;
    if (options_.pin.empty())
      return tpm.fail(DeviceState::auth,
                      "the slot was made with a PIN: give its pin_source in the seal stanza");
    const auto pin = read_pin(options_.pin);
    if (!pin.ok()) return tpm.fail(DeviceState::auth, pin.error().message);
    if (pin->text.size() < kPinMin)
      return tpm.fail(DeviceState::auth,
                      "the PIN must have at least 20 characters, as the TPM does not count tries: "
                      "openssl rand -hex 16 makes one");
    auth = auth_of(*pin, slot.pin_salt);
    return true;
  }

  static DeviceAnswer worded(DeviceAnswer trouble, const SlotPolicy& slot) {
    if (trouble.state == DeviceState::auth && !trouble.detail.empty() && !slot.pin_salt.empty())
      trouble.message = "the PIN that pin_source gives is not the one the slot was made with";
    return trouble;
  }

  // A slot keeps what it was made with; a changed stanza must not look as if it had done something.
  DeviceAnswer compared_with_configuration(const SlotPolicy& slot) const {
    const bool same =
        indexes_of(slot.pcrs) == options_.pcrs && slot.pin_salt.empty() == options_.pin.empty();
    if (same) return {DeviceState::ok, {}, {}};
    return answer(DeviceState::degraded,
                  "the slot was made with other pcrs, or with or without a PIN; reenroll = true in "
                  "the seal stanza makes it anew as configured");
  }

  const TpmOptions options_;
  Random& random_;
};

}  // namespace

std::unique_ptr<Device> make_tpm_device(TpmOptions options, Random& random) {
  return std::make_unique<TpmDevice>(std::move(options), random);
}

Result<std::unique_ptr<Device>> make_tpm_device(const Settings& settings, Clock&, Random& random) {
  if (!setting(settings, "pcr_policy_key").empty())
    return failure(Code::invalid, "seal \"tpm\" does not support pcr_policy_key yet");
  TpmOptions options;
  VAULT_TRY_ASSIGN(options.pcrs, parse_pcrs(setting(settings, "pcrs")));
  if (const std::string device = setting(settings, "device"); !device.empty())
    options.device = device;
  for (const seal::Setting& each : settings)
    if (each.name == "pin_source" || each.name == "pin")
      options.pin.push_back({each.name, each.value.clone()});
  return make_tpm_device(std::move(options), random);
}

}  // namespace leasehold::keyhost
