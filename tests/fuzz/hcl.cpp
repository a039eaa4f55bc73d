// HCL from a stranger: it is refused with a line, or gives a tree of bounded depth whose values are
// JSON; and the attributes, written as JSON, are read back as the same values.

#include <algorithm>

#include "vault/base/hcl.h"

namespace {

using leasehold::HclAttribute;
using leasehold::HclBlock;
using leasehold::HclBody;
using leasehold::Json;

const std::vector<std::string>& block_types() {
  static const std::vector<std::string> types{"path", "options", "telemetry"};
  return types;
}

void check_lines(const HclBody& body, int depth, int lines) {
  VAULT_ASSERT(depth <= 33);
  for (const HclAttribute& one : body.attributes) {
    VAULT_ASSERT(one.line >= 1 && one.line <= lines);
    VAULT_ASSERT(leasehold::parse_json(one.value.dump()).ok());
  }
  for (const HclBlock& block : body.blocks) {
    VAULT_ASSERT(block.line >= 1 && block.line <= lines);
    check_lines(block.body, depth + 1, lines);
  }
}

bool is_utf8(const Json& value) {
  const auto again = leasehold::parse_json(value.dump());
  return again.ok() && *again == value;
}

void check_as_json(const HclBody& body) {
  Json object = Json::object();
  for (const HclAttribute& one : body.attributes) {
    if (!is_utf8(Json(one.name)) || !is_utf8(one.value)) return;
    object.set("a" + one.name, one.value);  // a prefix, so that no name is a block type
  }
  const auto again = leasehold::parse_hcl(object.dump(), block_types());
  if (!again.ok()) return;  // one level deeper, or longer for its escapes
  VAULT_ASSERT(again->attributes.size() == object.size());
  for (const HclAttribute& one : again->attributes)
    VAULT_ASSERT(*object.find(one.name) == one.value);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto parsed = leasehold::parse_hcl(text, block_types());
  if (!parsed.ok()) {
    VAULT_ASSERT(parsed.is(leasehold::Code::invalid));
    VAULT_ASSERT(parsed.error().message.substr(0, 5) == "line ");
    return 0;
  }
  const int lines = 1 + static_cast<int>(std::count(text.begin(), text.end(), '\n'));
  check_lines(*parsed, 0, lines);
  check_as_json(*parsed);
  return 0;
}
