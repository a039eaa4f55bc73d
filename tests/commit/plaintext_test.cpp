// What a stolen disk shows.
#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/support/every_storage.h"
#include "tests/support/null_log.h"
#include "tests/support/vault_store.h"

using namespace leasehold;
using commit::WriteTxn;
using testing::VaultRun;

namespace {

std::string all_bytes(const std::string& directory) {
  std::string all;
  for (const auto& file : std::filesystem::directory_iterator(directory)) {
    std::ostringstream bytes;
    bytes << std::ifstream(file.path(), std::ios::binary).rdbuf();
    all += bytes.str();
  }
  return all;
}

}  // namespace

TEST_CASE("disk: no name, path, value, id or audit line stands in the data directory") {
  testing::TemporaryDirectory directory;
  NullLog log;
  {
    auto storage = storage::open_lmdb(directory.path(), testing::small_lmdb(), log);
    REQUIRE(storage.ok());
    VaultRun run(**storage);
    run.drain.sync(false);
    REQUIRE(run.start().ok());
    for (int i = 0; i < 200; ++i) {
      const std::string number = std::to_string(i);
      const auto status = run.write(
          [&](WriteTxn& txn) -> Status {
            barrier::PhysicalKey token(barrier::Table::token);
            token.push_be(1000 + static_cast<std::uint64_t>(i), barrier::kMillisSize);
            token.push(run.barrier.id_hash("token", as_bytes("RecognisableToken" + number)));
            VAULT_TRY(txn.put(token, "RecognisableToken" + number, as_bytes("RecognisableRecord")));
            txn.add("RecognisableCounter" + number, 1, 0);
            return txn.put("RecognisableDirectory/RecognisableName" + number,
                           as_bytes("RecognisableValue" + number));
          },
          "{\"line\":\"RecognisableAudit" + number + "\"}");
      REQUIRE(status.ok());
    }
    CHECK(run.read("RecognisableDirectory/RecognisableName7") == "RecognisableValue7");
  }
  const std::string bytes = all_bytes(directory.path());
  CHECK(bytes.size() > 100'000);
  CHECK(bytes.find("Recognisable") == std::string::npos);
  CHECK(bytes.find("records") != std::string::npos);  // the search itself works
}
