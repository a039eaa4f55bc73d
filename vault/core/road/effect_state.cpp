#include "vault/core/road/effect_state.h"

#include "vault/base/result.h"

namespace leasehold::core {

bool is_step(EffectState from, EffectState to) {
  switch (from) {
    case EffectState::planned:
      return to == EffectState::queued || to == EffectState::settling;
    case EffectState::queued:
      return to == EffectState::planned || to == EffectState::recording;
    case EffectState::recording:
      return to == EffectState::recorded;
    case EffectState::recorded:
      return to == EffectState::asked || to == EffectState::settling;
    case EffectState::asked:
      return to == EffectState::settling;
    case EffectState::settling:
      return to == EffectState::settling || to == EffectState::settled;
    case EffectState::settled:
      return false;
  }
  return false;
}

void move_on(EffectState& state, EffectState next) {
  VAULT_ASSERT(is_step(state, next));
  state = next;
}

}  // namespace leasehold::core
