// sys/host-info: the machine, as its kernel tells of it. Memory is in bytes, times in seconds. What
// cannot be read is left out, and a warning says so.

#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <fstream>
#include <map>
#include <optional>
#include <set>
#include <sstream>

#include "vault/base/trimmed.h"
#include "vault/core/contract/routes.h"
#include "vault/core/sys/areas.h"

namespace leasehold::core {

namespace {

constexpr std::size_t kFileMax = 1u << 20;
constexpr std::size_t kProcessorsMax = 1024, kDisksMax = 256;

// "" where it cannot be read.
std::string text_of(const char* path) {
  std::ifstream file(path);
  std::string text(kFileMax, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(std::max<std::streamsize>(0, file.gcount())));
  return text;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

// "key : value" or "key=value"; nothing: it is neither.
using Pair = std::pair<std::string, std::string>;
std::optional<Pair> pair_of(const std::string& line, char between) {
  const std::size_t at = line.find(between);
  if (at == std::string::npos) return std::nullopt;
  const auto side = [](std::string_view text) { return std::string(trimmed(text)); };
  return Pair(side(std::string_view(line).substr(0, at)),
              side(std::string_view(line).substr(at + 1)));
}

Json number_of(const std::string& text) {
  std::string digits = text.substr(0, text.find_first_not_of("0123456789."));
  return is_json_number(digits) ? Json::number(std::move(digits)) : Json(0);
}

Json rounded(double value) {
  std::ostringstream text;
  text << value;
  return is_json_number(text.str()) ? Json::number(text.str()) : Json(0);
}

// One object a processor, as /proc/cpuinfo has it under other names.
Json processors(std::vector<std::string>& missing) {
  constexpr std::pair<const char*, const char*> kTexts[] = {
      {"vendor_id", "vendorId"},     {"cpu family", "family"}, {"model", "model"},
      {"physical id", "physicalId"}, {"core id", "coreId"},    {"model name", "modelName"},
      {"microcode", "microcode"}};
  constexpr std::pair<const char*, const char*> kNumbers[] = {{"processor", "cpu"},
                                                              {"stepping", "stepping"},
                                                              {"cpu MHz", "mhz"},
                                                              {"cache size", "cacheSize"}};
  Json all = Json::array();
  Json one;
  const auto done = [&] {
    if (one.is_object() && all.size() < kProcessorsMax) all.push(std::move(one));
    one = Json();
  };
  for (const std::string& line : lines_of(text_of("/proc/cpuinfo"))) {
    const auto pair = pair_of(line, ':');
    if (!pair) continue;
    if (pair->first == "processor") {
      done();
      one = Json::object();
      one.set("cores", 1);
    }
    if (!one.is_object()) continue;
    for (const auto& name : kTexts)
      if (pair->first == name.first) one.set(name.second, pair->second);
    for (const auto& name : kNumbers)
      if (pair->first == name.first) one.set(name.second, number_of(pair->second));
  }
  done();
  if (all.size() == 0) missing.emplace_back("cpu");
  return all;
}

Json processor_times(std::vector<std::string>& missing) {
  constexpr std::array<const char*, 10> kNames = {
      "user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal", "guest", "guestNice"};
  const auto ticks = static_cast<double>(::sysconf(_SC_CLK_TCK));
  Json all = Json::array();
  for (const std::string& line : lines_of(text_of("/proc/stat"))) {
    std::istringstream in(line);
    std::string name;
    in >> name;
    if (name.size() <= 3 || !name.starts_with("cpu") || all.size() >= kProcessorsMax) continue;
    Json one = Json::object();
    one.set("cpu", name);
    for (const char* what : kNames) {
      double value = 0;
      in >> value;
      one.set(what, rounded(value / ticks));
    }
    all.push(std::move(one));
  }
  if (all.size() == 0) missing.emplace_back("cpu_times");
  return all;
}

double share(double part, double whole) { return whole > 0 ? part / whole * 100 : 0; }

Json whole(double value) { return Json(static_cast<std::int64_t>(value)); }

// Disks of this machine alone: a server that hangs behind a mount would hold up the answer.
Json disks(std::vector<std::string>& missing) {
  Json all = Json::array();
  std::set<std::string> seen;
  for (const std::string& line : lines_of(text_of("/proc/self/mounts"))) {
    std::istringstream in(line);
    std::string device, path, type;
    in >> device >> path >> type;
    if (!device.starts_with("/dev/") || !seen.insert(device).second) continue;
    struct statvfs at {};
    if (all.size() >= kDisksMax || ::statvfs(path.c_str(), &at) != 0) continue;
    const auto block = static_cast<double>(at.f_frsize);
    const double total = static_cast<double>(at.f_blocks) * block;
    const double free = static_cast<double>(at.f_bavail) * block;
    const double used = total - static_cast<double>(at.f_bfree) * block;
    const auto inodes = static_cast<double>(at.f_files);
    const double inodes_used = inodes - static_cast<double>(at.f_ffree);
    Json one = Json::object();
    one.set("path", path).set("fstype", type).set("total", whole(total)).set("free", whole(free));
    one.set("used", whole(used)).set("usedPercent", rounded(share(used, used + free)));
    one.set("inodesTotal", whole(inodes)).set("inodesUsed", whole(inodes_used));
    one.set("inodesFree", whole(inodes - inodes_used));
    one.set("inodesUsedPercent", rounded(share(inodes_used, inodes)));
    all.push(std::move(one));
  }
  if (all.size() == 0) missing.emplace_back("disk");
  return all;
}

Json memory(std::vector<std::string>& missing) {
  constexpr std::pair<const char*, const char*> kNames[] = {{"MemTotal", "total"},
                                                            {"MemAvailable", "available"},
                                                            {"MemFree", "free"},
                                                            {"Active", "active"},
                                                            {"Inactive", "inactive"},
                                                            {"Buffers", "buffers"},
                                                            {"Cached", "cached"},
                                                            {"Writeback", "writeBack"},
                                                            {"Dirty", "dirty"},
                                                            {"Shmem", "shared"},
                                                            {"Slab", "slab"},
                                                            {"SReclaimable", "sreclaimable"},
                                                            {"SUnreclaim", "sunreclaim"},
                                                            {"PageTables", "pageTables"},
                                                            {"SwapCached", "swapCached"},
                                                            {"CommitLimit", "commitLimit"},
                                                            {"Committed_AS", "committedAS"},
                                                            {"SwapTotal", "swapTotal"},
                                                            {"SwapFree", "swapFree"},
                                                            {"Mapped", "mapped"}};
  constexpr double kKib = 1024;
  std::map<std::string, double> found;
  for (const std::string& line : lines_of(text_of("/proc/meminfo")))
    if (const auto pair = pair_of(line, ':'))
      found[pair->first] = std::strtod(pair->second.c_str(), nullptr) * kKib;
  if (found.empty()) missing.emplace_back("memory");
  Json all = Json::object();
  for (const auto& name : kNames)
    if (const auto known = found.find(name.first); known != found.end())
      all.set(name.second, whole(known->second));
  const double total = found["MemTotal"];
  const double used = total - found["MemFree"] - found["Buffers"] - found["Cached"];
  all.set("used", whole(used)).set("usedPercent", rounded(share(used, total)));
  return all;
}

Json host(WallTime now) {
  Json all = Json::object();
  struct utsname name {};
  if (::uname(&name) == 0)
    all.set("hostname", name.nodename)
        .set("kernelVersion", name.release)
        .set("kernelArch", name.machine);
  all.set("os", "linux");
  for (const std::string& line : lines_of(text_of("/etc/os-release"))) {
    auto pair = pair_of(line, '=');
    if (!pair) continue;
    auto& value = pair->second;
    if (value.size() >= 2 && value.front() == '"') value = value.substr(1, value.size() - 2);
    if (pair->first == "ID") all.set("platform", value);
    if (pair->first == "ID_LIKE") all.set("platformFamily", value);
    if (pair->first == "VERSION_ID") all.set("platformVersion", value);
  }
  const auto up = static_cast<std::int64_t>(std::strtod(text_of("/proc/uptime").c_str(), nullptr));
  all.set("uptime", up).set("bootTime", now.seconds() - up);
  all.set("hostId", std::string(trimmed(text_of("/etc/machine-id"), kBlanksAndLines)));
  std::int64_t processes = 0;
  std::istringstream load(text_of("/proc/loadavg"));
  for (std::string word; load >> word;)
    if (const std::size_t slash = word.find('/'); slash != std::string::npos)
      processes = std::strtoll(word.c_str() + slash + 1, nullptr, 10);
  all.set("procs", processes);
  return all;
}

Result<Response> show(Call& call, ReadTxn&) {
  std::vector<std::string> missing;
  Json data = Json::object();
  data.set("timestamp", rfc3339(call.now)).set("cpu", processors(missing));
  data.set("cpu_times", processor_times(missing)).set("disk", disks(missing));
  data.set("host", host(call.now)).set("memory", memory(missing));
  for (const std::string& what : missing)
    call.warnings.push_back("the machine does not tell of \"" + what + "\"");
  return Response::of(data);
}

}  // namespace

void add_host_info_route(std::vector<Route>& routes) {
  routes.push_back(
      route("host-info", {}, {reads(show, Place::outside)}, "The machine that the server runs on"));
}

}  // namespace leasehold::core
