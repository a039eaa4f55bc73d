#pragma once
// A device's PIN, read by the key host itself and only when needed.
//
// `pin_source` is "file:/path" (mode 0600, one newline behind the PIN is dropped; LoadCredential=
// of systemd is such a path), an absolute path, or "env:NAME"; `pin` is the PIN itself, or, as
// Vault has it, "file:///path" or "env://NAME".

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "backends/keyhost/device.h"
#include "vault/base/environment.h"

namespace leasehold::keyhost {

inline constexpr std::size_t kPinMax = 256;

struct Pin {
  SecretBytes text;
  std::uint64_t inode = 0;  // of its file; 0 when it is not in one
  std::int64_t modified = 0;
};

// A descriptor that closes itself.
class File {
 public:
  File(const std::string& path, int flags, mode_t mode = 0)
      : fd_(::open(path.c_str(), flags | O_CLOEXEC, mode)) {}
  ~File() {
    if (fd_ >= 0) ::close(fd_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  int fd() const { return fd_; }

 private:
  const int fd_;
};

// Of the folders that systemd makes, root's alone, a service is let into its own: there the bits of
// the group are the mask of an access list that names the user of the service.
inline bool others_may_read(mode_t mode, const std::string& path) {
  const bool of_systemd =
      path.compare(0, 17, "/run/credentials/") == 0 && path.find("/../") == std::string::npos;
  return (mode & (S_IRWXO | (of_systemd ? S_IWGRP | S_IXGRP : S_IRWXG))) != 0;
}

inline Result<Pin> read_pin_file(const std::string& path) {
  const File file(path, O_RDONLY);
  struct stat found {};
  if (file.fd() < 0 || ::fstat(file.fd(), &found) != 0)
    return failure(Code::invalid,
                   "cannot read the PIN file " + path + ": " + std::strerror(errno) +
                       "; it must be there with mode 0600, and belong to the user that the server "
                       "runs as (now uid " +
                       std::to_string(::geteuid()) + ")");
  if (others_may_read(found.st_mode, path))
    return failure(Code::invalid, "others can read the PIN file " + path + ": run chmod 600 " +
                                      path +
                                      ", and let it belong to the user that the server runs as");
  Pin pin;
  pin.inode = found.st_ino;
  pin.modified = found.st_mtim.tv_sec * 1'000'000'000 + found.st_mtim.tv_nsec;
  SecretBytes buffer(kPinMax + 2);
  const ssize_t size = ::read(file.fd(), buffer.writable().data(), buffer.size());
  ByteView text = buffer.reveal().first(static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
  if (!text.empty() && text.back() == '\n') text = text.first(text.size() - 1);
  if (text.empty() || text.size() > kPinMax)
    return failure(Code::invalid, "the PIN file " + path + " is empty or too long");
  pin.text = SecretBytes(text);
  return pin;
}

inline Result<Pin> pin_from_environment(const std::string& name) {
  if (find_in_environment(name) == nullptr)
    return failure(Code::invalid, "pin_source: the environment variable " + name + " is not set");
  Pin pin;
  pin.text = secret_in_environment(name);
  return pin;
}

// The variable that a PIN source names; empty when it names none.
inline std::string pin_variable(std::string_view source) {
  if (source.substr(0, 6) == "env://") return std::string(source.substr(6));
  return source.substr(0, 4) == "env:" ? std::string(source.substr(4)) : std::string();
}

// Whether the text of `pin` is not the PIN itself.
inline bool names_a_place(std::string_view text) {
  return text.substr(0, 7) == "file://" || text.substr(0, 6) == "env://";
}

// Code::invalid says what is wrong with the source; never the PIN.
inline Result<Pin> read_pin(const Settings& settings) {
  std::string source = setting(settings, "pin_source");
  for (const seal::Setting& each : settings) {
    if (each.name != "pin") continue;
    const std::string_view text = as_text(each.value.reveal());
    if (names_a_place(text)) {
      source = text;
      continue;
    }
    Pin pin;
    pin.text = each.value.clone();
    return pin;
  }
  if (const std::string name = pin_variable(source); !name.empty())
    return pin_from_environment(name);
  std::string path = source.compare(0, 5, "file:") == 0 ? source.substr(5) : source;
  if (path.compare(0, 2, "//") == 0) path.erase(0, 2);
  if (path.empty() || path[0] != '/')
    return failure(Code::invalid,
                   "the stanza needs pin_source = \"file:/path\" or \"env:NAME\", or pin");
  return read_pin_file(path);
}

}  // namespace leasehold::keyhost
