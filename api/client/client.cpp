#include "api/client/client.h"

#include <algorithm>
#include <charconv>
#include <thread>

#include "vault/base/url_path.h"

namespace leasehold::client {
namespace {

constexpr Millis kFirstPause{250};
constexpr Millis kLongestPause{30'000};

// "no"-answers that the same request may turn into "yes" a moment later. A sealed vault stays
// sealed.
bool is_worth_retrying(const RawResponse& response) {
  if (response.status == 429 || response.status == 412) return true;
  if (response.status < 500 || response.status == 501) return false;
  return response.body.find("sealed") == std::string::npos;
}

// A server may have done what it could not answer for: a second init would say "already
// initialized" over keys that nobody has seen, a second share would be counted or refused anew.
bool is_sent_once(const RawRequest& request) {
  const std::string_view path =
      std::string_view(request.target).substr(0, request.target.find('?'));
  return request.method != "GET" &&
         (path.ends_with("/v1/sys/init") || path.ends_with("/v1/sys/unseal"));
}

Millis pause_before(unsigned retry, const RawResponse& response) {
  int seconds = 0;
  const std::string& text = response.retry_after;
  if (response.status == 429 &&
      std::from_chars(text.data(), text.data() + text.size(), seconds).ec == std::errc() &&
      seconds >= 0)
    return std::min(kLongestPause, Millis{std::int64_t{seconds} * 1000});
  return std::min(kLongestPause, kFirstPause * (1 << std::min(retry, 6u)));
}

bool is_printable(ByteView bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](std::uint8_t c) { return c > 32 && c < 127; });
}

bool is_header_text(std::string_view text) {
  return text.find_first_of(std::string_view("\r\n\0", 3)) == std::string_view::npos;
}

// Of what exists to be wrapped, when nobody said for how long; as Vault's clients.
constexpr const char* kWrapTtl = "5m";

Fields headers_of(const Settings& settings, const Call& call) {
  Fields headers = {{"X-Vault-Request", "true"}, {"User-Agent", "leasehold/0.1.0"}};
  if (!settings.name_space.empty()) headers.emplace_back("X-Vault-Namespace", settings.name_space);
  if (!settings.wrap_ttl.empty() && !call.is_preliminary)
    headers.emplace_back("X-Vault-Wrap-TTL", settings.wrap_ttl);
  else if (call.path == "sys/wrapping/wrap" && call.method != "GET")
    headers.emplace_back("X-Vault-Wrap-TTL", kWrapTtl);
  if (settings.policy_override) headers.emplace_back("X-Vault-Policy-Override", "true");
  for (const auto& mfa : settings.mfa) headers.emplace_back("X-Vault-MFA", mfa);
  for (const auto& header : settings.headers) headers.push_back(header);
  return headers;
}

// Cleaned here, since the server only redirects to the clean path, and Vault's client does the
// same.
std::string escaped_target(const Url& server, const Call& call) {
  Fields query = call.query;
  if (call.method == "LIST") query.emplace_back("list", "true");
  return server.path + "/v1/" + escape_path(clean_path(call.path)) + escape_query(query);
}

Json shown_body(const Call& call) {
  Json body = *call.body;
  if (!call.hidden.empty() && body.find(call.hidden) != nullptr) body.set(call.hidden, "[hidden]");
  return body;
}

// In single quotes for a shell.
std::string quoted(std::string_view text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'') {
      out += "'\\''";
    } else {
      out += c;
    }
  }
  return out + "'";
}

std::string base_of(const Url& server) {
  return server.scheme == Url::Scheme::unix_socket ? "http://localhost" : server.origin();
}

// It becomes part of a path.
bool is_request_id(std::string_view text) {
  constexpr std::size_t kMax = 64;
  return !text.empty() && text.size() <= kMax && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-';
  });
}

}  // namespace

bool Answer::has_value() const {
  if (ok()) return !body.empty();
  const Json* warnings = json.find("warnings");
  return status == 404 && ((data() != nullptr && data()->size() > 0) ||
                           (warnings != nullptr && warnings->size() > 0));
}

bool Answer::is_absent() const {
  return status == 404 && json.is_object() && errors().empty() && !has_value();
}

const Json* Answer::data() const {
  const Json* data = json.find("data");
  return data != nullptr && data->is_object() ? data : nullptr;
}

// `299 - "text"` (RFC 7234, section 5.5); empty for one of another form.
std::string text_of_warning(std::string_view header) {
  const std::size_t begin = header.find('"');
  if (!header.starts_with("299 ") || begin == std::string_view::npos) return {};
  std::string text;
  for (std::size_t i = begin + 1; i < header.size() && header[i] != '"'; ++i) {
    if (header[i] == '\\' && i + 1 < header.size()) ++i;
    text += header[i];
  }
  return text;
}

Client::Client(const Settings& settings, std::unique_ptr<Transport> transport, Pause pause)
    : settings_(settings), transport_(std::move(transport)), pause_(std::move(pause)) {
  if (!pause_) pause_ = [](Millis time) { std::this_thread::sleep_for(time); };
}

