#include "backends/keyhost/pkcs11/pkcs11_device.h"

namespace leasehold::keyhost {

Result<std::unique_ptr<Device>> make_pkcs11_device(const Settings&, Clock&, Random&) {
  return failure(Code::unsupported, "seal \"pkcs11\" is not part of this build");
}

}  // namespace leasehold::keyhost
