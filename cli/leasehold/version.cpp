#include "cli/leasehold/version.h"

#include <build_info.h>

namespace leasehold::cli {

std::string version_line() {
  const std::string date = LEASEHOLD_BUILD_DATE;
  return "Leasehold v" LEASEHOLD_VERSION " (" LEASEHOLD_REVISION "), built " +
         (date.empty() ? "at an unrecorded date" : date);
}

}  // namespace leasehold::cli
