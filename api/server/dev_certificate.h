#pragma once
// A certificate for a dev server: an authority and a certificate of it for this machine, in files
// of a folder, as `vault server -dev-tls` makes them. Valid for a month.
//
//   VAULT_TRY_ASSIGN(const DevCertificate made, make_dev_certificate("", {"vault.test"}));
//
// Code::invalid names the folder or file that cannot be written. Thread safety: functions.

#include <string>
#include <vector>

#include "vault/base/result.h"

namespace leasehold::server {

struct DevCertificate {
  std::string folder;      // vault-ca.pem, vault-cert.pem and vault-key.pem
  bool temporary = false;  // made for this, to be removed
  std::string authority_file() const { return folder + "/vault-ca.pem"; }
  std::string certificate_file() const { return folder + "/vault-cert.pem"; }
  std::string key_file() const { return folder + "/vault-key.pem"; }
  void remove() const;  // the files, and the folder when it is a temporary one
};

// For localhost, loopback, the name of the machine and `names`, which are names or addresses. An
// empty folder: a new one in the folder for temporary files.
Result<DevCertificate> make_dev_certificate(std::string folder, std::vector<std::string> names);

}  // namespace leasehold::server
