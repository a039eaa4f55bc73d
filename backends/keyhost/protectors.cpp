#include "backends/keyhost/protectors.h"

#include <set>

#include "vault/seal/static_key.h"

namespace leasehold::keyhost {
namespace {

Result<std::unique_ptr<seal::Protector>> make_one(Stanza& stanza,
                                                  const SealEnvironment& environment,
                                                  std::span<const SealRow> rows,
                                                  std::vector<std::string>& warnings) {
  const std::string kind = stanza.label(0);
  std::string known = "shamir";
  for (const SealRow& row : rows) {
    if (row.kind == kind && row.make != nullptr) return row.make(stanza, environment, warnings);
    known += ", " + std::string(row.kind);
  }
  return failure(Code::invalid,
                 stanza.where() + ": there is no seal \"" + kind + "\"; this build has " + known);
}

}  // namespace

Result<std::unique_ptr<seal::Protector>> make_static_seal(Stanza& stanza,
                                                          const SealEnvironment& environment,
                                                          std::vector<std::string>&) {
  return seal::make_static_protector(stanza, environment.data_directory, environment.random);
}

Result<SealSetup> make_protectors(std::vector<Stanza> stanzas, const SealEnvironment& environment,
                                  std::span<const SealRow> rows) {
  SealSetup setup;
  std::set<std::string> seen;
  for (Stanza& stanza : stanzas) {
    VAULT_TRY_ASSIGN(const bool disabled, stanza.flag("disabled", false));
    VAULT_TRY_ASSIGN(const std::string mode, stanza.text("recovery_mode", "unseal"));
    if (disabled) continue;
    if (stanza.label(0) == "shamir") {
      VAULT_TRY(stanza.finish());
      continue;
    }
    if (stanza.has("recovery_mode")) {
      VAULT_TRY_ASSIGN(setup.recovery_mode, seal::parse_recovery_mode(mode));
    }
    if (!seen.insert(stanza.label(0)).second)
      return failure(Code::invalid,
                     stanza.where() + ": a second seal \"" + stanza.label(0) + "\" stanza");
    VAULT_TRY_ASSIGN(auto protector, make_one(stanza, environment, rows, setup.warnings));
    setup.protectors.push_back(std::move(protector));
  }
  return setup;
}

}  // namespace leasehold::keyhost
