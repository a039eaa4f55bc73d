// Source: PostgreSQL documentation 34.1.2 (versions 15 to 18), pgx ParseConfig, lib/pq.

#include "backends/target/postgresql_keywords.h"

#include <algorithm>
#include <string>

#include "vault/base/encoding.h"

namespace leasehold::postgresql {
namespace {

using Use = Keyword::Use;
using Part = Keyword::Part;

// Those that lead: an address, the name and rights of who logs in, and what has the password go
// through TLS to the right server. `dbname` and `options` are among them because poolers and
// services with many databases behind one address choose the server by them, and
// `target_session_attrs` because it chooses among hosts.
constexpr Keyword kKeywords[] = {
    {"password", Use::libpq, Part::secret},
    {"sslpassword", Use::libpq, Part::secret},
    {"scram_client_key", Use::libpq, Part::secret},
    {"scram_server_key", Use::libpq, Part::secret},
    {"oauth_client_secret", Use::libpq, Part::secret},
    {"channel_binding"},
    {"dbname"},
    {"gssdelegation"},
    {"gssencmode"},
    {"gsslib"},
    {"host"},
    {"hostaddr"},
    {"krbsrvname"},
    {"max_protocol_version"},
    {"min_protocol_version"},
    {"options"},
    {"port"},
    {"replication"},  // refused
    {"require_auth"},
    {"requirepeer"},
    {"requiressl"},
    {"ssl"},
    {"ssl_max_protocol_version"},
    {"ssl_min_protocol_version"},
    {"sslcertmode"},
    {"sslcompression"},
    {"sslmode"},
    {"sslnegotiation"},
    {"sslsni"},
    {"target_session_attrs"},
    {"user"},
    {"application_name", Use::libpq, Part::none},
    {"client_encoding", Use::libpq, Part::none},
    {"connect_timeout", Use::libpq, Part::none},
    {"fallback_application_name", Use::libpq, Part::none},
    {"keepalives", Use::libpq, Part::none},
    {"keepalives_count", Use::libpq, Part::none},
    {"keepalives_idle", Use::libpq, Part::none},
    {"keepalives_interval", Use::libpq, Part::none},
    {"tcp_user_timeout", Use::libpq, Part::none},
    {"search_path", Use::applied, Part::none},
    {"timezone", Use::applied, Part::none},
    {"binary_parameters", Use::left_out, Part::none},
    {"datestyle", Use::left_out, Part::none},
    {"default_query_exec_mode", Use::left_out, Part::none},
    {"description_cache_capacity", Use::left_out, Part::none},
    {"extra_float_digits", Use::left_out, Part::none},
    {"idle_in_transaction_session_timeout", Use::left_out, Part::none},
    {"intervalstyle", Use::left_out, Part::none},
    {"load_balance_hosts", Use::left_out, Part::leads},  // libpq's own from version 16 on
    {"lock_timeout", Use::left_out, Part::none},
    {"min_read_buffer_size", Use::left_out, Part::none},
    {"pool_health_check_period", Use::left_out, Part::none},
    {"pool_max_conn_idle_time", Use::left_out, Part::none},
    {"pool_max_conn_lifetime", Use::left_out, Part::none},
    {"pool_max_conn_lifetime_jitter", Use::left_out, Part::none},
    {"pool_max_conns", Use::left_out, Part::none},
    {"pool_min_conns", Use::left_out, Part::none},
    {"pool_min_idle_conns", Use::left_out, Part::none},
    {"prefer_simple_protocol", Use::left_out, Part::none},
    {"statement_cache_capacity", Use::left_out, Part::none},
    {"statement_cache_mode", Use::left_out, Part::none},
    {"statement_timeout", Use::left_out, Part::none}};

}  // namespace

std::span<const Keyword> known_keywords() { return kKeywords; }

const Keyword* find_keyword(std::string_view written) {
  const std::string name = lower_case(written);
  const auto* found = std::find_if(std::begin(kKeywords), std::end(kKeywords),
                                   [&](const Keyword& one) { return one.name == name; });
  return found == std::end(kKeywords) ? nullptr : found;
}

}  // namespace leasehold::postgresql
