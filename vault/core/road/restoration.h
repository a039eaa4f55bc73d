#pragma once
// What a store that was put back needs before it is trusted: an older copy of it was opened on an
// operator's word (`leaseholdd -restored`), or our own restore wrote it. It does not know what
// happened since it was copied: tokens that were revoked would work again, and accounts that were
// made stand on no lease. So, on record, every token is revoked before the vault opens (unless the
// operator keeps them), and a target issues nothing until it was reconciled with the leases. What
// is still to be done stands in the core's space, so that a crash loses none of it:
//
//   restored/tokens             every token is still to be revoked
//   restored/list               the targets are still to be listed
//   restored/targets/SPACE.ID   in hex: this target is still to be reconciled
//
// Thread safety: every method from any thread, begin() and finish() before the vault is open.

#include <atomic>
#include <utility>
#include <vector>

#include "vault/commit/committer.h"
#include "vault/commit/restored.h"
#include "vault/commit/snapshots.h"
#include "vault/core/authority/mounts.h"
#include "vault/core/authority/tokens.h"
#include "vault/core/road/environment.h"

namespace leasehold::core {

class Restoration {
 public:
  struct Parts {
    const barrier::Barrier& barrier;
    commit::Committer& committer;
    commit::Snapshots& snapshots;
    Mounts& mounts;
    const Tokens& tokens;
    const crypto::HmacKey& audit_key;
    Clock& clock;
    LogSink& log;
  };
  explicit Restoration(Parts parts) : parts_(parts) {}

  // The first batch of the run that opens a store that was put back.
  struct Evidence {
    Restored how = Restored::revoke_tokens;
    bool by_our_restore = false;
    std::uint64_t store_commit = 0, log_commit = 0;
  };
  Result<commit::Batch> begin(storage::Snapshot& snapshot, const Evidence& evidence);
  // The same of a drill, which does nothing of it: a start that is none still has to. `marked`: the
  // drill's own commits hide that the store is older than its log, so that it gets the mark of one.
  commit::Batch begin_drill(const Evidence& evidence, bool marked);
  // Revokes the tokens and lists the targets, if that is still to be done, and reads what is left.
  Status finish();

  // Code::unavailable while the target is to be reconciled first.
  Status may_issue(ReadTxn& core, const barrier::Space& space, const TargetId& target) const;
  using MountTarget = std::pair<barrier::Space, TargetId>;
  Result<std::vector<MountTarget>> to_reconcile();
  Status reconciled(const barrier::Space& space, const TargetId& target);

 private:
  Status revoke_tokens();
  Status revoke_some(storage::Snapshot& snapshot, std::span<const Token> tokens);
  Result<std::vector<std::string>> names_of_targets(ReadTxn& txn);
  Status list_targets();
  Status commit(commit::Changes changes, Texts events);
  std::string event(std::string_view name, const Json& fields) const;

  const Parts parts_;
  std::atomic<bool> pending_{false};  // at least one target is to be reconciled
};

}  // namespace leasehold::core
