#include "config/configuration.h"

#include <algorithm>
#include <iterator>

#include "config/files.h"

namespace leasehold::config {
namespace {

const std::vector<std::string>& block_types() {
  static const std::vector<std::string> kTypes = {"storage", "backend", "listener",    "seal",
                                                  "hsm",     "audit",   "user_lockout"};
  return kTypes;
}

bool is_one_of(std::string_view text, std::initializer_list<std::string_view> list) {
  return std::find(list.begin(), list.end(), text) != list.end();
}

// Vault's JSON form of labels, one object per label: {"audit": {"file": {"main": {…}}}}. The HCL
// reader turns the first level into a label where it can; what it leaves as a value is unfolded
// here.
void unfold(const Json& value, HclBlock block, std::size_t labels, std::vector<HclBlock>& out) {
  if (value.is_array()) {
    for (const Json& item : value.items()) unfold(item, block, labels, out);
    return;
  }
  if (block.labels.size() == labels) {
    for (const auto& member : value.members())
      block.body.attributes.push_back({member.first, member.second, block.line});
    out.push_back(std::move(block));
    return;
  }
  for (const auto& member : value.members()) {
    HclBlock inner = block;
    inner.labels.push_back(member.first);
    unfold(member.second, std::move(inner), labels, out);
  }
}

// Audit blocks written in JSON carry their second label as a key: {"main": {"options": …}, "b": …}.
bool has_folded_labels(const HclBlock& block) {
  const auto& attributes = block.body.attributes;
  return block.labels.size() == 1 && block.body.blocks.empty() && !attributes.empty() &&
         std::all_of(attributes.begin(), attributes.end(), [](const HclAttribute& attribute) {
           return attribute.value.is_object() && attribute.name != "options";
         });
}

std::vector<HclBlock> blocks_of(const HclBody& file, std::string_view type) {
  const std::size_t labels = type == "audit" ? 2 : 1;
  std::vector<HclBlock> found;
  for (const HclBlock& block : file.blocks) {
    if (block.type != type) continue;
    if (type == "audit" && has_folded_labels(block)) {
      for (const HclAttribute& attribute : block.body.attributes) {
        HclBlock outer{block.type, {block.labels[0], attribute.name}, {}, attribute.line};
        unfold(attribute.value, std::move(outer), labels, found);
      }
    } else {
      found.push_back(block);
    }
  }
  for (const HclAttribute& attribute : file.attributes)
    if (attribute.name == type)
      unfold(attribute.value, HclBlock{std::string(type), {}, {}, attribute.line}, labels, found);
  return found;
}

// Reads one file into `into`, on top of what earlier files said.
class Reader {
 public:
  Reader(const std::string& file, const HclBody& body, Configuration& into)
      : file_(file), body_(body), top_(file, HclBlock{"", {}, body, 1}), into_(into) {}

  Status read() {
    VAULT_TRY(read_storage());
    VAULT_TRY(append("listener", into_.listeners));
    VAULT_TRY(append("seal", into_.seals));
    VAULT_TRY(append("hsm", into_.seals));
    VAULT_TRY(append("audit", into_.audits));
    VAULT_TRY(read_texts());
    VAULT_TRY(read_flags_and_durations());
    ignore_known();
    return top_.finish();
  }

 private:
  Status append(std::string_view type, std::vector<Stanza>& to) {
    top_.nested_all(type);  // marks the key as taken
    for (HclBlock& block : blocks_of(body_, type)) {
      if (block.labels.empty() || block.labels[0].empty())
        return failure(Code::invalid, file_ + ":" + std::to_string(block.line) + ": " +
                                          std::string(type) + " needs a type, for example " +
                                          std::string(type) + " \"" + example(type) + "\" { }");
      to.emplace_back(file_, std::move(block));
    }
    return {};
  }

  static const char* example(std::string_view type) {
    if (type == "listener") return "tcp";
    if (type == "audit") return "file";
    return type == "seal" || type == "hsm" ? "tpm" : "lmdb";
  }

  Status read_storage() {
    std::vector<Stanza> found;
    VAULT_TRY(append("storage", found));
    VAULT_TRY(append("backend", found));
    for (Stanza& stanza : found) {
      if (into_.storage)
        return failure(Code::invalid, stanza.where() + ": a second storage; the first is at " +
                                          into_.storage->where() + "; keep one");
      into_.storage = std::move(stanza);
    }
    return {};
  }

  Status read_text(std::string_view key, std::string& to) {
    VAULT_TRY_ASSIGN(to, top_.text(key, to));
    return {};
  }

