// login: prove who you are, keep the token for the next commands.

#include <fmt/core.h>

#include <algorithm>
#include <iterator>

#include "cli/leasehold/groups.h"
#include "cli/leasehold/input.h"
#include "cli/leasehold/login_methods.h"
#include "cli/leasehold/output.h"
#include "cli/leasehold/token_store.h"

namespace leasehold::cli {
namespace {

constexpr Flag kLoginFlags[] = {
    {"method", "", Takes::value, "METHOD",
     "token (default), userpass, ldap, approle, jwt, cert, ..."},
    {"path", "", Takes::value, "PATH", "Where the method is mounted (default: its name)"},
    {"no-store", "", Takes::nothing, "", "Do not keep the token"},
    {"no-print", "", Takes::nothing, "", "Keep the token and print nothing"},
    {"token-only", "", Takes::nothing, "", "Print only the token and keep nothing"},
};

// The envelope that a login with an existing token would have given, from sys lookup-self.
Json envelope_of_lookup(const Json& data, std::string_view token) {
  Json auth = Json::object();
  auth.set("client_token", token);
  auth.set("accessor", data.string_at("accessor"));
  auth.set("lease_duration", data.integer_at("ttl"));
  auth.set("renewable", data.bool_at("renewable"));
  auth.set("token_policies", data.strings_at("policies"));
  auth.set("identity_policies", data.strings_at("identity_policies"));
  std::vector<std::string> all = data.strings_at("policies");
  for (const std::string& policy : data.strings_at("identity_policies")) all.push_back(policy);
  auth.set("policies", all);
  const Json* meta = data.find("meta");
  auth.set("metadata", meta == nullptr ? Json() : *meta);
  Json envelope = Json::object();
  envelope.set("auth", std::move(auth));
  return envelope;
}

// The token from the words: `TOKEN`, `token=TOKEN`, `-`, or asked.
Result<SecretBytes> given_token(const Session& session) {
  std::string word = session.args().positional(0);
  if (word.compare(0, 6, "token=") == 0) word.erase(0, 6);
  if (word.empty()) return ask_hidden(session, "Token");
  if (word != "-") return SecretBytes(word);
  VAULT_TRY_ASSIGN(std::string piped, read_input("-"));
  while (!piped.empty() && (piped.back() == '\n' || piped.back() == '\r')) piped.pop_back();
  return SecretBytes(piped);
}

struct Login {
  int code = kSuccess;  // of a login that failed, already explained
  Json envelope;
};

constexpr char kNotAccepted[] =
    "this token was not accepted: it is unknown, expired or revoked, or may not look itself up";

Login login_with_token(Session& session) {
  if (const auto count = session.args().positionals().size(); count > 1)
    return {session.misused(fmt::format("Too many arguments (expected 1, got {})", count)), {}};
  const auto token = given_token(session);
  if (!token.ok()) return {session.misused(token.error().message), {}};
  Call call{"GET", "auth/token/lookup-self"};
  call.token = token->clone();
  const auto answer = session.send(std::move(call));
  if (!is_good(answer) || answer->data() == nullptr)
    return {session.refused("Error authenticating: error looking up token", answer,
                            answer.ok() && answer->status == 403 ? kNotAccepted : ""),
            {}};
  return {kSuccess, envelope_of_lookup(*answer->data(), as_text(token->reveal()))};
}

bool has_user_in_path(std::string_view method) {
  const auto* const end = std::end(kUserInPath);
  return std::find(std::begin(kUserInPath), end, method) != end;
}

// A method that is not there is denied, too, in the same words as a name that is locked.
std::string hint_of_method(const Result<Answer>& answer, const std::string& mount) {
  if (!answer.ok() || (answer->status != 403 && answer->status != 404)) return {};
  if (answer->status == 403)
    return fmt::format(
        "this name may be locked after failed logins: wait, or have an operator look:\n"
        "      leasehold read sys/locked-users\n"
        "      Or no auth method is mounted at auth/{}/: see leasehold auth list, and give\n"
        "      -path=PATH for one that is mounted elsewhere",
        mount);
  return fmt::format(
      "is an auth method mounted at auth/{}/? Who may list them sees it: leasehold auth list\n"
      "      and one that is mounted elsewhere needs -path=PATH",
      mount);
}

Login login_with_method(Session& session, const std::string& method) {
  auto data = parse_data(session.args().positionals(), 0);
  if (!data.ok()) return {session.misused(data.error().message), {}};
  std::string hidden;
  const std::string mount = plain_path(session.args().text("path", method));
  std::string path = fmt::format("auth/{}/login", mount);
  if (has_user_in_path(method)) {
    const std::string user = data->string_at("username");
    if (user.empty())
      return {session.misused(fmt::format("-method={} needs username=NAME", method)), {}};
    path += "/" + user;
    data->erase("username");
    if (data->find("password") == nullptr) {
      const auto password = ask_hidden(session, "Password");
      if (!password.ok()) return {session.misused(password.error().message), {}};
      hidden = "password";
      data->set(hidden, as_text(password->reveal()));
    }
  }
  Call call{"PUT", path, std::move(data).value()};
  call.hidden = hidden;
  auto answer = session.send(std::move(call));
  if (!is_good(answer))
    return {session.refused("Error authenticating", answer, hint_of_method(answer, mount)), {}};
  return {kSuccess, std::move(answer->json)};
}

const Json* auth_of(const Json& envelope) {
  const Json* auth = envelope.find("auth");
  return auth != nullptr && auth->is_object() ? auth : nullptr;
}

void say_authenticated(const Session& session, bool stored) {
  if (session.format() != Format::table || session.args().has("field")) return;
  if (stored && client::environment("TOKEN").value_or("") != "")
    session.note(
        "WARNING! The VAULT_TOKEN environment variable is set! Its value wins over the token\n"
        "that was just stored; run: unset VAULT_TOKEN\n");
  session.line(stored
                   ? "Success! You are now authenticated. The token below is stored, so the next "
                     "commands\nuse it by themselves.\n"
                   : "Success! You are now authenticated. The token was not stored; set "
                     "VAULT_TOKEN\nto use it.\n");
}

int run_login(Session& session) {
  const std::string method = session.args().text("method", "token");
  const Login login =
      method == "token" ? login_with_token(session) : login_with_method(session, method);
  const Json* auth = auth_of(login.envelope);
  if (auth == nullptr) {
    if (login.code != kSuccess || session.describes()) return login.code;
    const Json* wrapped = login.envelope.find("wrap_info");
    if (wrapped != nullptr && wrapped->is_object()) return show_json(session, login.envelope);
    session.note("Error authenticating: the server answered without a token");
    return kRemoteError;
  }
  if (session.args().is_on("token-only")) {
    print_bare(session, auth->string_at("client_token"));
    return kSuccess;
  }
  const bool store = !session.args().is_on("no-store");
  if (store) {
    const Status stored = store_token(SecretBytes(auth->string_at("client_token")));
    if (!stored.ok()) return session.misused("Error storing token: " + stored.error().message);
  }
  if (session.args().is_on("no-print")) return kSuccess;
  say_authenticated(session, store);
  return show_json(session, login.envelope);
}

constexpr Command kCommands[] = {
    {"login", "Authenticate and keep the token", "[flags] [TOKEN | K=V...]",
     "Authenticates and keeps the token in ~/.vault-token (mode 0600), where every Vault client "
     "on\n"
     "this machine finds it, or gives it to the program that ~/.vault names as token_helper.\n"
     "Without a token it asks, and what is typed is not shown. Of the methods other than token\n"
     "Leasehold's server has userpass and approle.\n\n"
     "  $ leasehold login\n"
     "  $ leasehold login -method=userpass username=alice\n"
     "  $ export VAULT_TOKEN=$(leasehold login -token-only -method=jwt role=ci jwt=@token.jwt)",
     kLoginFlags, 0, kAnyNumber, run_login},
};

}  // namespace

std::span<const Command> login_commands() { return kCommands; }

}  // namespace leasehold::cli
