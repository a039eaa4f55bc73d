// What a connection_url may say. libpq reads more than a server's address from it: files that never
// end, other users' settings, names whose resolution has no deadline.

#include <arpa/inet.h>
#include <libpq-fe.h>

#include <algorithm>
#include <array>

#include "backends/target/postgresql_session.h"

namespace leasehold::postgresql {
namespace {

constexpr std::ptrdiff_t kHostsMax = 4;
constexpr std::string_view kNamePlace = "{{username}}", kPasswordPlace = "{{password}}";
constexpr std::string_view kAdvice =
    "; percent-encode special characters or use {{username}} and {{password}}";

// Reads nothing, as the service's own user, from files or servers the configuration did not name.
constexpr std::array<std::string_view, 3> kRefusedKeywords{"service", "passfile", "replication"};
// A file may be a pipe, and libpq's reading of one has no end.
constexpr std::array<std::string_view, 5> kRefusedFiles{"sslcert", "sslkey", "sslrootcert",
                                                        "sslcrl", "sslcrldir"};

// 127.0.0.0/8 as numbers; "127.db.example" is a name.
bool is_loopback_v4(std::string_view host) {
  in_addr address{};
  return inet_pton(AF_INET, std::string(host).c_str(), &address) == 1 &&
         ntohl(address.s_addr) >> 24 == 127;
}

bool is_local_host(std::string_view host) {
  return host.empty() || host.front() == '/' || host.front() == '@' || host == "localhost" ||
         host == "::1" || is_loopback_v4(host);
}

bool all_local(std::string_view hosts) {
  while (true) {
    const auto comma = hosts.find(',');
    if (!is_local_host(hosts.substr(0, comma))) return false;
    if (comma == std::string_view::npos) return true;
    hosts.remove_prefix(comma + 1);
  }
}

Status check_keyword(std::string_view keyword) {
  const auto is_one_of = [&](const auto& all) {
    return std::find(all.begin(), all.end(), keyword) != all.end();
  };
  const std::string message =
      "connection_url must not use the keyword \"" + std::string(keyword) + "\"";
  if (is_one_of(kRefusedKeywords)) return failure(Code::invalid, message);
  if (!is_one_of(kRefusedFiles)) return {};
  return failure(Code::invalid,
                 message +
                     ": give the certificate of who signs the database's as tls_ca; a "
                     "client's own is not supported");
}

// Otherwise the end of a password that was not encoded would be taken for the name of a host or
// database, and be in the error that says there is none.
Status check_at_signs(std::string_view text) {
  const auto scheme = text.find("://");
  if (scheme == std::string_view::npos || text.find('=') < scheme) return {};
  text.remove_prefix(scheme + 3);
  const auto first = text.find_first_of("@/");  // as libpq does it
  if (first != std::string_view::npos && text[first] == '@') text.remove_prefix(first + 1);
  if (text.substr(0, text.find('?')).find('@') == std::string_view::npos) return {};
  return failure(Code::invalid,
                 "connection_url has an at sign where none can be" + std::string(kAdvice));
}

Status check_hosts(std::string_view hosts) {
  if (std::count(hosts.begin(), hosts.end(), ',') >= kHostsMax)
    return failure(Code::invalid, "connection_url must not name more than " +
                                      std::to_string(kHostsMax) + " hosts");
  while (true) {
    const auto comma = hosts.find(',');
    const std::string_view host = hosts.substr(0, comma);
    const bool is_socket = !host.empty() && (host.front() == '/' || host.front() == '@');
    if (!is_socket && host.find_first_of("@/?&= ") != std::string_view::npos)
      return failure(Code::invalid,
                     "connection_url names a host that cannot be one" + std::string(kAdvice));
    if (comma == std::string_view::npos) return {};
    hosts.remove_prefix(comma + 1);
  }
}

Status check_ports(std::string_view ports) {
  if (ports.find_first_not_of("0123456789,") == std::string_view::npos) return {};
  return failure(Code::invalid,
                 "connection_url names a port that is no number" + std::string(kAdvice));
}

// In one pass: a mark inside what is put in is none.
std::string filled(std::string_view text, std::string_view username, std::string_view password) {
  std::string out;
  out.reserve(text.size() + username.size() + password.size());
  while (!text.empty()) {
    const auto next = std::min(text.find(kNamePlace), text.find(kPasswordPlace));
    out += text.substr(0, next);
    if (next == std::string_view::npos) break;
    text.remove_prefix(next);
    const bool is_name = text.starts_with(kNamePlace);
    out += is_name ? username : password;
    text.remove_prefix(is_name ? kNamePlace.size() : kPasswordPlace.size());
  }
  return out;
}

}  // namespace

Parameters::~Parameters() {
  for (auto& [keyword, value] : values_) wipe(value);
}

Result<Parameters> Parameters::parse(const std::string& text) {
  VAULT_TRY(check_at_signs(text));
  char* why = nullptr;
  PQconninfoOption* const options = PQconninfoParse(text.c_str(), &why);
  PQfreemem(why);  // quotes the text, which holds the password
  if (options == nullptr)
    return failure(
        Code::invalid,
        "connection_url is neither a PostgreSQL URL nor a keyword string" + std::string(kAdvice));
  Parameters parameters;
  Status allowed;
  for (const PQconninfoOption* option = options; option->keyword != nullptr; ++option) {
    if (option->val == nullptr) continue;
    if (allowed.ok()) allowed = check_keyword(option->keyword);
    parameters.set(option->keyword, option->val);
    wipe(option->val, std::strlen(option->val));
  }
  PQconninfoFree(options);
  VAULT_TRY(allowed);
  VAULT_TRY(parameters.check_addresses());
  return parameters;
}

Status Parameters::check_addresses() const {
  for (const char* const keyword : {"host", "hostaddr"}) VAULT_TRY(check_hosts(get(keyword)));
  return check_ports(get("port"));
}

Status Parameters::fill(std::string_view username, std::string_view password) {
  for (const std::string_view text : {username, password})
    if (text.find('\0') != std::string_view::npos)
      return failure(Code::invalid, "username and password cannot have a zero byte");
  for (auto& [keyword, value] : values_) {
    std::string full = filled(value, username, password);
    wipe(value);
    value = std::move(full);
  }
  return check_addresses();
}

std::string_view Parameters::get(std::string_view keyword) const {
  for (const auto& [name, value] : values_)
    if (name == keyword) return value;
  return {};
}

void Parameters::set(std::string_view keyword, std::string value) {
  for (auto& [name, old] : values_)
    if (name == keyword) {
      wipe(old);
      old = std::move(value);
      return;
    }
  values_.emplace_back(keyword, std::move(value));
}

void Parameters::want_primary() {
  if (get("host").find(',') == std::string_view::npos &&
      get("hostaddr").find(',') == std::string_view::npos)
    return;
  if (get("target_session_attrs").empty()) set("target_session_attrs", "primary");
}

bool Parameters::is_local() const {
  const std::string_view address = get("hostaddr");
  return address.empty() ? all_local(get("host")) : all_local(address);
}

}  // namespace leasehold::postgresql
