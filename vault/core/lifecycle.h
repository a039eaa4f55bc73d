#pragma once
// Sealed and unsealed: init, unseal by shares or devices, seal, and the five routes that answer in
// every state. A device that is absent is tried again by a thread of its own, with growing pauses;
// an unsealed vault does not need it any more. When storage cannot say whether a write happened,
// the vault seals itself, since only a new start can find out; a device then opens it again.
// Another thread asks the devices of an open vault for their health, so that seal-status is true.
//
// Thread safety: every method from any thread. sys/init and sys/unseal run on a worker.

#include <atomic>
#include <string>
#include <thread>

#include "vault/base/mutex.h"
#include "vault/core/unsealed.h"
#include "vault/seal/seal.h"

namespace leasehold::core {

class Lifecycle;
struct SealedRoute {
  std::string_view path;
  Response (Lifecycle::*answer)(const Request&);
  bool slow;  // writes run on a worker: they wait for devices and flushes
};

class Lifecycle {
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
  Unsealed* enter();
  void leave();
  std::string why_sealed() const;

  // What an answer handed out that never left. While sealed it waits for the next unseal, in
  // memory: if the process ends before, the lease or token lives out its time.
  struct Undelivered {
    std::string lease_id, accessor;  // "": none
  };
  void revoke(Undelivered lost);

  const SealedRoute* sealed_route(std::string_view path) const;
  bool on_worker(const SealedRoute& route, const Request& request) const;
  Response answer(const SealedRoute& route, const Request& request);

  // Dev mode: a fresh store, unsealed, with this root token ("" for a random one).
  struct DevStart {
    SecretBytes unseal_key, root_token;
  };
  Result<DevStart> start_dev(std::string_view root_token);

  Response health(const Request& request);
  Response seal_status(const Request& request);
  Response init(const Request& request);
  Response unseal(const Request& request);
  Response leader(const Request& request);

 private:
  Result<seal::Initialized> initialize(const Request& request, SecretBytes& root_token,
                                       std::string_view wanted_root);
  Status go_live(seal::Opened opened, SecretBytes* root_token, std::string_view wanted_root);
  Json status_json() const;
  void run();
  void do_seal();
  void seal_if_wanted();
  bool seal_if_broken();
  void watch_devices();
  void revoke_undelivered();
  void open_with_devices();
  void tear_down() REQUIRES(changing_);

  Environment environment_;
  seal::Seal& seal_;
  const seal::RecoveryMode recovery_mode_;
  const std::string cluster_name_, version_, build_date_;
  std::atomic<Unsealed*> live_{nullptr};
  std::atomic<long> users_{0};
  std::unique_ptr<Unsealed> owned_;
  std::thread thread_, devices_thread_;
  Mutex changing_;  // one init, unseal or seal at a time
  mutable Mutex mutex_;
  Condition wake_;
  bool stopping_ GUARDED_BY(mutex_) = false;
  std::vector<Undelivered> undelivered_ GUARDED_BY(mutex_);
  bool seal_wanted_ GUARDED_BY(mutex_) = false;
  bool sealed_by_operator_ GUARDED_BY(mutex_) = false;
  std::string sealed_because_ GUARDED_BY(mutex_);  // when nobody asked for it
};

}  // namespace leasehold::core
