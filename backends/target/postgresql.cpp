#include "backends/target/postgresql.h"

#include <fmt/core.h>
#include <unistd.h>

#include <cstdlib>

#include "backends/target/postgresql_accounts.h"
#include "backends/target/statements.h"
#include "vault/base/duration.h"
#include "vault/base/encoding.h"

namespace leasehold::postgresql {
namespace {

constexpr std::size_t kNameMax = 63;  // NAMEDATALEN - 1
constexpr std::size_t kRoleMax = 8;
constexpr unsigned kConnectionsMax = 64;

bool is_url(std::string_view text) {
  return text.substr(0, 11) == "postgres://" || text.substr(0, 13) == "postgresql://";
}

// libpq 15 looks for ~/.postgresql/root.crt alone; the machine's own list is what an operator
// means.
std::string system_certificates() {
  for (const char* path : {"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt",
                           "/etc/ssl/cert.pem"})
    if (access(path, R_OK) == 0) return path;
  return {};
}

void require_verified_tls(Parameters& parameters, const MemoryFile* authority) {
  if (parameters.get("sslmode").empty() && (authority != nullptr || !parameters.is_local()))
    parameters.set("sslmode", "verify-full");
  if (authority != nullptr) parameters.set("sslrootcert", authority->path());
  const bool verifies = parameters.get("sslmode").substr(0, 7) == "verify-";
  if (verifies && parameters.get("sslrootcert").empty())
    if (std::string path = system_certificates(); !path.empty())
      parameters.set("sslrootcert", std::move(path));
}

// A number of seconds or a duration.
Result<Seconds> lifetime_of(const Json& json) {
  const Json* given = json.find("max_connection_lifetime");
  if (given == nullptr || given->is_null() || given->text().empty()) return Seconds{0};
  const auto parsed = parse_duration(given->text());
  if (!parsed.ok() || parsed->count() < 0)
    return failure(Code::invalid, "max_connection_lifetime must be a duration such as \"1h\"");
  return *parsed;
}

// Other ways to prove who the manager is; a write that counts on one is told.
void note_unused(const Json& json, std::vector<std::string>& notes) {
  for (const char* name :
       {"tls_certificate", "private_key", "auth_type", "service_account_json", "self_managed"}) {
    const Json* given = json.find(name);
    if (given == nullptr) continue;
    const bool asks = given->is_string() ? !given->text().empty() : given->boolean();
    if (asks) notes.push_back(std::string(name) + " is not supported and is not used");
  }
}

std::string safe_part(std::string_view text, std::size_t limit) {
  std::string out;
  for (const char c : lower_case(text.substr(0, limit))) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
    out += plain ? c : '_';
  }
  return out;
}

class PostgreSql final : public target::Target {
 public:
  explicit PostgreSql(std::shared_ptr<Server> server) : server_(std::move(server)) {}

  Result<std::unique_ptr<target::Connection>> connect(const target::Tag& tag,
                                                      Instant deadline) override {
    auto opened = server_->open(tag, {}, deadline);
    if (!opened.ok()) return connect_beside(tag, opened.error(), deadline);
    return std::unique_ptr<target::Connection>(
        std::make_unique<Accounts>(server_, tag, std::move(opened).value()));
  }
  std::string account_name(const target::Tag& tag, std::string_view role,
                           std::string_view id) const override {
    const std::string end = "-" + safe_part(id, 32);
    std::string name = target::account_prefix(tag) + safe_part(role, kRoleMax);
    return name.substr(0, kNameMax - end.size()) + end;
  }
  Status takes_name(std::string_view account) const override {
    if (account.size() > kNameMax)
      return failure(Code::invalid,
                     fmt::format("the account's name would have {} bytes, and PostgreSQL takes {}: "
                                 "end username_template with | truncate {}",
                                 account.size(), kNameMax, kNameMax));
    if (!stays_quoted(account) || account.starts_with("pg_"))
      return failure(Code::invalid,
                     "the account's name would have a character or a beginning that is not taken");
    return {};
  }
  std::vector<std::string> notes() const override { return server_->settings().notes; }
  std::string_view kind() const override { return "postgresql"; }
  unsigned connections_max() const override { return server_->settings().connections_max; }
  Nanos connection_lifetime() const override { return server_->settings().connection_lifetime; }

