#include "cli/leaseholdd/dev_mode.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>
#include <cstdio>
#include <cstdlib>
#include <iostream>

#include "vault/base/encoding.h"

namespace leasehold::server_process {

namespace {

void store(const SecretBytes& token) {
  const char* home = std::getenv("HOME");
  if (home == nullptr) return;
  const std::string path = std::string(home) + "/.vault-token";
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (fd < 0) return;
  fchmod(fd, 0600);  // an older file may be open to others
  const ByteView bytes = token.reveal();
  if (write(fd, bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size()))
    std::fprintf(stderr, "the root token could not be written to %s\n", path.c_str());
  close(fd);
}

// One line without echo when somebody types it.
std::string read_hidden(const char* prompt) {
  const bool typed = isatty(STDIN_FILENO) != 0;
  termios before{};
  if (typed) {
    std::fprintf(stderr, "%s: ", prompt);
    tcgetattr(STDIN_FILENO, &before);
    termios silent = before;
    silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    tcsetattr(STDIN_FILENO, TCSANOW, &silent);
  }
  std::string line;
  std::getline(std::cin, line);
  if (typed) {
    tcsetattr(STDIN_FILENO, TCSANOW, &before);
    std::fprintf(stderr, "\n");
  }
  return line;
}

// As the CLI takes it; a path is that of a unix socket.
std::string url_of(const std::string& address, bool secure) {
  if (address.starts_with('/')) return "unix://" + address;
  return (secure ? "https://" : "http://") + address;
}

}  // namespace

void print_dev_start(const core::Lifecycle::DevStart& dev, const std::string& address,
                     const std::string& authority_file, bool store_token) {
  if (store_token) store(dev.root_token);
  std::printf(
      "WARNING! dev mode is enabled! In this mode, Leasehold runs entirely in memory and starts\n"
      "unsealed with a single unseal key. Everything is lost when it stops.\n\n"
      "You may need to set the following environment variables:\n\n"
      "    $ export VAULT_ADDR='%s'\n",
      url_of(address, !authority_file.empty()).c_str());
  if (!authority_file.empty())
    std::printf("    $ export VAULT_CACERT='%s'\n", authority_file.c_str());
  std::printf("\nThe unseal key and root token are displayed below.\n\n");
  const std::string_view key = as_text(dev.unseal_key.reveal());
  const std::string_view token = as_text(dev.root_token.reveal());
  std::printf("Unseal Key: %.*s\nRoot Token: %.*s\n\n", static_cast<int>(key.size()), key.data(),
              static_cast<int>(token.size()), token.data());
}

Result<seal::Opened> open_for_verify(seal::Seal& seal) {
  if (seal.has_device_slot())
    if (auto opened = seal.open_with_devices()) return std::move(*opened);
  for (;;) {
    std::string text = read_hidden("Unseal or recovery share");
    if (text.empty())
      return failure(Code::invalid,
                     "not enough shares were given: type one after the other, or give them on "
                     "standard input, one a line");
    auto bytes = from_hex(text);
    if (!bytes) bytes = from_base64(text);
    wipe(text);
    if (!bytes) return failure(Code::invalid, "a share is a hex or base64 text");
    SecretBytes share{ByteView(*bytes)};
    wipe(bytes->data(), bytes->size());
    VAULT_TRY_ASSIGN(auto step, seal.add_share(std::move(share)));
    if (step.opened) return std::move(*step.opened);
  }
}

}  // namespace leasehold::server_process
