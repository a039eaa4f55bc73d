// operator rekey: new unseal or recovery keys for the old ones.

#include <fmt/core.h>

#include "cli/leasehold/ceremony.h"
#include "cli/leasehold/groups.h"
#include "cli/leasehold/output.h"

namespace leasehold::cli {
namespace {

constexpr Flag kFlags[] = {
    {"init", "", Takes::nothing, "", "Begin; needs no key"},
    {"cancel", "", Takes::nothing, "", "Give up what was begun; the old keys stay"},
    {"status", "", Takes::nothing, "", "Only show how far it is"},
    {"key-shares", "n", Takes::value, "N", "Number of new keys (default 5)"},
    {"key-threshold", "t", Takes::value, "N", "How many of them are needed (default 3)"},
    {"nonce", "", Takes::value, "NONCE", "Of the operation, as -init shows it"},
    {"target", "", Takes::value, "TARGET", "barrier (default), or recovery: keys beside a device"},
    {"verify", "", Takes::nothing, "",
     "With -init: the new keys count once they were shown; with a key: show a new key"},
    {"pgp-keys", "", Takes::value, "KEYS", "Not supported"},
    {"backup", "", Takes::nothing, "", "Not supported"},
    {"backup-retrieve", "", Takes::nothing, "", "Not supported: keys are never kept"},
    {"backup-delete", "", Takes::nothing, "", "Not supported: keys are never kept"},
};

Result<std::string> path_of(const Arguments& args) {
  const std::string target = args.text("target", "barrier");
  if (target == "barrier") return std::string("sys/rekey/");
  if (target == "recovery" || target == "hsm") return std::string("sys/rekey-recovery-key/");
  return failure(Code::invalid, "-target is barrier or recovery");
}

std::vector<Row> status_rows(const Json& status) {
  std::vector<Row> rows = {{"Key", "Value"},
                           {"Nonce", status.string_at("nonce")},
                           {"Started", status.bool_at("started") ? "true" : "false"}};
  if (!status.bool_at("started")) return rows;
  const std::int64_t required =
      status.find("required") != nullptr ? status.integer_at("required") : status.integer_at("t");
  rows.push_back({"Rekey Progress", fmt::format("{}/{}", status.integer_at("progress"), required)});
  rows.push_back({"New Shares", std::to_string(status.integer_at("n"))});
  rows.push_back({"New Threshold", std::to_string(status.integer_at("t"))});
  if (status.find("verification_required") != nullptr)
    rows.push_back(
        {"Verification Required", status.bool_at("verification_required") ? "true" : "false"});
  if (const std::string nonce = status.string_at("verification_nonce"); !nonce.empty())
    rows.push_back({"Verification Nonce", nonce});
  return rows;
}

int show_status(Session& session, const Json& status) {
  return show_value(session, status, status_rows(status));
}

int run_status(Session& session, const std::string& path) {
  const bool verifies = session.args().is_on("verify");
  const auto answer = session.send({"GET", path + (verifies ? "verify" : "init")});
  if (!is_good(answer)) return session.refused("Error getting rekey status", answer);
  return show_status(session, answer->json);
}

int run_cancel(Session& session, const std::string& path) {
  const bool verifies = session.args().is_on("verify");
  const auto answer = session.send({"DELETE", path + (verifies ? "verify" : "init")});
  if (!is_good(answer)) return session.refused("Error canceling rekey", answer);
  return session.succeed(verifies ? "Canceled the verification (if it was started); it begins anew."
                                  : "Canceled rekeying (if it was started)");
}

int run_init(Session& session, const std::string& path) {
  const Arguments& args = session.args();
  if (args.has("pgp-keys") || args.is_on("backup"))
    return session.misused("-pgp-keys and -backup are not supported: encrypt the printed keys");
  const auto shares = args.number("key-shares", 5);
  if (!shares.ok()) return session.misused(shares.error().message);
  const auto threshold = args.number("key-threshold", *shares < 3 ? *shares : 3);
  if (!threshold.ok()) return session.misused(threshold.error().message);
  Json body = Json::object();
  body.set("secret_shares", *shares).set("secret_threshold", *threshold);
  body.set("require_verification", args.is_on("verify"));
  const auto answer = session.send({"PUT", path + "init", std::move(body)});
  if (!is_good(answer)) {
    const bool other = answer.ok() && answer->body.find("rekey-recovery-key") != std::string::npos;
    return session.refused("Error initializing rekey", answer,
                           other ? "leasehold operator rekey -init -target=recovery" : "");
  }
  if (session.format() == Format::table && !args.is_on("verify"))
    session.note(
        "WARNING! The answer to the last key is the only copy of the new keys, and the old ones "
        "end "
        "with it.\n-init -verify keeps the old ones until the new ones were shown.\n");
  return show_status(session, answer->json);
}

int show_keys_once(Session& session, const Json& done) {
  if (session.format() != Format::table) return show_value(session, done, {});
  int number = 0;
  std::string text;
  for (const std::string& key : done.strings_at("keys_base64"))
    text += fmt::format("Key {}: {}\n", ++number, key);
  show_warnings(session, done);
  session.print(text + fmt::format("\nOperation nonce: {}\n\n", done.string_at("nonce")));
  if (const std::string nonce = done.string_at("verification_nonce"); !nonce.empty())
    session.print(
        fmt::format("The old keys count until enough of these {} keys were shown:\n\n"
                    "  leasehold operator rekey -verify -nonce={}\n",
                    number, nonce));
  else if (done.strings_at("warnings").empty())
    session.print(fmt::format(
        "The keys that were used until now are worth nothing any more. Give each of these {} keys "
        "to\na different person: they are shown this once and kept nowhere.\n",
        number));
  return kSuccess;
}

int run_share(Session& session, const std::string& path) {
  const bool verifies = session.args().is_on("verify");
  const std::string question = path + (verifies ? "verify" : "init");
  auto share = share_for(session, path + (verifies ? "verify" : "update"), question,
                         verifies ? "New Key" : "Rekey Key");
  if (!share.ok()) return session.misused(share.error().message);
  const auto answer = session.send(std::move(*share));
  if (!is_good(answer))
    return session.refused(verifies ? "Error verifying" : "Error updating rekey", answer);
  if (!answer->json.bool_at("complete")) return show_status(session, answer->json);
  if (!verifies) return show_keys_once(session, answer->json);
  if (session.format() != Format::table) return show_value(session, answer->json, {});
  return session.succeed("Rekey verification successful. The new keys count from now on.");
}

int run_rekey(Session& session) {
  const Arguments& args = session.args();
  const auto path = path_of(args);
  if (!path.ok()) return session.misused(path.error().message);
  if (args.is_on("backup-retrieve") || args.is_on("backup-delete"))
    return session.misused("there is no backup of keys: they are shown once and kept nowhere");
  if (args.is_on("init")) return run_init(session, *path);
  if (args.is_on("cancel")) return run_cancel(session, *path);
  if (args.is_on("status")) return run_status(session, *path);
  return run_share(session, *path);
}

constexpr Command kCommands[] = {
    {"operator rekey", "Replace the unseal or recovery keys", "[flags] [KEY]",
     "Makes new keys, once enough holders of the current ones gave theirs. Without KEY it asks, "
     "and\nwhat is typed is not shown. A listener answers here without a token only where its "
     "stanza says\ndisable_unauthed_rekey_endpoints = false; else a token with sudo is needed.\n\n"
     "  $ leasehold operator rekey -init -verify -key-shares=5 -key-threshold=3\n"
     "  $ leasehold operator rekey                 each holder, with a current key\n"
     "  $ leasehold operator rekey -verify         each holder, with a new key",
     kFlags, 0, 1, run_rekey},
    {"operator rotate-keys", "Replace the unseal or recovery keys", "[flags] [KEY]",
     "The name that OpenBao has for `operator rekey`; see there.\n\n"
     "  $ leasehold operator rotate-keys -init -key-shares=5 -key-threshold=3",
     kFlags, 0, 1, run_rekey},
};

}  // namespace

std::span<const Command> operator_rekey_commands() { return kCommands; }

}  // namespace leasehold::cli
