#include <csignal>
#include <cstdio>

#include "cli/leasehold/groups.h"
#include "cli/leasehold/run.h"

int main(int argc, char** argv) {
  using namespace leasehold::cli;
  // A server that closes early, or `| head`, is an error of write(), not the end of the process.
  std::signal(SIGPIPE, SIG_IGN);
  const int code = run(Catalog(kGroups, server_passages()), {argv + 1, argv + argc});
  return std::fflush(stdout) == 0 ? code : kLocalError;
}
