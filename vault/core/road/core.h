#pragma once
// The request path. `handle` is the whole road and the only coroutine; its stations may suspend it,
// and nothing else here knows about threads. There is no second way in.

#include "vault/core/authority/uses.h"
#include "vault/core/contract/engine.h"
#include "vault/core/road/detached.h"
#include "vault/core/road/environment.h"
#include "vault/core/road/gate.h"
#include "vault/core/road/latches.h"

namespace leasehold::core {

enum class Making : std::uint8_t;
struct Admitted;
struct Authorised;
struct InFlight;
class Workers;

class Core {
 public:
  Core(Gate& gate, Workers& workers, Environment environment);

  // From an io thread's loop; `asker` gets exactly one answer there. It must live until then.
  Detached handle(Request request, Exchange& asker);
  // The answer could not leave: what it handed out is revoked.
  void undelivered(Issued lost);

 private:
  Status admit(Admitted& flight);
  Status look(Admitted& flight);
  Status resolve(Admitted& flight, ReadTxn& txn, Making making);
  Status route(Admitted& flight);
  Status identify(Admitted& flight, ReadTxn& txn);
  static Result<bool> know_entity(Admitted& flight, ReadTxn& txn, Making making);
  Status admit_counted(Admitted& flight);
  Status admit_again(InFlight& flight);
  static Status may_be_recorded(Admitted& flight);
  static bool settle_body(Admitted& flight);
  Status outcome_of_settling(InFlight& flight, const Status& outcome, const Status& durable);
  Status still_allowed(Authorised& flight);
  Status run(InFlight& flight);
  Status run_live(InFlight& flight);
  void count_large(InFlight& flight);
  Status run_in(InFlight& flight, storage::Snapshot& snapshot);
  Status authorize(Authorised& flight, ReadTxn& txn);
  Status dispatch(InFlight& flight, storage::Snapshot& snapshot);
  Status run_read(InFlight& flight, const ReadHandler& handler, storage::Snapshot& snapshot);
  Status run_write(InFlight& flight, const WriteHandler& handler, storage::Snapshot& snapshot);
  Status try_candidate(InFlight& flight);
  static void keep_denial(const InFlight& flight);
  void conclude(InFlight& flight, const Status& status);
  void end_use(InFlight& flight);
  void owe_answer(InFlight& flight);
  static Response answer_of(InFlight& flight, const Status& on_record);

  Gate& gate_;
  Workers& workers_;
  Environment environment_;
  Latches latches_;
  Uses uses_;
};

}  // namespace leasehold::core
