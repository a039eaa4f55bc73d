// JSON from a stranger: whatever parses must be written and read back as the same value, on one
// line and over several, and no limit may be passed.

#include "vault/base/json.h"

namespace {

constexpr leasehold::JsonLimits kLimits{
    .depth = 16, .bytes = 1 << 16, .strings = 64, .values = 256};

void check(const leasehold::Json& value, const std::string& text) {
  const auto again = leasehold::parse_json(text, {.depth = 16});
  VAULT_ASSERT(again.ok());
  VAULT_ASSERT(*again == value);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto parsed = leasehold::parse_json(text, kLimits);
  if (!parsed.ok()) {
    VAULT_ASSERT(parsed.is(leasehold::Code::invalid));
    return 0;
  }
  check(*parsed, parsed->dump());
  check(*parsed, parsed->pretty());
  return 0;
}
