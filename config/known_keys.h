#pragma once
// The top-level keys of Vault's and OpenBao's files that this server has no use for, each with the
// consequence of ignoring it. A file that has one of them is accepted, with a warning that says so.

#include "vault/base/stanza.h"

namespace leasehold::config {

inline constexpr Ignored kKnownKeys[] = {
    // One node.
    {"ha_storage", "this is one node; there is no standby"},
    {"ha_backend", "this is one node; there is no standby"},
    {"cluster_addr", "this is one node; no other is spoken to"},
    {"cluster_cipher_suites", "this is one node; no other is spoken to"},
    {"disable_clustering", "this is one node"},
    {"disable_performance_standby", "this is one node"},
    {"disable_standby_reads", "this is one node"},
    {"replication", "nothing is replicated: make backups"},
    {"service_registration", "the server registers nowhere: point clients at its address"},
    {"enable_response_header_raft_node_id", "no node id is shown"},
    // What is kept, and how.
    {"cache_size", "storage is mapped into memory; nothing sealed is cached in the clear"},
    {"disable_cache", "storage is mapped into memory; nothing sealed is cached in the clear"},
    {"disable_indexing", ""},
    {"disable_sealwrap", "every record is sealed by the barrier, and the root key by the seal"},
    {"disable_printable_check", "paths that cannot be printed are refused, always"},
    {"enable_multiseal", "several seal stanzas work without it"},
    {"entropy", "randomness is the kernel's, not a device's"},
    {"kms_library", "a PKCS#11 module is named by the seal \"pkcs11\" stanza"},
    {"remove_irrevocable_lease_after",
     "a lease is kept until its account is seen gone: forget it with revoke-force, on record"},
    {"imprecise_lease_role_tracking", ""},
    // Doors that do not exist.
    {"ui", "there is no web interface, so nothing is exposed by it"},
    {"enable_ui", "there is no web interface, so nothing is exposed by it"},
    {"raw_storage_endpoint", "sys/raw does not exist, so it cannot be opened"},
    {"introspection_endpoint", "sys/internal/inspect does not exist, so it cannot be opened"},
    {"enable_unauthenticated_access",
     "it opens nothing: a listener lets strangers with disable_unauthed_rekey_endpoints = false "
     "and "
     "disable_unauthed_generate_root_endpoints = false"},
    {"enable_post_unseal_trace", "no trace is written"},
    {"post_unseal_trace_directory", "no trace is written"},
    {"unsafe_allow_api_audit_creation", "audit devices are set in this file alone"},
    {"allow_audit_log_prefixing", "audit lines have no prefix"},
    {"allow_unauthenticated_workflows", "nothing of the kind exists, so it cannot be opened"},
    {"unsafe_cross_namespace_identity", "there is one namespace"},
    {"unsafe_relative_paths", "paths with relative segments are never served"},
    {"administrative_namespace_path", "there is one namespace"},
    {"enable_response_header_hostname", "the name of the machine is not shown to clients"},
    {"enable_quit", "the server ends by a signal alone"},
    // Plugins: the server loads no foreign code.
    {"plugin", "no plugin is loaded: what it provides is missing"},
    {"plugin_directory", "no plugin is loaded"},
    {"plugin_tmpdir", "no plugin is loaded"},
    {"plugin_file_uid", "no plugin is loaded"},
    {"plugin_file_permissions", "no plugin is loaded"},
    {"plugin_auto_download", "no plugin is loaded"},
    {"plugin_auto_register", "no plugin is loaded"},
    {"plugin_download_behavior", "no plugin is loaded"},
    // Limits and log.
    {"default_max_request_duration", "the server's own deadlines hold"},
    {"request_limiter", "the server's own limits hold"},
    {"adaptive_overload_protection", "the server's own limits hold"},
    {"detect_deadlocks", ""},
    {"log_rotate_bytes", "the log grows: rotate it with logrotate"},
    {"log_rotate_duration", "the log grows: rotate it with logrotate"},
    {"log_rotate_max_files", "the log grows: rotate it with logrotate"},
    {"log_requests_level", "requests are in the audit log alone"},
    {"user_lockout", "guessing is limited by the server's own rules, not by this stanza"},
    // Cross-origin requests.
    {"cors_enabled", "browsers of other origins are not admitted"},
    {"cors_allowed_origins", "browsers of other origins are not admitted"},
    {"cors_allowed_headers", "browsers of other origins are not admitted"},
    {"cors_allow_credentials", "browsers of other origins are not admitted"},
    // Vault Enterprise.
    {"license_path", "no licence is needed"},
    {"license", "no licence is needed"},
    {"experiments", ""},
    {"feature_flags", ""},
    {"reporting", "nothing is reported to anyone"},
    {"sentinel", "Sentinel policies are not evaluated: what they would refuse is allowed"},
    {"disable_sentinel_trace", "Sentinel policies are not evaluated"},
    {"hcp_link", "nothing is reported to anyone"},
    {"cloud", "nothing is reported to anyone"},
};

// Of telemetry { }: metrics are read at sys/metrics, and sent nowhere.
inline constexpr Ignored kKnownTelemetry[] = {
    {"usage_gauge_period", "what is stored is counted when somebody asks"},
    {"maximum_gauge_cardinality", "gauges are bounded by the server"},
    {"enable_hostname_label", "no metric has the name of the machine"},
    {"metrics_prefix", "names begin with vault_, and with leasehold_ where they are ours"},
    {"lease_metrics_epsilon", "leases are not counted by when they end"},
    {"num_lease_metrics_buckets", "leases are not counted by when they end"},
    {"add_lease_metrics_namespace_labels", "leases are not counted by when they end"},
    {"add_mount_point_rollback_metrics", ""},
    {"filter_default", "every metric is shown: let Prometheus drop what it need not keep"},
    {"prefix_filter", "every metric is shown: let Prometheus drop what it need not keep"},
    {"rollback_metrics_include_mount_point", ""},
    {"statsite_address", "no metric is sent anywhere: scrape sys/metrics"},
    {"statsd_address", "no metric is sent anywhere: scrape sys/metrics"},
    {"dogstatsd_addr", "no metric is sent anywhere: scrape sys/metrics"},
    {"dogstatsd_tags", "no metric is sent anywhere: scrape sys/metrics"},
    {"circonus_api_token", "no metric is sent anywhere: scrape sys/metrics"},
    {"circonus_submission_url", "no metric is sent anywhere: scrape sys/metrics"},
    {"stackdriver_project_id", "no metric is sent anywhere: scrape sys/metrics"},
};

}  // namespace leasehold::config
