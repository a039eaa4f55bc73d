#include "vault/core/sys/always.h"

#include <algorithm>

#include "vault/core/contract/routes.h"

namespace leasehold::core {

namespace {

constexpr FieldType kNumber = FieldType::integer;

std::vector<Field> no_fields() { return {}; }

std::vector<Field> of_health() {
  return {{"activecode", FieldType::text, {}, "The status of a vault that is open."},
          {"sealedcode", FieldType::text, {}, "The status of a vault that is sealed."},
          {"uninitcode", FieldType::text, {}, "The status of a vault without keys."},
          {"standbycode", FieldType::text, {}, "Has no effect: there is one node."}};
}

std::vector<Field> of_init() {
  return {
      {"secret_shares", kNumber, {}, "Into how many shares the unseal key is split."},
      {"secret_threshold", kNumber, {}, "How many of them open the vault."},
      {"recovery_shares", kNumber, {}, "With a seal device: how many recovery keys there are."},
      {"recovery_threshold", kNumber, {}, "With a seal device: how many of them are asked for."}};
}

std::vector<Field> of_unseal() {
  return {sensitive({"key", FieldType::text, {}, "A share, in hex or base64."}),
          {"reset", FieldType::boolean, {}, "Forget the shares that were given so far."}};
}

constexpr Operation kAsk[] = {Operation::read};
constexpr Operation kProbe[] = {Operation::read, Operation::head};
constexpr Operation kDo[] = {Operation::update};
constexpr Operation kAskOrDo[] = {Operation::read, Operation::update};

// Path, whether a write waits for devices and flushes, verbs, synopsis, fields.
using Name = AlwaysRoute::Name;
constexpr AlwaysRoute kRoutes[] = {
    {{"sys/health", false}, Name::health, kProbe, "Whether the vault is up and open", of_health},
    {{"sys/seal-status", false},
     Name::seal_status,
     kAsk,
     "Whether the vault is sealed, and by what it opens",
     no_fields},
    {{"sys/leader", false}, Name::leader, kAsk, "Which node is active: this one", no_fields},
    {{"sys/init", true}, Name::init, kAskOrDo, "Makes the keys of a new vault", of_init},
    {{"sys/unseal", true}, Name::unseal, kDo, "Takes a share of the unseal key", of_unseal},
};

}  // namespace

bool AlwaysRoute::has_verb(Operation asked) const {
  return std::find(verbs.begin(), verbs.end(), asked) != verbs.end();
}

std::span<const AlwaysRoute> always_routes() { return kRoutes; }

std::vector<Route> described_always_routes() {
  constexpr std::string_view kSys = "sys/";
  std::vector<Route> routes;
  for (const AlwaysRoute& one : kRoutes) {
    std::vector<Action> actions;
    for (const Operation verb : one.verbs) actions.push_back({verb, ReadHandler()});
    routes.push_back(route(std::string(one.path.substr(kSys.size())), one.fields(),
                           std::move(actions), std::string(one.synopsis)));
    routes.back().unauthenticated = true;
  }
  return routes;
}

}  // namespace leasehold::core
