// operator init: shares and the first root token, printed once.

#include <fmt/core.h>

#include <cstdio>
#include <optional>

#include "cli/leasehold/groups.h"
#include "cli/leasehold/output.h"

namespace leasehold::cli {
namespace {

constexpr Flag kInitFlags[] = {
    {"status", "", Takes::nothing, "", "Only say whether the vault is initialized (0 yes, 2 no)"},
    {"key-shares", "n", Takes::value, "N", "Number of unseal keys (default 5)"},
    {"key-threshold", "t", Takes::value, "N", "How many of them open the vault (default 3)"},
    {"recovery-shares", "", Takes::value, "N", "Number of recovery keys (default 5; device seals)"},
    {"recovery-threshold", "", Takes::value, "N", "How many of them are needed (default 3)"},
    {"pgp-keys", "", Takes::value, "KEYS", "Not supported"},
    {"root-token-pgp-key", "", Takes::value, "KEY", "Not supported"},
    {"recovery-pgp-keys", "", Takes::value, "KEYS", "Not supported"},
};

struct Shares {
  std::int64_t count = 0;
  std::int64_t threshold = 0;
};

int show_whether_initialized(Session& session) {
  const auto answer = session.send({"GET", "sys/init"});
  if (!is_good(answer)) {
    return session.refused("Error checking initialization status", answer) == kSuccess
               ? kSuccess
               : kLocalError;
  }
  const bool initialized = answer->json.bool_at("initialized");
  if (session.format() == Format::table) {
    session.line(initialized ? "Vault is initialized" : "Vault is not initialized");
  } else {
    show_value(session, Json::object().set("Initialized", initialized), {});
  }
  return initialized ? kSuccess : kRemoteError;
}

Result<Shares> shares_of(const Arguments& args, const char* count, const char* threshold) {
  VAULT_TRY_ASSIGN(const std::int64_t n, args.number(count, 5));
  // One share is opened by itself: `-n 1` alone is enough.
  VAULT_TRY_ASSIGN(const std::int64_t t, args.number(threshold, n < 3 ? n : 3));
  return Shares{n, t};
}

// A device opens the vault by itself; people then hold recovery keys instead of unseal keys.
Result<Json> body_for(const Session& session, bool has_device) {
  Json body = Json::object();
  VAULT_TRY_ASSIGN(const Shares recovery,
                   shares_of(session.args(), "recovery-shares", "recovery-threshold"));
  VAULT_TRY_ASSIGN(const Shares keys, shares_of(session.args(), "key-shares", "key-threshold"));
  // What was asked for is sent although it does not apply: the server then refuses the whole, and
  // nobody gets other keys than the ones asked for.
  const auto asked = [&](const char* count, const char* threshold) {
    return session.args().has(count) || session.args().has(threshold);
  };
  if (has_device || asked("recovery-shares", "recovery-threshold"))
    body.set("recovery_shares", recovery.count).set("recovery_threshold", recovery.threshold);
  if (!has_device || asked("key-shares", "key-threshold"))
    body.set("secret_shares", keys.count).set("secret_threshold", keys.threshold);
  return body;
}

void copy(const Json& from, const char* key, Json& to, const char* name) {
  const Json* value = from.find(key);
  to.set(name, value == nullptr || value->is_null() ? Json::array() : *value);
}

Json as_vault_prints(const Json& answer, const Json& body) {
  Json out = Json::object();
  copy(answer, "keys_base64", out, "unseal_keys_b64");
  copy(answer, "keys", out, "unseal_keys_hex");
  // A device keeps what opens the vault: to Vault's readers that is one key of one.
  const bool has_keys = out.find("unseal_keys_hex")->size() > 0;
  out.set("unseal_shares", has_keys ? body.integer_at("secret_shares") : 1);
  out.set("unseal_threshold", has_keys ? body.integer_at("secret_threshold") : 1);
  copy(answer, "recovery_keys_base64", out, "recovery_keys_b64");
  copy(answer, "recovery_keys", out, "recovery_keys_hex");
  // A configuration may want none.
  const bool has_recovery = out.find("recovery_keys_hex")->size() > 0;
  out.set("recovery_keys_shares", has_recovery ? body.integer_at("recovery_shares") : 0);
  out.set("recovery_keys_threshold", has_recovery ? body.integer_at("recovery_threshold") : 0);
  out.set("root_token", answer.string_at("root_token"));
  for (const char* ours : {"audit_public_key", "warnings"})
    if (const Json* value = answer.find(ours)) out.set(ours, *value);
  return out;
}

std::string keys_text(const Json& out, const char* list, const char* title) {
  std::string text;
  int number = 0;
  for (const std::string& key : out.strings_at(list))
    text += fmt::format("{} Key {}: {}\n", title, ++number, key);
  return text;
}

std::string after_shares(const Json& out) {
  return fmt::format(
      "Give each of these {} keys to a different person: they are shown this once and kept "
      "nowhere.\n"
      "Every start needs {} of them; with fewer the data is lost for good. Next:\n\n"
      "  leasehold operator unseal\n",
      out.integer_at("unseal_shares"), out.integer_at("unseal_threshold"));
}

// What shares are for is a property of their slot; nothing where the server does not tell.
std::optional<bool> shares_open_it(const Json& seal) {
  const Json* slots = seal.find("slots");
  if (slots == nullptr || !slots->is_array()) return std::nullopt;
  for (const Json& slot : slots->items())
    if (slot.string_at("kind") == "shamir") return slot.bool_at("may_unseal");
  return std::nullopt;
}

std::string about_recovery_keys(const Json& out, const Json& seal) {
  const auto count = out.strings_at("recovery_keys_b64").size();
  if (count == 0)
    return "There are no recovery keys: without a device that opens it the data is lost.\n";
  const auto threshold = out.integer_at("recovery_keys_threshold");
  std::string text = fmt::format(
      "Give each of these {} recovery keys to a different person: they are shown this once and "
      "kept\n"
      "nowhere.",
      count);
  const auto opens = shares_open_it(seal);
  if (opens.value_or(false))
    text += fmt::format(" {} of them open the vault when the device is gone.", threshold);
  if (!opens.value_or(true))
    text += fmt::format(
        " {} of them approve operations and cannot open the vault: without a\n"
        "device that opens it the data is lost.",
        threshold);
  return text + "\n";
}

std::string after_device(const Json& out, const Json& seal) {
  const std::string access = seal.string_at("access");
  return fmt::format(
      "Success! The vault is initialized, and its seal device has opened it; after a restart it\n"
      "does so again.{}\n\n{}",
      access.empty() ? "" : fmt::format(" What opens it: {}.", access),
      about_recovery_keys(out, seal));
}

// Which slots there are is known after init only.
Json seal_now(Session& session) {
  Call question{"GET", "sys/seal-status"};
  question.is_preliminary = true;
  auto answer = session.send(std::move(question));
  return is_good(answer) ? std::move(answer->json) : Json::object();
}

void print_once(Session& session, const Json& out) {
  session.print(keys_text(out, "unseal_keys_b64", "Unseal"));
  session.print(keys_text(out, "recovery_keys_b64", "Recovery"));
  session.print(fmt::format("\nInitial Root Token: {}\n", out.string_at("root_token")));
  if (const auto key = out.string_at("audit_public_key"); !key.empty())
    session.print(
        fmt::format("Audit Public Key: {}\n"
                    "(keep it off this machine: `audit verify` and `backup verify -public-key=KEY` "
                    "prove with it\nwho signed; a log or backup alone names any key)\n",
                    key));
  // The keys are out before anything else is asked: there is no second time.
  std::fflush(stdout);
  const bool has_shares = !out.strings_at("unseal_keys_b64").empty();
  session.line("\n" + (has_shares ? after_shares(out) : after_device(out, seal_now(session))));
  for (const std::string& warning : out.strings_at("warnings")) session.note("WARNING! " + warning);
}

int run_init(Session& session) {
  for (const char* flag : {"pgp-keys", "root-token-pgp-key", "recovery-pgp-keys"})
    if (session.args().has(flag))
      return session.misused(
          fmt::format("-{} is not supported: pipe the keys to gpg or age instead, for example\n"
                      "  leasehold operator init -format=json | age -R keyholders.txt > init.age",
                      flag));
  if (session.args().is_on("status")) return show_whether_initialized(session);
  Call question{"GET", "sys/seal-status"};
  question.is_preliminary = true;
  const auto status = session.send(std::move(question));
  if (!is_good(status)) return session.refused("Error checking seal status", status);
  auto body = body_for(session, status->json.bool_at("recovery_seal"));
  if (!body.ok()) return session.misused(body.error().message);
  const auto answer = session.send({"PUT", "sys/init", *body});
  if (!is_good(answer)) return session.refused("Error initializing", answer);
  const Json out = as_vault_prints(answer->json, *body);
  if (session.format() != Format::table) return show_value(session, out, {});
  print_once(session, out);
  return kSuccess;
}

constexpr Command kCommands[] = {
    {"operator init", "Prepare a new vault", "[flags]",
     "Makes the root key, splits it and prints the shares and the first root token, once. A vault\n"
     "with a seal device is opened by that, now and after every restart; its shares are recovery\n"
     "keys.\n\n"
     "  $ leasehold operator init\n"
     "  $ leasehold operator init -key-shares=1 -key-threshold=1 -format=json\n"
     "  $ leasehold operator init -recovery-shares=3 -recovery-threshold=2   (TPM or HSM)",
     kInitFlags, 0, 0, run_init},
};

}  // namespace

std::span<const Command> operator_init_commands() { return kCommands; }

}  // namespace leasehold::cli
