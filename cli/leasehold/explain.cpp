#include "cli/leasehold/explain.h"

#include <fmt/core.h>

#include "vault/base/printable.h"

namespace leasehold::cli {
namespace {

using client::Answer;

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

bool says(const Answer& answer, std::string_view part) { return contains(answer.body, part); }

std::string other_scheme(const std::string& address) {
  if (address.compare(0, 8, "https://") == 0) return "http://" + address.substr(8);
  if (address.compare(0, 7, "http://") == 0) return "https://" + address.substr(7);
  return address;
}

// What is known of the server there is what the proxy lets through. No address without TLS is
// proposed: the proxy would read the token.
std::string hint_of_proxy(const Error& error, const client::Settings& settings) {
  if (contains(error.message, "the proxy answered 407"))
    return "give a name and a password that it takes: "
           "VAULT_PROXY_ADDR=http://USER:PASSWORD@HOST:PORT";
  if (contains(error.message, "the proxy answered"))
    return "ask who runs the proxy whether it may lead to this server, and reaches it; to do\n"
           "      without it, unset VAULT_PROXY_ADDR and VAULT_HTTP_PROXY";
  if (error.code == Code::unavailable)
    return "is this the address of a proxy that runs? VAULT_PROXY_ADDR or VAULT_HTTP_PROXY gives "
           "it";
  if (error.code == Code::invalid && contains(error.message, "handshake"))
    return fmt::format(
        "is {} a server with TLS? Otherwise ask who runs the proxy: it has to pass TLS on unread",
        settings.address);
  return {};
}

std::string hint_of_transport(const Error& error, const client::Settings& settings) {
  const std::string& address = settings.address;
  if (contains(error.message, "through the proxy"))
    if (std::string hint = hint_of_proxy(error, settings); !hint.empty()) return hint;
  switch (error.code) {
    case Code::unavailable:
      if (contains(error.message, "could not be resolved"))
        return "is that name right? Set VAULT_ADDR or give -address";
      return fmt::format(
          "is the server running, and is {} its address? Set VAULT_ADDR or give -address{}",
          address,
          address == client::kDefaultAddress
              ? "; a server started with -dev is at http://127.0.0.1:8200"
              : "");
    case Code::deadline:
      return fmt::format(
          "{} does not answer; check the address, the network and VAULT_CLIENT_TIMEOUT", address);
    case Code::invalid:
      if (!contains(error.message, "handshake")) return {};
      return fmt::format("if this server speaks plain HTTP, set VAULT_ADDR={}",
                         other_scheme(address));
    case Code::denied:
      if (!contains(error.message, "x509")) return {};
      if (contains(error.message, "expired at"))
        return "give the server a new certificate and reload it: systemctl reload leasehold";
      if (contains(error.message, "not yet valid"))
        return "compare the clock of this machine with the time that the certificate begins at";
      return "give the authority that signed it with -ca-cert=FILE or VAULT_CACERT, or the "
             "expected "
             "name with -tls-server-name";
    case Code::internal:
      if (address.compare(0, 7, "http://") != 0) return {};
      return fmt::format("if this server speaks TLS, set VAULT_ADDR={}", other_scheme(address));
    default:
      return {};
  }
}

// The part of the URL behind /v1/, without the query.
std::string path_of(const Answer& answer) {
  const auto start = answer.url.find("/v1/");
  if (start == std::string::npos) return {};
  const std::string path = answer.url.substr(start + 4);
  return path.substr(0, path.find('?'));
}

// Of a token that does not count Vault says "permission denied" and no more, newer ones add
// "invalid token"; what a policy refuses is wrapped: "1 error occurred".
bool doubts_token(const Answer& answer) {
  const auto errors = answer.errors();
  return says(answer, "invalid token") || (errors.size() == 1 && errors[0] == "permission denied");
}

// The ceremonies with shares are a way in for those who have no token, where the listener says so.
const char* switch_of_ceremony(std::string_view path) {
  if (path.starts_with("sys/generate-root/")) return "disable_unauthed_generate_root_endpoints";
  if (path.starts_with("sys/rekey")) return "disable_unauthed_rekey_endpoints";
  return nullptr;
}

std::string hint_of_ceremony(const char* key) {
  return fmt::format(
      "this needs a token with sudo on its path. Without one: put\n"
      "        {} = false\n"
      "      into the listener stanza of the server, restart it, unseal it, and try again.\n"
      "      Take the line out again when you have a token",
      key);
}

std::string hint_of_denial(const Answer& answer) {
  const std::string path = path_of(answer);
  const char* key = switch_of_ceremony(path);
  if (key != nullptr && (!answer.had_token || doubts_token(answer))) return hint_of_ceremony(key);
  if (!answer.had_token)
    return "no token was sent; get one with: leasehold login (or set VAULT_TOKEN)";
  if (!answer.explanation.empty())
    return fmt::format("request {}: {}", answer.request_id, printable(answer.explanation));
  if (says(answer, "bad token"))
    return "the token that was asked about is unknown, expired or revoked";
  if (doubts_token(answer) && path == "auth/token/lookup-self")
    return "this token is unknown, expired or revoked; get another with: leasehold login";
  if (doubts_token(answer))
    return "this token may be unknown, expired or revoked; see: leasehold token lookup\n"
           "      and get another with: leasehold login";
  if (path == "sys/capabilities-self")
    return "this token may not ask; one that may asks for it:\n"
           "      leasehold token capabilities TOKEN PATH";
  return fmt::format("see what this token may do there: leasehold token capabilities {}", path);
}

// 503 has many reasons; these pass by themselves.
bool is_busy(const Answer& answer) {
  if (answer.status == 429) return true;
  return answer.status == 503 && (answer.errors().empty() || says(answer, "busy") ||
                                  says(answer, "shutting down") || says(answer, "not active"));
}

// Where the message itself does not say what is wrong.
std::string hint_of_failure(const Answer& answer) {
  if (answer.status >= 500 && says(answer, "no audit device can record"))
    return "free the disk or bring the audit file's folder back; the server's log names the device";
  const bool is_silent = answer.body.empty() || says(answer, "internal error");
  return answer.status >= 500 && is_silent ? "the server's log says more" : "";
}

// Nobody has the keys of an init that ended before its answer, and nothing is stored under them.
std::string hint_of_init(const Answer& answer) {
  if (says(answer, "parameters secret_shares"))
    return "this vault is opened by its seal device: it has recovery keys instead of unseal keys;\n"
           "      use -recovery-shares and -recovery-threshold";
  if (says(answer, "parameters recovery_shares"))
    return "no device of this vault's configuration opens it, so its keys are unseal keys: use\n"
           "      -key-shares and -key-threshold, or configure a seal before init";
  if (!says(answer, "already initialized")) return hint_of_failure(answer);
  return "open it with: leasehold operator unseal\n"
         "      If an init was cut off before it showed its keys, and nobody has them: stop the\n"
         "      server, empty its data directory, move its audit log aside (its lines are signed\n"
         "      with the lost vault's key), start it and init again; nothing was stored yet";
}

// VAULT_ADDR as it stands in a browser, or in front of a path of the API: never right.
std::string hint_of_address(const std::string& address) {
  const auto scheme = address.find("://");
  const auto slash = address.find('/', scheme == std::string::npos ? 0 : scheme + 3);
  if (slash == std::string::npos || address.starts_with("unix://")) return {};
  const std::string path = address.substr(slash) + "/";
  if (!contains(path, "/ui/") && !contains(path, "/v1/")) return {};
  return fmt::format("the address ends in a path: set VAULT_ADDR={}", address.substr(0, slash));
}

std::string hint_of_answer(const Answer& answer, const client::Settings& settings) {
  if (std::string of_address = hint_of_address(settings.address); !of_address.empty())
    return of_address;
  if (says(answer, "HTTP request to an HTTPS server"))
    return fmt::format("this server speaks TLS: set VAULT_ADDR={}", other_scheme(settings.address));
  const std::string path = path_of(answer);
  // What a device says of itself may hold any of the words below.
  if (path == "sys/init") return hint_of_init(answer);
  if (says(answer, "not initialized") || says(answer, "not yet initialized"))
    return "prepare the vault with: leasehold operator init";
  if (answer.status == 503 && says(answer, "sealed") && path != "sys/unseal")
    return "the vault is sealed; open it with: leasehold operator unseal";
  if (answer.status == 403) return hint_of_denial(answer);
  if (answer.status >= 300 && answer.status < 400)
    return "this server points to another one; ask that, or leave out -disable-redirects";
  if (says(answer, "no handler for route"))
    return fmt::format("see what is mounted where: leasehold {} list",
                       path.compare(0, 5, "auth/") == 0 ? "auth" : "secrets");
  if (says(answer, "unsupported path")) return "this server does not have that path";
  if (is_busy(answer)) return "the server is busy; try again in a moment";
  return hint_of_failure(answer);
}

std::string listed(std::string_view title, const std::vector<std::string>& lines) {
  std::string text = fmt::format("{}:\n\n", title);
  bool first = true;
  for (const std::string& line : lines) {
    text += fmt::format("{}* {}", first ? "" : "\n", line);
    first = false;
  }
  return text;
}

std::string describe(const Answer& answer, const client::Settings& settings) {
  std::string text = fmt::format(
      "Error making API request.\n\n{}URL: {} {}\nCode: {}. ",
      settings.name_space.empty() ? "" : fmt::format("Namespace: {}\n", settings.name_space),
      answer.method, answer.url, answer.status);
  if (answer.json.find("errors") != nullptr) return text + listed("Errors", answer.errors());
  const auto warnings = answer.json.strings_at("warnings");
  if (!warnings.empty()) return text + listed("Warnings", warnings);
  return text + fmt::format("Raw Message:\n\n{}", answer.body);
}

}  // namespace

std::string explain(std::string_view doing, const Result<Answer>& answer,
                    const client::Settings& settings, std::string_view known_hint) {
  const std::string reason =
      printable(answer.ok() ? describe(*answer, settings) : answer.error().message, "\n\t");
  std::string hint(known_hint);
  if (hint.empty())
    hint = answer.ok() ? hint_of_answer(*answer, settings)
                       : hint_of_transport(answer.error(), settings);
  std::string text = fmt::format("{}: {}", doing, reason);
  if (!hint.empty()) text += fmt::format("\n\nhint: {}", hint);
  return text;
}

}  // namespace leasehold::cli
