#pragma once
// Sealed and unsealed: init, unseal by shares or devices, seal, and the five routes that answer in
// every state. A device that is absent is tried again by a thread of its own, with growing pauses;
// an unsealed vault does not need it any more. When storage cannot say whether a write happened,
// the vault seals itself, since only a new start can find out; a device then opens it again.
// Another thread asks the devices of an open vault for their health, so that seal-status is true,
// and gives a new device its slot.
//
//             shares complete, or a device gave the key      sys/seal, broken storage, stop()
//   sealed ------------------------------------------> opening -----------> open -----> sealing
//     ^  ^                                                |                                |
//     |  +------------ a part cannot start ---------------+                                |
//     +------------- the last request in flight has left, the keys are wiped --------------+
//
//   state     live_   owned_   what guards it
//   sealed    null    null     nobody has the turn
//   opening   null    null     go_live() with the turn
//   open      set     set      nobody has the turn; enter() and leave() count who is inside
//   sealing   null    set      tear_down() with the turn, until users_ is 0
//
// `turn_` is held while requests in flight end, so callers from outside do not queue for it
// (turn.h). It is never held while a device works: the devices are asked first, then the turn is
// taken and everything is looked at again, so that shares open the vault whatever a device does.
// Only init asks devices with it, when there is nothing to hold up. `mutex_` guards what others ask
// for and is held for moments; it is taken after the turn, or alone.
//
// Thread safety: every method from any thread. sys/init and sys/unseal run on a worker.

#include <atomic>
#include <string>
#include <thread>

#include "vault/base/mutex.h"
#include "vault/core/life/turn.h"
#include "vault/core/road/gate.h"
#include "vault/core/road/unsealed.h"
#include "vault/seal/seal.h"

namespace leasehold::core {

class Lifecycle final : public Gate {
 public:
  Lifecycle(Environment environment, seal::Seal& seal, seal::RecoveryMode recovery_mode,
            std::string cluster_name, const std::string& product_version, std::string build_date);
  ~Lifecycle();
  Lifecycle(const Lifecycle&) = delete;
  Lifecycle& operator=(const Lifecycle&) = delete;

  // Opens with the devices, if there are any, now and until it succeeds.
  void start();
  // Seals and ends; no request may be begun afterwards.
  void stop();
  // sys/seal: at once for new requests, then when those in flight are done.
  void seal();
  Status reopen_audit();  // SIGHUP

  // Null: sealed. Each enter() that gave something needs a leave().
  Unsealed* enter() override;
  void leave() override;

  // What an answer handed out that never left. While sealed it waits for the next unseal, in
  // memory: if the process ends before, the lease or token lives out its time.
  void revoke(Issued lost) override;

  const GateRoute* own_route(std::string_view path) const override;
  bool on_worker(const GateRoute& route, const Request& request) const override;
  Response answer(const GateRoute& found, const Request& request) override;

  // Dev mode: a fresh store, unsealed, with this root token ("" for a random one).
  struct DevStart {
    SecretBytes unseal_key, root_token;
  };
  Result<DevStart> start_dev(std::string_view root_token);

  // An init of which nothing stays unless it is finished, for a vault that configures itself:
  // without shares, so a device must open it. Before start(); the vault is unsealed, with this root
  // token.
  Result<SecretBytes> begin_provisional();
  Status finish_provisional();
  // Seals, and erases all that was written since the storage was empty. Also of an earlier process.
  Status undo_provisional();

 private:
  Response health(const Request& request);
  std::string health_text(bool initialized, bool sealed, const ListenerTraits& listener);
  static Response leader();
  static Response busy();  // another has the turn
  Response init(const Request& request);
  Response unseal(const Request& request);
  Response init_now(const Request& request) REQUIRES(turn_);
  Response unseal_with(SecretBytes share, const ListenerTraits& listener) REQUIRES(turn_);
  Result<seal::Initialized> initialize(const Request& request, SecretBytes& root_token,
                                       std::string_view wanted_root) REQUIRES(turn_);
  Status try_audit_devices() const REQUIRES(turn_);
  Error undo_init(Error why) REQUIRES(turn_);
  Status tell(std::string_view event) REQUIRES(turn_);
  Status go_live(seal::Opened opened, SecretBytes* root_token, std::string_view wanted_root)
      REQUIRES(turn_);
  Json status_json(const ListenerTraits& listener);
  bool records();
  void run();
  void seal_if_wanted();
  bool seal_if_broken();
  std::string why_it_must_seal() REQUIRES(turn_);
  void watch_devices();
  bool rewrap();
  void enroll_missing();
  Status list_slots(Unsealed& live, const seal::Opened& opened);
  Status write_slot(const storage::Batch& batch, const seal::SlotRecord& slot);
  void report_refusal(const Error& why);
  void revoke_undelivered();
  void open_with_devices();
  bool may_open_by_itself() const;
  void tear_down() REQUIRES(turn_);

  Environment environment_;
  seal::Seal& seal_;
  const seal::RecoveryMode recovery_mode_;
  const bool drill_;  // of the whole process, however often it is sealed
  const std::string cluster_name_, product_version_, build_date_;
  std::atomic<Unsealed*> live_{nullptr};
  std::atomic<long> users_{0};
  Turn turn_;
  // An init of this process failed: the first lines in the log are its own.
  bool lines_are_of_init_ GUARDED_BY(turn_) = false;
  bool provisional_ GUARDED_BY(turn_) = false;  // the init that runs is
  std::unique_ptr<Unsealed> owned_ GUARDED_BY(turn_);
  std::thread thread_, devices_thread_;
  mutable Mutex mutex_;
  Condition wake_;
  bool stopping_ GUARDED_BY(mutex_) = false;
  std::vector<Issued> undelivered_ GUARDED_BY(mutex_);
  std::optional<seal::Opened> to_enroll_ GUARDED_BY(mutex_);  // with the root key, for new slots
  bool seal_wanted_ GUARDED_BY(mutex_) = false;
  bool sealed_by_operator_ GUARDED_BY(mutex_) = false;
  std::string sealed_because_ GUARDED_BY(mutex_);  // when nobody asked for it
};

}  // namespace leasehold::core
