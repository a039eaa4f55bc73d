#include "cli/leasehold/explain.h"

#include <fmt/format.h>

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

std::string hint_of_transport(const Error& error, const client::Settings& settings) {
  const std::string& address = settings.address;
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

std::string hint_of_denial(const std::string& path) {
  constexpr std::string_view kAlive = "whether this token still counts: leasehold token lookup";
  if (path.compare(0, 12, "sys/internal") == 0) return fmt::format("see {}", kAlive);
  return fmt::format(
      "see what this token may do there: leasehold token capabilities {}\n      and {}", path,
      kAlive);
}

std::string hint_of_answer(const Answer& answer, const client::Settings& settings) {
  if (says(answer, "HTTP request to an HTTPS server"))
    return fmt::format("this server speaks TLS: set VAULT_ADDR={}", other_scheme(settings.address));
  if (says(answer, "not initialized") || says(answer, "not yet initialized"))
    return "prepare the vault with: leasehold operator init";
  if (answer.status == 503 && says(answer, "sealed"))
    return "the vault is sealed; open it with: leasehold operator unseal";
  if (answer.status == 403 && settings.token.empty())
    return "no token was sent; get one with: leasehold login (or set VAULT_TOKEN)";
  if (answer.status == 403) return hint_of_denial(path_of(answer));
  if (answer.status >= 300 && answer.status < 400)
    return "this server points to another one; ask that, or leave out -disable-redirects";
  if (says(answer, "no handler for route"))
    return "see what is mounted where: leasehold secrets list";
  if (says(answer, "unsupported path")) return "this server does not have that path";
  if (answer.status == 429 || answer.status == 503)
    return "the server is busy; try again in a moment";
  if (answer.status >= 500) return "the server's log says more";
  return {};
}

std::string describe(const Answer& answer, const client::Settings& settings) {
  std::string text = fmt::format(
      "Error making API request.\n\n{}URL: {} {}\nCode: {}. ",
      settings.name_space.empty() ? "" : fmt::format("Namespace: {}\n", settings.name_space),
      answer.method, answer.url, answer.status);
  if (answer.json.find("errors") == nullptr)
    return text + fmt::format("Raw Message:\n\n{}", answer.body);
  text += "Errors:\n\n";
  bool first = true;
  for (const std::string& error : answer.errors()) {
    text += fmt::format("{}* {}", first ? "" : "\n", error);
    first = false;
  }
  return text;
}

}  // namespace

std::string explain(std::string_view doing, const Result<Answer>& answer,
                    const client::Settings& settings) {
  const std::string reason = answer.ok() ? describe(*answer, settings) : answer.error().message;
  const std::string hint =
      answer.ok() ? hint_of_answer(*answer, settings) : hint_of_transport(answer.error(), settings);
  std::string text = fmt::format("{}: {}", doing, reason);
  if (!hint.empty()) text += fmt::format("\n\nhint: {}", hint);
  return text;
}

}  // namespace leasehold::cli
