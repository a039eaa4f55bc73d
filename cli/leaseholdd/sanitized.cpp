#include "cli/leaseholdd/sanitized.h"

#include "vault/base/log_level.h"

namespace leasehold::server_process {

namespace {

// None of a listener's keys holds a secret but its key file, of which this is the path.
constexpr const char* kOfListener[] = {"address",
                                       "tls_disable",
                                       "tls_cert_file",
                                       "tls_key_file",
                                       "tls_min_version",
                                       "tls_max_version",
                                       "tls_client_ca_file",
                                       "max_request_size",
                                       "socket_mode",
                                       "socket_user",
                                       "proxy_protocol_behavior",
                                       "proxy_protocol_authorized_addrs",
                                       "x_forwarded_for_authorized_addrs",
                                       "redact_addresses",
                                       "redact_version",
                                       "redact_cluster_name"};

// Of Vault's keys, those that this server has no use for, as they are without it.
constexpr const char* kOff[] = {"disable_cache",
                                "disable_clustering",
                                "disable_indexing",
                                "disable_performance_standby",
                                "disable_printable_check",
                                "disable_sealwrap",
                                "enable_ui",
                                "enable_response_header_hostname",
                                "enable_response_header_raft_node_id",
                                "imprecise_lease_role_tracking",
                                "introspection_endpoint",
                                "raw_storage_endpoint",
                                "unsafe_allow_api_audit_creation",
                                "allow_audit_log_prefixing",
                                "enable_unauthenticated_access"};
constexpr const char* kNone[] = {"cluster_addr",     "cluster_cipher_suites",
                                 "detect_deadlocks", "log_requests_level",
                                 "plugin_directory", "administrative_namespace_path"};
constexpr const char* kZero[] = {"cache_size", "default_max_request_duration",
                                 "plugin_file_permissions", "plugin_file_uid"};

Json listener(const Stanza& stanza) {
  Json config = Json::object();
  for (const char* key : kOfListener)
    if (const HclAttribute* given = stanza.body().find(key)) config.set(key, given->value);
  Json one = Json::object();
  one.set("type", stanza.label(0)).set("config", std::move(config));
  return one;
}

Json seal(std::string_view type) {
  Json one = Json::object();
  one.set("type", type).set("disabled", false);
  return one;
}

}  // namespace

Json sanitized(const config::Configuration& configuration) {
  Json all = Json::object();
  for (const char* key : kOff) all.set(key, false);
  for (const char* key : kNone) all.set(key, "");
  for (const char* key : kZero) all.set(key, 0);
  all.set("api_addr", configuration.api_addr).set("cluster_name", configuration.cluster_name);
  all.set("default_lease_ttl", configuration.default_lease_ttl.count());
  all.set("max_lease_ttl", configuration.max_lease_ttl.count());
  all.set("disable_mlock", configuration.disable_mlock);
  all.set("log_level", name_of(configuration.log_level));
  all.set("log_format", configuration.log_format == LogFormat::json ? "json" : "standard");
  all.set("pid_file", configuration.pid_file);
  Json listeners = Json::array(), seals = Json::array();
  for (const Stanza& one : configuration.listeners) listeners.push(listener(one));
  for (const Stanza& one : configuration.seals) seals.push(seal(one.label(0)));
  if (configuration.seals.empty()) seals.push(seal("shamir"));
  all.set("listeners", std::move(listeners)).set("seals", std::move(seals));
  Json storage = Json::object();
  storage.set("type", configuration.storage ? configuration.storage->label(0) : "inmem");
  storage.set("cluster_addr", "").set("disable_clustering", true);
  storage.set("redirect_addr", configuration.api_addr);
  all.set("storage", std::move(storage));
  return all;
}

}  // namespace leasehold::server_process
