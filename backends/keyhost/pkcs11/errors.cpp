#include "backends/keyhost/pkcs11/errors.h"

#include <p11-kit/p11-kit.h>

namespace leasehold::keyhost::pkcs11 {
namespace {

struct Meaning {
  CK_RV rv;
  DeviceState state;
  const char* advice;
};

constexpr Meaning kMeanings[] = {
    {CKR_PIN_INCORRECT, DeviceState::auth,
     "the PIN is wrong; it is not tried again until its file changes, so that the token does not "
     "lock"},
    {CKR_PIN_INVALID, DeviceState::auth, "the PIN has characters the token does not take"},
    {CKR_PIN_LEN_RANGE, DeviceState::auth, "the PIN is too short or too long for the token"},
    {CKR_PIN_EXPIRED, DeviceState::auth, "the PIN has expired; set a new one"},
    {CKR_PIN_LOCKED, DeviceState::locked, "its PIN is locked; its security officer must reset it"},
    {CKR_USER_PIN_NOT_INITIALIZED, DeviceState::auth, "it has no user PIN yet"},
    {CKR_TOKEN_NOT_PRESENT, DeviceState::absent, "it is not there"},
    {CKR_TOKEN_NOT_RECOGNIZED, DeviceState::absent, "it is not recognised"},
    {CKR_DEVICE_REMOVED, DeviceState::absent, "it was removed"},
    {CKR_SLOT_ID_INVALID, DeviceState::absent, "its slot is gone"},
    {CKR_MECHANISM_INVALID, DeviceState::unsupported, "it lacks the mechanism"},
    {CKR_MECHANISM_PARAM_INVALID, DeviceState::unsupported,
     "it does not take the mechanism's parameters"},
    {CKR_KEY_TYPE_INCONSISTENT, DeviceState::unsupported,
     "its key is of another type than the mechanism needs"},
    {CKR_KEY_FUNCTION_NOT_PERMITTED, DeviceState::unsupported,
     "its key does not allow this use; create it with encrypt and decrypt, or sign"},
    {CKR_FUNCTION_NOT_SUPPORTED, DeviceState::unsupported, "it lacks the function"},
};

}  // namespace

PinVerdict verdict_of(CK_RV rv) {
  switch (rv) {
    case CKR_OK:
      return PinVerdict::accepted;
    case CKR_PIN_INCORRECT:
    // No other try can do better with the same PIN.
    case CKR_PIN_INVALID:
    case CKR_PIN_LEN_RANGE:
      return PinVerdict::refused;
    // The PIN may be the right one, and is again once the security officer has been there. Where
    // this very try locked the token, a wrong one is tried once more then, which is not the last.
    case CKR_PIN_LOCKED:
    case CKR_PIN_EXPIRED:
    case CKR_USER_ALREADY_LOGGED_IN:
    case CKR_USER_ANOTHER_ALREADY_LOGGED_IN:
    case CKR_USER_TYPE_INVALID:
    case CKR_USER_PIN_NOT_INITIALIZED:
    case CKR_CRYPTOKI_NOT_INITIALIZED:
    case CKR_SESSION_HANDLE_INVALID:
    case CKR_TOKEN_NOT_PRESENT:
    case CKR_ARGUMENTS_BAD:
    case CKR_FUNCTION_NOT_SUPPORTED:
      return PinVerdict::not_looked_at;
    default:
      return PinVerdict::undecided;
  }
}

bool does_not_open(CK_RV rv) {
  return rv == CKR_ENCRYPTED_DATA_INVALID || rv == CKR_ENCRYPTED_DATA_LEN_RANGE ||
         rv == CKR_GENERAL_ERROR;
}

DeviceAnswer explain(CK_RV rv, std::string_view doing) {
  if (rv == CKR_OK) return {DeviceState::ok, {}, {}};
  const std::string start = "the token could not " + std::string(doing);
  const char* const text = p11_kit_strerror(rv);
  const std::string detail =
      std::string(text == nullptr ? "" : text) + " (CKR " + std::to_string(rv) + ")";
  for (const Meaning& meaning : kMeanings)
    if (rv == meaning.rv) return answer(meaning.state, start + ": " + meaning.advice, detail);
  return answer(DeviceState::failed, start, detail);
}

}  // namespace leasehold::keyhost::pkcs11
