#include "cli/leasehold/session.h"

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "cli/leasehold/explain.h"
#include "cli/leasehold/policy_sample.h"
#include "cli/leasehold/token_store.h"
#include "vault/base/encoding.h"
#include "vault/base/nothing_done.h"
#include "vault/base/printable.h"
#include "vault/base/url_path.h"

namespace leasehold::cli {
namespace {

constexpr std::string_view kLayout = "\n\t";

void override_text(const Arguments& arguments, std::string_view flag, std::string& to) {
  if (arguments.has(flag)) to = arguments.text(flag);
}

Result<Format> parse_format(const Arguments& arguments) {
  const std::string name =
      lower_case(arguments.text("format", client::environment("FORMAT").value_or("")));
  if (name.empty() || name == "table") return Format::table;
  if (name == "json" || name == "pretty") return Format::json;
  if (name == "yaml" || name == "yml") return Format::yaml;
  if (name == "raw") return Format::raw;
  return failure(Code::invalid, "Invalid format \"" + name + "\": use table, json, yaml or raw");
}

Status override_settings(const Arguments& arguments, client::Settings& settings) {
  if (auto agent = client::environment("AGENT_ADDR"); agent && !agent->empty())
    settings.address = *agent;
  override_text(arguments, "address", settings.address);
  override_text(arguments, "agent-address", settings.address);
  override_text(arguments, "ca-cert", settings.ca_cert);
  override_text(arguments, "ca-path", settings.ca_path);
  override_text(arguments, "client-cert", settings.client_cert);
  override_text(arguments, "client-key", settings.client_key);
  override_text(arguments, "tls-server-name", settings.tls_server_name);
  override_text(arguments, "namespace", settings.name_space);
  override_text(arguments, "wrap-ttl", settings.wrap_ttl);
  settings.tls_skip_verify = arguments.is_on("tls-skip-verify", settings.tls_skip_verify);
  settings.disable_redirects = arguments.is_on("disable-redirects", settings.disable_redirects);
  settings.policy_override = arguments.is_on("policy-override");
  if (arguments.has("mfa")) settings.mfa = arguments.texts("mfa");
  for (const std::string& header : arguments.texts("header")) {
    const auto equals = header.find('=');
    if (equals == std::string::npos || equals == 0)
      return failure(Code::invalid, "-header needs NAME=VALUE");
    settings.headers.emplace_back(header.substr(0, equals), header.substr(equals + 1));
  }
  return {};
}

// One without the other is a mistake that no server would tell.
Status check_client_certificate(const client::Settings& settings) {
  const bool certificate = !settings.client_cert.empty() || !settings.client_cert_pem.empty();
  const bool key = !settings.client_key.empty() || !settings.client_key_pem.empty();
  if (certificate == key) return {};
  return failure(Code::invalid,
                 "both client cert and client key must be provided: set VAULT_CLIENT_CERT and "
                 "VAULT_CLIENT_KEY, or neither");
}

void hide(Json& body, std::string_view key) {
  if (body.find(key) != nullptr) body.set(key, "[hidden]");
}

// What came by a pipe (`-`, `key=-`) is not for the eye, as what was typed without echo.
Json without_piped(Json body, const std::vector<std::string>& words) {
  const Json* const data = body.find("data");  // of key/value version 2
  Json inner = data != nullptr && data->is_object() ? *data : Json::object();
  for (const std::string& word : words) {
    if (!word.ends_with("=-")) continue;
    const std::string_view key = std::string_view(word).substr(0, word.size() - 2);
    hide(body, key);
    hide(inner, key);
  }
  if (inner.size() > 0) body.set("data", std::move(inner));
  if (std::find(words.begin(), words.end(), "-") == words.end()) return body;
  const Json all = body;
  for (const auto& member : all.members()) hide(body, member.first);
  return body;
}

}  // namespace

Result<std::unique_ptr<Session>> Session::open(Arguments arguments) {
  if (arguments.has("unlock-key"))
    return failure(Code::invalid, "-unlock-key is not supported: namespaces cannot be locked here");
  VAULT_TRY_ASSIGN(const Format format, parse_format(arguments));
  VAULT_TRY_ASSIGN(const bool detailed, client::environment_switch("DETAILED", false));
  VAULT_TRY_ASSIGN(client::Settings settings, client::settings_from_environment());
  VAULT_TRY(override_settings(arguments, settings));
  VAULT_TRY(check_client_certificate(settings));
  const bool is_detailed = arguments.is_on("detailed", detailed);
  return std::unique_ptr<Session>(
      new Session(std::move(arguments), std::move(settings), format, is_detailed));
}

Status Session::find_token() {
  if (!settings_.token.empty() || token_sought_) return {};
  auto token = stored_token();
  lacks_token_ = !token.ok();
  if (lacks_token_) return token.error();
  token_sought_ = true;
  settings_.token = std::move(token).value();
  return {};
}

Result<Answer> Session::send(Call call) {
  if (call.token.empty()) {
    VAULT_TRY(find_token());
  }
  if (!client_) client_.emplace(settings_, client::make_http_transport(settings_));
  if (call.is_preliminary) return client_->send(call);
  if (!describes()) {
    auto answer = client_->send(call);
    if (!answer.ok()) return answer;
    for (const std::string& warning : answer->quiet_warnings) note("WARNING! " + warning);
    ask_why(call, *answer);
    return answer;
  }
  if (!described_) {
    VAULT_TRY(describe(call));
  }
  described_ = true;
  return failure(Code::unsupported, "");  // refused() knows
}

// Of a denial, with the token that was denied: it may know.
void Session::ask_why(const Call& call, Answer& denied) {
  if (denied.status != 403 || denied.request_id.empty()) return;
  Call question{"GET", "sys/explain/" + denied.request_id};
  question.token = call.token.clone();
  question.is_preliminary = true;
  const auto why = client_->send(question);
  if (is_good(why) && why->data() != nullptr)
    denied.explanation = why->data()->string_at("explanation");
}

bool Session::describes() const {
  return arguments_.is_on("output-curl-string") || arguments_.is_on("output-policy");
}

Status Session::describe(const Call& call) const {
  if (arguments_.is_on("output-policy")) {
    line(policy_for(call));
    return {};
  }
  Call shown{call.method, call.path, call.body, call.query};
  shown.hidden = call.hidden;
  if (shown.body) shown.body = without_piped(*std::move(shown.body), arguments_.positionals());
  VAULT_TRY_ASSIGN(const std::string command, client_->curl(shown));
  line(command);
  return {};
}

int Session::refused(std::string_view doing, const Result<Answer>& answer,
                     std::string_view hint) const {
  if (described_) return kSuccess;
  note(explain(doing, answer, settings_, hint));
  return lacks_token_ ? kLocalError : kRemoteError;
}

int Session::misused(std::string_view message) const {
  note(message);
  return kLocalError;
}

// A file or a program gets every byte; a terminal no sequence that others wrote.
void Session::print(std::string_view text) const {
  if (!is_terminal_) {
    std::fwrite(text.data(), 1, text.size(), stdout);
    return;
  }
  const std::string shown = printable(text, kLayout);
  std::fwrite(shown.data(), 1, shown.size(), stdout);
}

void Session::line(std::string_view text) const {
  print(text);
  print("\n");
}

void Session::note(std::string_view text) const {
  std::fflush(stdout);
  const std::string shown = printable(text, kLayout);
  std::fwrite(shown.data(), 1, shown.size(), stderr);
  std::fputc('\n', stderr);
}

int Session::succeed(std::string_view text) const {
  if (format_ == Format::table) line(fmt::format("Success! {}", text));
  return kSuccess;
}

bool did_nothing(const Answer& answer) {
  const auto says_so = [](const std::string& warning) {
    return warning.starts_with(kNothingDone) || warning == kNoSuchAccessor;
  };
  const auto& quiet = answer.quiet_warnings;
  const auto told = answer.json.strings_at("warnings");
  return std::any_of(quiet.begin(), quiet.end(), says_so) ||
         std::any_of(told.begin(), told.end(), says_so);
}

int Session::did(const Answer& answer, std::string_view text) const {
  return did_nothing(answer) ? kSuccess : succeed(text);
}

std::string plain_path(std::string_view path) {
  std::string clean = clean_path(path);
  if (clean.ends_with('/')) clean.pop_back();
  return clean;
}

}  // namespace leasehold::cli
