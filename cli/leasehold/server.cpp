// server and operator verify: words for leaseholdd, the vault itself, found beside this program.

#include <fmt/core.h>
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
int run_verify_backup(std::span<const std::string> words) {
  return become_server("verify-backup", words);
}
int run_restore_backup(std::span<const std::string> words) {
  return become_server("restore-backup", words);
}

int run_diagnose(std::span<const std::string> words) {
  return become_server("-test-server-config", words);
}

constexpr std::string_view kDiagnoseHelp =
    "Runs leaseholdd -test-server-config: reads the configuration as a start would, tries what it\n"
    "names (storage, seal devices, audit files, certificates, addresses), and starts nothing. It "
    "may\n"
    "run beside the server. The storage itself is checked by `leasehold operator verify`.\n\n"
    "  $ leasehold operator diagnose -config=/etc/leasehold/leasehold.hcl\n\n"
    "Flags:\n"
    "  -config=PATH                  File or folder of configuration; may be repeated";
constexpr std::string_view kValidateHelp =
    "The same as `leasehold operator diagnose`; see there.\n\n"
    "  $ leasehold operator validate-config -config=/etc/leasehold/leasehold.hcl\n\n"
    "Flags:\n"
    "  -config=PATH                  File or folder of configuration; may be repeated";

constexpr Passage kPassages[] = {
    {"operator diagnose", "Try a configuration and what it names", "-config=PATH", kDiagnoseHelp,
     run_diagnose},
    {"operator validate-config", "Try a configuration and what it names", "-config=PATH",
     kValidateHelp, run_diagnose},
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
     "  -restored[=keep-tokens]       Once, for a storage that was put back from an older copy: "
     "every\n"
     "                                token is revoked (or kept), and each target is reconciled "
     "before\n"
     "                                it issues anything\n"
     "  -restored=drill               A copy beside its original, to look at: no target is "
     "reached, "
     "nothing\n"
     "                                is issued or ends, and what is due waits\n"
     "  -log-level=LEVEL              trace, debug, info, warn or error\n"
     "  -log-format=FORMAT            standard or json\n"
     "  -log-file=FILE                Where the log goes (default: standard error)",
     run_server},
    {"operator verify", "Check the stored data against its head record",
     "-config=PATH [-head=HEAD] [-log=FILE...]",
     "Runs leaseholdd verify: opens the storage of a stopped vault and proves that no record was\n"
     "deleted, replayed or rolled back, and no seal slot taken away or put back. It prints the "
     "head\n"
     "to note elsewhere: compared with it (-head), or with the audit log (-log), an older copy of "
     "the\n"
     "whole store is found, too. Exit code 0: whole, 2: not whole, 1: could not be read.\n"
     "Without a seal device that opens it, it asks for shares, "
     "one\n"
     "after the other; from standard input it reads one a line.\n\n"
     "  $ leasehold operator verify -config=/etc/leasehold/leasehold.hcl\n"
     "  $ leasehold operator verify -config=/etc/leasehold/leasehold.hcl < shares.txt\n\n"
     "  $ leasehold operator verify -config=/etc/leasehold/leasehold.hcl "
     "-log=/var/log/leasehold/audit.log\n\n"
     "Flags:\n"
     "  -config=PATH                  File or folder of configuration; may be repeated\n"
     "  -head=HEAD                    A head that was noted earlier: this store must follow from "
     "it\n"
     "  -log=FILE                     Audit file of this vault; repeated, the oldest first",
     run_verify},
    {"operator backup verify", "Prove that a backup is whole", "FILE [-public-key=HEX]",
     "Runs leaseholdd verify-backup: checks every frame of the file and the signature at its end, "
     "without\n"
     "a server and without keys. Exit code 0: whole, 1: not.\n\n"
     "  $ leasehold operator backup verify vault.backup\n\n"
     "Flags:\n"
     "  -public-key=HEX               The key that init printed (default: the one in the backup)",
     run_verify_backup},
    {"operator backup restore", "Fill an empty storage with a backup", "FILE -config=PATH",
     "Runs leaseholdd restore-backup: verifies the backup, then writes it into the storage of the\n"
     "configuration, which must be empty. The restored vault is unsealed as the one that was "
     "backed "
     "up;\n"
     "then every token is revoked, and each target is reconciled before it issues anything.\n"
     "While the original runs, start the copy with `leaseholdd -restored=drill` alone: any other "
     "start\n"
     "ends the accounts of the original.\n\n"
     "  $ leasehold operator backup restore vault.backup -config=/etc/leasehold/leasehold.hcl\n\n"
     "Flags:\n"
     "  -config=PATH                  File or folder of configuration; may be repeated\n"
     "  -public-key=HEX               The key that init printed (default: the one in the backup)\n"
     "  -restored=keep-tokens         Tokens stay valid, also those revoked since the backup was "
     "made",
     run_restore_backup},
};

}  // namespace

std::span<const Passage> server_passages() { return kPassages; }

}  // namespace leasehold::cli
