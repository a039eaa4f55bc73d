#include "backends/audit/file.h"

#include <charconv>
#include <filesystem>

#include "backends/audit/log_file.h"

namespace leasehold::audit {
namespace {

constexpr mode_t kDefaultMode = 0600;
constexpr mode_t kModeMax = 0640;  // others must not read who did what, nor anyone else write

constexpr Ignored kOfTheStanza[] = {
    {"local", "nothing is replicated, so every device is local"},
    {"type", "the stanza's first label is the type"},
    {"path", "the stanza's second label is the path"},
};
// What stands in `options { }`.
constexpr const char* kOptions[] = {"file_path", "path",          "mode",
                                    "sync",      "hmac_accessor", "log_raw",
                                    "prefix",    "format",        "elide_list_responses"};

constexpr Ignored kOfTheOptions[] = {
    {"skip_test", "the file is opened before the vault is, always"},
    {"fallback", "this device records everything, whatever others do"},
    {"filter", "nothing is left out: every request is recorded"},
    {"exclude", "nothing is left out: every field is recorded, secrets as HMACs"},
};

Error refused(const Stanza& stanza, std::string_view key, const std::string& why) {
  return failure(Code::invalid, stanza.where(key) + ": " + why);
}

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

// Vault's stanza has them a level deeper than most write them at first.
Status check_place(Stanza& stanza) {
  for (const char* key : kOptions)
    if (std::string_view(key) != "path" && stanza.has(key))
      return refused(stanza, key,
                     "\"" + std::string(key) + "\" belongs into the device's options: options { " +
                         key + " = ... }");
  return {};
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

// What Vault knows and this device must not or cannot do.
Status take_unsupported(Stanza& options) {
  VAULT_TRY_ASSIGN(const bool hmac_accessor, options.flag("hmac_accessor", true));
  if (!hmac_accessor)
    return refused(options, "hmac_accessor",
                   "accessors are always HMACed; remove \"hmac_accessor\"");
  VAULT_TRY_ASSIGN(const bool raw, options.flag("log_raw", false));
  if (raw)
    return refused(options, "log_raw", "secrets are never logged in clear; remove \"log_raw\"");
  VAULT_TRY_ASSIGN(const std::string prefix, options.text("prefix"));
  if (!prefix.empty())
    return refused(options, "prefix",
                   "\"prefix\" would let a configuration write any file's first bytes; remove it");
  VAULT_TRY_ASSIGN(const std::string format, options.text("format", "json"));
  if (format != "json")
    return refused(options, "format", "the audit format is \"json\"; remove \"format\"");
  VAULT_TRY_ASSIGN(const bool elide, options.flag("elide_list_responses", false));
  if (elide)
    return refused(options, "elide_list_responses",
                   "lists are recorded whole; remove \"elide_list_responses\"");
  return {};
}

Result<bool> take_sync(Stanza& options) {
  VAULT_TRY_ASSIGN(const std::string sync, options.text("sync", "100ms"));
  if (sync == "always") return true;
  if (sync == "100ms") return false;
  return refused(options, "sync", "\"sync\" is \"always\" or, without it, within 100ms");
}

std::unique_ptr<Device> make_device(const std::string& path, mode_t mode) {
  if (is_stdout(path)) return make_stdout_device();
  if (is_discard(path)) return make_discard_device();
  return std::make_unique<LogFile>(path, mode);
}

}  // namespace

Result<std::unique_ptr<Device>> make_file_device(Stanza& stanza,
                                                 const std::string& storage_directory) {
  if (stanza.label(0) != "file")
    return refused(stanza, {},
                   "audit \"" + stanza.label(0) + "\" is not supported; use audit \"file\"");
  VAULT_TRY_ASSIGN(std::string description, stanza.text("description"));
  Stanza options = stanza.nested("options");
  stanza.ignore(kOfTheStanza);
  options.ignore(kOfTheOptions);
  stanza.warn_of(options);
  VAULT_TRY(check_place(stanza));
  VAULT_TRY(stanza.finish());
  VAULT_TRY_ASSIGN(const mode_t mode, take_mode(options));
  VAULT_TRY_ASSIGN(const bool always, take_sync(options));
  VAULT_TRY(take_unsupported(options));
  const auto path = take_path(options, storage_directory);
  VAULT_TRY(options.finish());
  VAULT_TRY(path);

  auto device = make_device(*path, mode);
  device->type = "file";
  device->path = (stanza.label(1).empty() ? "file" : stanza.label(1)) + "/";
  device->description = std::move(description);
  device->options = {{"file_path", *path}};
  if (options.has("mode")) device->options.emplace_back("mode", mode == 0640 ? "0640" : "0600");
  if (always) device->options.emplace_back("sync", "always");
  device->sync_always = always;
  return device;
}

}  // namespace leasehold::audit
