#pragma once
// What is printed for a person at a terminal: the start of a dev server, and the questions for
// shares of the offline commands.

#include "vault/core/life/lifecycle.h"

namespace leasehold::server_process {

// Prints the root token and the unseal key, and stores the token where the CLI looks.
// `authority_file`: empty without TLS.
void print_dev_start(const core::Lifecycle::DevStart& dev, const std::string& address,
                     const std::string& authority_file, bool store_token);
// By device, else by shares read from the terminal or standard input, one a line.
Result<seal::Opened> open_for_verify(seal::Seal& seal);

}  // namespace leasehold::server_process
