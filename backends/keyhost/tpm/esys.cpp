#include "backends/keyhost/tpm/esys.h"

namespace leasehold::keyhost::tpm {

Esys::Esys(const std::string& device, const Deadline& deadline, const Tap& tap)
    : wire_(device, deadline, tap) {
  if (!wire_.connected()) {
    trouble_ = wire_.trouble();
    return;
  }
  if (!check(Esys_Initialize(&context_, wire_.tcti(), nullptr), "be opened")) return;
  if (!wire_.needs_sweep()) return;
  flush_all(TPM2_TRANSIENT_FIRST);
  flush_all(TPM2_LOADED_SESSION_FIRST);
}

Esys::~Esys() {
  if (context_ != nullptr) Esys_Finalize(&context_);
}

bool Esys::check(TSS2_RC rc, std::string_view doing) {
  if (rc == TSS2_RC_SUCCESS) return true;
  if (trouble_.state != DeviceState::ok) return false;
  trouble_ = explain(rc, doing);
  if (wire_.trouble().state == DeviceState::ok) return false;
  trouble_.state = wire_.trouble().state;
  trouble_.message = wire_.trouble().message;
  return false;
}

bool Esys::fail(DeviceState state, std::string message) {
  if (ok()) trouble_ = answer(state, std::move(message));
  return false;
}

void Esys::forget_trouble() {
  if (wire_.trouble().state == DeviceState::ok) trouble_ = {DeviceState::ok, {}, {}};
}

// On a raw TPM, objects and sessions outlive the connection of whoever died with them loaded, and
// there are only three of each.
void Esys::flush_all(TPM2_HANDLE first) {
  Owned<TPMS_CAPABILITY_DATA> found;
  TPMI_YES_NO more = 0;
  if (!check(Esys_GetCapability(context_, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
                                TPM2_CAP_HANDLES, first, 16, &more, found.out()),
             "list what is loaded in it"))
    return;
  const TPML_HANDLE& handles = found->data.handles;
  for (UINT32 i = 0; i < handles.count; ++i) {
    ESYS_TR handle = ESYS_TR_NONE;
    if (Esys_TR_FromTPMPublic(context_, handles.handle[i], ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
                              &handle) == TSS2_RC_SUCCESS)
      Esys_FlushContext(context_, handle);
  }
}

void Handle::reset() {
  if (handle_ == ESYS_TR_NONE) return;
  if (persistent_)
    Esys_TR_Close(tpm_.context(), &handle_);
  else
    Esys_FlushContext(tpm_.context(), handle_);
  handle_ = ESYS_TR_NONE;
  persistent_ = false;
}

bool start_session(Esys& tpm, TPM2_SE type, ESYS_TR salt_key, Handle& session) {
  TPMT_SYM_DEF cipher{};
  cipher.algorithm = TPM2_ALG_AES;
  cipher.keyBits.aes = 128;
  cipher.mode.aes = TPM2_ALG_CFB;
  if (!tpm.check(Esys_StartAuthSession(tpm.context(), salt_key, ESYS_TR_NONE, ESYS_TR_NONE,
                                       ESYS_TR_NONE, ESYS_TR_NONE, nullptr, type, &cipher,
                                       TPM2_ALG_SHA256, session.out()),
                 "start an encrypted session"))
    return false;
  const TPMA_SESSION wanted =
      TPMA_SESSION_CONTINUESESSION | TPMA_SESSION_ENCRYPT | TPMA_SESSION_DECRYPT;
  return tpm.check(Esys_TRSess_SetAttributes(tpm.context(), session.get(), wanted, 0xff),
                   "encrypt its session");
}

std::string describe(Esys& tpm) {
  Owned<TPMS_CAPABILITY_DATA> found;
  TPMI_YES_NO more = 0;
  if (!tpm.check(
          Esys_GetCapability(tpm.context(), ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
                             TPM2_CAP_TPM_PROPERTIES, TPM2_PT_MANUFACTURER, 5, &more, found.out()),
          "say who made it"))
    return {};
  std::string text;
  const TPML_TAGGED_TPM_PROPERTY& properties = found->data.tpmProperties;
  for (UINT32 i = 0; i < properties.count; ++i) {
    if (properties.tpmProperty[i].property == TPM2_PT_VENDOR_STRING_1) text += ' ';
    for (int shift = 24; shift >= 0; shift -= 8) {
      const char letter = static_cast<char>(properties.tpmProperty[i].value >> shift);
      const bool again = letter == ' ' && !text.empty() && text.back() == ' ';
      if (letter >= ' ' && letter <= '~' && !again) text += letter;
    }
  }
  return text;
}

}  // namespace leasehold::keyhost::tpm
