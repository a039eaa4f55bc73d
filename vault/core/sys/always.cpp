// The routes that answer in every state of the vault, as tables: which verbs they have, and how
// they are described. They need no token, and whoever asks while the vault is sealed has none.

#include "vault/core/sys/system.h"

namespace leasehold::core {

namespace {

constexpr FieldType kNumber = FieldType::integer;

Action verb(Operation operation) { return {operation, ReadHandler()}; }

Route open(std::string name, std::vector<Field> fields, const std::vector<Operation>& verbs,
           std::string synopsis) {
  std::vector<Action> actions;
  for (const Operation one : verbs) actions.push_back(verb(one));
  Route made = route(std::move(name), std::move(fields), std::move(actions), std::move(synopsis));
  made.unauthenticated = true;
  return made;
}

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

}  // namespace

std::vector<Route> routes_of_every_state() {
  using O = Operation;
  return {open("health", of_health(), {O::read, O::head}, "Whether the vault is up and open"),
          open("seal-status", {}, {O::read}, "Whether the vault is sealed, and by what it opens"),
          open("leader", {}, {O::read}, "Which node is active: this one"),
          open("init", of_init(), {O::read, O::update}, "Makes the keys of a new vault"),
          open("unseal", of_unseal(), {O::update}, "Takes a share of the unseal key")};
}

}  // namespace leasehold::core
