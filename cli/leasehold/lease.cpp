// lease lookup, renew, revoke, reconcile.

#include <fmt/core.h>

#include "cli/leasehold/groups.h"
#include "cli/leasehold/output.h"

namespace leasehold::cli {
namespace {

constexpr Flag kRenewFlags[] = {
    {"increment", "i", Takes::value, "DURATION", "Lifetime to ask for"},
};
constexpr Flag kRevokeFlags[] = {
    {"force", "f", Takes::nothing, "",
     "Forget leases whose revocation cannot be confirmed (with -prefix)"},
    {"prefix", "", Takes::nothing, "", "The argument is a prefix of leases"},
    {"sync", "", Takes::nothing, "", "Wait until the credentials are gone"},
};

constexpr Flag kReconcileFlags[] = {
    {"fix", "", Takes::nothing, "",
     "Revoke accounts that are on no lease, and end leases whose account is gone"},
};

int run_lookup(Session& session) {
  const std::string id = plain_path(session.args().positional(0));
  Json body = Json::object();
  body.set("lease_id", id);
  const auto answer = session.send({"PUT", "sys/leases/lookup", std::move(body)});
  if (!is_good(answer))
    return session.refused(fmt::format("Error looking up lease id {}", id), answer);
  return show(session, *answer);
}

int run_renew(Session& session) {
  const std::string id = plain_path(session.args().positional(0));
  Json body = Json::object();
  body.set("lease_id", id);
  if (session.args().has("increment")) body.set("increment", session.args().text("increment"));
  const auto answer = session.send({"PUT", "sys/leases/renew", std::move(body)});
  if (!is_good(answer)) return session.refused(fmt::format("Error renewing {}", id), answer);
  return show(session, *answer);
}

struct Revocation {
  std::string id;
  bool by_prefix;
  bool by_force;
  bool waits;
};

Call call_for(const Revocation& what) {
  Json body = Json::object();
  body.set("sync", what.waits);
  if (what.by_force) return {"PUT", "sys/leases/revoke-force/" + what.id, std::move(body)};
  if (what.by_prefix) return {"PUT", "sys/leases/revoke-prefix/" + what.id, std::move(body)};
  body.set("lease_id", what.id);
  return {"PUT", "sys/leases/revoke", std::move(body)};
}

int run_revoke(Session& session) {
  const Arguments& args = session.args();
  const Revocation what = {plain_path(args.positional(0)), args.is_on("prefix"),
                           args.is_on("force"), args.is_on("sync")};
  if (what.by_force && !what.by_prefix)
    return session.misused("Specifying -force requires also specifying -prefix");
  if (what.by_force)
    session.note(
        "WARNING! Leases whose revocation cannot be confirmed are forgotten: their credentials\n"
        "may still exist, and nothing will try again to remove them.");
  const auto answer = session.send(call_for(what));
  if (!is_good(answer))
    return session.refused(fmt::format("Error revoking {}{}",
                                       what.by_prefix ? "leases with prefix " : "lease ", what.id),
                           answer);
  if (did_nothing(*answer)) {
    if (!what.by_prefix)
      session.note(fmt::format("No such lease: {}; did you mean -prefix?", what.id));
    return kSuccess;
  }
  if (what.by_force)
    return session.succeed(fmt::format(
        "Ordered the revocation of all leases with prefix: {}\nWhat is not seen gone within "
        "some 10 seconds is forgotten then, with a receipt.",
        what.id));
  if (!what.waits) {
    session.line("All revocation operations queued successfully!");
    return kSuccess;
  }
  return session.succeed(what.by_prefix ? fmt::format("Revoked any leases with prefix: {}", what.id)
                                        : fmt::format("Revoked lease: {}", what.id));
}

void print_target(const Session& session, const Json& target) {
  const std::string name = target.string_at("name");
  if (const std::string error = target.string_at("error"); !error.empty())
    return session.line(fmt::format("{}: not compared: {}", name, error));
  const bool fixed = target.bool_at("fixed");
  session.line(fmt::format("{}: {} in both, {} only at the target, {} only in leases", name,
                           target.integer_at("in_both"), target.integer_at("only_at_target_count"),
                           target.integer_at("only_in_leases_count")));
  for (const std::string& account : target.strings_at("only_at_target"))
    session.line(fmt::format("  only at the target  {}{}", account, fixed ? ": revoked" : ""));
  if (const Json* leases = target.find("only_in_leases"))
    for (const Json& lease : leases->items())
      session.line(fmt::format("  only in leases      {}  {}{}", lease.string_at("account"),
                               lease.string_at("lease_id"), fixed ? ": lease ended" : ""));
  if (const auto others = target.integer_at("named_otherwise"); others > 0)
    session.line(fmt::format("  not compared        {} named by username_template", others));
}

// Fails when a target was not compared: what is there is not known.
int run_reconcile(Session& session) {
  const std::string mount = plain_path(session.args().positional(0));
  Json body = Json::object();
  body.set("fix", session.args().is_on("fix"));
  const auto answer = session.send({"PUT", "sys/leases/reconcile/" + mount, std::move(body)});
  if (!is_good(answer)) return session.refused(fmt::format("Error reconciling {}", mount), answer);
  const Json* data = answer->json.find("data");
  const Json* targets = data != nullptr ? data->find("targets") : nullptr;
  const bool as_table = session.format() == Format::table && !session.args().has("field");
  if (!as_table || targets == nullptr) return show(session, *answer);
  bool all = true;
  for (const Json& target : targets->items()) {
    print_target(session, target);
    all = all && target.string_at("error").empty();
  }
  show_warnings(session, answer->json);
  return all ? kSuccess : kRemoteError;
}

constexpr Command kCommands[] = {
    {"lease lookup",
     "Show a lease",
     "[flags] ID",
     "Shows when a lease was issued, when it ends and whether it can be renewed.\n\n"
     "  $ leasehold lease lookup database/creds/app/2f6a614c6f7b52e7a1b3c4d5e",
     {},
     1,
     1,
     run_lookup},
    {"lease renew", "Extend a lease", "[flags] ID",
     "Asks for more time, within the maximum of the lease.\n\n"
     "  $ leasehold lease renew -increment=1h database/creds/app/2f6a614c6f7b52e7a1b3c4d5e",
     kRenewFlags, 1, 1, run_renew},
    {"lease revoke", "End a lease now", "[flags] ID",
     "Removes the credential from its target and ends the lease. Until the target confirms\n"
     "it, the server keeps trying; -sync waits for that.\n\n"
     "-force forgets leases whose revocation cannot be confirmed; the credentials may still\n"
     "exist. Leasehold tries for some ten seconds, then forgets what the target did not\n"
     "confirm, and says so in a receipt and in the audit log.\n\n"
     "  $ leasehold lease revoke database/creds/app/2f6a614c6f7b52e7a1b3c4d5e\n"
     "  $ leasehold lease revoke -prefix -sync database/creds/app\n"
     "  $ leasehold lease revoke -force -prefix database/creds/app",
     kRevokeFlags, 1, 1, run_revoke},
    {"lease reconcile", "Compare accounts with leases", "[flags] MOUNT",
     "Lists the accounts of this cluster at every target of a mount and compares them with the\n"
     "leases: in both, only at the target, only in leases. Accounts of other clusters, and names\n"
     "that the vault did not make, are never touched.\n\n"
     "-fix revokes the accounts that are on no lease and ends the leases whose account is gone,\n"
     "on record, and waits until they are seen gone.\n\n"
     "  $ leasehold lease reconcile database\n"
     "  $ leasehold lease reconcile -fix database",
     kReconcileFlags, 1, 1, run_reconcile},
};

}  // namespace

std::span<const Command> lease_commands() { return kCommands; }

}  // namespace leasehold::cli
