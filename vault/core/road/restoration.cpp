#include "vault/core/road/restoration.h"

#include <algorithm>

#include "vault/audit/record.h"
#include "vault/base/encoding.h"
#include "vault/core/leases/token_events.h"

namespace leasehold::core {

namespace {

constexpr std::string_view kUnrevoked = "restored/tokens", kUnlisted = "restored/list";
constexpr std::string_view kRestoredTargets = "restored/targets/";
constexpr std::size_t kTokensRead = 512;
// A token takes up to six operations of a batch, a target's name record up to four more.
constexpr std::size_t kTokensInBatch = 12, kTargetsInBatch = 12;

std::string name_of(const barrier::Space& space, const TargetId& target) {
  return std::string(kRestoredTargets) + hex(space) + "." + hex(target);
}

std::string_view in_words(Restored how) {
  return how == Restored::keep_tokens ? "kept" : "revoked";
}

}  // namespace

std::string Restoration::event(std::string_view name, const Json& fields) const {
  return audit::event_body(name, parts_.clock.now(), fields.dump());
}

Status Restoration::commit(commit::Changes changes, Texts events) {
  changes.background = true;
  return parts_.committer.commit(commit::Batch(std::move(changes), std::move(events))).status();
}

Result<commit::Batch> Restoration::begin(storage::Snapshot& snapshot, const Evidence& evidence) {
  commit::Changes changes;
  changes.background = true;
  WriteTxn txn(snapshot, parts_.barrier, barrier::kCoreSpace, changes);
  if (evidence.how != Restored::keep_tokens) {
    VAULT_TRY(txn.put(kUnrevoked, {}));
    VAULT_TRY(Mounts::end_batch_tokens(txn, parts_.clock.now()));
  }
  VAULT_TRY(txn.put(kUnlisted, {}));
  if (evidence.by_our_restore) VAULT_TRY(txn.erase(commit::restored_key()));
  Json fields = Json::object();
  fields.set("by", evidence.by_our_restore ? "backup" : "operator");
  fields.set("tokens", in_words(evidence.how));
  fields.set("store_commit", evidence.store_commit).set("log_commit", evidence.log_commit);
  parts_.log.warn(
      "this store was put back: it ends at commit {}, the audit log tells of commit {}; tokens are "
      "{}, "
      "and every target is to be reconciled before it issues anything",
      evidence.store_commit, evidence.log_commit, in_words(evidence.how));
  if (evidence.how != Restored::keep_tokens)
    parts_.log.warn(
        "no token is left: `leasehold operator generate-root -init` makes a new root token with "
        "the "
        "unseal or recovery keys, once the listener stanza says "
        "disable_unauthed_generate_root_endpoints = false and the server was restarted with it");
  return commit::Batch(std::move(changes), event("store-restored", fields));
}

commit::Batch Restoration::begin_drill(const Evidence& evidence, bool marked) {
  commit::Changes changes;
  changes.background = true;
  if (marked) {
    const commit::RestoredMark mark{commit::RestoredMark::State::whole, false, parts_.clock.now()};
    changes.storage.put(commit::restored_key().view(), mark.serialize());
  }
  Json fields = Json::object();
  fields.set("store_commit", evidence.store_commit).set("log_commit", evidence.log_commit);
  fields.set("next_start", marked || evidence.by_our_restore ? "restored" : "as ever");
  parts_.log.warn(
      "a drill (-restored=drill): the tokens of this copy are good, leases that are due wait, and "
      "no target is reached. It ends at commit {}, the audit log tells of commit {}; a start "
      "without the flag {}",
      evidence.store_commit, evidence.log_commit,
      marked || evidence.by_our_restore
          ? "opens it as a store that was put back, and ends the accounts of the original"
          : "opens it as if it were the original: never beside that one");
  return commit::Batch(std::move(changes), event("restore-drill", fields));
}

Status Restoration::finish() {
  VAULT_TRY(revoke_tokens());
  VAULT_TRY(list_targets());
  VAULT_TRY_ASSIGN(const auto left, to_reconcile());
  pending_ = !left.empty();
  return {};
}

Status Restoration::revoke_tokens() {
  std::string from;
  std::uint64_t revoked = 0;
  for (bool more = true; more;) {
    VAULT_TRY_ASSIGN(auto held, parts_.snapshots.take());
    ReadTxn txn(*held, parts_.barrier, barrier::kCoreSpace);
    VAULT_TRY_ASSIGN(const std::uint64_t asked, txn.version(kUnrevoked));
    if (asked == 0) return {};
    std::vector<Token> tokens;
    bool cut = false;
    VAULT_TRY(parts_.tokens.each(txn, from, SIZE_MAX, cut, [&](const Token& token) {
      tokens.push_back(token);
      return tokens.size() < kTokensRead;
    }));
    more = tokens.size() == kTokensRead;
    if (!tokens.empty()) from = tokens.back().accessor;
    revoked += tokens.size();
    for (std::size_t at = 0; at < tokens.size(); at += kTokensInBatch)
      VAULT_TRY(revoke_some(
          *held, std::span(tokens).subspan(at, std::min(kTokensInBatch, tokens.size() - at))));
  }
  commit::Changes changes;
  VAULT_TRY_ASSIGN(auto held, parts_.snapshots.take());
  WriteTxn txn(*held, parts_.barrier, barrier::kCoreSpace, changes);
  VAULT_TRY(txn.erase(kUnrevoked));
  Texts events;
  events.push_back(event("restored-tokens-revoked", Json::object().set("count", revoked)));
  return commit(std::move(changes), std::move(events));
}

Status Restoration::revoke_some(storage::Snapshot& snapshot, std::span<const Token> tokens) {
  const WallTime now = parts_.clock.now();
  commit::Changes changes;
  WriteTxn txn(snapshot, parts_.barrier, barrier::kCoreSpace, changes);
  Texts events;
  for (const Token& token : tokens) {
    VAULT_TRY(parts_.tokens.revoke(txn, token, now));
    events.push_back(token_event("token-revoked", token, now, parts_.audit_key));
  }
  return commit(std::move(changes), std::move(events));
}

Result<std::vector<std::string>> Restoration::names_of_targets(ReadTxn& txn) {
  VAULT_TRY_ASSIGN(const auto compiled, parts_.mounts.at(txn));
  std::vector<std::string> names;
  for (const auto& entry : compiled->mounts.all()) {
    const Mount& mount = *entry.second;
    if (mount.kind == nullptr || !mount.kind->engine->has_targets()) continue;
    VAULT_TRY_ASSIGN(const auto targets, txn.in(mount.info.space).list(kTargets));
    for (const std::string& target : targets)
      if (const auto id = array_from_hex<TargetId>(target))
        names.push_back(name_of(mount.info.space, *id));
  }
  return names;
}

Status Restoration::list_targets() {
  std::vector<std::string> names;
  {
    VAULT_TRY_ASSIGN(auto held, parts_.snapshots.take());
    ReadTxn txn(*held, parts_.barrier, barrier::kCoreSpace);
    VAULT_TRY_ASSIGN(const std::uint64_t asked, txn.version(kUnlisted));
    if (asked == 0) return {};
    VAULT_TRY_ASSIGN(names, names_of_targets(txn));
  }
  for (std::size_t at = 0; at <= names.size(); at += kTargetsInBatch) {
    VAULT_TRY_ASSIGN(auto held, parts_.snapshots.take());
    commit::Changes changes;
    WriteTxn txn(*held, parts_.barrier, barrier::kCoreSpace, changes);
    const std::size_t end = std::min(at + kTargetsInBatch, names.size());
    for (std::size_t i = at; i < end; ++i) VAULT_TRY(txn.put(names[i], {}));
    if (at + kTargetsInBatch > names.size()) VAULT_TRY(txn.erase(kUnlisted));
    Texts events;
    events.push_back(event("restored-targets-listed",
                           Json::object().set("count", static_cast<std::uint64_t>(end - at))));
    VAULT_TRY(commit(std::move(changes), std::move(events)));
  }
  return {};
}

Status Restoration::may_issue(ReadTxn& core, const barrier::Space& space,
                              const TargetId& target) const {
  if (!pending_) return {};
  VAULT_TRY_ASSIGN(const std::uint64_t listed, core.version(name_of(space, target)));
  if (listed == 0) return {};
  return failure(Code::unavailable,
                 "this vault's storage was put back from an older copy: accounts that were made "
                 "since may stand on no lease, so this target issues nothing until it was "
                 "reconciled: `leasehold lease reconcile -fix` with the path of its mount revokes "
                 "these accounts; or say that it was done by hand: `leasehold write "
                 "sys/storage/restored reconciled=true`");
}

Result<std::vector<Restoration::MountTarget>> Restoration::to_reconcile() {
  VAULT_TRY_ASSIGN(auto held, parts_.snapshots.take());
  ReadTxn txn(*held, parts_.barrier, barrier::kCoreSpace);
  VAULT_TRY_ASSIGN(const auto names, txn.list(kRestoredTargets));
  std::vector<MountTarget> places;
  for (const std::string& name : names) {
    const std::size_t dot = name.find('.');
    if (dot == std::string::npos) continue;
    const auto space = array_from_hex<barrier::Space>(name.substr(0, dot));
    const auto target = array_from_hex<TargetId>(name.substr(dot + 1));
    if (space && target) places.emplace_back(*space, *target);
  }
  return places;
}

Status Restoration::reconciled(const barrier::Space& space, const TargetId& target) {
  if (!pending_) return {};
  VAULT_TRY_ASSIGN(auto held, parts_.snapshots.take());
  commit::Changes changes;
  WriteTxn txn(*held, parts_.barrier, barrier::kCoreSpace, changes);
  VAULT_TRY_ASSIGN(const std::uint64_t listed, txn.version(name_of(space, target)));
  if (listed == 0) return {};
  VAULT_TRY(txn.erase(name_of(space, target)));
  Texts events;
  events.push_back(event("restored-target-reconciled", Json::object().set("target", hex(target))));
  VAULT_TRY(commit(std::move(changes), std::move(events)));
  VAULT_TRY_ASSIGN(const auto left, to_reconcile());
  pending_ = !left.empty();
  return {};
}

}  // namespace leasehold::core
