#pragma once
// The server's configuration: files (HCL or JSON, or directories of them) merged in order into
// stanzas and a few scalars. Vault's names throughout. A key that Vault or OpenBao knows and we do
// not need is a warning that says what that means; any other unknown key is an error. All errors of
// all files come together, one a line, each with file, line and column.

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "vault/base/log_settings.h"
#include "vault/base/stanza.h"

namespace leasehold::config {

struct Configuration {
  std::optional<Stanza> storage;  // `storage "lmdb"` or its alias `backend`
  std::vector<Stanza> listeners;
  std::vector<Stanza> seals;        // none: shamir
  std::vector<Stanza> audits;       // `audit "file" "main" { options { … } }`
  std::vector<Stanza> initializes;  // `initialize "name" { request "x" { … } }`, in order
  bool audit_required = true;
  std::string api_addr;
  std::string cluster_name;  // empty: generated at init
  Seconds default_lease_ttl{768 * 3600};
  Seconds max_lease_ttl{768 * 3600};
  Seconds lease_sweep_period{3600};  // ours: how often targets are compared with the leases
  LogLevel log_level = LogLevel::info;
  LogFormat log_format = LogFormat::standard;
  std::string log_file;
  std::string pid_file;
  bool disable_mlock = false;
  bool allow_core_dumps = false;  // ours: start although dumps cannot be forbidden
  std::vector<std::string> warnings;
};

// Paths in order; a directory contributes its *.hcl and *.json in alphabetical order. Refuses a
// file that others can write. Scalars: the last wins; stanzas append; a second storage is an error.
// After an error `into` holds what could be read, so that its stanzas can be checked as well.
Status load(const std::vector<std::string>& paths, Configuration& into);
// One text, for tests and `-dev`; `name` is used in messages.
Status parse(const std::string& name, std::string_view text, Configuration& into);

}  // namespace leasehold::config
