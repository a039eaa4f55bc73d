#pragma once
// A condition over an audit record, in the language that Vault's `filter` option takes:
//
//   mount_type == kv and operation != "read"
//   path matches "^secret/data/prod/" or "update" in operation
//   "/auth/display_name" == ci and not (namespace is empty)
//
// A selector is one of the names mount_point, mount_type, namespace, operation, path, or a JSON
// pointer (RFC 6901) in quotes. Values are words, or texts in "" or ``. Operators: ==, !=,
// contains, not contains, matches, not matches (POSIX extended expressions), is empty, is not
// empty, and `value in selector`. `not` binds tighter than `and`, that tighter than `or`. What a
// record does not have compares as the empty text. Immutable; thread-safe.

#include <memory>
#include <string>
#include <string_view>

#include "vault/base/json.h"
#include "vault/base/result.h"

namespace leasehold::audit {

class Filter {
 public:
  // Code::invalid says what was expected, and where. At most 4 KiB, 32 levels of parentheses.
  static Result<Filter> parse(std::string_view text);

  bool matches(const Json& record) const;

  class Node;

 private:
  explicit Filter(std::shared_ptr<const Node> root) : root_(std::move(root)) {}
  std::shared_ptr<const Node> root_;
};

// What a JSON pointer leads to; null when there is nothing. "" is the whole.
const Json* at_pointer(const Json& record, std::string_view pointer);

}  // namespace leasehold::audit
