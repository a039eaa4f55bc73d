#pragma once
// How to reach a server and as whom: flags on top of the environment on top of defaults.
// A variable X is read as LEASEHOLD_X, then BAO_X, then VAULT_X; the first one that is set counts,
// even when it is empty. Thread safety: values; the environment is read, never written.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/client/proxy.h"
#include "api/client/url.h"
#include "vault/base/bytes.h"
#include "vault/base/clock.h"

namespace leasehold::client {

inline constexpr char kDefaultAddress[] = "https://127.0.0.1:8200";

struct Settings {
  std::string address = kDefaultAddress;
  SecretBytes token;
  std::string name_space;  // `namespace` is a word of C++
  std::string wrap_ttl;
  std::string ca_cert;  // PEM file
  std::string ca_path;  // folder of PEM files
  std::string client_cert;
  std::string client_key;
  // The same as texts, where the file is not named.
  std::string ca_cert_pem;
  std::string client_cert_pem;
  SecretBytes client_key_pem;
  std::string tls_server_name;
  bool tls_skip_verify = false;
  bool policy_override = false;
  bool disable_redirects = false;
  std::optional<Proxy> proxy;
  Fields headers;
  std::vector<std::string> mfa;
  Seconds timeout{60};
  unsigned retries_max = 2;
};

std::optional<std::string> environment(std::string_view name);
// A variable that is true or false; `fallback` when it is unset or empty.
Result<bool> environment_switch(std::string_view name, bool fallback);
// Everything but the token file. Code::invalid names the variable that cannot be understood.
Result<Settings> settings_from_environment();

}  // namespace leasehold::client
