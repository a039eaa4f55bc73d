#pragma once
// A connection to a host, a proxy or a unix socket: one descriptor, which never blocks. Each
// address of a name gets its share of the time.
//
//   VAULT_TRY_ASSIGN(const Descriptor socket, dial("vault.test", 8200, where, deadline));
//
// `where` stands in the error: Code::unavailable, or Code::deadline. Thread safety: values. How
// long a name is looked up is the resolver's matter (resolv.conf(5)).

#include <string>

#include "api/client/deadline.h"
#include "vault/base/descriptor.h"

namespace leasehold::client {

Result<Descriptor> dial(const std::string& host, int port, const std::string& where,
                        const Deadline& deadline);
Result<Descriptor> dial_unix(const std::string& path, const Deadline& deadline);

}  // namespace leasehold::client
