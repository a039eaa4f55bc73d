#pragma once
// What `secrets` and `auth` share: both are tables of mounts, under sys/mounts and sys/auth.

#include "cli/leasehold/session.h"

namespace leasehold::cli {

struct MountKind {
  const char* api;    // "sys/mounts"
  const char* title;  // "secrets engine"
  const char* many;   // "secrets engines"
};

int list_mounts(Session& session, const MountKind& kind);
int enable_mount(Session& session, const MountKind& kind);
int disable_mount(Session& session, const MountKind& kind);
int tune_mount(Session& session, const MountKind& kind);
int move_mount(Session& session, const MountKind& kind);

inline constexpr Flag kEnableFlags[] = {
    {"path", "", Takes::value, "PATH", "Where to mount it (default: its type)"},
    {"version", "", Takes::value, "N", "Version of the engine, for kv 1 or 2"},
    {"description", "", Takes::value, "TEXT", "What it is for"},
    {"default-lease-ttl", "", Takes::value, "DURATION",
     "Lifetime of leases unless asked otherwise"},
    {"max-lease-ttl", "", Takes::value, "DURATION", "Lifetime that no lease exceeds"},
    {"options", "", Takes::values, "K=V", "Options of the engine; may be repeated"},
    {"local", "", Takes::nothing, "", "Not replicated"},
    {"seal-wrap", "", Takes::nothing, "", "Accepted; every value is sealed anyway"},
    {"external-entropy-access", "", Takes::nothing, "", "Accepted"},
    {"force-no-cache", "", Takes::nothing, "", "Accepted; there is no cache to skip"},
    {"plugin-name", "", Takes::value, "NAME", "Name of the plugin"},
    {"plugin-version", "", Takes::value, "VERSION", "Version of the plugin"},
    {"token-type", "", Takes::value, "TYPE", "Type of the tokens an auth method gives"},
    {"listing-visibility", "", Takes::value, "WHO", "unauth or hidden"},
    {"audit-non-hmac-request-keys", "", Takes::values, "KEY", "Request keys logged as they are"},
    {"audit-non-hmac-response-keys", "", Takes::values, "KEY", "Answer keys logged as they are"},
    {"passthrough-request-headers", "", Takes::values, "NAME", "Headers handed to the engine"},
    {"allowed-response-headers", "", Takes::values, "NAME", "Headers it may set"},
};

}  // namespace leasehold::cli
