#include "cli/leasehold/mounts.h"

#include <fmt/core.h>

#include "cli/leasehold/output.h"

namespace leasehold::cli {
namespace {

constexpr std::pair<const char*, const char*> kTextSettings[] = {
    {"default-lease-ttl", "default_lease_ttl"},   {"max-lease-ttl", "max_lease_ttl"},
    {"listing-visibility", "listing_visibility"}, {"token-type", "token_type"},
    {"plugin-version", "plugin_version"},
};
constexpr std::pair<const char*, const char*> kListSettings[] = {
    {"audit-non-hmac-request-keys", "audit_non_hmac_request_keys"},
    {"audit-non-hmac-response-keys", "audit_non_hmac_response_keys"},
    {"passthrough-request-headers", "passthrough_request_headers"},
    {"allowed-response-headers", "allowed_response_headers"},
};

void set_settings(const Arguments& args, Json& to) {
  for (const auto& setting : kTextSettings)
    if (args.has(setting.first)) to.set(setting.second, args.text(setting.first));
  for (const auto& setting : kListSettings)
    if (args.has(setting.first)) to.set(setting.second, args.texts(setting.first));
}

Result<Json> options_of(const Arguments& args) {
  Json options = Json::object();
  for (const std::string& pair : args.texts("options")) {
    const auto equals = pair.find('=');
    if (equals == std::string::npos || equals == 0)
      return failure(Code::invalid, "-options needs K=V");
    options.set(pair.substr(0, equals), pair.substr(equals + 1));
  }
  if (args.has("version")) options.set("version", args.text("version"));
  return options;
}

Result<Json> enable_body(const Arguments& args, const std::string& type) {
  VAULT_TRY_ASSIGN(Json options, options_of(args));
  Json settings = Json::object();
  set_settings(args, settings);
  if (args.is_on("force-no-cache")) settings.set("force_no_cache", true);
  Json body = Json::object();
  body.set("type", type);
  body.set("description", args.text("description"));
  body.set("local", args.is_on("local"));
  body.set("seal_wrap", args.is_on("seal-wrap"));
  body.set("external_entropy_access", args.is_on("external-entropy-access"));
  body.set("config", std::move(settings));
  if (options.size() > 0) body.set("options", std::move(options));
  if (args.has("plugin-name")) body.set("plugin_name", args.text("plugin-name"));
  return body;
}

std::string with_slash(const std::string& path) { return plain_path(path) + "/"; }

// 0 stands for the system's own.
std::string ttl_text(const Json& mount, const char* key) {
  const Json* settings = mount.find("config");
  const std::int64_t seconds = settings == nullptr ? 0 : settings->integer_at(key);
  return seconds == 0 ? "system" : std::to_string(seconds);
}

Row mount_row(const std::string& path, const Json& mount, bool detailed) {
  Row row = {path, mount.string_at("type"), mount.string_at("accessor")};
  if (detailed) {
    const Json* options = mount.find("options");
    row.push_back(ttl_text(mount, "default_lease_ttl"));
    row.push_back(ttl_text(mount, "max_lease_ttl"));
    row.push_back(options == nullptr || options->is_null() ? "map[]" : plain(*options));
    row.push_back(mount.string_at("uuid"));
    row.push_back(mount.string_at("running_plugin_version"));
  }
  row.push_back(mount.string_at("description"));
  return row;
}

}  // namespace

int list_mounts(Session& session, const MountKind& kind) {
  const auto answer = session.send({"GET", kind.api});
  if (!is_good(answer) || answer->data() == nullptr)
    return session.refused(fmt::format("Error listing {}", kind.many), answer);
  const bool detailed = session.is_detailed();
  std::vector<Row> rows = {{"Path", "Type", "Accessor"}};
  if (detailed)
    rows[0].insert(rows[0].end(), {"Default TTL", "Max TTL", "Options", "UUID", "Running Version"});
  rows[0].push_back("Description");
  for (const auto& member : answer->data()->members())
    rows.push_back(mount_row(member.first, member.second, detailed));
  return show_value(session, *answer->data(), rows);
}

int enable_mount(Session& session, const MountKind& kind) {
  const std::string type = plain_path(session.args().positional(0));
  const std::string path = with_slash(session.args().text("path", type));
  auto body = enable_body(session.args(), type);
  if (!body.ok()) return session.misused(body.error().message);
  const auto answer = session.send(
      {"POST", fmt::format("{}/{}", kind.api, plain_path(path)), std::move(body).value()});
  if (!is_good(answer)) return session.refused("Error enabling", answer);
  show_warnings(session, answer->json);
  return session.succeed(fmt::format("Enabled the {} {} at: {}", type, kind.title, path));
}

int disable_mount(Session& session, const MountKind& kind) {
  const std::string path = with_slash(session.args().positional(0));
  const auto answer = session.send({"DELETE", fmt::format("{}/{}", kind.api, plain_path(path))});
  if (!is_good(answer))
    return session.refused(fmt::format("Error disabling {} at {}", kind.title, path), answer);
  return session.did(*answer,
                     fmt::format("Disabled the {} (if it existed) at: {}", kind.title, path));
}

int tune_mount(Session& session, const MountKind& kind) {
  const std::string path = with_slash(session.args().positional(0));
  Json body = Json::object();
  set_settings(session.args(), body);
  auto options = options_of(session.args());
  if (!options.ok()) return session.misused(options.error().message);
  if (options->size() > 0) body.set("options", std::move(options).value());
  if (session.args().has("description"))
    body.set("description", session.args().text("description"));
  const auto answer = session.send(
      {"POST", fmt::format("{}/{}/tune", kind.api, plain_path(path)), std::move(body)});
  if (!is_good(answer))
    return session.refused(fmt::format("Error tuning {} {}", kind.title, path), answer);
  show_warnings(session, answer->json);
  return session.succeed(fmt::format("Tuned the {} at: {}", kind.title, path));
}

int move_mount(Session& session, const MountKind& kind) {
  const bool is_auth = std::string_view(kind.api) == "sys/auth";
  const std::string from = with_slash(session.args().positional(0));
  const std::string to = with_slash(session.args().positional(1));
  Json body = Json::object();
  body.set("from", (is_auth ? "auth/" : "") + from);
  body.set("to", (is_auth ? "auth/" : "") + to);
  const auto answer = session.send({"POST", "sys/remount", std::move(body)});
  if (!is_good(answer))
    return session.refused(fmt::format("Error moving {} {} to {}", kind.title, from, to), answer);
  return session.succeed(fmt::format("Moved {} {} to: {}", kind.title, from, to));
}

}  // namespace leasehold::cli
