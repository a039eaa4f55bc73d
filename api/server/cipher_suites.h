#pragma once
// `tls_cipher_suites` with the names that Vault's files use (IANA's, as Go writes them), in
// OpenSSL's terms. What has no forward secrecy or no authenticated encryption is known and never
// offered. Thread safety: functions.

#include <string>
#include <vector>

#include "vault/base/result.h"

namespace leasehold::server {

struct CipherSuites {
  std::string below_1_3, of_1_3;  // OpenSSL's lists; empty: the server's own choice
  std::vector<std::string> left_out;
};

// Code::invalid: a name that is none, or nothing that is offered.
Result<CipherSuites> parse_cipher_suites(const std::vector<std::string>& names);

}  // namespace leasehold::server
