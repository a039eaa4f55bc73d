#pragma once
// Every group of commands, a row each: a group is one file that ends in `x_commands`, and its row
// here. Rows are constants: nothing is built at start.

#include "cli/leasehold/command.h"

namespace leasehold::cli {

Commands data_commands, status_commands, login_commands, other_commands;
Commands kv_commands, kv_write_commands, kv_metadata_commands;
Commands operator_init_commands, operator_unseal_commands, operator_rekey_commands;
Commands operator_generate_root_commands, operator_backup_commands, operator_jobs_commands;
Commands token_commands, policy_commands, secrets_commands, auth_commands, lease_commands;
Commands audit_commands, policy_check_commands, completion_commands, cluster_commands;
Commands debug_commands;
std::span<const Passage> server_passages();

// The commands of a file; the words that they begin with and what these are about, where this row
// is the first of several with the same words.
inline constexpr GroupRow kGroups[] = {
    {data_commands},
    {status_commands},
    {login_commands},
    {other_commands, "print", "Print what the other commands would use"},
    {kv_commands, "kv", "Read and write key/value secrets, versioned or not"},
    {kv_write_commands},
    {kv_metadata_commands, "kv metadata", "Read and write what is kept with a secret"},
    {operator_init_commands, "operator", "Prepare, unseal, seal and verify the vault"},
    {operator_unseal_commands},
    {operator_rekey_commands},
    {operator_generate_root_commands},
    {operator_backup_commands},
    {operator_jobs_commands},
    {token_commands, "token", "Create, look up, renew and revoke tokens"},
    {policy_commands, "policy", "Read, write, test and lint policies"},
    {policy_check_commands},
    {secrets_commands, "secrets", "Enable, tune and disable secrets engines"},
    {auth_commands, "auth", "Enable, tune and disable auth methods"},
    {lease_commands, "lease", "Look up, renew and revoke leases"},
    {cluster_commands, "plugin", "List what the server can mount"},
    {completion_commands},
    {debug_commands},
    {audit_commands, "audit", "List audit devices and verify their logs"},
};

}  // namespace leasehold::cli
