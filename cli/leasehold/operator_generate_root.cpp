// operator generate-root: a new root token, when enough holders of the keys agree.

#include <fmt/core.h>

#include "cli/leasehold/ceremony.h"
#include "cli/leasehold/groups.h"
#include "cli/leasehold/output.h"
#include "vault/base/encoding.h"
#include "vault/base/random.h"

namespace leasehold::cli {
namespace {

constexpr const char* kAttempt = "sys/generate-root/attempt";

constexpr Flag kFlags[] = {
    {"init", "", Takes::nothing, "", "Begin; needs no key"},
    {"cancel", "", Takes::nothing, "", "Give up what was begun"},
    {"status", "", Takes::nothing, "", "Only show how far it is"},
    {"generate-otp", "", Takes::nothing, "", "Print a one-time password for -otp"},
    {"otp", "", Takes::value, "OTP", "The one-time password the token is handed out under"},
    {"decode", "", Takes::value, "TOKEN", "Print the token behind an encoded one; needs -otp"},
    {"nonce", "", Takes::value, "NONCE", "Of the operation, as -init shows it"},
    {"pgp-key", "", Takes::value, "KEY", "Not supported"},
};

std::vector<Row> status_rows(const Json& status) {
  std::vector<Row> rows = {{"Key", "Value"},
                           {"Nonce", status.string_at("nonce")},
                           {"Started", status.bool_at("started") ? "true" : "false"},
                           {"Progress", fmt::format("{}/{}", status.integer_at("progress"),
                                                    status.integer_at("required"))},
                           {"Complete", status.bool_at("complete") ? "true" : "false"}};
  if (const std::string token = status.string_at("encoded_token"); !token.empty())
    rows.push_back({"Encoded Token", token});
  if (const std::string otp = status.string_at("otp"); !otp.empty()) {
    rows.push_back({"OTP", otp});
    rows.push_back({"OTP Length", std::to_string(status.integer_at("otp_length"))});
  }
  return rows;
}

int show_answer(Session& session, std::string_view doing, const Result<Answer>& answer) {
  if (!is_good(answer)) return session.refused(doing, answer);
  return show_value(session, answer->json, status_rows(answer->json));
}

int run_init(Session& session) {
  if (session.args().has("pgp-key"))
    return session.misused("-pgp-key is not supported: use a one-time password");
  Json body = Json::object();
  if (const std::string otp = session.args().text("otp"); !otp.empty()) body.set("otp", otp);
  return show_answer(session, "Error initializing root generation",
                     session.send({"PUT", kAttempt, std::move(body)}));
}

int run_cancel(Session& session) {
  const auto answer = session.send({"DELETE", kAttempt});
  if (!is_good(answer)) return session.refused("Error canceling root token generation", answer);
  return session.succeed("Root token generation canceled (if it was started)");
}

// How long the password must be says the server; 28 when it does not.
std::size_t otp_length(Session& session) {
  Call call{"GET", kAttempt};
  call.is_preliminary = true;
  const auto answer = session.send(std::move(call));
  const std::int64_t length = is_good(answer) ? answer->json.integer_at("otp_length") : 0;
  return length >= 20 && length <= 100 ? static_cast<std::size_t>(length) : 28;
}

int run_generate_otp(Session& session) {
  const std::size_t length = otp_length(session);
  SystemRandom random;
  SecretBytes raw(length * 5 / 7);  // what `length` letters of base62 can carry
  random.fill(raw.writable());
  const std::string otp = base62(raw.reveal(), length);
  if (session.format() == Format::table) {
    print_bare(session, otp);
    return kSuccess;
  }
  return show_value(session, Json::object().set("otp", otp), {});
}

int run_decode(Session& session) {
  const std::string otp = session.args().text("otp");
  std::string encoded = session.args().text("decode");
  while (encoded.size() % 4 != 0) encoded += '=';
  auto token = from_base64(encoded);
  if (!token || token->empty())
    return session.misused("-decode takes what the last key gave as Encoded Token");
  if (token->size() != otp.size())
    return session.misused(
        fmt::format("-otp must have {} characters, as many as the token", token->size()));
  for (std::size_t i = 0; i < otp.size(); ++i)
    (*token)[i] = static_cast<std::uint8_t>((*token)[i] ^ static_cast<std::uint8_t>(otp[i]));
  const std::string text(as_text(*token));
  if (session.format() == Format::table) {
    print_bare(session, text);
    return kSuccess;
  }
  return show_value(session, Json::object().set("token", text), {});
}

int run_share(Session& session) {
  auto share = share_for(session, "sys/generate-root/update", kAttempt, "Key");
  if (!share.ok()) return session.misused(share.error().message);
  return show_answer(session, "Error posting a key", session.send(std::move(*share)));
}

int run_generate_root(Session& session) {
  const Arguments& args = session.args();
  if (args.is_on("generate-otp")) return run_generate_otp(session);
  if (args.has("decode")) return run_decode(session);
  if (args.is_on("init")) return run_init(session);
  if (args.is_on("cancel")) return run_cancel(session);
  if (args.is_on("status"))
    return show_answer(session, "Error getting root generation status",
                       session.send({"GET", kAttempt}));
  return run_share(session);
}

constexpr Command kCommands[] = {
    {"operator generate-root", "Make a root token with the keys", "[flags] [KEY]",
     "Makes a root token, once enough holders of the unseal or recovery keys gave theirs. It "
     "comes\n"
     "encoded with a one-time password, so that whoever gives the last key does not see it. A\n"
     "listener answers here without a token only where its stanza says\n"
     "disable_unauthed_generate_root_endpoints = false; else a token with sudo is needed.\n\n"
     "  $ leasehold operator generate-root -init\n"
     "  $ leasehold operator generate-root                          each holder\n"
     "  $ leasehold operator generate-root -decode=TOKEN -otp=OTP",
     kFlags, 0, 1, run_generate_root},
};

}  // namespace

std::span<const Command> operator_generate_root_commands() { return kCommands; }

}  // namespace leasehold::cli
