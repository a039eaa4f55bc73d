#pragma once
// A vault that configures itself at its first start, without hands:
//
//   initialize "apps" {
//     request "mount" {
//       operation = "update"
//       path      = "sys/mounts/secret"
//       data      = { type = "kv-v2" }
//     }
//   }
//
// On an empty storage, with a seal that opens by itself, the requests run in the order of the file,
// by a root token that is revoked at the end; each is on record like any other. Nothing is served
// until all are done. When one fails, or the process is killed, nothing of it stays: the next start
// begins anew. Values may come from elsewhere (self_init_values.h). An initialized vault passes
// over the stanzas. Thread safety: one thread.

#include <string>
#include <vector>

#include "vault/base/stanza.h"
#include "vault/core/life/lifecycle.h"
#include "vault/core/road/core.h"

namespace leasehold::server_process {

struct SelfInitStep {
  std::string init, name;  // of the stanza and of the request
  std::string where;       // file, line and column
  core::Operation operation = core::Operation::update;
  std::string path;
  Json data, token;  // as they stand; null: none, and the root token
  bool allow_failure = false;
};

// All requests of the stanzas, in order. Code::invalid names all that is wrong, one a line.
Result<std::vector<SelfInitStep>> read_self_init(const std::vector<Stanza>& stanzas);

// Undoes what an earlier process left unfinished.
Status undo_unfinished(seal::Seal& seal, core::Lifecycle& lifecycle, LogSink& log);
// Begins, runs every step, revokes the root token, finishes; an error says which step failed, and
// that nothing was kept.
Status self_initialize(const std::vector<SelfInitStep>& steps, core::Lifecycle& lifecycle,
                       core::Core& core, Clock& clock, LogSink& log);

}  // namespace leasehold::server_process
