// sys/rekey/* and sys/rekey-recovery-key/*: new shares for old ones, approved by their holders.
// Both are the same operation on the slot of the shares; which name it has says whether a device
// opens the vault. sys/rotate/root/* and sys/rotate/recovery/* are the same ceremonies under their
// newer names: with a token always, and in the envelope.

#include "vault/seal/rekey.h"
#include "vault/core/sys/shares.h"

namespace leasehold::core {

namespace {

using seal::Rekey;

constexpr const char* kEitherKeysCount =
    "storage failed, and cannot say whether these keys were stored: keep them and the ones that "
    "were "
    "used until now. The next unseal shows which of them count";

class RekeyRoutes {
 public:
  explicit RekeyRoutes(Unsealed& live)
      : live_(live), rekey_(*live.environment.seal, live.environment.random) {}

  // The ceremony that goes on is of the keys that the vault has. By the other name it is neither
  // shown nor given up.
  Status is_of(bool recovery) const {
    const bool has_device = live_.environment.seal->status().recovery_seal;
    if (recovery == has_device) return {};
    return failure(Code::invalid, recovery ? "recovery key operations need a seal device; this "
                                             "vault has unseal keys: use sys/rekey"
                                           : "a device opens this vault, and its keys are "
                                             "recovery keys: use sys/rekey-recovery-key");
  }

  Result<Response> status() const { return Response::bare(200, status_json(rekey_.progress())); }

  Result<Response> begin(const Call& call) {
    VAULT_TRY(refuse_pgp(call));
    Rekey::Plan plan;
    VAULT_TRY_ASSIGN(plan.shares, share_count(call.fields.integer("secret_shares")));
    VAULT_TRY_ASSIGN(plan.threshold, share_count(call.fields.integer("secret_threshold")));
    plan.verified = call.fields.boolean("require_verification");
    VAULT_TRY(rekey_.begin(plan));
    return status();
  }

  Result<Response> cancel() {
    rekey_.cancel();
    return Response::none();
  }

  Result<Response> update(const Call& call, WriteTxn& txn) {
    VAULT_TRY_ASSIGN(SecretBytes share, share_of(call));
    VAULT_TRY_ASSIGN(Rekey::Step step,
                     rekey_.give(std::move(share), call.fields.text("nonce"), live_.registry_key));
    if (step.shares.empty()) return Response::bare(200, status_json(step.progress));
    Json body = Json::object();
    body.set("nonce", step.progress.nonce).set("complete", true);
    body.set("keys", shares_as_text(step.shares, true));
    body.set("keys_base64", shares_as_text(step.shares, false));
    body.set("pgp_fingerprints", nullptr).set("backup", false);
    body.set("verification_required", step.progress.plan.verified);
    if (!step.verification_nonce.empty()) body.set("verification_nonce", step.verification_nonce);
    return finished(Response::bare(200, body), step, txn);
  }

  Result<Response> verification() const {
    const Rekey::Progress now = rekey_.progress();
    if (now.verification_nonce.empty())
      return failure(Code::invalid, "no rekey verification in progress");
    return Response::bare(200, verification_json(now));
  }

  Result<Response> restart_verification() {
    VAULT_TRY(rekey_.restart_verification());
    return verification();
  }

  Result<Response> verify(const Call& call, WriteTxn& txn) {
    VAULT_TRY_ASSIGN(SecretBytes share, share_of(call));
    VAULT_TRY_ASSIGN(const Rekey::Step step,
                     rekey_.verify(std::move(share), call.fields.text("nonce")));
    if (!step.slot) return Response::bare(200, verification_json(step.progress));
    Json body = Json::object();
    body.set("nonce", step.verification_nonce).set("complete", true);
    return finished(Response::bare(200, body), step, txn);
  }

 private:
  static Json status_json(const Rekey::Progress& now) {
    Json body = Json::object();
    body.set("nonce", now.nonce).set("started", now.started);
    body.set("t", static_cast<std::int64_t>(now.plan.threshold));
    body.set("n", static_cast<std::int64_t>(now.plan.shares));
    body.set("progress", static_cast<std::int64_t>(now.progress));
    body.set("required", static_cast<std::int64_t>(now.required));
    body.set("pgp_fingerprints", nullptr).set("backup", false);
    body.set("verification_required", now.plan.verified);
    if (!now.verification_nonce.empty()) body.set("verification_nonce", now.verification_nonce);
    return body;
  }

