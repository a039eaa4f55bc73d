#include "cli/leasehold/token_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "api/client/settings.h"
#include "vault/base/folder.h"

namespace leasehold::cli {
namespace {

constexpr std::size_t kTokenBytesMax = 64u << 10;

Error cannot(const char* verb, const std::string& path, int error_number) {
  return failure(Code::invalid, std::string("cannot ") + verb + " the token file " + path + ": " +
                                    std::strerror(error_number));
}

}  // namespace

Result<std::string> token_file_path() {
  if (auto path = client::environment("TOKEN_PATH"); path && !path->empty())
    return *std::move(path);
  const char* home = std::getenv("HOME");
  if (home != nullptr && *home != '\0') return std::string(home) + "/.vault-token";
  return failure(Code::invalid, "HOME is not set; set VAULT_TOKEN_PATH or VAULT_TOKEN");
}

Result<SecretBytes> read_token_file() {
  const auto path = token_file_path();
  if (!path.ok()) return SecretBytes();  // no home, no stored token
  const int descriptor = ::open(path->c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) {
    if (errno == ENOENT || errno == ENOTDIR) return SecretBytes();
    return cannot("read", *path, errno);
  }
  auto token = read_token(descriptor);
  const int error_number = errno;
  ::close(descriptor);
  if (token) return *std::move(token);
  return cannot("read", *path, error_number);
}

Status write_token_file(const SecretBytes& token) {
  VAULT_TRY_ASSIGN(const std::string path, token_file_path());
  std::string temporary = path + ".XXXXXX";
  const int descriptor = ::mkstemp(temporary.data());  // mode 0600
  if (descriptor < 0) return cannot("write", path, errno);
  if (!write_and_close(descriptor, token.reveal()) ||
      ::rename(temporary.c_str(), path.c_str()) != 0) {
    const int error_number = errno;
    ::unlink(temporary.c_str());
    return cannot("write", path, error_number);
  }
  if (!sync_folder_of(path)) return cannot("flush to disk the folder of", path, errno);
  return {};
}

std::optional<SecretBytes> read_token(int descriptor) {
  SecretBytes token(kTokenBytesMax);
  std::size_t size = 0;
  for (ssize_t got = 1; got != 0 && size < token.size();) {
    got = ::read(descriptor, token.writable().data() + size, token.size() - size);
    if (got < 0 && errno != EINTR) return std::nullopt;
    if (got > 0) size += static_cast<std::size_t>(got);
  }
  std::string_view text = as_text(token.reveal().first(size));
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r' || text.back() == ' '))
    text.remove_suffix(1);
  return SecretBytes(text);
}

bool write_all(int descriptor, ByteView bytes) {
  while (!bytes.empty()) {
    const ssize_t wrote = ::write(descriptor, bytes.data(), bytes.size());
    if (wrote < 0 && errno != EINTR) return false;
    if (wrote > 0) bytes = bytes.subspan(static_cast<std::size_t>(wrote));
  }
  return true;
}

bool write_and_close(int descriptor, ByteView bytes) {
  const bool wrote = write_all(descriptor, bytes) && ::fsync(descriptor) == 0;
  const int why = errno;
  const bool closed = ::close(descriptor) == 0;
  if (!wrote) errno = why;
  return wrote && closed;
}

}  // namespace leasehold::cli
