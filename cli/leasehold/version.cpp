#include "cli/leasehold/version.h"

// The build may define the revision and the date it was made from; without them a build says so.
#ifndef LEASEHOLD_VERSION
#define LEASEHOLD_VERSION "0.1.0"
#endif
#ifndef LEASEHOLD_REVISION
#define LEASEHOLD_REVISION "unreleased"
#endif
#ifndef LEASEHOLD_BUILD_DATE
#define LEASEHOLD_BUILD_DATE "at an unrecorded date"
#endif

namespace leasehold::cli {

std::string version_line() {
  return "Leasehold v" LEASEHOLD_VERSION " (" LEASEHOLD_REVISION "), built " LEASEHOLD_BUILD_DATE;
}

}  // namespace leasehold::cli
