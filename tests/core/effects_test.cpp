// Effects: how far outside work is, and what a failure at each point means for lease and answer.

#include <doctest/doctest.h>

#include "tests/support/test_vault.h"
#include "vault/core/road/effect_state.h"

using namespace leasehold;
using core::EffectState;
using testing::TestVault;
using Fault = testing::AccountServer::Fault;

namespace {

const std::vector<EffectState> kStates = {
    EffectState::planned, EffectState::queued,   EffectState::recording, EffectState::recorded,
    EffectState::asked,   EffectState::settling, EffectState::settled};

struct RoleVault : TestVault {
  RoleVault() { role(R"({"ttl":"1h"})"); }
  bool ends_clean() {
    return as_time_passes([&] {
      return server()->accounts().empty() && count(barrier::Table::lease) == 0 &&
             count(barrier::Table::due) == 0;
    });
  }
};

}  // namespace

TEST_CASE("effects: the steps are those of the drawing, and no others") {
  std::string drawn;
  for (const EffectState from : kStates)
    for (const EffectState to : kStates)
      if (core::is_step(from, to))
        drawn += std::to_string(int(from)) + ">" + std::to_string(int(to)) + " ";
  CHECK(drawn == "0>1 0>5 1>0 1>2 2>3 3>4 3>5 4>5 5>5 5>6 ");
}

TEST_CASE(
    "effects: what is on record is owed until its end is, and only what was asked failed there") {
  for (const EffectState state : kStates) {
    CAPTURE(int(state));
    CHECK(core::must_settle(state) ==
          (state == EffectState::recorded || state == EffectState::asked));
    CHECK(core::is_at_target(state) ==
          (state == EffectState::queued || state == EffectState::asked));
  }
}

TEST_CASE_FIXTURE(
    RoleVault,
    "effects: a conflict that the target tells of does not run what is on record again") {
  server()->set("create", Fault::conflict);
  CHECK(get("test/creds/ro", root()).status() >= 400);
  CHECK(server()->visits("create") == 1);
  CHECK(ends_clean());
}
