// sys/init: what is asked for, the keys of a new vault, and that nothing of them stays when it
// cannot go live.

#include "vault/audit/record.h"
#include "vault/base/encoding.h"
#include "vault/core/life/lifecycle.h"
#include "vault/core/sys/shares.h"

namespace leasehold::core {

namespace {

Status check_no_pgp(const Json& body) {
  for (const char* name : {"pgp_keys", "root_token_pgp_key", "recovery_pgp_keys"}) {
    const Json* given = body.is_object() ? body.find(name) : nullptr;
    if (given == nullptr || given->is_null() || (given->size() == 0 && given->text().empty()))
      continue;
    return failure(Code::invalid, std::string(name) +
                                      " is not supported: leave it out and "
                                      "encrypt the printed shares yourself");
  }
  return {};
}

// Shares of the unseal key, or of the recovery key where a device opens the vault.
Result<seal::InitOptions> shares_asked(const Json& body, const std::string& seal_type) {
  const auto number = [&](const char* name) {
    return body.is_object() ? body.integer_at(name) : std::int64_t{0};
  };
  const bool device = seal_type != "shamir";
  if (device && (number("secret_shares") > 0 || number("secret_threshold") > 0))
    return failure(
        Code::invalid,
        "parameters secret_shares,secret_threshold not applicable to seal type " + seal_type);
  if (!device && (number("recovery_shares") > 0 || number("recovery_threshold") > 0))
    return failure(Code::invalid,
                   "parameters recovery_shares,recovery_threshold not applicable to seal type "
                   "shamir");
  const std::int64_t shares = number(device ? "recovery_shares" : "secret_shares");
  const std::int64_t threshold = number(device ? "recovery_threshold" : "secret_threshold");
  seal::InitOptions options;
  VAULT_TRY_ASSIGN(options.shares, share_count(shares));
  VAULT_TRY_ASSIGN(options.threshold, share_count(threshold));
  return options;
}

constexpr std::string_view kBegun = "self-init-begun", kDone = "self-init-done";
constexpr int kLinesMax = 100'000;  // of a self-initialization that did not finish

// The log ends with a self-initialization of which nothing was kept: the next one goes on behind
// it.
bool holds_unfinished_init(audit::Device& device) {
  if (!device.open().ok()) return false;
  const auto is = [](std::string_view line, std::string_view event) {
    return line.find("\"type\":\"event\",\"event\":\"" + std::string(event) + '"') != line.npos;
  };
  bool begun = false;
  int left = kLinesMax;
  const Status read = device.each_back([&](std::string_view line) {
    begun = is(line, kBegun);
    return !begun && !is(line, kDone) && --left > 0;
  });
  return read.ok() && begun;
}

}  // namespace

Result<seal::Initialized> Lifecycle::initialize(const Request& request, SecretBytes& root_token,
                                                std::string_view wanted_root) {
  VAULT_TRY(check_no_pgp(request.body));
  VAULT_TRY_ASSIGN(seal::InitOptions options, shares_asked(request.body, seal_.status().type));
  options.recovery_mode = recovery_mode_;
  options.cluster_name = cluster_name_;
  options.provisional = provisional_;
  // What most often fails is tried before the shares exist: nobody would ever see them.
  if (!seal_.initialized()) VAULT_TRY(try_audit_devices());
  VAULT_TRY_ASSIGN(seal::Initialized made, seal_.initialize(options));
  const Status live = go_live(std::move(made.opened), &root_token, wanted_root);
  if (!live.ok()) return undo_init(live.error());
  return made;
}

// One that opens is enough, as for unsealing.
Status Lifecycle::try_audit_devices() const {
  VAULT_TRY_ASSIGN(const auto devices, environment_.audit_devices());
  Status last;
  // A new vault has no lines: these are another's, under another key. Before anything is opened.
  for (const auto& device : devices) {
    if (!device->is_used()) continue;
    if (provisional_ && (lines_are_of_init_ || holds_unfinished_init(*device)))
      VAULT_TRY(device->abandon());
    else if (!lines_are_of_init_)
      return failure(Code::invalid,
                     "the audit log, " + device->where() +
                         ", holds the lines of another vault, or of an init that failed: move it "
                         "aside and keep it, a new vault begins its own log; nothing was written. "
                         "To go on with that vault restore a backup of it instead of an init");
  }
  for (const auto& device : devices) {
    const auto tail = device->open();
    if (tail.ok()) return {};
    last = tail.error();
  }
  if (last.ok()) return {};
  return failure(last.error().code,
                 "no audit device can be opened: " + last.error().message +
                     "; nothing was written, so repair it (the server's log says more) and init "
                     "again",
                 last.error().detail);
}

// The store has keys, and nobody was told the shares: none of it may stay.
Error Lifecycle::undo_init(Error why) {
  lines_are_of_init_ = true;
  const Status undone = seal_.undo_initialize();
  if (undone.ok()) {
    why.message += "; nothing was kept, so repair it (the server's log says more) and init again";
    return why;
  }
  environment_.log.error("init cannot be undone: {} {}", undone.error().message,
                         undone.error().detail);
  why.message +=
      "; what init had written could not be removed: stop the vault, empty its storage, and init "
      "again";
  return why;
}

Response Lifecycle::init(const Request& request) {
  if (request.operation == Operation::read) {
    Json body = Json::object();
    body.set("initialized", seal_.initialized());
    return Response::bare(200, body);
  }
  if (!turn_.take_as_caller()) return busy();
  Response answer = init_now(request);
  turn_.give();
  return answer;
}

Response Lifecycle::init_now(const Request& request) {
  SecretBytes root_token;
  const auto made = initialize(request, root_token, {});
  if (!made.ok()) {
    if (made.error().code != Code::invalid)
      environment_.log.error("init failed: {} {}", made.error().message, made.error().detail);
    return error_response(made.error());
  }
  const bool recovery = made->shares_are_recovery;
  Json body = Json::object();
  const std::vector<SecretBytes> none;
  body.set("keys", shares_as_text(recovery ? none : made->shares, true));
  body.set("keys_base64", shares_as_text(recovery ? none : made->shares, false));
  if (recovery && !made->shares.empty()) {
    body.set("recovery_keys", shares_as_text(made->shares, true));
    body.set("recovery_keys_base64", shares_as_text(made->shares, false));
  }
  body.set("root_token", as_text(root_token.reveal()));
  if (Unsealed* live = enter()) {
    const auto key = crypto::ed25519_public(live->barrier.keys().audit_sign.reveal());
    body.set("audit_public_key", hex(key));
    leave();
  }
  // A Shamir vault is sealed until its shares come back, as Vault's is; a device opens it itself.
  if (!recovery && seal_.status().type == "shamir") tear_down();
  return Response::bare(200, body);
}

Result<SecretBytes> Lifecycle::begin_provisional() {
  Request request;
  SecretBytes root_token;
  TurnLock turn(turn_);
  provisional_ = true;
  const auto made = initialize(request, root_token, {});
  provisional_ = false;
  if (!made.ok()) return made.error();
  VAULT_TRY(tell(kBegun));
  return root_token;
}

// In the log at once, without a change of the store.
Status Lifecycle::tell(std::string_view event) {
  const std::string body = audit::event_body(event, environment_.clock.now(), "{}");
  const std::string_view lines[] = {body};
  return owned_->audit->append(lines);
}

Status Lifecycle::finish_provisional() {
  TurnLock turn(turn_);
  if (!owned_) return failure(Code::unavailable, "the vault was sealed meanwhile");
  commit::Changes changes;
  seal::Seal::settle(changes.storage);
  const commit::Batch batch(std::move(changes),
                            audit::event_body(kDone, environment_.clock.now(), "{}"));
  VAULT_TRY(owned_->committer.commit(batch).status());
  seal_.settled();
  return {};
}

Status Lifecycle::undo_provisional() {
  TurnLock turn(turn_);
  if (owned_) tell("self-init-undone").ignore();  // its own log says why not
  tear_down();
  lines_are_of_init_ = true;
  return seal_.undo_initialize();
}

Result<Lifecycle::DevStart> Lifecycle::start_dev(std::string_view root_token) {
  Request request;
  request.body = Json::object();
  request.body.set("secret_shares", 1).set("secret_threshold", 1);
  DevStart dev;
  TurnLock turn(turn_);
  VAULT_TRY_ASSIGN(auto made, initialize(request, dev.root_token, root_token));
  if (!made.shares.empty()) dev.unseal_key = base64_secret(made.shares.front().reveal());
  return dev;
}

}  // namespace leasehold::core
