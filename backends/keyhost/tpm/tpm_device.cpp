#include "backends/keyhost/tpm/tpm_device.h"

#include <tss2/tss2_mu.h>

#include "backends/keyhost/tpm/slot_policy.h"
#include "vault/base/encoding.h"

namespace leasehold::keyhost {
namespace {

using namespace tpm;

constexpr int kPcrTries = 5;
constexpr std::size_t kRandomStep = 32;

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

bool create_sealed(Esys& tpm, const Handle& parent, const SecretBytes& payload, SlotPolicy& slot) {
  Handle session(tpm);
  if (!start_session(tpm, TPM2_SE_HMAC, parent.get(), session)) return false;
  TPM2B_SENSITIVE_CREATE secret{};
  secret.sensitive.data.size = static_cast<UINT16>(payload.size());
  std::copy_n(payload.reveal().data(), payload.size(), secret.sensitive.data.buffer);
  const TPM2B_PUBLIC wanted = sealed_template(policy_digest(slot.pcrs));
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
  Owned<TPM2B_DIGEST> digest;
  if (!tpm.check(Esys_PolicyGetDigest(context, session.get(), ESYS_TR_NONE, ESYS_TR_NONE,
                                      ESYS_TR_NONE, digest.out()),
                 "tell the policy"))
    return false;
  if (compare({digest->buffer, digest->size}, policy_digest(slot.pcrs)) != 0)
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

bool unseal(Esys& tpm, const Handle& parent, const SlotPolicy& slot, SecretBytes& payload) {
  Handle object(tpm);
  if (!load_sealed(tpm, parent, slot, object)) return false;
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
  TpmDevice(std::string device, std::vector<unsigned> pcrs, Random& random, Tap tap)
      : device_(std::move(device)), pcrs_(std::move(pcrs)), random_(random), tap_(std::move(tap)) {}

  seal::Enrolled enroll(const SlotContext&, const Deadline& deadline) override {
    Esys tpm(device_, deadline, tap_);
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
    Esys tpm(device_, deadline, tap_);
    Handle parent(tpm);
    seal::Recovered out;
    if (tpm.ok() && same_storage_key(tpm, slot->source, slot->key_name, parent) &&
        unseal(tpm, parent, *slot, out.kek))
      out.answer.state = DeviceState::ok;
    else
      out.answer = tpm.trouble();
    return out;
  }

  // The TPM gives at most a digest's worth at a time, silently.
  seal::Recovered random(std::size_t count, const Deadline& deadline) override {
    Esys tpm(device_, deadline, tap_);
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
  bool make(Esys& tpm, const SecretBytes& kek, SlotPolicy& slot, std::string& identity) const {
    identity = "TPM " + describe(tpm);
    Handle parent(tpm);
    if (!tpm.ok() || !any_storage_key(tpm, parent, slot.source, slot.key_name) ||
        !read_pcrs(tpm, pcrs_, slot.pcrs) || !create_sealed(tpm, parent, kek, slot))
      return false;
    identity += ", storage key " + hex(ByteView(slot.key_name).first(10));
    SecretBytes again;
    if (!unseal(tpm, parent, slot, again)) return false;
    return again == kek ||
           tpm.fail(DeviceState::failed, "the TPM gave back something else than it was given");
  }

  const std::string device_;
  const std::vector<unsigned> pcrs_;
  Random& random_;
  const Tap tap_;
};

}  // namespace

std::unique_ptr<Device> make_tpm_device(std::string device, std::vector<unsigned> pcrs,
                                        Random& random, Tap tap) {
  return std::make_unique<TpmDevice>(std::move(device), std::move(pcrs), random, std::move(tap));
}

Result<std::unique_ptr<Device>> make_tpm_device(const Settings& settings, Clock&, Random& random) {
  for (const char* key : {"pcr_policy_key", "pin_source"})
    if (!setting(settings, key).empty())
      return failure(Code::invalid, std::string("seal \"tpm\" does not support ") + key + " yet");
  VAULT_TRY_ASSIGN(auto pcrs, parse_pcrs(setting(settings, "pcrs")));
  std::string device = setting(settings, "device");
  if (device.empty()) device = "/dev/tpmrm0";
  return make_tpm_device(std::move(device), std::move(pcrs), random, {});
}

}  // namespace leasehold::keyhost
