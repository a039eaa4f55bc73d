// The routes that answer in every state, sys/seal of a sealed vault, and what unseal does. Init:
// init.cpp

#include "vault/core/contract/version.h"
#include "vault/core/life/lifecycle.h"
#include "vault/core/sys/always.h"
#include "vault/core/sys/shares.h"

namespace leasehold::core {

namespace {

// An open vault has a route of its own for it.
constexpr GateRoute kSealAgain = {"sys/seal", false};
// A vault without keys has none to split anew or to approve a root token with.
constexpr GateRoute kNoKeys[] = {
    {"sys/generate-root", false}, {"sys/generate-root/attempt", false}, {"sys/rekey/init", false}};

constexpr std::string_view kRevokesAlone =
    "no audit device can record: until one can, credentials are revoked and nothing else is done; "
    "the server's log names each device";

constexpr std::string_view kDrill =
    "a restore drill (-restored=drill): this is a copy for looking at; no target is "
    "reached, nothing is issued, renewed or revoked, and what is due waits";

// It is sealed already, and a sealed vault cannot check a token.
Response seal_again(const Request& request) {
  return request.operation == Operation::update ? Response::none() : Response::refused(405, "");
}

// As Vault: the key stays, its value is empty.
std::string_view shown(std::string_view value, bool redacted) {
  return redacted ? std::string_view() : value;
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
      return "a device or key is there, and it is another one";
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

std::string_view in_general(const seal::SlotStatus& slot) {
  if (slot.state == seal::DeviceState::absent && !slot.configured)
    return "no seal stanza of the configuration is for it";
  return in_general(slot.state);
}

constexpr std::size_t kHealthBytes = 512;  // more than it usually has

// A status that sys/health may be told to answer with.
bool is_health_code(int status) { return status >= 200 && status <= 599; }
// RFC 9110, sections 15.3.5 and 15.4.5.
bool has_no_body(int status) { return status == 204 || status == 304; }

}  // namespace

Response Lifecycle::busy() {
  return error_response(
      failure(Code::unavailable, "the vault is being opened or sealed: try again"));
}

const GateRoute* Lifecycle::own_route(std::string_view path) const {
  for (const AlwaysRoute& route : always_routes())
    if (route.path == path) return &route;
  if (live_.load() != nullptr) return nullptr;
  if (path == kSealAgain.path) return &kSealAgain;
  for (const GateRoute& route : kNoKeys)
    if (route.path == path && !seal_.initialized()) return &route;
  return nullptr;
}

bool Lifecycle::on_worker(const GateRoute& route, const Request& request) const {
  return route.slow && request.operation != Operation::read;
}

Response Lifecycle::answer(const GateRoute& found, const Request& request) {
  if (&found == &kSealAgain) return seal_again(request);
  for (const GateRoute& route : kNoKeys)
    if (&found == &route) return Response::refused(400, "server is not yet initialized");
  const auto& route = static_cast<const AlwaysRoute&>(found);
  if (!route.has_verb(request.operation)) return Response::refused(405, "");
  switch (route.name) {
    case AlwaysRoute::Name::health:
      return health(request);
    case AlwaysRoute::Name::seal_status:
      return Response::bare(200, status_json(request.listener));
    case AlwaysRoute::Name::leader:
      return leader();
    case AlwaysRoute::Name::init:
      return init(request);
    case AlwaysRoute::Name::unseal:
      break;
  }
  return unseal(request);
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
      return Response::refused(400, std::string(name) + " must be between 200 and 599");
    if (std::string_view(name) == code_name) status = wanted;
  }
  const bool silent = has_no_body(static_cast<int>(status));
  Response response =
      silent ? Response::none()
             : Response::of_text(SecretBytes(health_text(initialized, sealed, request.listener)));
  if (!silent) response.form = Response::Form::bare;
  response.status = static_cast<int>(status);
  return response;
}

// Written without a document in between: load balancers ask for it all the time.
std::string Lifecycle::health_text(bool initialized, bool sealed, const ListenerTraits& listener) {
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
    string("cluster_name", shown(cluster.name, listener.redact_cluster_name));
  }
  member("echo_duration_ms", "0");
  member("enterprise", "false");
  member("initialized", initialized ? "true" : "false");
  if (!records()) member("leasehold_audit_works", "false");
  if (drill_) member("leasehold_restore_drill", "true");
  if (!environment_.storage.trouble().empty()) member("leasehold_storage_works", "false");
  string("leasehold_version", shown(product_version_, listener.redact_version));
  member("performance_standby", "false");
  const std::string_view replication = sealed ? "unknown" : "disabled";
  string("replication_dr_mode", replication);
  string("replication_performance_mode", replication);
  member("replication_primary_canary_age_ms", "0");
  member("sealed", sealed ? "true" : "false");
  member("server_time_utc", std::to_string(environment_.clock.now().seconds()));
  member("standby", "false");
  string("version", shown(kApiVersion, listener.redact_version));
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

Json Lifecycle::status_json(const ListenerTraits& listener) {
  const bool no_version = listener.redact_version;
  const seal::SealStatus about = seal_.status();
  const bool sealed = live_.load() == nullptr;
  Json body = Json::object();
  body.set("type", about.type).set("initialized", about.initialized).set("sealed", sealed);
  body.set("t", static_cast<std::int64_t>(about.t)).set("n", static_cast<std::int64_t>(about.n));
  body.set("progress", static_cast<std::int64_t>(sealed ? about.progress : 0));
  body.set("nonce", sealed ? about.nonce : std::string())
      .set("version", shown(kApiVersion, no_version));
  body.set("leasehold_version", shown(product_version_, no_version));
  body.set("build_date", shown(build_date_, no_version));
  body.set("commit_date", shown(build_date_, no_version)).set("migration", false);
  body.set("recovery_seal", about.recovery_seal);
  if (about.recovery_seal) body.set("recovery_seal_type", "shamir");
  body.set("storage_type", environment_.storage.kind());
  if (!sealed)
    body.set("cluster_name", shown(about.cluster_name, listener.redact_cluster_name))
        .set("cluster_id", about.cluster_id);
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
  if (drill_) warnings.emplace_back(kDrill);
  if (!warnings.empty()) body.set("warnings", Json(warnings));
  Json slots = Json::array();
  for (const seal::SlotStatus& slot : about.slots) {
    Json one = Json::object();
    one.set("id", slot.id).set("kind", slot.kind);
    one.set("state", seal::to_text(slot.state)).set("message", in_general(slot));
    one.set("generation", static_cast<std::int64_t>(slot.generation));
    one.set("may_unseal", slot.may_unseal).set("hardware", slot.hardware);
    slots.push(std::move(one));
  }
  body.set("slots", std::move(slots));
  return body;
}

// There is one node, so it shows no address, whatever `redact_addresses` says.
Response Lifecycle::leader() {
  Json body = Json::object();
  body.set("ha_enabled", false).set("is_self", false).set("active_time", "0001-01-01T00:00:00Z");
  body.set("leader_address", "").set("leader_cluster_address", "");
  body.set("performance_standby", false).set("performance_standby_last_remote_wal", 0);
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
    return Response::bare(200, status_json(request.listener));
  }
  if (text.empty())
    return Response::refused(400,
                             "'key' must be specified in request body as JSON, or 'reset' set to "
                             "true");
  std::optional<SecretBytes> share = parse_share(text);
  if (!share) return Response::refused(400, "'key' must be a valid hex or base64 string");
  if (!turn_.take_as_caller()) return busy();
  Response answer = unseal_with(std::move(*share), request.listener);
  turn_.give();
  return answer;
}

Response Lifecycle::unseal_with(SecretBytes share, const ListenerTraits& listener) {
  if (live_.load() != nullptr) return Response::bare(200, status_json(listener));
  tear_down();  // a seal that was asked for and is not done yet
  turn_.let_next_wait();
  auto step = seal_.add_share(std::move(share));
  if (!step.ok()) return error_response(step.error());
  if (step->opened) {
    const Status live = go_live(std::move(*step->opened), nullptr, {});
    if (!live.ok()) {
      report_refusal(live.error());
      return error_response(live.error());
    }
    environment_.log.info("unsealed by shares");
  }
  return Response::bare(200, status_json(listener));
}

}  // namespace leasehold::core
