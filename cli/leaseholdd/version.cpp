#include <build_info.h>
#include "cli/leaseholdd/process.h"

namespace leasehold::server_process {

const char* const kVersion = LEASEHOLD_VERSION;
const char* const kRevision = LEASEHOLD_REVISION;
const char* const kBuildDate = LEASEHOLD_BUILD_DATE;

}  // namespace leasehold::server_process
