#pragma once
// A bound that requests run into because something is full or used up: what it bounds, and how it
// reads to the client. One row each, beside what it bounds:
//
//   constexpr Bound kWaiting{"writes are waiting"};
//   return kWaiting.hit(kQueueMax);   // 503: "busy: 4096 writes are waiting already; try again"
//
//   code            status  message                            Retry-After
//   Code::busy      503     as above: it passes by itself      1 s
//   Code::limited   429     `text`: a quota is used up         1 s
//   Code::denied    403     `text`, as any refusal             -
//
// A counter that the Committer folds names its bound in the batch (commit/batch.h). Thread-safe:
// constants.

#include <cstdint>
#include <string>
#include <string_view>

#include "vault/base/result.h"

namespace leasehold {

struct Bound {
  std::string_view what;
  Code code = Code::busy;
  std::string_view text = {};  // to the client; of a busy one it is made of `what`

  // `most` is the limit; 0: it is not told.
  Error hit(std::uint64_t most = 0) const {
    if (code != Code::busy) return failure(code, std::string(text), std::string(what));
    const std::string count = most > 0 ? std::to_string(most) : "too many";
    return failure(code, "busy: " + count + " " + std::string(what) + " already; try again");
  }
};

}  // namespace leasehold
