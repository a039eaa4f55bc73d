#pragma once
// How far the outside work of one request is. One value says what is on record, whose failure a
// failure is, and whether the end must be written down.
//
//      the request's io thread              the lane's thread                the io thread again
//
//   planned ────────► queued ────────► recording ────► recorded ────► asked
//      │ ▲              │                   │              │            │
//      │ └──────────────┘                   │              └─────┬──────┘
//      │  the lane refused         not durable: nothing          ▼
//      │                           happened, all is over     settling ────► settled
//      └──────────────────────────────────────────────────────►  │ ▲
//         nothing to do outside                                  └─┘ a conflict: settled anew
//
// The work goes to the lane with its job and comes back with the answer (EffectJob). A request that
// stops waiting leaves it there: the job then ends in revocation by itself.

#include <cstdint>

namespace leasehold::core {

enum class EffectState : std::uint8_t {
  planned,    // nothing is on record, nothing was asked
  queued,     // the lane looks for a connection
  recording,  // what must be durable before the target is asked is being made so
  recorded,   // it is: from here on its end must be written down
  asked,      // the target was asked, and may have done it
  settling,   // the end stands in the batch that is committed next
  settled,    // the end is durable, or cannot be made so
};

bool is_step(EffectState from, EffectState to);  // of the drawing
// Any other step is a bug.
void move_on(EffectState& state, EffectState next);

// The intent is on record and its end is not.
constexpr bool must_settle(EffectState state) {
  return state == EffectState::recorded || state == EffectState::asked;
}
// A failure here is the target's: it was asked, or no connection to it could be had.
constexpr bool is_at_target(EffectState state) {
  return state == EffectState::queued || state == EffectState::asked;
}

}  // namespace leasehold::core
