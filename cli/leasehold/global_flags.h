#pragma once
// The flags that every command which talks to a server takes.

#include "cli/leasehold/arguments.h"

namespace leasehold::cli {

inline constexpr Flag kGlobalFlags[] = {
    {"address", "", Takes::value, "URL", "Address of the server (VAULT_ADDR)"},
    {"agent-address", "", Takes::value, "URL", "Address of an agent, instead of the server"},
    {"ca-cert", "", Takes::value, "FILE",
     "PEM certificate of the authority to trust (VAULT_CACERT)"},
    {"ca-path", "", Takes::value, "DIR", "Folder of such certificates (VAULT_CAPATH)"},
    {"client-cert", "", Takes::value, "FILE", "PEM certificate to present (VAULT_CLIENT_CERT)"},
    {"client-key", "", Takes::value, "FILE", "Its private key (VAULT_CLIENT_KEY)"},
    {"tls-server-name", "", Takes::value, "NAME", "Name to expect in the server's certificate"},
    {"disable-redirects", "", Takes::nothing, "", "Do not follow a standby to the active server"},
    {"tls-skip-verify", "", Takes::nothing, "", "Trust any certificate; for tests only"},
    {"namespace", "ns", Takes::value, "PATH", "Namespace (VAULT_NAMESPACE)"},
    {"wrap-ttl", "", Takes::value, "DURATION", "Wrap the answer in a token of this lifetime"},
    {"header", "", Takes::values, "K=V", "Extra HTTP header; may be repeated"},
    {"mfa", "", Takes::values, "ID[:CODE]", "MFA credentials; may be repeated"},
    {"format", "", Takes::value, "FORMAT", "table, json, yaml or raw (VAULT_FORMAT)"},
    {"field", "", Takes::value, "NAME", "Print only this field, without a newline in pipes"},
    {"detailed", "", Takes::nothing, "", "Show more columns where there are some"},
    {"output-curl-string", "", Takes::nothing, "", "Print the curl command instead of running it"},
    {"output-policy", "", Takes::nothing, "",
     "Print the policy the command needs instead of running it"},
    {"policy-override", "", Takes::nothing, "", "Ask to override soft-mandatory policies"},
    {"unlock-key", "", Takes::value, "KEY", "Not supported"},
    {"non-interactive", "", Takes::nothing, "", "Never ask; fail instead"},
    {"help", "h", Takes::nothing, "", "Show this help"},
};

}  // namespace leasehold::cli
