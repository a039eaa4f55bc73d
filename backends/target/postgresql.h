#pragma once
// PostgreSQL as a target, over libpq without blocking calls: every wait is bounded by its deadline.
//
// Settings, as in a database engine's connection: `connection_url` (a URL or a keyword string with
// {{username}} and {{password}}), `username`, `password`, `disable_escaping`,
// `max_open_connections` (of a lane; it uses two at least), `max_connection_lifetime`, `tls_ca`
// (PEM; instead of the machine's own certificates), `password_authentication` ("password", or
// "scram-sha-256": the server is sent a verifier, so that the password is never in its log),
// `next_password` (tried where `password` is refused: a rotation may have happened).
// Without `sslmode` the server's certificate is verified in full, except on loopback and unix
// sockets.
// {{username}} and {{password}} may stand in quotes, and are whatever they are: the text is parsed
// first.
//
// The manager needs CREATEROLE, pg_signal_backend and ADMIN OPTION on what it grants; errors name
// what is missing. Rights and objects of an account are cleaned up in every database first; what it
// owned is kept by a role without rights, `kept-<account>` (docs/decisions/018).
// Thread safety: a target from any thread, a connection from one at a time.
// Source: PostgreSQL 15 documentation, 34 (libpq), 22.5 (dropping roles); RFC 5802, RFC 7677.

#include <memory>

#include "vault/target/target_row.h"

namespace leasehold::postgresql {

// libpq takes what a connection_url leaves open from variables such as PGPASSWORD or PGSERVICE:
// from the process's own environment, for whatever server is named.
void forget_environment();
// The rest of its row in backends/catalog.h (vault/target/target_row.h).
std::span<const target::Setting> known_settings();
Json shown_settings(const Json& settings, std::vector<std::string>& warnings);
Json leading_settings(const Json& settings);
Status takes_settings(const Json& given);
// `clock` and `random` outlive every connection.
Result<std::unique_ptr<target::Target>> make_target(const Json& settings, Clock& clock,
                                                    Random& random);

}  // namespace leasehold::postgresql