 private:
  Result<std::unique_ptr<target::Connection>> connect_beside(const target::Tag& tag,
                                                             const Error& refused,
                                                             Instant deadline) {
    VAULT_TRY_ASSIGN(const Parameters parameters, server_->settings().parameters());
    const std::string user(parameters.get("user")), named(parameters.get("dbname")),
        database = named.empty() ? user : named;
    const std::string how = opens_again(refused, database, user);
    if (how.empty()) return refused;
    auto opened = server_->open_beside(tag, database, deadline);
    if (!opened.ok()) return refused;
    return std::unique_ptr<target::Connection>(
        std::make_unique<Accounts>(server_, tag, std::move(opened).value(),
                                   Accounts::Closed{database, with_advice(refused, how)}));
  }

  const std::shared_ptr<Server> server_;
};

}  // namespace

void forget_environment() {
  std::vector<std::string> names;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    const std::string_view text = *variable;
    if (text.substr(0, 2) == "PG") names.emplace_back(text.substr(0, text.find('=')));
  }
  for (const std::string& name : names) unsetenv(name.c_str());
}

Result<Settings> Settings::parse(const Json& json) {
  Settings settings;
  settings.url = json.string_at("connection_url");
  settings.username = json.string_at("username");
  std::string password = json.string_at("password");
  settings.password = SecretBytes(password);
  wipe(password);
  std::string next = json.string_at("next_password");
  settings.next_password = SecretBytes(next);
  wipe(next);
  settings.escape = !json.bool_at("disable_escaping");
  if (settings.url.empty()) return failure(Code::invalid, "connection_url cannot be empty");
  const std::string how = json.string_at("password_authentication");
  if (!how.empty() && how != "password" && how != "scram-sha-256")
    return failure(Code::invalid,
                   "password_authentication must be \"password\" or \"scram-sha-256\"");
  settings.scram = how == "scram-sha-256";
  const std::int64_t limit = json.integer_at("max_open_connections", 4);
  if (limit > kConnectionsMax)
    return failure(Code::invalid, fmt::format("max_open_connections must be at most {}; 0: 4; "
                                              "negative: no limit but that",
                                              kConnectionsMax));
  if (limit != 0)
    settings.connections_max = limit < 0 ? kConnectionsMax : static_cast<unsigned>(limit);
  VAULT_TRY_ASSIGN(OtherDrivers others, OtherDrivers::take_from(settings.url));
  settings.url = std::move(others.url);
  settings.options = std::move(others.options);
  settings.notes = std::move(others.notes);
  note_unused(json, settings.notes);
  VAULT_TRY_ASSIGN(settings.connection_lifetime, lifetime_of(json));
  if (const std::string pem = json.string_at("tls_ca"); !pem.empty()) {
    if (pem.find("-----BEGIN CERTIFICATE-----") == std::string::npos)
      return failure(Code::invalid, "tls_ca must be a certificate in PEM form");
    VAULT_TRY_ASSIGN(settings.authority, MemoryFile::make("tls_ca", pem));
  }
  VAULT_TRY(settings.parameters());
  return settings;
}

Result<Parameters> Settings::parameters_with(const SecretBytes& wanted) const {
  Result<Parameters> parsed = Parameters::parse(url);
  if (!parsed.ok()) return parsed;
  // With disable_escaping a URL's values are given as the URL would have them.
  const bool encoded = !escape && is_url(url);
  const std::string_view given = as_text(wanted.reveal());
  std::string secret = encoded ? percent_decoded(given) : std::string(given);
  const Status filled = parsed->fill(encoded ? percent_decoded(username) : username, secret);
  wipe(secret);
  VAULT_TRY(filled);
  if (parsed->get("user").empty() && !username.empty()) parsed->set("user", username);
  if (parsed->get("password").empty() && !wanted.empty())
    parsed->set("password", std::string(as_text(wanted.reveal())));
  if (!options.empty()) parsed->set("options", std::string(parsed->get("options")) + " " + options);
  // In some encodings a backslash or quote may be the half of a letter.
  parsed->set("client_encoding", "UTF8");
  require_verified_tls(*parsed, authority.get());
  parsed->want_primary();
  return parsed;
}

Result<std::unique_ptr<target::Target>> make_target(const Json& settings, Clock& clock,
                                                    Random& random) {
  VAULT_TRY_ASSIGN(auto parsed, Settings::parse(settings));
  return std::unique_ptr<target::Target>(
      std::make_unique<PostgreSql>(std::make_shared<Server>(std::move(parsed), clock, random)));
}

}  // namespace leasehold::postgresql
