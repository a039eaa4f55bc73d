// sys/rotate, sys/rotate/config and sys/key-status: the data key.

#include "vault/core/road/key_rotation.h"
#include "vault/core/sys/system.h"

namespace leasehold::core {

namespace {

constexpr std::int64_t kOperationsLeast = 1'000'000;
constexpr std::int64_t kOperationsMost = 3'865'470'566;
constexpr Seconds kIntervalLeast{24 * 3600};
constexpr Seconds kIntervalMost{10 * 365 * 24 * 3600};

Result<Response> status(Unsealed& live, ReadTxn& txn) {
  ReadTxn core = txn.in(barrier::kCoreSpace);
  VAULT_TRY_ASSIGN(const KeyRotation::State state, live.rotation->state(core));
  Json data = Json::object();
  data.set("term", static_cast<std::int64_t>(state.term));
  data.set("install_time", rfc3339(state.installed));
  // One a commit at least, and hardly more: what is counted is commits.
  data.set("encryptions", live.committer.head().index - state.installed_at);
  data.set("rewrapped", state.rewrapped >= state.term);
  if (state.rewrapped < state.term) data.set("rewrap_examined", live.rotation->examined());
  Response response = Response::of(data);
  response.form = Response::Form::injected;
  return response;
}

Result<Response> rotate(Unsealed& live, WriteTxn& txn) {
  WriteTxn core = txn.in(barrier::kCoreSpace);
  VAULT_TRY(live.rotation->rotate(core));
  Response response = Response::none();
  response.orders.on_commit = [&live] {
    const Status adopted = live.rotation->adopt();  // else the background does, at its next step
    if (!adopted.ok())
      live.environment.log.warn("the new data key is not in use yet: {}", adopted.error().message);
  };
  return response;
}

Result<Response> show_config(Unsealed& live, ReadTxn& txn) {
  ReadTxn core = txn.in(barrier::kCoreSpace);
  VAULT_TRY_ASSIGN(const KeyRotation::State state, live.rotation->state(core));
  Json data = Json::object();
  data.set("max_operations", state.operations_max).set("interval", state.interval.count());
  data.set("enabled", state.enabled);
  return Response::of(data);
}

Result<Response> configure(Unsealed& live, const Call& call, WriteTxn& txn) {
  WriteTxn core = txn.in(barrier::kCoreSpace);
  VAULT_TRY_ASSIGN(KeyRotation::State state, live.rotation->state(core));
  if (call.fields.given("max_operations"))
    state.operations_max = call.fields.integer("max_operations");
  if (call.fields.given("interval")) state.interval = call.fields.duration("interval");
  if (call.fields.given("enabled")) state.enabled = call.fields.boolean("enabled");
  if (state.operations_max < kOperationsLeast || state.operations_max > kOperationsMost)
    return failure(Code::invalid, "max_operations must be between 1000000 and 3865470566");
  if (state.interval.count() != 0 && state.interval < kIntervalLeast)
    return failure(Code::invalid, "interval must be greater or equal to 24 hours, or 0 for none");
  if (state.interval > kIntervalMost)
    return failure(Code::invalid, "interval must be at most 10 years, or 0 for none");
  VAULT_TRY(live.rotation->configure(core, state));
  return Response::none();
}

}  // namespace

void add_rotate_routes(std::vector<Route>& routes, Unsealed& live) {
  Route root =
      route("rotate/root", {}, {writes([](Call&, WriteTxn&) -> Result<Response> {
              return failure(Code::invalid,
                             "the root key is not replaced by this version: an open vault does not "
                             "hold it, and its shares cannot be sealed anew without their "
                             "holders. sys/rotate/root/init (sys/rotate/recovery/init with a "
                             "device) replaces the shares, sys/rotate the data key");
            })},
            "Would replace the root key; refused by this version");
  root.sudo = true;
  routes.push_back(std::move(root));
  for (const std::string path : {"rotate", "rotate/keyring"}) {
    Route rotation =
        route(path, {}, {writes([&live](Call&, WriteTxn& txn) { return rotate(live, txn); })},
              "Adds a data key, under which everything is sealed from now on");
    rotation.sudo = true;
    routes.push_back(std::move(rotation));
    Route config =
        route(path + "/config",
              {{"max_operations", FieldType::integer},
               {"interval", FieldType::duration},
               {"enabled", FieldType::boolean}},
              {reads([&live](Call&, ReadTxn& txn) { return show_config(live, txn); }),
               writes([&live](Call& call, WriteTxn& txn) { return configure(live, call, txn); })},
              "When the vault adds a data key by itself");
    config.sudo = true;
    routes.push_back(std::move(config));
  }
  Route about =
      route("key-status", {}, {reads([&live](Call&, ReadTxn& txn) { return status(live, txn); })},
            "The newest data key: its term, its age, how much it was used");
  routes.push_back(std::move(about));
}

}  // namespace leasehold::core
