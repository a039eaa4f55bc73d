#pragma once
// What may be set of a mount when it is enabled and when it is tuned: how long its leases live, and
// which keys are shown and kept. In a tune an empty TTL means "unchanged", because clients send
// every field that they do not set as an empty string, and "system" goes back to the vault's own.
//
// Errors are Code::invalid in Vault's words. Thread safety: functions of their arguments.

#include "vault/core/contract/engine.h"
#include "vault/core/contract/router.h"
#include "vault/core/contract/ttl_defaults.h"

namespace leasehold::core {

// The fields of a tune, besides the path.
std::vector<Field> tune_fields();
// `config` of a new mount of this path, on top of what such a mount begins with.
Result<Json> mount_config(const Json& given, Json config, std::string_view path,
                          const TtlDefaults& system);
// `record`, the stored mount, with what `fields` gives.
Status tune_mount(Json& record, const Fields& fields, const TtlDefaults& system);
// As sys/mounts/:path/tune shows it: the TTLs resolved, and all else that was set, as it was set.
Json shown_tuning(const Json& record, const TtlDefaults& system);
// What is kept and shown, and has no effect in this version, in words for whoever sets it.
std::vector<std::string> without_effect(const Json& config);

}  // namespace leasehold::core