  static Json verification_json(const Rekey::Progress& now) {
    Json body = Json::object();
    body.set("nonce", now.verification_nonce).set("started", true);
    body.set("t", static_cast<std::int64_t>(now.plan.threshold));
    body.set("n", static_cast<std::int64_t>(now.plan.shares));
    body.set("progress", static_cast<std::int64_t>(now.verified));
    return body;
  }

  // The new slot goes into the batch of this very request. The one it replaces must still be
  // stored: two last shares that arrive together make one new slot, not two.
  Result<Response> finished(Response answer, const Rekey::Step& step, WriteTxn& txn) {
    if (!step.slot) return answer;
    VAULT_TRY(guard_slot(txn, step.slot->id, step.slot->generation - 1, "no rekey in progress"));
    VAULT_TRY(live_.environment.seal->place(txn.changes().storage, *step.slot, live_.registry_key));
    answer.orders.on_commit = [this, slot = *step.slot] { rekey_.installed(slot); };
    if (!step.shares.empty()) answer.orders.warning_in_doubt = kEitherKeysCount;
    return answer;
  }

  Unsealed& live_;
  Rekey rekey_;
};

void add_backup_route(std::vector<Route>& routes, const char* pattern) {
  Route backup =
      route(pattern, {},
            {reads([](Call&, ReadTxn&) -> Result<Response> {
               return failure(Code::invalid, "no backed-up keys found");
             }),
             removes([](Call&, WriteTxn&) -> Result<Response> { return Response::none(); })},
            "Keys are never kept: there is no backup of them");
  backup.sudo = true;
  routes.push_back(std::move(backup));
}

// Shared by the handlers of the routes, which are what it lives for.
using Shared = std::shared_ptr<RekeyRoutes>;

struct Names {
  std::string prefix;
  bool recovery = false, newer = false;
};

void add_routes(std::vector<Route>& routes, const Shared& all, const Names& names) {
  const std::string& prefix = names.prefix;
  const bool recovery = names.recovery;
  bool ListenerTraits::*const open = names.newer ? nullptr : &ListenerTraits::unauthenticated_rekey;
  const auto named = [all, recovery, newer = names.newer](auto act) {
    return [=](Call& call, auto& txn) -> Result<Response> {
      VAULT_TRY(all->is_of(recovery));
      return newer ? enveloped(act(call, txn)) : act(call, txn);
    };
  };
  const std::vector<Field> plan = {{"secret_shares", FieldType::integer},
                                   {"secret_threshold", FieldType::integer},
                                   {"pgp_keys", FieldType::comma_list},
                                   {"backup", FieldType::boolean},
                                   {"require_verification", FieldType::boolean}};
  const std::vector<Field> share = {sensitive({"key"}), {"nonce"}};
  routes.push_back(ceremony_route(
      prefix + "/init", plan,
      {reads(named([all](Call&, ReadTxn&) { return all->status(); })),
       asks(named([all](Call& call, ReadTxn&) { return all->begin(call); })),
       removes(named([all](Call&, WriteTxn&) { return all->cancel(); }))},
      open, "Begins the replacement of the shares, tells how far it is, or gives it up"));
  routes.push_back(ceremony_route(
      prefix + "/update", share,
      {writes(named([all](Call& call, WriteTxn& txn) { return all->update(call, txn); }))}, open,
      "Gives one of the current shares"));
  routes.push_back(ceremony_route(
      prefix + "/verify", share,
      {reads(named([all](Call&, ReadTxn&) { return all->verification(); })),
       writes(named([all](Call& call, WriteTxn& txn) { return all->verify(call, txn); })),
       removes(named([all](Call&, WriteTxn&) { return all->restart_verification(); }))},
      open, "Gives one of the new shares, which count once enough were given"));
}

}  // namespace

void add_rekey_routes(std::vector<Route>& routes, Unsealed& live) {
  const Shared all = std::make_shared<RekeyRoutes>(live);
  add_routes(routes, all, {"rekey", false, false});
  add_routes(routes, all, {"rekey-recovery-key", true, false});
  add_routes(routes, all, {"rotate/root", false, true});
  add_routes(routes, all, {"rotate/recovery", true, true});
  for (const char* pattern : {"rekey/backup", "rekey/recovery-key-backup", "rotate/root/backup",
                              "rotate/recovery/backup"})
    add_backup_route(routes, pattern);
}

}  // namespace leasehold::core
