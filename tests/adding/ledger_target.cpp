#include "tests/adding/added.h"

namespace leasehold::ledger {
namespace {

using target::Setting;

constexpr Setting kSettings[] = {
    {"book", Setting::Type::text, "The name of the ledger."},
    {"cipher", Setting::Type::text, "What it is written in.", true},
};

}  // namespace

std::span<const Setting> known_settings() { return kSettings; }

Json shown_settings(const Json& settings, std::vector<std::string>& warnings) {
  Json shown = settings;
  shown.erase("cipher");
  if (settings.string_at("cipher").empty()) warnings.push_back("the ledger is in clear");
  return shown;
}

Result<std::unique_ptr<target::Target>> make_target(const Json& settings, Clock&, Random&) {
  if (settings.string_at("book").empty()) return failure(Code::invalid, "a ledger needs a book");
  return testing::make_account_target(server());  // the connection itself: vault/target/target.h
}

// A machine with accounts, in memory.
std::shared_ptr<testing::AccountServer> server() {
  static SystemClock clock;
  static const auto only = std::make_shared<testing::AccountServer>(clock);
  return only;
}

}  // namespace leasehold::ledger
