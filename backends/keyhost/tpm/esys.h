#pragma once
// A connection to a TPM through ESAPI, for one operation: what it opens in the TPM it flushes, also
// on the error path, and the first failure is kept for the caller.
//
//   Esys tpm(device, deadline, tap);
//   Handle key(tpm);
//   if (!tpm.check(Esys_CreatePrimary(tpm.context(), …, key.out(), …), "make its key"))
//     return tpm.trouble();
//
// Thread safety: none; one context, one thread.

#include <tss2/tss2_esys.h>

#include "backends/keyhost/tpm/errors.h"
#include "backends/keyhost/tpm/wire.h"

namespace leasehold::keyhost::tpm {

class Esys {
 public:
  Esys(const std::string& device, const Deadline& deadline, const Tap& tap);
  ~Esys();
  Esys(const Esys&) = delete;
  Esys& operator=(const Esys&) = delete;

  ESYS_CONTEXT* context() const { return context_; }
  bool ok() const { return trouble_.state == DeviceState::ok; }
  const DeviceAnswer& trouble() const { return trouble_; }
  // True on success. Otherwise the trouble is kept: what the wire saw, else what the code means.
  bool check(TSS2_RC rc, std::string_view doing);
  bool fail(DeviceState state, std::string message);
  void forget_trouble();  // of a call that was allowed to fail; a broken wire stays broken

 private:
  void flush_all(TPM2_HANDLE first);

  Wire wire_;
  ESYS_CONTEXT* context_ = nullptr;
  DeviceAnswer trouble_{DeviceState::ok, {}, {}};
};

// An object or session loaded in the TPM. Flushed when it goes; a persistent one is only forgotten.
class Handle {
 public:
  explicit Handle(Esys& tpm) : tpm_(tpm) {}
  ~Handle() { reset(); }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;

  ESYS_TR* out() { return &handle_; }
  ESYS_TR get() const { return handle_; }
  void set_persistent() { persistent_ = true; }
  void reset();

 private:
  Esys& tpm_;
  ESYS_TR handle_ = ESYS_TR_NONE;
  bool persistent_ = false;
};

// What ESAPI allocated: wiped, then freed.
template <class T>
class Owned {
 public:
  Owned() = default;
  ~Owned() {
    if (value_ == nullptr) return;
    wipe(value_, sizeof *value_);
    Esys_Free(value_);
  }
  Owned(const Owned&) = delete;
  Owned& operator=(const Owned&) = delete;
  T** out() { return &value_; }
  T* operator->() const { return value_; }
  T& operator*() const { return *value_; }

 private:
  T* value_ = nullptr;
};

// A salted session that encrypts the first parameter each way: HMAC, or a policy session.
bool start_session(Esys& tpm, TPM2_SE type, ESYS_TR salt_key, Handle& session);
// "IBM SW TPM": manufacturer and vendor string.
std::string describe(Esys& tpm);

}  // namespace leasehold::keyhost::tpm
