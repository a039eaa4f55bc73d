// The routes that answer in every state, sys/seal of a sealed vault, and what init and unseal do.

#include <algorithm>

#include "vault/base/encoding.h"
#include "vault/core/contract/version.h"
#include "vault/core/life/lifecycle.h"
#include "vault/core/sys/shares.h"

namespace leasehold::core {

namespace {

struct LifecycleRoute : SealedRoute {
  Response (Lifecycle::*handler)(const Request&);
};
// An open vault has a route of its own for it.
constexpr SealedRoute kSealAgain = {"sys/seal", false};
constexpr LifecycleRoute kRoutes[] = {
    {{"sys/health", false}, &Lifecycle::health},
    {{"sys/seal-status", false}, &Lifecycle::seal_status},
    {{"sys/leader", false}, &Lifecycle::leader},
    {{"sys/init", true}, &Lifecycle::init},
    {{"sys/unseal", true}, &Lifecycle::unseal},
};

constexpr std::string_view kRevokesAlone =
    "no audit device can record: until one can, credentials are revoked and nothing else is done; "
    "the server's log names each device";

Response refused(const Error& error) { return error_response(error); }

// Whoever wants it sealed has what he wants; there is no key to check a token with.
Response seal_again(const Request& request) {
  return request.operation == Operation::update ? Response::none() : Response::refused(405, "");
}

// What a state means, for whoever asks: names no device, serial, label or path.
std::string_view in_general(seal::DeviceState state) {
  using seal::DeviceState;
  switch (state) {
    case DeviceState::ok:
    case DeviceState::unknown:
      return "";
    case DeviceState::degraded:
      return "it works, with something to repair";
    case DeviceState::absent:
      return "the device, its token or its key is not there";
    case DeviceState::replaced:
      return "a device is there, and it is another one";
    case DeviceState::locked:
      return "the device takes no tries for now";
    case DeviceState::auth:
      return "the PIN or authorization value is wrong, or cannot be read";
    case DeviceState::policy:
      return "the machine is not in the state the slot was made for";
    case DeviceState::tampered:
      return "the stored slot or an answer of the device was changed";
    case DeviceState::unsupported:
      return "the device or its configuration does not allow what is asked";
    case DeviceState::wedged:
      return "the device did not answer in time";
    case DeviceState::failed:
      break;
  }
  return "the device answered with an error";
}

Response busy() {
  return refused(failure(Code::unavailable, "the vault is being opened or sealed: try again"));
}

constexpr std::size_t kHealthBytes = 512;  // more than it usually has

// A status that sys/health may be told to answer with: one that allows a body.
bool is_health_code(int status) {
  return status >= 200 && status <= 599 && status != 204 && status != 304;
}

}  // namespace

const SealedRoute* Lifecycle::sealed_route(std::string_view path) const {
  for (const LifecycleRoute& route : kRoutes)
    if (route.path == path) return &route;
  if (path == kSealAgain.path && live_.load() == nullptr) return &kSealAgain;
  return nullptr;
}

bool Lifecycle::on_worker(const SealedRoute& route, const Request& request) const {
  return route.slow && request.operation != Operation::read;
}

bool Lifecycle::has_verb(const SealedRoute& route, Operation asked) const {
  constexpr std::string_view kSys = "sys/";
  for (const Route& one : routes_)
    if (route.path.substr(kSys.size()) == one.pattern)
      return std::any_of(one.actions.begin(), one.actions.end(),
                         [&](const Action& action) { return action.operation == asked; });
  return false;
}

Response Lifecycle::answer(const SealedRoute& route, const Request& request) {
  if (&route == &kSealAgain) return seal_again(request);
  if (!has_verb(route, request.operation)) return Response::refused(405, "");
  return (this->*static_cast<const LifecycleRoute&>(route).handler)(request);
}

Response Lifecycle::health(const Request& request) {
  const bool initialized = seal_.initialized();
  const bool sealed = live_.load() == nullptr;
  const char* code_name = !initialized ? "uninitcode" : sealed ? "sealedcode" : "activecode";
  std::int64_t status = !initialized ? 501 : sealed ? 503 : 200;
  for (const char* name : {"uninitcode", "sealedcode", "activecode", "standbycode"}) {
    const Json* given = request.body.is_object() ? request.body.find(name) : nullptr;
    if (given == nullptr) continue;
    const std::string& digits = given->text();
    if (digits.size() != 3 || digits.find_first_not_of("0123456789") != std::string::npos)
      return Response::refused(400, "");
    const int wanted = std::stoi(digits);
    if (!is_health_code(wanted))
      return Response::refused(400, std::string(name) +
                                        " must be between 200 and 599, and a status "
                                        "with a body");
    if (std::string_view(name) == code_name) status = wanted;
  }
  Response response = Response::of_text(SecretBytes(health_text(initialized, sealed)));
  response.status = static_cast<int>(status);
  response.form = Response::Form::bare;
  return response;
}

// Written without a document in between: load balancers ask for it all the time.
std::string Lifecycle::health_text(bool initialized, bool sealed) {
  std::string text = "{\"clock_skew_ms\":0";
  const auto member = [&text](std::string_view name, std::string_view json) {
    text.append(",\"").append(name).append("\":").append(json);
  };
  const auto string = [&](std::string_view name, std::string_view value) {
    member(name, {});
    write_json_string(text, value);
  };
  text.reserve(kHealthBytes);
  if (!sealed) {
    const seal::Seal::Cluster cluster = seal_.cluster();
    string("cluster_id", cluster.id);
    string("cluster_name", cluster.name);
  }
  member("echo_duration_ms", "0");
  member("enterprise", "false");
  member("initialized", initialized ? "true" : "false");
  if (!records()) member("leasehold_audit_works", "false");
  string("leasehold_version", product_version_);
  member("performance_standby", "false");
  const std::string_view replication = sealed ? "unknown" : "disabled";
  string("replication_dr_mode", replication);
  string("replication_performance_mode", replication);
  member("replication_primary_canary_age_ms", "0");
  member("sealed", sealed ? "true" : "false");
  member("server_time_utc", std::to_string(environment_.clock.now().seconds()));
  member("standby", "false");
  string("version", kApiVersion);
  return text += '}';
}

// False: open, but for revocation alone.
bool Lifecycle::records() {
  Unsealed* live = enter();
  if (live == nullptr) return true;
  const bool records = live->audit->can_record();
  leave();
  return records;
}

Json Lifecycle::status_json() {
  const seal::SealStatus about = seal_.status();
  const bool sealed = live_.load() == nullptr;
  Json body = Json::object();
  body.set("type", about.type).set("initialized", about.initialized).set("sealed", sealed);
  body.set("t", static_cast<std::int64_t>(about.t)).set("n", static_cast<std::int64_t>(about.n));
  body.set("progress", static_cast<std::int64_t>(sealed ? about.progress : 0));
  body.set("nonce", sealed ? about.nonce : std::string()).set("version", kApiVersion);
  body.set("leasehold_version", product_version_);
  body.set("build_date", build_date_).set("commit_date", build_date_).set("migration", false);
  body.set("recovery_seal", about.recovery_seal);
  if (about.recovery_seal) body.set("recovery_seal_type", "shamir");
  body.set("storage_type", environment_.storage.kind());
  if (!sealed) body.set("cluster_name", about.cluster_name).set("cluster_id", about.cluster_id);
  if (!about.access.empty()) body.set("access", about.access);
  body.set("degraded", about.degraded);
  std::vector<std::string> warnings = about.warnings;
  if (!about.not_enrolled.empty())
    warnings.push_back("a configured seal device has no slot; sys/seal/slots and the log say why");
  {
    MutexLock lock(mutex_);
    if (!sealed_because_.empty()) warnings.push_back(sealed_because_);
  }
  if (std::string trouble = environment_.storage.trouble(); !trouble.empty())
    warnings.push_back(std::move(trouble));
  if (!records()) warnings.emplace_back(kRevokesAlone);
  if (!warnings.empty()) body.set("warnings", Json(warnings));
  Json slots = Json::array();
  for (const seal::SlotStatus& slot : about.slots) {
    Json one = Json::object();
    one.set("id", slot.id).set("kind", slot.kind);
    one.set("state", seal::to_text(slot.state)).set("message", in_general(slot.state));
    one.set("generation", static_cast<std::int64_t>(slot.generation));
    one.set("may_unseal", slot.may_unseal).set("hardware", slot.hardware);
    slots.push(std::move(one));
  }
  body.set("slots", std::move(slots));
  return body;
}

Response Lifecycle::seal_status(const Request&) { return Response::bare(200, status_json()); }

Response Lifecycle::leader(const Request&) {
  Json body = Json::object();
  body.set("ha_enabled", false).set("is_self", false).set("active_time", "0001-01-01T00:00:00Z");
  body.set("leader_address", "").set("leader_cluster_address", "");
  body.set("performance_standby", false).set("performance_standby_last_remote_wal", 0);
  return Response::bare(200, body);
}

Result<seal::Initialized> Lifecycle::initialize(const Request& request, SecretBytes& root_token,
                                                std::string_view wanted_root) {
  const Json& body = request.body;
  const auto number = [&](const char* name) {
    return body.is_object() ? body.integer_at(name) : std::int64_t{0};
  };
  const bool device = seal_.status().type != "shamir";
  for (const char* name : {"pgp_keys", "root_token_pgp_key", "recovery_pgp_keys"})
    if (body.is_object() && body.find(name) != nullptr && !body.find(name)->is_null() &&
        (body.find(name)->size() > 0 || !body.find(name)->text().empty()))
      return failure(Code::invalid, std::string(name) +
                                        " is not supported: leave it out and "
                                        "encrypt the printed shares yourself");
  const std::int64_t shares = number(device ? "recovery_shares" : "secret_shares");
  const std::int64_t threshold = number(device ? "recovery_threshold" : "secret_threshold");
  if (device && (number("secret_shares") > 0 || number("secret_threshold") > 0))
    return failure(Code::invalid,
                   "parameters secret_shares,secret_threshold not applicable to seal type " +
                       seal_.status().type);
  if (!device && (number("recovery_shares") > 0 || number("recovery_threshold") > 0))
    return failure(Code::invalid,
                   "parameters recovery_shares,recovery_threshold not applicable to seal type "
                   "shamir");
  if (shares < 0 || shares > 255 || threshold < 0 || threshold > 255)
    return failure(Code::invalid, "shares and threshold must be between 1 and 255");
  seal::InitOptions options;
  options.shares = static_cast<unsigned>(shares);
  options.threshold = static_cast<unsigned>(threshold);
  options.recovery_mode = recovery_mode_;
  options.cluster_name = cluster_name_;
  // What most often fails is tried before the shares exist: nobody would ever see them.
  VAULT_TRY(try_audit_devices());
  VAULT_TRY_ASSIGN(seal::Initialized made, seal_.initialize(options));
  const Status live = go_live(std::move(made.opened), &root_token, wanted_root);
  if (!live.ok()) return undo_init(live.error());
  return made;
}

// One that opens is enough, as for unsealing.
Status Lifecycle::try_audit_devices() const {
  VAULT_TRY_ASSIGN(const auto devices, environment_.audit_devices());
  Status last;
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
    return refused(made.error());
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

Response Lifecycle::unseal(const Request& request) {
  if (!seal_.initialized()) return Response::refused(400, "Vault is not initialized");
  const Json& body = request.body;
  const bool reset = body.is_object() && body.bool_at("reset");
  const Json* given = body.is_object() ? body.find("key") : nullptr;
  const ByteView text = given != nullptr ? as_bytes(given->text()) : ByteView();
  if (reset) {
    if (live_.load() != nullptr) return Response::refused(400, "vault is unsealed");
    seal_.reset_shares();
    return Response::bare(200, status_json());
  }
  if (text.empty())
    return Response::refused(400,
                             "'key' must be specified in request body as JSON, or 'reset' set to "
                             "true");
  std::optional<SecretBytes> share = parse_share(text);
  if (!share) return Response::refused(400, "'key' must be a valid hex or base64 string");
  if (!turn_.take_as_caller()) return busy();
  Response answer = unseal_with(std::move(*share));
  turn_.give();
  return answer;
}

Response Lifecycle::unseal_with(SecretBytes share) {
  if (live_.load() != nullptr) return Response::bare(200, status_json());
  tear_down();  // a seal that was asked for and is not done yet
  turn_.let_next_wait();
  auto step = seal_.add_share(std::move(share));
  if (!step.ok()) return refused(step.error());
  if (step->opened) {
    const Status live = go_live(std::move(*step->opened), nullptr, {});
    if (!live.ok()) {
      report_refusal(live.error());
      return refused(live.error());
    }
    environment_.log.info("unsealed by shares");
  }
  return Response::bare(200, status_json());
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
