#include "backends/audit/file.h"

#include <charconv>
#include <filesystem>
#include <span>

#include "backends/audit/log_file.h"
#include "backends/audit/queued_device.h"

namespace leasehold::audit {
namespace {

constexpr mode_t kDefaultMode = 0600;
constexpr Nanos kFilePatience = std::chrono::seconds(2);  // for what waits at the end
constexpr mode_t kModeMax = 0640;  // others must not read who did what, nor anyone else write

// What stands in `options { }` for this kind.
constexpr std::string_view kOptions[] = {
    "file_path", "path", "mode", "sync", "rotate_bytes", "rotate_duration", "rotate_max_files"};

// "discard", "stdout" and their device files are no paths.
bool is_stdout(const std::string& path) { return path == "stdout" || path == "/dev/stdout"; }
bool is_discard(const std::string& path) { return path == "discard" || path == "/dev/null"; }

// True when `path`, which need not exist, lies in `directory` after every link is followed.
bool lies_in(const std::string& path, const std::string& directory) {
  namespace fs = std::filesystem;
  std::error_code error;
  const fs::path inner = fs::weakly_canonical(path, error);
  const fs::path outer = fs::weakly_canonical(directory + "/", error);
  auto at = inner.begin();
  for (const fs::path& part : outer) {
    if (part.empty()) continue;
    if (at == inner.end() || *at++ != part) return false;
  }
  return true;
}

Result<std::string> take_path(Stanza& options, const std::string& storage_directory) {
  VAULT_TRY_ASSIGN(const std::string legacy, options.text("path"));
  VAULT_TRY_ASSIGN(std::string path, options.text("file_path", legacy));
  const char* key = options.has("file_path") ? "file_path" : "path";
  if (path.empty())
    return refused(options, key, "an audit file needs \"file_path\" in its options");
  if (is_stdout(path) || is_discard(path)) return path;
  if (path.front() != '/' || path.find('\0') != std::string::npos)
    return refused(options, key,
                   "\"file_path\" must be an absolute path, \"stdout\" or \"discard\"");
  if (!storage_directory.empty() && lies_in(path, storage_directory))
    return refused(options, key,
                   "the audit log must not lie in the storage directory " + storage_directory +
                       "; whoever restores or removes one would take the other");
  return path;
}

Result<mode_t> take_mode(Stanza& options) {
  VAULT_TRY_ASSIGN(const std::string text, options.text("mode", "0600"));
  unsigned mode = 0;
  const auto end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, mode, 8);
  if (parsed.ec != std::errc() || parsed.ptr != end)
    return refused(options, "mode", "\"mode\" must be octal digits such as \"0600\"");
  if (mode == 0) return kDefaultMode;  // Vault's word for "as it is"; only a new file gets ours
  if ((mode & ~kModeMax) != 0 || (mode & kDefaultMode) != kDefaultMode)
    return refused(options, "mode", "\"mode\" may be 0600 or 0640 and nothing wider");
  return static_cast<mode_t>(mode);
}

Result<bool> take_sync(Stanza& options) {
  VAULT_TRY_ASSIGN(const std::string sync, options.text("sync", "100ms"));
  if (sync == "always") return true;
  if (sync == "100ms") return false;
  return refused(options, "sync", "\"sync\" is \"always\" or, without it, within 100ms");
}

Result<std::unique_ptr<Device>> make_device(const Stanza& options, const std::string& path,
                                            mode_t mode, const Rotation& rotation,
                                            std::optional<View>& view, Clock& clock) {
  const bool is_file = !is_stdout(path) && !is_discard(path);
  const bool rotates = rotation.bytes != 0 || rotation.age.count() != 0;
  if (rotates && (view || !is_file))
    return refused(options, rotation.bytes != 0 ? "rotate_bytes" : "rotate_duration",
                   "only a file that records everything is rotated by the vault");
  if (view && is_file)
    return std::unique_ptr<Device>(std::make_unique<QueuedDevice>(
        make_file_outlet(path, mode), std::move(view), kFilePatience, clock));
  if (view)
    return refused(options, "file_path", "what is left out is left out of a file: name one");
  if (is_stdout(path)) return make_stdout_device();
  if (is_discard(path)) return make_discard_device();
  return std::unique_ptr<Device>(std::make_unique<LogFile>(path, mode, rotation));
}

}  // namespace

Result<std::unique_ptr<Device>> make_file_device(Stanza& stanza, const Setting& setting) {
  Stanza options;
  VAULT_TRY_ASSIGN(auto taken, take_device_options(stanza, options, kOptions));
  VAULT_TRY_ASSIGN(const mode_t mode, take_mode(options));
  VAULT_TRY_ASSIGN(const bool always, take_sync(options));
  VAULT_TRY_ASSIGN(const Rotation rotation, take_rotation(options));
  const auto path = take_path(options, setting.storage_directory);
  VAULT_TRY(options.finish());
  VAULT_TRY(path);

  VAULT_TRY_ASSIGN(auto device,
                   make_device(options, *path, mode, rotation, taken.view, setting.clock));
  describe(*device, "file", std::move(taken), options, std::span(kOptions).last(3));
  device->options.emplace(device->options.begin(), "file_path", *path);
  if (options.has("mode")) device->options.emplace_back("mode", mode == 0640 ? "0640" : "0600");
  if (always) device->options.emplace_back("sync", "always");
  device->sync_always = always;
  return device;
}

}  // namespace leasehold::audit
