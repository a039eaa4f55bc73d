// A PKCS#11 module in front of SoftHSM that fails on demand. Copied into a test's folder, it reads
// the word in the file "login" beside it at each C_Login:
//
//   slow           waits for ever after the token's answer, as one that is slow or hangs
//   slow-before    waits for ever, and the token never sees the PIN
//   device-error   answers CKR_DEVICE_ERROR, and the token never sees the PIN
//   locked, expired, logged-in   the same with another answer
//
// and in the file "flags", a number that is added to the token's flags. Each C_Login adds a line to
// the file "logins", before it does anything else.

#include <dlfcn.h>
#include <p11-kit/pkcs11.h>
#include <unistd.h>

#include <fstream>
#include <string>

namespace {

CK_FUNCTION_LIST real{};
CK_FUNCTION_LIST shown{};

std::string folder() {
  Dl_info info{};
  ::dladdr(reinterpret_cast<void*>(&shown), &info);
  const std::string path = info.dli_fname;
  return path.substr(0, path.rfind('/'));
}

[[noreturn]] void hang() {
  for (;;) ::pause();
}

CK_RV token_info(CK_SLOT_ID slot, CK_TOKEN_INFO* info) {
  const CK_RV rv = real.C_GetTokenInfo(slot, info);
  CK_FLAGS flags = 0;
  std::ifstream(folder() + "/flags") >> flags;
  if (rv == CKR_OK) info->flags |= flags;
  return rv;
}

CK_RV login(CK_SESSION_HANDLE session, CK_USER_TYPE user, CK_UTF8CHAR* pin, CK_ULONG size) {
  std::ofstream(folder() + "/logins", std::ios::app) << "C_Login" << std::endl;
  std::string word;
  std::ifstream(folder() + "/login") >> word;
  if (word == "device-error") return CKR_DEVICE_ERROR;
  if (word == "locked") return CKR_PIN_LOCKED;
  if (word == "expired") return CKR_PIN_EXPIRED;
  if (word == "logged-in") return CKR_USER_ALREADY_LOGGED_IN;
  if (word == "slow-before") hang();
  const CK_RV rv = real.C_Login(session, user, pin, size);
  if (word == "slow") hang();
  return rv;
}

}  // namespace

extern "C" __attribute__((visibility("default"))) CK_RV C_GetFunctionList(CK_FUNCTION_LIST** list) {
  void* const module = ::dlopen("/usr/lib/softhsm/libsofthsm2.so", RTLD_NOW | RTLD_LOCAL);
  if (module == nullptr) return CKR_GENERAL_ERROR;
  const auto get = reinterpret_cast<CK_C_GetFunctionList>(::dlsym(module, "C_GetFunctionList"));
  CK_FUNCTION_LIST* found = nullptr;
  if (get == nullptr || get(&found) != CKR_OK) return CKR_GENERAL_ERROR;
  real = *found;
  shown = real;
  shown.C_Login = login;
  shown.C_GetTokenInfo = token_info;
  shown.C_GetFunctionList = C_GetFunctionList;
  *list = &shown;
  return CKR_OK;
}
