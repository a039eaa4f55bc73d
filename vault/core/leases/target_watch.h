#pragma once
// What a new connection shows of its target: which server answers there, and what became of a
// change whose end is not on record. Called on lane threads.

#include "vault/core/leases/endings.h"

namespace leasehold::core {

class TargetWatch {
 public:
  TargetWatch(Endings& endings, const TargetId& target, const barrier::Space& space)
      : endings_(endings), target_(target), space_(space) {}
  // The first server is written down beside the target's settings; any other is refused from then
  // on, until the engine says that it is the same. New leases go to the other (Engine::moved). One
  // that ends accounts only says nothing new of where they are.
  Status met(const target::Connection& connection);
  // A server that may have been put back is compared with the leases.
  void connected(const std::string& started, bool after_failure);
  // An intent whose end is not on record: the engine settles it by what the connection shows.
  void look_at_intent(target::Connection& connection);

 private:
  Status leave(storage::Snapshot& snapshot, WriteTxn& txn, const std::string& known,
               const std::string& found);
  Status recover(target::Connection& connection);

  Endings& endings_;
  const TargetId target_;
  const barrier::Space space_;  // of the mount whose engine knows the target
  Mutex mutex_;
  std::set<std::string> starts_ GUARDED_BY(mutex_);  // that were met, in the words of the server
};

}  // namespace leasehold::core
