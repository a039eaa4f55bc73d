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
// What Vault's mounts have besides: told by warn_of_unused(), and no unknown parameter.
std::vector<Field> unused_fields();
// Of which mount: what may be set depends on it.
struct MountedAs {
  std::string path, type;
  const EngineKind* kind;  // null: its engine is not in this build
};
// Of a new mount, or one that moves. `path` as it is stored.
Status check_size_of_path(std::string_view path);
// Of the core's own mounts: they may be told what audit lines show of them, and nothing else;
// tokens are an auth method like others.
Status check_tunable(const std::string& path, const Fields& fields);
// `config` of a new mount, on top of what such a mount begins with.
Result<Json> mount_config(const Json& given, Json config, const MountedAs& mount,
                          const TtlDefaults& system);
// `record`, the stored mount, with what `fields` gives.
Status tune_mount(Json& record, const EngineKind* kind, const Fields& fields,
                  const TtlDefaults& system);
// As sys/mounts shows it: the stored record without what only we need.
Json shown_mount(const Mount& mount);
// As sys/mounts/:path/tune shows it: the TTLs resolved, and all else that was set, as it was set.
Json shown_tuning(const Json& record, const TtlDefaults& system);
// A stored user_lockout_config under the names that it is shown by, all of them: 0 and false for
// what was not set.
Json shown_lockout(const Json& rule);
// `given` on top of the stored mount's options; an empty one goes.
void tune_options(Json& record, const Json& given);
// What is kept and shown, and has no effect in this version, in words for whoever sets it.
void warn_of_options(const Json& options, std::vector<std::string>& warnings);
void warn_of_no_effect(const Json& config, std::vector<std::string>& warnings);
// What is neither kept nor acted on. `given`: the `config` of a new mount, or a body, of which only
// such keys are told that Vault has.
void warn_of_unused(const Json& given, bool is_config, std::vector<std::string>& warnings);
std::string unused(const std::string& name);

}  // namespace leasehold::core
