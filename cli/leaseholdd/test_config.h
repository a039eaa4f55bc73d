#pragma once
// `leaseholdd -test-server-config`: tries what a start and an init would trip over, and changes
// nothing: no storage is opened, no port is bound, no file is made, so it may run beside the
// server. As root it becomes the user that owns the storage folder first, since root may read what
// the service may not. Every finding is printed. Thread safety: called once, before threads.

#include "config/configuration.h"
#include "vault/base/log.h"

namespace leasehold::server_process {

// 0: the configuration is good.
int run_test(config::Configuration configuration, LogSink& log, const std::string& own_executable);

}  // namespace leasehold::server_process
