// server and operator verify: words for leaseholdd, the vault itself, found beside this program.

#include <fmt/format.h>
#include <limits.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "cli/leasehold/groups.h"

namespace leasehold::cli {
namespace {

std::string beside_this_program(std::string_view name) {
  char path[PATH_MAX] = {};
  const ssize_t length = ::readlink("/proc/self/exe", path, sizeof path - 1);
  std::string own = length > 0 ? std::string(path, static_cast<std::size_t>(length)) : "/";
  own.resize(own.rfind('/') + 1);
  return own.append(name);
}

int become_server(const char* first, std::span<const std::string> words) {
  std::string program = beside_this_program("leaseholdd");
  std::vector<char*> argv = {program.data()};
  std::string first_word = first;
  if (!first_word.empty()) argv.push_back(first_word.data());
  for (const std::string& word : words) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  ::execv(program.c_str(), argv.data());
  const std::string text = fmt::format(
      "cannot run {}: {}\n\nhint: install leaseholdd into the same folder as leasehold\n", program,
      std::strerror(errno));
  std::fwrite(text.data(), 1, text.size(), stderr);
  return kLocalError;
}

int run_server(std::span<const std::string> words) { return become_server("", words); }
int run_verify(std::span<const std::string> words) { return become_server("verify", words); }

constexpr Passage kPassages[] = {
    {"server", "Run a vault", "[-config=PATH...] [-dev]",
     "Runs leaseholdd with these arguments.\n\n"
     "  $ leasehold server -config=/etc/leasehold/leasehold.hcl\n"
     "  $ leasehold server -dev -dev-root-token-id=root\n\n"
     "Flags:\n"
     "  -config=PATH                  File or folder of configuration; may be repeated\n"
     "  -dev                          In memory, unsealed, plain HTTP on loopback; nothing is "
     "kept\n"
     "  -dev-root-token-id=TOKEN      Root token of the -dev server\n"
     "  -dev-listen-address=ADDRESS   Address of the -dev server (127.0.0.1:8200)\n"
     "  -dev-no-store-token           Do not write the root token to ~/.vault-token\n"
     "  -dev-kv-v1                    secret/ is a key/value engine of version 1\n"
     "  -dev-tls                      TLS with a certificate made for this start\n"
     "  -dev-tls-cert-dir=FOLDER      Where its files go (default: a temporary folder)\n"
     "  -dev-tls-san=NAME             Another name or address in it; may be repeated\n"
     "  -test-server-config           Try the configuration and what it names, and exit\n"
     "  -log-level=LEVEL              trace, debug, info, warn or error\n"
     "  -log-format=FORMAT            standard or json\n"
     "  -log-file=FILE                Where the log goes (default: standard error)",
     run_server},
    {"operator verify", "Check the stored data against its head record", "-config=PATH",
     "Runs leaseholdd verify: opens the storage of a stopped vault and proves that no record was\n"
     "deleted, replayed or rolled back. Without a seal device that opens it, it asks for shares, "
     "one\n"
     "after the other; from standard input it reads one a line.\n\n"
     "  $ leasehold operator verify -config=/etc/leasehold/leasehold.hcl\n"
     "  $ leasehold operator verify -config=/etc/leasehold/leasehold.hcl < shares.txt\n\n"
     "Flags:\n"
     "  -config=PATH                  File or folder of configuration; may be repeated",
     run_verify},
};

}  // namespace

std::span<const Passage> server_passages() { return kPassages; }

}  // namespace leasehold::cli