Result<Answer> Client::send(const Call& call) {
  VAULT_TRY_ASSIGN(Url server, parse_url(settings_.address));
  VAULT_TRY_ASSIGN(RawRequest request, prepare(server, call));
  const std::string method = request.method;
  Answer answer{method, base_of(server) + request.target};
  answer.had_token = !call.token.empty() || !settings_.token.empty();
  auto response = exchange_with_retries(server, request);
  if (response.ok()) response = follow(server, request, std::move(response).value());
  wipe(request.body);
  if (!response.ok()) {
    Error error = std::move(response).error();
    error.message = method + " \"" + answer.url + "\": " + error.message;
    return error;
  }
  answer.status = response->status;
  if (is_request_id(response->request_id)) answer.request_id = std::move(response->request_id);
  answer.content_type = std::move(response->content_type);
  answer.body = std::move(response->body);
  if (answer.body.empty())
    for (const std::string& header : response->warnings)
      if (auto text = text_of_warning(header); !text.empty()) answer.quiet_warnings.push_back(text);
  if (!answer.body.empty()) {
    auto json = parse_json(answer.body, JsonLimits{64, kResponseBytesMax, 1u << 22});
    if (json.ok() && json->is_object()) answer.json = std::move(json).value();
  }
  return answer;
}

Result<RawRequest> Client::prepare(const Url& server, const Call& call) const {
  RawRequest request;
  request.method = call.method == "LIST" ? "GET" : call.method;
  request.target = escaped_target(server, call);
  request.headers = headers_of(settings_, call);
  const SecretBytes& token = call.token.empty() ? settings_.token : call.token;
  if (!is_printable(token.reveal()))
    return failure(Code::invalid, "the token contains characters that no token has; log in again");
  if (!token.empty())
    request.headers.emplace_back("X-Vault-Token", std::string(as_text(token.reveal())));
  for (const auto& header : request.headers)
    if (!is_header_text(header.first) || !is_header_text(header.second))
      return failure(Code::invalid, "a header may not contain a line break");
  if (call.body) {
    request.headers.emplace_back("Content-Type", call.method == "PATCH"
                                                     ? "application/merge-patch+json"
                                                     : "application/json");
    request.body = call.body->dump();
  }
  return request;
}

Result<RawResponse> Client::exchange_with_retries(const Url& server, const RawRequest& request) {
  const unsigned retries_max = is_sent_once(request) ? 0 : settings_.retries_max;
  for (unsigned retry = 0;; ++retry) {
    auto response = transport_->exchange(server, request);
    if (!response.ok() || retry >= retries_max || !is_worth_retrying(*response)) return response;
    pause_(pause_before(retry, *response));
  }
}

// A standby points to the active node with one 307. Never from a secure address to a plain one.
Result<RawResponse> Client::follow(Url& server, RawRequest& request, RawResponse response) {
  const int status = response.status;
  if (settings_.disable_redirects) return response;
  if ((status != 301 && status != 302 && status != 307) || response.location.empty())
    return response;
  const std::string place = response.location.substr(0, response.location.find('#'));
  if (place.starts_with('/')) {
    request.target = place;
  } else {
    VAULT_TRY_ASSIGN(Url next, parse_url(place));
    if (next.scheme == Url::Scheme::unix_socket ||
        (next.scheme == Url::Scheme::http && server.scheme != Url::Scheme::http))
      return failure(Code::denied, "the server redirects to " + next.origin() +
                                       ", which would give up encryption; refused");
    request.target = std::exchange(next.path, {});
    server = std::move(next);
  }
  return exchange_with_retries(server, request);
}

Result<std::string> Client::curl(const Call& call) const {
  VAULT_TRY_ASSIGN(const Url server, parse_url(settings_.address));
  std::string out = "curl";
  if (call.method == "LIST") {
    out += " -X LIST";
  } else if (call.method != "GET") {
    out += " -X " + call.method;
  }
  if (server.scheme == Url::Scheme::unix_socket) out += " --unix-socket " + quoted(server.host);
  if (settings_.proxy) out += " --proxy " + quoted(settings_.proxy->origin());
  if (settings_.tls_skip_verify) out += " --insecure";
  if (!settings_.ca_cert.empty()) out += " --cacert " + quoted(settings_.ca_cert);
  if (!settings_.ca_path.empty()) out += " --capath " + quoted(settings_.ca_path);
  if (!settings_.client_cert.empty()) out += " --cert " + quoted(settings_.client_cert);
  if (!settings_.client_key.empty()) out += " --key " + quoted(settings_.client_key);
  if (!settings_.token.empty()) out += " -H \"X-Vault-Token: $(leasehold print token)\"";
  for (const auto& header : headers_of(settings_, call))
    if (header.first != "User-Agent") out += " -H " + quoted(header.first + ": " + header.second);
  if (call.body) out += " -d " + quoted(shown_body(call).dump());
  Call plain{call.method == "LIST" ? "GET" : call.method, call.path, {}, call.query, {}};
  return out + " " + quoted(base_of(server) + escaped_target(server, plain));
}

}  // namespace leasehold::client
