#pragma once
// The command line of leaseholdd, with Vault's flags: one dash or two, `-flag=value` or `-flag
// value`.

#include <optional>
#include <string>
#include <vector>

#include "vault/base/log_settings.h"
#include "vault/base/result.h"

namespace leasehold::server_process {

struct Options {
  enum class Command { server, verify, verify_backup, restore_backup, keyhost, version, help };
  Command command = Command::server;
  std::vector<std::string> configs;
  bool dev = false;
  std::string dev_root_token;
  std::string dev_listen_address = "127.0.0.1:8200";
  bool dev_store_token = true;
  bool dev_tls = false;  // a certificate made for this start
  std::string dev_tls_cert_dir;
  std::vector<std::string> dev_tls_names;
  int dev_kv_version = 2;             // of secret/
  std::string dev_authority_file;     // of the certificate that was made
  std::optional<LogLevel> log_level;  // nothing: the configuration's
  std::optional<LogFormat> log_format;
  std::string log_file;
  bool test_config = false;  // -test-server-config: check and exit
  // Of `verify-backup` and `restore-backup`: the file, and the key that must have signed it.
  std::string backup;
  std::string public_key;
  // Of `verify`: a head that was noted, and audit files, the oldest first.
  std::string head;
  std::vector<std::string> logs;
  enum class Restored { no, revoke_tokens, keep_tokens, drill };
  Restored restored = Restored::no;  // -restored, -restored=keep-tokens, -restored=drill
};

// Environment: VAULT_DEV_ROOT_TOKEN_ID, VAULT_DEV_LISTEN_ADDRESS, VAULT_LOG_LEVEL (and BAO_,
// LEASEHOLD_).
Result<Options> parse_options(int argc, char** argv);
std::string usage();

}  // namespace leasehold::server_process
