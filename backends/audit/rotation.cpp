#include "backends/audit/rotation.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <system_error>
#include <vector>

#include "backends/audit/device_options.h"

namespace leasehold::audit {
namespace {

constexpr std::int64_t kBytesMin = 64 << 10;
constexpr Seconds kAgeMin{60};

// "20261129T072053Z"; a second file of the same second has "-1" behind it, and so on.
std::string stamp_of(WallTime now) {
  std::string out;
  for (const char c : rfc3339(now).substr(0, 19))
    if (c != '-' && c != ':') out += c;
  return out + "Z";
}

bool is_stamp(std::string_view text) {
  constexpr std::string_view kForm = "00000000T000000Z";
  if (text.size() < kForm.size()) return false;
  for (std::size_t i = 0; i < kForm.size(); ++i) {
    const bool digit = text[i] >= '0' && text[i] <= '9';
    if (kForm[i] == '0' ? !digit : text[i] != kForm[i]) return false;
  }
  const std::string_view rest = text.substr(kForm.size());
  return rest.empty() ||
         (rest.front() == '-' && rest.find_first_not_of("0123456789", 1) == std::string_view::npos);
}

}  // namespace

Result<Rotation> take_rotation(Stanza& options) {
  VAULT_TRY_ASSIGN(const std::int64_t bytes, options.number("rotate_bytes", 0));
  if (bytes != 0 && bytes < kBytesMin)
    return refused(options, "rotate_bytes", "\"rotate_bytes\" is at least 65536");
  VAULT_TRY_ASSIGN(const Seconds age, options.duration("rotate_duration", Seconds(0)));
  if (age.count() != 0 && age < kAgeMin)
    return refused(options, "rotate_duration", "\"rotate_duration\" is at least 1m");
  VAULT_TRY_ASSIGN(const std::int64_t files, options.number("rotate_max_files", 0));
  if (files < 0) return refused(options, "rotate_max_files", "\"rotate_max_files\" is 0 or more");
  if (files > 0 && bytes == 0 && age.count() == 0)
    return refused(options, "rotate_max_files",
                   "\"rotate_max_files\" needs \"rotate_bytes\" or \"rotate_duration\"");
  return Rotation{static_cast<std::uint64_t>(bytes), age, files};
}

Status put_aside(const std::string& path, WallTime now) {
  const std::string name = path + "." + stamp_of(now);
  for (int i = 0; i < 100; ++i) {
    const std::string aside = i == 0 ? name : name + "-" + std::to_string(i);
    if (::renameat2(AT_FDCWD, path.c_str(), AT_FDCWD, aside.c_str(), RENAME_NOREPLACE) == 0)
      return {};
    if (errno != EEXIST) break;
  }
  return failure(Code::internal, "cannot put the file aside",
                 std::generic_category().message(errno));
}

Status remove_oldest(const std::string& path, std::int64_t keep) {
  namespace fs = std::filesystem;
  const fs::path whole(path);
  const std::string prefix = whole.filename().string() + ".";
  std::vector<fs::path> aside;
  std::error_code error;
  for (fs::directory_iterator at(whole.parent_path(), error), end; !error && at != end;
       at.increment(error)) {
    const std::string name = at->path().filename().string();
    if (name.starts_with(prefix) && is_stamp(std::string_view(name).substr(prefix.size())))
      aside.push_back(at->path());
  }
  std::sort(aside.begin(), aside.end());
  const auto surplus = static_cast<std::int64_t>(aside.size()) - keep;
  for (std::int64_t i = 0; i < surplus && !error; ++i)
    fs::remove(aside[static_cast<std::size_t>(i)], error);
  if (!error) return {};
  return failure(Code::internal, "cannot remove the oldest files put aside", error.message());
}

}  // namespace leasehold::audit
