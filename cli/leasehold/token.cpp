// token create, lookup, renew, revoke, capabilities.

#include <fmt/format.h>

#include <algorithm>

#include "cli/leasehold/groups.h"
#include "cli/leasehold/output.h"
#include "vault/base/duration.h"

namespace leasehold::cli {
namespace {

constexpr Flag kCreateFlags[] = {
    {"id", "", Takes::value, "TOKEN", "Value of the token (needs sudo)"},
    {"display-name", "", Takes::value, "NAME", "Name shown in look-ups and the audit log"},
    {"ttl", "", Takes::value, "DURATION", "Lifetime until it must be renewed"},
    {"explicit-max-ttl", "", Takes::value, "DURATION", "Lifetime that no renewal exceeds"},
    {"period", "", Takes::value, "DURATION", "Renewable for ever, in steps of this (needs sudo)"},
    {"renewable", "", Takes::nothing, "", "Whether it can be renewed (default true)"},
    {"orphan", "", Takes::nothing, "", "Does not end with its parent (needs sudo)"},
    {"no-default-policy", "", Takes::nothing, "", "Leave out the policy \"default\""},
    {"use-limit", "", Takes::value, "N", "Ends after so many uses"},
    {"role", "", Takes::value, "NAME", "Token role to create it by"},
    {"type", "", Takes::value, "TYPE", "service (default) or batch"},
    {"metadata", "", Takes::values, "K=V", "Shown in the audit log; may be repeated"},
    {"policy", "", Takes::values, "NAME", "Policy to attach; may be repeated"},
    {"entity-alias", "", Takes::value, "NAME", "Alias to act as (with -role)"},
};
constexpr Flag kAccessorFlags[] = {
    {"accessor", "", Takes::nothing, "", "The argument is an accessor"},
};
constexpr Flag kRenewFlags[] = {
    {"accessor", "", Takes::nothing, "", "The argument is an accessor"},
    {"increment", "i", Takes::value, "DURATION", "Lifetime to ask for"},
    {"fail-if-not-fulfilled", "", Takes::nothing, "",
     "Exit code 1 when less than -increment is given"},
};
constexpr Flag kRevokeFlags[] = {
    {"accessor", "", Takes::nothing, "", "The argument is an accessor"},
    {"self", "", Takes::nothing, "", "Revoke the token in use"},
    {"mode", "", Takes::value, "MODE", "orphan: spare the children; path: all tokens made at PATH"},
};

Result<Json> metadata_of(const Arguments& args) {
  Json metadata = Json::object();
  for (const std::string& pair : args.texts("metadata")) {
    const auto equals = pair.find('=');
    if (equals == std::string::npos || equals == 0)
      return failure(Code::invalid, "-metadata needs K=V");
    metadata.set(pair.substr(0, equals), pair.substr(equals + 1));
  }
  return metadata;
}

Result<Json> creation_body(const Arguments& args) {
  Json body = Json::object();
  VAULT_TRY_ASSIGN(Json metadata, metadata_of(args));
  VAULT_TRY_ASSIGN(const std::int64_t uses, args.number("use-limit", 0));
  constexpr std::pair<const char*, const char*> kTexts[] = {
      {"id", "id"},
      {"display-name", "display_name"},
      {"ttl", "ttl"},
      {"explicit-max-ttl", "explicit_max_ttl"},
      {"period", "period"},
      {"type", "type"},
      {"entity-alias", "entity_alias"}};
  for (const auto& text : kTexts)
    if (args.has(text.first)) body.set(text.second, args.text(text.first));
  if (args.has("policy")) body.set("policies", args.texts("policy"));
  if (metadata.size() > 0) body.set("meta", std::move(metadata));
  if (args.has("use-limit")) body.set("num_uses", uses);
  body.set("renewable", args.is_on("renewable", true));
  body.set("no_parent", args.is_on("orphan"));
  body.set("no_default_policy", args.is_on("no-default-policy"));
  return body;
}

int run_create(Session& session) {
  auto body = creation_body(session.args());
  if (!body.ok()) return session.misused(body.error().message);
  const std::string role = session.args().text("role");
  const std::string path = "auth/token/create" + (role.empty() ? "" : "/" + role);
  const auto answer = session.send({"POST", path, std::move(body).value()});
  if (!is_good(answer)) return session.refused("Error creating token", answer);
  return show(session, *answer);
}

// `token renew X`, `token renew -accessor X`, `token renew`: three paths, one body.
Call call_about_token(const Session& session, const char* operation, Json body) {
  const std::string subject = session.args().positional(0);
  const std::string path = fmt::format("auth/token/{}", operation);
  if (session.args().is_on("accessor")) {
    body.set("accessor", subject);
    return {"PUT", path + "-accessor", std::move(body)};
  }
  if (subject.empty()) return {"PUT", path + "-self", std::move(body)};
  body.set("token", subject);
  return {"PUT", path, std::move(body)};
}

int accessor_missing(const Session& session) {
  return session.misused("Not enough arguments with -accessor (expected 1, got 0)");
}

bool lacks_accessor(const Session& session) {
  return session.args().is_on("accessor") && session.args().positional(0).empty();
}

int run_lookup(Session& session) {
  if (lacks_accessor(session)) return accessor_missing(session);
  Call call = call_about_token(session, "lookup", Json::object());
  if (call.path == "auth/token/lookup-self") call = {"GET", call.path};
  const auto answer = session.send(std::move(call));
  if (!is_good(answer)) return session.refused("Error looking up token", answer);
  return show(session, *answer);
}

// -fail-if-not-fulfilled: less than -increment was given.
bool falls_short(const Arguments& args, const Answer& answer) {
  const auto asked = parse_duration(args.text("increment"));
  const Json* const auth = answer.json.find("auth");
  return args.is_on("fail-if-not-fulfilled") && asked.ok() && auth != nullptr &&
         auth->integer_at("lease_duration") < asked->count();
}

int run_renew(Session& session) {
  if (lacks_accessor(session)) return accessor_missing(session);
  Json body = Json::object();
  if (session.args().has("increment")) body.set("increment", session.args().text("increment"));
  const auto answer = session.send(call_about_token(session, "renew", std::move(body)));
  if (!is_good(answer)) return session.refused("Error renewing token", answer);
  const int shown = show(session, *answer);
  if (shown != kSuccess || !falls_short(session.args(), *answer)) return shown;
  return session.misused("Token renewal completed with a capped duration");
}

Result<Call> revocation(const Session& session) {
  const Arguments& args = session.args();
  const std::string subject = args.positional(0);
  const std::string mode = args.text("mode");
  if (!mode.empty() && mode != "orphan" && mode != "path")
    return failure(Code::invalid, "Invalid mode: " + mode + "; use orphan or path");
  if (args.is_on("self")) {
    if (!subject.empty() || args.is_on("accessor") || !mode.empty())
      return failure(Code::invalid, "-self takes no token, -accessor or -mode");
    return Call{"PUT", "auth/token/revoke-self"};
  }
  if (subject.empty())
    return failure(Code::invalid,
                   "Not enough arguments (expected 1, got 0); the token in use is "
                   "revoked with -self");
  if (args.is_on("accessor") && !mode.empty())
    return failure(Code::invalid, "-accessor takes no -mode");
  if (mode == "path") return Call{"PUT", "sys/leases/revoke-prefix/" + plain_path(subject)};
  Json body = Json::object();
  if (mode != "orphan") return call_about_token(session, "revoke", std::move(body));
  body.set("token", subject);
  return Call{"PUT", "auth/token/revoke-orphan", std::move(body)};
}

int run_revoke(Session& session) {
  auto call = revocation(session);
  if (!call.ok()) return session.misused(call.error().message);
  const auto answer = session.send(std::move(call).value());
  if (!is_good(answer)) return session.refused("Error revoking token", answer);
  show_warnings(session, answer->json);
  return session.did(*answer, "Revoked token (if it existed)");
}

// `capabilities PATH` asks about oneself, `capabilities TOKEN PATH` about a token. A path has a
// slash or follows a token; with one argument there is no doubt.
int run_capabilities(Session& session) {
  const auto& words = session.args().positionals();
  const bool by_accessor = session.args().is_on("accessor");
  const bool about_self = words.size() == 1;
  if (by_accessor && about_self)
    return session.misused("Not enough arguments with -accessor (expected 2, got 1)");
  const std::string path = words.back();
  Json body = Json::object();
  body.set("paths", std::vector<std::string>{path});
  if (!about_self) body.set(by_accessor ? "accessor" : "token", words[0]);
  const char* const whose = about_self ? "-self" : by_accessor ? "-accessor" : "";
  const auto answer =
      session.send({"POST", std::string("sys/capabilities") + whose, std::move(body)});
  if (!is_good(answer)) return session.refused("Error listing capabilities", answer);
  const Json* data = answer->data();
  std::vector<std::string> capabilities =
      data == nullptr ? std::vector<std::string>{} : data->strings_at(path);
  if (capabilities.empty()) capabilities = answer->json.strings_at("capabilities");
  if (capabilities.empty() && data != nullptr) capabilities = data->strings_at("capabilities");
  std::sort(capabilities.begin(), capabilities.end());
  if (session.format() != Format::table) return show_value(session, Json(capabilities), {});
  session.line(fmt::format("{}", fmt::join(capabilities, ", ")));
  return kSuccess;
}

constexpr Command kCommands[] = {
    {"token create", "Create a token", "[flags]",
     "Creates a child of the token in use.\n\n"
     "  $ leasehold token create -policy=app -ttl=1h\n"
     "  $ leasehold token create -orphan -period=24h -policy=ci",
     kCreateFlags, 0, 0, run_create},
    {"token lookup", "Show what a token is", "[flags] [TOKEN | ACCESSOR]",
     "Shows a token's policies, lifetime and origin; without an argument, those of the one in "
     "use.\n\n"
     "  $ leasehold token lookup\n"
     "  $ leasehold token lookup -accessor 9793c9b3-e04a-46f3-e7b8-748d7da248da",
     kAccessorFlags, 0, 1, run_lookup},
    {"token renew", "Extend a token's life", "[flags] [TOKEN | ACCESSOR]",
     "Renews a token; without an argument, the one in use.\n\n"
     "  $ leasehold token renew -increment=2h",
     kRenewFlags, 0, 1, run_renew},
    {"token revoke", "End a token and all it created", "[flags] [TOKEN | ACCESSOR | PATH]",
     "Ends a token, its children and their leases, at once. With -mode=path the argument is\n"
     "a path below auth/, and all tokens that were made there end, with their children.\n\n"
     "  $ leasehold token revoke -accessor 9793c9b3-e04a-46f3-e7b8-748d7da248da\n"
     "  $ leasehold token revoke -self\n"
     "  $ leasehold token revoke -mode=path auth/userpass/login/alice",
     kRevokeFlags, 0, 1, run_revoke},
    {"token capabilities", "Show what a token may do at a path", "[flags] [TOKEN | ACCESSOR] PATH",
     "Shows the capabilities of a token at PATH; without TOKEN, of the one in use.\n\n"
     "  $ leasehold token capabilities secret/data/app",
     kAccessorFlags, 1, 2, run_capabilities},
};

}  // namespace

std::span<const Command> token_commands() { return kCommands; }

}  // namespace leasehold::cli
