// What the machine tells of this process, for sys/metrics.

#include <dirent.h>
#include <malloc.h>
#include <sys/resource.h>
#include <unistd.h>

#include <fstream>
#include <memory>
#include <sstream>

#include "vault/core/sys/metrics.h"

namespace leasehold::core {

namespace {

// Of /proc/self/stat: what stands behind the name of the program, which may have spaces.
struct Stat {
  double user_ticks = 0, system_ticks = 0, threads = 0, start_ticks = 0, virtual_bytes = 0,
         resident_pages = 0;
};

bool read_stat(Stat& stat) {
  std::ifstream file("/proc/self/stat");
  std::string line;
  if (!std::getline(file, line)) return false;
  const std::size_t end = line.rfind(')');
  if (end == std::string::npos) return false;
  std::istringstream rest(line.substr(end + 1));
  std::string state;
  rest >> state;
  std::array<double, 21> field{};  // from the parent's id, the fourth, to the resident pages
  for (double& value : field)
    if (!(rest >> value)) return false;
  stat.user_ticks = field[10];
  stat.system_ticks = field[11];
  stat.threads = field[16];
  stat.start_ticks = field[18];
  stat.virtual_bytes = field[19];
  stat.resident_pages = field[20];
  return true;
}

double machine_started() {
  std::ifstream file("/proc/stat");
  for (std::string word; file >> word;) {
    double value = 0;
    if (word == "btime" && file >> value) return value;
  }
  return 0;
}

double open_files() {
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(::opendir("/proc/self/fd"), ::closedir);
  if (!folder) return 0;
  double count = 0;
  while (::readdir(folder.get()) != nullptr) ++count;
  return count - 3;  // the folder itself, and its two names
}

}  // namespace

void add_process_metrics(MetricsPage& page) {
  Stat stat;
  if (read_stat(stat)) {
    const auto ticks = static_cast<double>(::sysconf(_SC_CLK_TCK));
    const auto resident = stat.resident_pages * static_cast<double>(::sysconf(_SC_PAGESIZE));
    page.counter("process_cpu_seconds_total", "CPU time of the process, in seconds.",
                 (stat.user_ticks + stat.system_ticks) / ticks);
    page.gauge("process_resident_memory_bytes", "Memory of the process that is in RAM.", resident);
    page.gauge("process_virtual_memory_bytes", "Memory that the process has mapped.",
               stat.virtual_bytes);
    page.gauge("process_start_time_seconds", "When the process began, since 1970.",
               machine_started() + stat.start_ticks / ticks);
    page.gauge("vault.runtime.num_goroutines", "Threads of the process.", stat.threads);
    page.gauge("vault.runtime.sys_bytes", "Memory of the process that is in RAM.", resident);
  }
  page.gauge("process_open_fds", "Files and connections that are open.", open_files());
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0)
    page.gauge("process_max_fds", "How many files and connections may be open.",
               static_cast<double>(limit.rlim_cur));
  const struct mallinfo2 heap = ::mallinfo2();
  page.gauge("vault.runtime.alloc_bytes", "Memory of the heap that is in use.",
             static_cast<double>(heap.uordblks + heap.hblkhd));
}

}  // namespace leasehold::core
