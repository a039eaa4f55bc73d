#pragma once
// The subset of HCL 1 that Vault's policies and configuration files use: attributes, labelled
// blocks, lists, maps, strings (with escapes and heredocs), numbers, booleans, `#`, `//` and `/*
// */` comments. Every node knows its line and column. JSON text (first character `{`) gives the
// same tree.
//
//   VAULT_TRY_ASSIGN(const HclBody file, parse_hcl(text));
//   for (const HclBlock& path : file.blocks) if (path.type == "path") ... path.labels[0], path.body

#include <string>
#include <string_view>
#include <vector>

#include "vault/base/json.h"
#include "vault/base/result.h"

namespace leasehold {

struct HclAttribute {
  std::string name;
  Json value;  // a map is an object, a list an array; numbers keep their text
  int line = 0;
  int column = 0;  // of the name; counted in bytes, from 1
};

struct HclBlock;
struct HclBody {
  std::vector<HclAttribute> attributes;  // in the order of the file; a repeated name stands twice
  std::vector<HclBlock> blocks;
  const HclAttribute* find(std::string_view name) const;  // the last of that name
};

struct HclBlock {
  std::string type;
  std::vector<std::string> labels;
  HclBody body;
  int line = 0;
  int column = 0;
};

// Limits: 1 MiB, depth 32. Errors are `Code::invalid` with "line N: ..." and never quote a value.
// In JSON form, `{"path": {"a/*": {...}}}` becomes blocks: an object whose members are all objects
// (or lists of objects) under a top-level key in `block_types` is read as labelled blocks.
Result<HclBody> parse_hcl(std::string_view text, const std::vector<std::string>& block_types);

}  // namespace leasehold
