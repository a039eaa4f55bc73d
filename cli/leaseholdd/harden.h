#pragma once
// What the process does to itself before it reads its first key: no core dumps, not dumpable, no
// new privileges, umask 077, SIGPIPE and SIGXFSZ ignored. Call from main, before any thread.

#include "vault/base/result.h"

namespace leasehold::server_process {

// Code::internal when dumps cannot be forbidden; the caller stops unless the configuration allows
// it.
Status harden();
// The most file descriptors this process may have, so that connections are limited by
// configuration.
void raise_descriptor_limit();

}  // namespace leasehold::server_process
