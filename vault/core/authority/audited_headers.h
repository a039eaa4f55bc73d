#pragma once
// The request headers that the audit log records: sys/config/auditing/request-headers. One record
// of the core's space, compiled with the mount table, so that a request is recorded by what was
// committed when it was judged. Values; thread safety as such.

#include <string>
#include <string_view>
#include <vector>

#include "vault/commit/txn.h"

namespace leasehold::core {

struct AuditedHeader {
  std::string name;  // in lower case
  bool hmac = false;
};

class AuditedHeaders {
 public:
  static constexpr std::size_t kMost = 64;
  static constexpr std::size_t kNameMax = 128;

  // As stored; none where the record cannot be read.
  static Result<AuditedHeaders> read(commit::ReadTxn& core);
  Status write(commit::WriteTxn& core) const;

  // Code::invalid: no name of a header, or one too many, or one that holds a credential in clear.
  Status set(std::string_view name, bool hmac);
  void remove(std::string_view name);
  const AuditedHeader* find(std::string_view name) const;         // in any case
  const std::vector<AuditedHeader>& all() const { return all_; }  // by name
  std::vector<std::string> names() const;

 private:
  std::vector<AuditedHeader> all_;
};

}  // namespace leasehold::core