  Status read_texts() {
    VAULT_TRY(read_text("redirect_addr", into_.api_addr));  // Vault's older name
    VAULT_TRY(read_text("api_addr", into_.api_addr));
    VAULT_TRY(read_text("cluster_name", into_.cluster_name));
    VAULT_TRY(read_text("log_level", into_.log_level));
    VAULT_TRY(read_text("log_format", into_.log_format));
    VAULT_TRY(read_text("log_file", into_.log_file));
    VAULT_TRY(read_text("pid_file", into_.pid_file));
    if (!is_one_of(into_.log_level, {"trace", "debug", "info", "warn", "error"}))
      return failure(Code::invalid, top_.where("log_level") +
                                        ": log_level is one of trace, debug, info, warn, error");
    if (!is_one_of(into_.log_format, {"standard", "json"}))
      return failure(Code::invalid, top_.where("log_format") + ": log_format is standard or json");
    return {};
  }

  Status read_flags_and_durations() {
    VAULT_TRY_ASSIGN(into_.audit_required, top_.flag("audit_required", into_.audit_required));
    VAULT_TRY_ASSIGN(into_.disable_mlock, top_.flag("disable_mlock", into_.disable_mlock));
    VAULT_TRY_ASSIGN(into_.allow_core_dumps, top_.flag("allow_core_dumps", into_.allow_core_dumps));
    VAULT_TRY_ASSIGN(into_.default_lease_ttl,
                     top_.duration("default_lease_ttl", into_.default_lease_ttl));
    VAULT_TRY_ASSIGN(into_.max_lease_ttl, top_.duration("max_lease_ttl", into_.max_lease_ttl));
    return {};
  }

  // What a Vault or OpenBao file may say and this server has no use for.
  void ignore_known() {
    auto warnings = top_.ignore({"ha_storage",
                                 "ha_backend",
                                 "cluster_addr",
                                 "default_max_request_duration",
                                 "log_rotate_bytes",
                                 "log_rotate_duration",
                                 "log_rotate_max_files",
                                 "log_requests_level",
                                 "ui",
                                 "cache_size",
                                 "disable_cache",
                                 "disable_indexing",
                                 "disable_clustering",
                                 "disable_standby_reads",
                                 "disable_sealwrap",
                                 "disable_printable_check",
                                 "disable_performance_standby",
                                 "disable_sentinel_trace",
                                 "raw_storage_endpoint",
                                 "introspection_endpoint",
                                 "plugin_directory",
                                 "plugin_file_uid",
                                 "plugin_file_permissions",
                                 "plugin",
                                 "plugin_auto_download",
                                 "plugin_auto_register",
                                 "plugin_download_behavior",
                                 "enable_response_header_hostname",
                                 "enable_response_header_raft_node_id",
                                 "unsafe_allow_api_audit_creation",
                                 "allow_audit_log_prefixing",
                                 "allow_unauthenticated_workflows",
                                 "unsafe_cross_namespace_identity",
                                 "unsafe_relative_paths",
                                 "imprecise_lease_role_tracking",
                                 "detect_deadlocks",
                                 "enable_quit",
                                 "telemetry",
                                 "user_lockout",
                                 "initialize",
                                 "service_registration",
                                 "cors_enabled",
                                 "cors_allowed_origins",
                                 "cors_allowed_headers",
                                 "cors_allow_credentials",
                                 "license_path",
                                 "experiments",
                                 "enable_multiseal",
                                 "reporting",
                                 "entropy"});
    std::move(warnings.begin(), warnings.end(), std::back_inserter(into_.warnings));
  }

  const std::string& file_;
  const HclBody& body_;
  Stanza top_;
  Configuration& into_;
};

// "line 18: what" of the parser, as every other message here says it: "vault.hcl:18: what".
std::string in_file(const std::string& file, std::string_view message) {
  constexpr std::string_view kLine = "line ";
  if (!message.starts_with(kLine)) return file + ": " + std::string(message);
  return file + ":" + std::string(message.substr(kLine.size()));
}

Status read_into(const std::string& name, std::string_view text, Configuration& into) {
  auto body = parse_hcl(text, block_types());
  if (!body.ok()) return failure(body.error().code, in_file(name, body.error().message));
  return Reader(name, *body, into).read();
}

Status check_whole(const Configuration& configuration) {
  if (configuration.default_lease_ttl > configuration.max_lease_ttl)
    return failure(Code::invalid, "default_lease_ttl (" +
                                      print_duration(configuration.default_lease_ttl) +
                                      ") is longer than max_lease_ttl (" +
                                      print_duration(configuration.max_lease_ttl) +
                                      "); lower the first or raise the second");
  return {};
}

}  // namespace

Result<Configuration> parse(const std::string& name, std::string_view text) {
  Configuration configuration;
  VAULT_TRY(read_into(name, text, configuration));
  VAULT_TRY(check_whole(configuration));
  return configuration;
}

Result<Configuration> load(const std::vector<std::string>& paths) {
  VAULT_TRY_ASSIGN(const std::vector<std::string> files, expand_paths(paths));
  Configuration configuration;
  for (const std::string& file : files) {
    VAULT_TRY_ASSIGN(std::string text, read_protected_file(file));
    const Status read = read_into(file, text, configuration);
    wipe(text);  // it may hold a PIN
    VAULT_TRY(read);
  }
  VAULT_TRY(check_whole(configuration));
  return configuration;
}

}  // namespace leasehold::config
