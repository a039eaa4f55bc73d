#include "cli/leaseholdd/harden.h"

#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <csignal>

namespace leasehold::server_process {

Status harden() {
  umask(077);
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);  // a file size limit is an error like a full disk
  const rlimit none{0, 0};
  const bool no_core = setrlimit(RLIMIT_CORE, &none) == 0;
  const bool not_dumpable = prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0;
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  if (no_core && not_dumpable) return {};
  return failure(Code::internal,
                 "core dumps cannot be forbidden; set allow_core_dumps = true to start anyway");
}

void raise_descriptor_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace leasehold::server_process
