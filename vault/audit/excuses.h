#pragma once
// Which gap records verification believes. The chain needs no key, so whoever writes to the log of
// a vault that is down can put a gap record behind its end, and have the next start sign over it.
// The vault signs its own in the write that brings it: a checkpoint follows before any other run
// begins, and at a start its epoch record says how many records before it are its own (`told`). An
// epoch record of an earlier version does not say so; there the record right before it is believed.
// Thread safety: a value.

#include <cstdint>
#include <optional>
#include <string>

#include "vault/base/json.h"

namespace leasehold::audit {

class Excuses {
 public:
  // The gap record of this line accounts for lines that are missing, or bytes that are no line.
  void rely_on(std::uint64_t seq, const std::string& where);
  // Before the next signature. What it returns is a break; empty: none.
  std::string epoch(const Json& record, std::uint64_t seq);
  void signed_over() { waits_.reset(); }
  std::string end();  // of the files

 private:
  struct Waits {
    std::uint64_t seq = 0;
    std::string where;
    bool epoch_seen = false;
  };
  std::string refuse();
  std::optional<Waits> waits_;  // the first that is not signed
};

}  // namespace leasehold::audit
