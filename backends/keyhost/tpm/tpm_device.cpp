#include "backends/keyhost/tpm/tpm_device.h"

namespace leasehold::keyhost {

Result<std::unique_ptr<Device>> make_tpm_device(const Settings&, Clock&, Random&) {
  return failure(Code::unsupported, "seal \"tpm\" is not part of this build");
}

}  // namespace leasehold::keyhost
