// The settings of a PostgreSQL connection as clients write and read them.

#include <algorithm>

#include "backends/target/postgresql.h"
#include "backends/target/postgresql_keywords.h"
#include "backends/target/postgresql_session.h"
#include "backends/target/postgresql_shown.h"

namespace leasehold::postgresql {
namespace {

using target::Setting;
using Type = Setting::Type;

constexpr std::string_view kKept = "Kept for clients that send it.";
constexpr Setting kSettings[] = {
    {"connection_url", Type::text, "With {{username}} and {{password}}.", true},
    {"max_open_connections", Type::integer,
     "Default 4. At least two are used: one is kept for issuing, one for revoking.", false, true},
    {"max_idle_connections", Type::integer, kKept, false, true},
    {"max_connection_lifetime", Type::any, "0: as long as it works.", false, true},
    {"disable_escaping", Type::boolean,
     "Whether username and password go into the URL as they are."},
    {"password_authentication", Type::text, "\"password\" or \"scram-sha-256\".", false, true},
    {"tls_ca", Type::text, "Who signs the database's certificate, PEM."},
    {"tls_certificate", Type::any, kKept},
    {"private_key", Type::any, kKept, true},
    {"auth_type", Type::any, kKept},
    {"service_account_json", Type::any, kKept, true},
    {"self_managed", Type::any, kKept},
};
constexpr std::string_view kNeverShown[] = {"private_key", "service_account_json"};

// The keywords that lead, whatever the form of the text. With a mark in it any other leads, too: it
// might show the password to whoever sees the session.
Json leading_part(const std::string& url) {
  const auto others = OtherDrivers::take_from(url);
  if (!others.ok()) return url;
  const auto parsed = Parameters::parse(others->url);
  if (!parsed.ok()) return url;
  Json part = Json::object();
  for (const auto& [name, value] : parsed->all()) {
    const Keyword* const known = find_keyword(name);
    const bool leads = known == nullptr || known->part != Keyword::Part::none;
    if (leads || value.find("{{") != std::string::npos) part.set(name, value);
  }
  return part;
}

}  // namespace

std::span<const Setting> known_settings() { return kSettings; }

Json shown_settings(const Json& settings, std::vector<std::string>& warnings) {
  Json shown = settings;
  for (const std::string_view name : kNeverShown) shown.erase(name);
  const std::string url = settings.string_at("connection_url"), harmless = shown_url(url);
  if (harmless != url) {
    shown.set("connection_url", harmless);
    warnings.push_back(
        "Password found in connection_url; reads show it as xxxxx. Write connection_url with "
        "{{username}} and {{password}} and give both as fields of their own: then a new password "
        "is one field");
  }
  return shown;
}

Json leading_settings(const Json& settings) {
  Json leading = settings;
  for (const Setting& setting : kSettings)
    if (setting.tuning) leading.erase(setting.name);
  if (const std::string url = settings.string_at("connection_url"); !url.empty())
    leading.set("connection_url", leading_part(url));
  return leading;
}

Status takes_settings(const Json& given) {
  if (!is_as_shown(given.string_at("connection_url"))) return {};
  return failure(Code::invalid,
                 "connection_url has xxxxx where a read hides a password: write {{password}} there "
                 "and give the password as a field of its own, or leave connection_url out to keep "
                 "it");
}

}  // namespace leasehold::postgresql
