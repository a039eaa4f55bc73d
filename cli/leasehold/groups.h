#pragma once
// The tables of the command groups, one per file of that name.

#include <span>

#include "cli/leasehold/command.h"

namespace leasehold::cli {

std::span<const Command> data_commands();
std::span<const Command> kv_commands();
std::span<const Command> kv_write_commands();
std::span<const Command> kv_metadata_commands();
std::span<const Command> login_commands();
std::span<const Command> status_commands();
std::span<const Command> init_commands();
std::span<const Command> unseal_commands();
std::span<const Command> backup_commands();
std::span<const Command> job_commands();
std::span<const Command> token_commands();
std::span<const Command> policy_commands();
std::span<const Command> secrets_commands();
std::span<const Command> auth_commands();
std::span<const Command> lease_commands();
std::span<const Command> audit_commands();
std::span<const Command> other_commands();
std::span<const Passage> server_passages();

}  // namespace leasehold::cli
