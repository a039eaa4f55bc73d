// The form of a batch token: it is in clients' hands, so each released form is opened for good.
#include <doctest/doctest.h>

#include "tests/support/vault_store.h"
#include "vault/core/authority/batch_tokens.h"

namespace leasehold::core {
namespace {

constexpr std::string_view kFirstForm =
    "hvb.AQAAAAG_570LPIuDvjubBGeEiF3qXAATxuaiE26fCvGIW-9vEby-1PtgG9X4qIkLAe1K6VWJjXH38MKaOCM3"
    "6Kss3zfz2d3a4C-Hm0mpsYvy71scCqIg1JNOby2rHIFqSQFQMQDtU4OffYwi82gW6ci3kTJtQWCFZZ9B_kSunjHZ"
    "tg_t7Hr7IVfJk-Uid6RyrFq_O_gW54FRvsUiF8xQ-W2loRztPvalCGcWWZmLabbVmlZ7PrA1wUfkBXrkBQ1dmDP6"
    "IVVZ1qeml0yfRCP9tMOxLSOzymZoKHLhJFQwUtEsRy4S4QdEkrvoJfkRknvYIiskZ9x5Ds23vPHwOCHjDsSDs8Ww"
    "i8kznp9yqQ";

struct Form : testing::VaultStore {
  testing::SeededRandom random{7};
  const BatchTokens tokens{barrier, random};
  TokenCache cache;
};

Token some_token() {
  Token token;
  token.batch = true;
  token.created = WallTime{1'700'000'000'000'000'000};
  token.expires = add(token.created, Seconds{3600});
  token.creation_ttl = Seconds{3600};
  token.path = "auth/token/create/ci";
  token.display_name = "token-job";
  token.policies = {"app", "default"};
  token.meta = {{"a", "b"}};
  token.has_meta = true;
  token.mount = "auth_userpass_01020304";
  token.bound_cidrs = {"10.0.0.0/8"};
  token.role = "ci";
  return token;
}

}  // namespace

TEST_CASE_FIXTURE(Form, "batch token form: the first form is read, and written as it was") {
  const auto made = tokens.make(some_token());
  REQUIRE(made.ok());
  CHECK(as_text(made->reveal()) == kFirstForm);
  const auto opened = tokens.open(kFirstForm, cache);
  REQUIRE(opened != nullptr);
  CHECK(opened->batch);
  CHECK(opened->accessor.empty());
  CHECK(opened->expires->seconds() == 1'700'003'600);
  CHECK(opened->policies == std::vector<std::string>{"app", "default"});
  CHECK(opened->meta.at(0).second == "b");
  CHECK(opened->mount == "auth_userpass_01020304");
  CHECK(opened->bound_cidrs == std::vector<std::string>{"10.0.0.0/8"});
  CHECK(opened->role == "ci");
}

TEST_CASE_FIXTURE(Form, "batch token form: what was opened before is not opened again") {
  const auto first = tokens.open(kFirstForm, cache);
  REQUIRE(first != nullptr);
  CHECK(tokens.open(kFirstForm, cache) == first);
  std::string other(kFirstForm);
  other.back() = other.back() == 'A' ? 'B' : 'A';
  CHECK(tokens.open(other, cache) == nullptr);
}

TEST_CASE_FIXTURE(Form, "batch token form: another store has other keys, and other tokens") {
  const barrier::Barrier elsewhere(barrier::StoreId{0x5f}, testing::test_keys(), random);
  TokenCache its_cache;
  CHECK(BatchTokens(elsewhere, random).open(kFirstForm, its_cache) == nullptr);
  testing::SeededRandom others(43);
  const barrier::Barrier rekeyed(testing::kTestStore, barrier::KeyRing::generate(others), random);
  CHECK(BatchTokens(rekeyed, random).open(kFirstForm, its_cache) == nullptr);
}

}  // namespace leasehold::core
