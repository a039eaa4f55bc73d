#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <new>
#include <string_view>

#include "cli/leasehold/groups.h"
#include "cli/leasehold/run.h"

// To say that there is no memory needs none.
[[noreturn]] static void end_without_memory() {
  constexpr std::string_view kText = "Error: there is not enough memory\n";
  (void)!::write(STDERR_FILENO, kText.data(), kText.size());
  ::_exit(leasehold::cli::kLocalError);
}

int main(int argc, char** argv) {
  using namespace leasehold::cli;
  std::set_new_handler(end_without_memory);
  // A server that closes early, `| head`, or a limit on the size of files is an error of write(),
  // not the end of the process.
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
  const int code = run(Catalog(kGroups, server_passages()), {argv + 1, argv + argc});
  return std::fflush(stdout) == 0 ? code : kLocalError;
}
