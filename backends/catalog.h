#pragma once
// What this build has, a row each; nothing registers itself. A new backend is one file that ends in
// `make_x`, and its row here. Included by the composition root and by tests of the whole surface.

#include "backends/audit/file.h"
#include "backends/audit/socket.h"
#include "backends/keyhost/pkcs11/pkcs11_device.h"
#include "backends/keyhost/seal_row.h"
#include "backends/keyhost/tpm/tpm_device.h"
#include "backends/storage/lmdb.h"
#include "backends/storage/memory.h"
#include "backends/target/postgresql.h"
#include "vault/core/contract/engine.h"

namespace leasehold::engine {
core::MakeEngine make_kv_v1, make_kv_v2, make_database;
}
namespace leasehold::auth {
core::MakeEngine make_userpass, make_approle;
}

namespace leasehold::catalog {

// Wire type, version of options.version (0: there is only one), maker, help, other names.
inline constexpr core::EngineRow kEngines[] = {
    {"kv", 1, engine::make_kv_v1, "Key/value secrets", {"kv-v1", "generic"}},
    {"kv", 2, engine::make_kv_v2, "Key/value secrets in versions", {"kv-v2"}},
    {"database", 0, engine::make_database, "Short-lived database accounts"},
};
inline constexpr core::EngineRow kAuths[] = {
    {"userpass", 0, auth::make_userpass, "People log in with a name and a password"},
    {"approle", 0, auth::make_approle, "Machines log in with a role id and a secret id"},
};

// The name that clients know it by, its settings, what of them is shown, maker, what the process
// gives up for it, what of them leads the password somewhere, what a write cannot mean.
inline constexpr target::TargetRow kTargets[] = {
    {"postgresql-database-plugin", postgresql::known_settings, postgresql::shown_settings,
     postgresql::make_target, postgresql::forget_environment, postgresql::leading_settings,
     postgresql::takes_settings},
};

// Kind, reader of the stanza, the device in its key host.
inline constexpr keyhost::SealRow kSeals[] = {
    {"tpm", keyhost::make_tpm_seal, keyhost::make_tpm_device},
    {"pkcs11", keyhost::make_pkcs11_seal, keyhost::make_pkcs11_device},
    {"static", keyhost::make_static_seal},
};

struct StorageRow {
  const char* kind;
  // Reads the stanza and opens nothing; `directory` receives where it lies: empty for memory.
  Status (*read)(Stanza&, std::string& directory);
  Result<std::unique_ptr<storage::Storage>> (*make)(Stanza&, std::string& directory, LogSink&);
  bool keeps;  // its data outlives the process
};
inline constexpr StorageRow kStorages[] = {
    {"lmdb", storage::read_lmdb, storage::make_lmdb, true},
    {"inmem", storage::read_inmem, storage::make_inmem, false},
};

struct AuditRow {
  const char* kind;
  Result<std::unique_ptr<audit::Device>> (*make)(Stanza&, const audit::Setting&);
};
inline constexpr AuditRow kAudits[] = {
    {"file", audit::make_file_device},
    {"socket", audit::make_socket_device},
    {"syslog", audit::make_syslog_device},
};

}  // namespace leasehold::catalog
