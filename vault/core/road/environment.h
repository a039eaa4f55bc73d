#pragma once
// What the composition root hands to the core: the outside world, and what of the configuration
// does not depend on keys. Values and references; the references outlive the core.

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "vault/core/contract/ttl_defaults.h"
#include "vault/crypto/hash.h"

namespace leasehold {
class LogSink;
class Random;
}  // namespace leasehold
namespace leasehold::audit {
class Device;
}
namespace leasehold::seal {
class Seal;
}
namespace leasehold::storage {
class Storage;
}

namespace leasehold::core {

class AskedHeaders;
struct EngineKind;

// What the operator says of the store: nothing, that it was put back, or that it is a copy beside
// the original, opened for looking: no target is touched and nothing ends (Unsealed::drill).
enum class Restored : std::uint8_t { no, revoke_tokens, keep_tokens, drill };

// A stanza or a key of the configuration, as it stands in the file.
struct ConfiguredPart {
  std::string name;  // `seal "tpm"`, `max_lease_ttl`
  crypto::Digest digest{};
};

struct Environment {
  storage::Storage& storage;
  Clock& clock;
  Random& random;
  LogSink& log;
  TtlDefaults ttls;
  // One EngineKind per row of the catalog, made anew at each unseal.
  std::function<std::vector<std::unique_ptr<EngineKind>>()> engine_kinds;
  // The configured devices; none in dev mode.
  std::function<Result<std::vector<std::unique_ptr<audit::Device>>>()> audit_devices;
  int dev_kv_version = 0;  // of secret/, which a dev server begins with; 0: none
  // Asks for sealing, from any thread; set by Lifecycle.
  std::function<void()> request_seal;
  // Tells the clock the last time the storage saw.
  std::function<void(WallTime)> never_before;
  // An audit device or the storage hangs and will not come back: ends the process.
  std::function<void()> stuck = {};
  // Said at start, for the next unsealing: the storage was put back.
  Restored restored = Restored::no;
  std::vector<ConfiguredPart> configured = {};
  Seconds lease_sweep_period{0};  // how often targets are compared with the leases; 0: never
  AskedHeaders* asked_headers = nullptr;  // of requests; null: they carry none
  std::string_view version = {};          // of the program, for what it stores
  seal::Seal* seal = nullptr;
  // Set by Lifecycle, which found the storage changed: it is compared to its end before it opens.
  bool storage_in_doubt = false;
};

}  // namespace leasehold::core
