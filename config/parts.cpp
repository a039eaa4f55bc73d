#include "config/parts.h"

#include "vault/base/bytes.h"

namespace leasehold::config {

namespace {

void append_body(std::string& out, const HclBody& body) {
  for (const HclAttribute& attribute : body.attributes) {
    write_json_string(out, attribute.name);
    out += '=';
    attribute.value.write(out);
    out += ';';
  }
  for (const HclBlock& block : body.blocks) {
    write_json_string(out, block.type);
    for (const std::string& label : block.labels) write_json_string(out, label);
    out += '{';
    append_body(out, block.body);
    out += '}';
  }
}

std::string title_of(const Stanza& stanza) {
  std::string title = stanza.kind();
  for (std::size_t i = 0; !stanza.label(i).empty(); ++i) title += " \"" + stanza.label(i) + "\"";
  return title;
}

}  // namespace

void each_part(const Configuration& configuration,
               const std::function<void(const std::string& name, const std::string& text)>& take) {
  const auto stanza = [&](const Stanza& one) {
    std::string text;
    append_body(text, one.body());
    take(title_of(one), text);
    wipe(text);
  };
  if (configuration.storage) stanza(*configuration.storage);
  for (const auto* all : {&configuration.listeners, &configuration.seals, &configuration.audits})
    for (const Stanza& one : *all) stanza(one);
  const auto seconds = [](Seconds value) { return std::to_string(value.count()); };
  const auto flag = [](bool value) { return std::string(value ? "true" : "false"); };
  take("audit_required", flag(configuration.audit_required));
  take("default_lease_ttl", seconds(configuration.default_lease_ttl));
  take("max_lease_ttl", seconds(configuration.max_lease_ttl));
  take("lease_sweep_period", seconds(configuration.lease_sweep_period));
  take("log_level", std::to_string(static_cast<int>(configuration.log_level)));
  take("disable_mlock", flag(configuration.disable_mlock));
  take("allow_core_dumps", flag(configuration.allow_core_dumps));
}

}  // namespace leasehold::config
