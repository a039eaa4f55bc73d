#include "config/configuration.h"

#include <algorithm>

#include "config/files.h"
#include "config/known_keys.h"

namespace leasehold::config {
namespace {

const std::vector<std::string>& block_types() {
  static const std::vector<std::string> kTypes = {"storage",      "backend",    "listener",
                                                  "seal",         "hsm",        "audit",
                                                  "user_lockout", "initialize", "request"};
  return kTypes;
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
      block.body.attributes.push_back({member.first, member.second, block.line, block.column});
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
        HclBlock outer{
            block.type, {block.labels[0], attribute.name}, {}, attribute.line, attribute.column};
        unfold(attribute.value, std::move(outer), labels, found);
      }
    } else {
      found.push_back(block);
    }
  }
  for (const HclAttribute& attribute : file.attributes)
    if (attribute.name == type)
      unfold(attribute.value, HclBlock{std::string(type), {}, {}, attribute.line, attribute.column},
             labels, found);
  return found;
}

// Reads one file into `into`, on top of what earlier files said.
class Reader {
 public:
  Reader(const std::string& file, const HclBody& body, Configuration& into)
      : file_(file), body_(body), top_(file, HclBlock{"", {}, body, 1}), into_(into) {}

  // Everything that is wrong in this file, one a line.
  Status read() {
    read_storage();
    append("listener", into_.listeners);
    append("seal", into_.seals);
    append("hsm", into_.seals);
    append("audit", into_.audits);
    append("initialize", into_.initializes);
    read_texts();
    read_flags_and_durations();
    read_telemetry();
    top_.ignore(kKnownKeys);
    into_.warnings.insert(into_.warnings.end(), top_.warnings().begin(), top_.warnings().end());
    problems_.add(top_.finish());
    return problems_.status();
  }

 private:
  void append(std::string_view type, std::vector<Stanza>& to) {
    top_.nested_all(type);  // marks the key as taken
    for (HclBlock& block : blocks_of(body_, type)) {
      const bool typed = !block.labels.empty() && !block.labels[0].empty();
      Stanza stanza(file_, std::move(block));
      if (typed)
        to.push_back(std::move(stanza));
      else
        problems_.add(stanza.where() + ": " + std::string(type) + " needs a type, for example " +
                      std::string(type) + " \"" + example(type) + "\" { }");
    }
  }

  static const char* example(std::string_view type) {
    if (type == "listener") return "tcp";
    if (type == "audit") return "file";
    if (type == "initialize") return "policies";
    return type == "seal" || type == "hsm" ? "tpm" : "lmdb";
  }

  void read_storage() {
    std::vector<Stanza> found;
    append("storage", found);
    append("backend", found);
    for (Stanza& stanza : found) {
      if (into_.storage)
        problems_.add(stanza.where() + ": a second storage; the first is at " +
                      into_.storage->where() + "; keep one");
      else
        into_.storage = std::move(stanza);
    }
  }

  // A value that cannot be read is told by top_.finish().
  void read_text(std::string_view key, std::string& to) {
    if (auto value = top_.text(key, to); value.ok()) to = *std::move(value);
  }
  void read_flag(std::string_view key, bool& to) {
    if (const auto value = top_.flag(key, to); value.ok()) to = *value;
  }
  void read_duration(std::string_view key, Seconds& to) {
    if (const auto value = top_.duration(key, to); value.ok()) to = *value;
  }

  void read_texts() {
    read_text("redirect_addr", into_.api_addr);  // Vault's older name
    read_text("api_addr", into_.api_addr);
    read_text("cluster_name", into_.cluster_name);
    read_text("log_file", into_.log_file);
    read_text("pid_file", into_.pid_file);
    std::string level, format;
    read_text("log_level", level);
    read_text("log_format", format);
    if (const auto parsed = parse_log_level(level); !parsed)
      top_.refuse("log_level", "log_level is one of trace, debug, info, warn, error");
    else if (top_.has("log_level"))
      into_.log_level = *parsed;
    if (const auto parsed = parse_log_format(format); !parsed)
      top_.refuse("log_format", "log_format is standard or json");
    else if (top_.has("log_format"))
      into_.log_format = *parsed;
  }

  // What it asks for is so in any case, or is told to have no effect.
  void read_telemetry() {
    for (Stanza& block : top_.nested_all("telemetry")) {
      const auto kept = block.duration("prometheus_retention_time", Seconds{1});
      if (kept.ok() && kept->count() == 0)
        block.warn(
            "prometheus_retention_time",
            "prometheus_retention_time = 0 closes nothing: sys/metrics is for who may read it");
      const auto no_host = block.flag("disable_hostname", true);
      if (no_host.ok() && !*no_host)
        block.warn("disable_hostname", "no metric has the name of the machine in its own");
      block.ignore(kKnownTelemetry);
      top_.warn_of(block);
      problems_.add(block.finish());
    }
  }

  void read_flags_and_durations() {
    read_flag("audit_required", into_.audit_required);
    read_flag("disable_mlock", into_.disable_mlock);
    read_flag("allow_core_dumps", into_.allow_core_dumps);
    read_duration("default_lease_ttl", into_.default_lease_ttl);
    read_duration("max_lease_ttl", into_.max_lease_ttl);
    read_duration("lease_sweep_period", into_.lease_sweep_period);
  }

  const std::string& file_;
  const HclBody& body_;
  Stanza top_;
  Configuration& into_;
  Problems problems_;
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

Status parse(const std::string& name, std::string_view text, Configuration& into) {
  Problems problems;
  problems.add(read_into(name, text, into));
  problems.add(check_whole(into));
  return problems.status();
}

Status load(const std::vector<std::string>& paths, Configuration& into) {
  VAULT_TRY_ASSIGN(const std::vector<std::string> files, expand_paths(paths));
  Problems problems;
  for (const std::string& file : files) {
    VAULT_TRY_ASSIGN(std::string text, read_protected_file(file));
    problems.add(read_into(file, text, into));
    wipe(text);  // it may hold a PIN
  }
  problems.add(check_whole(into));
  return problems.status();
}

}  // namespace leasehold::config
