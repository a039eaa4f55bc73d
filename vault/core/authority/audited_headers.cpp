#include "vault/core/authority/audited_headers.h"

#include <algorithm>

#include "vault/base/encoding.h"
#include "vault/core/authority/mounts.h"

namespace leasehold::core {

namespace {

constexpr const char* kRecord = "config/auditing/request-headers";
// In clear, the log would hold what it exists to hide.
constexpr std::string_view kCredentials[] = {"authorization", "cookie", "proxy-authorization",
                                             "x-vault-token"};

// RFC 9110, section 5.6.2: a token.
bool is_header_name(std::string_view name) {
  static constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
  return !name.empty() && name.size() <= AuditedHeaders::kNameMax &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || kMarks.find(c) != kMarks.npos;
         });
}

bool before(const AuditedHeader& header, std::string_view name) { return header.name < name; }

}  // namespace

Result<AuditedHeaders> AuditedHeaders::read(commit::ReadTxn& core) {
  AuditedHeaders headers;
  VAULT_TRY_ASSIGN(const auto record, readable_json(core, kRecord));
  if (!record) return headers;
  for (const Json::Member& one : record->members())
    headers.all_.push_back({one.first, one.second.bool_at("hmac")});
  std::sort(headers.all_.begin(), headers.all_.end(),
            [](const AuditedHeader& a, const AuditedHeader& b) { return a.name < b.name; });
  return headers;
}

Status AuditedHeaders::write(commit::WriteTxn& core) const {
  Json record = Json::object();
  for (const AuditedHeader& header : all_)
    record.set(header.name, Json::object().set("hmac", header.hmac));
  VAULT_TRY(core.put(kRecord, as_bytes(record.dump())));
  return Mounts::bump_mounts(core);
}

Status AuditedHeaders::set(std::string_view given, bool hmac) {
  const std::string name = lower_case(given);
  if (!is_header_name(name))
    return failure(Code::invalid,
                   "a header has a name of at most 128 letters, digits and marks, as in "
                   "X-Forwarded-For");
  const auto* const end = std::end(kCredentials);
  if (!hmac && std::find(std::begin(kCredentials), end, name) != end)
    return failure(Code::invalid, name + " holds a credential: it is recorded with hmac=true only");
  const auto at = std::lower_bound(all_.begin(), all_.end(), name, before);
  if (at != all_.end() && at->name == name) {
    at->hmac = hmac;
    return {};
  }
  if (all_.size() >= kMost)
    return failure(Code::invalid, "at most 64 headers can be recorded: remove one first");
  all_.insert(at, {name, hmac});
  return {};
}

void AuditedHeaders::remove(std::string_view given) {
  const std::string name = lower_case(given);
  const auto at = std::lower_bound(all_.begin(), all_.end(), name, before);
  if (at != all_.end() && at->name == name) all_.erase(at);
}

const AuditedHeader* AuditedHeaders::find(std::string_view given) const {
  const std::string name = lower_case(given);
  const auto at = std::lower_bound(all_.begin(), all_.end(), name, before);
  return at != all_.end() && at->name == name ? &*at : nullptr;
}

std::vector<std::string> AuditedHeaders::names() const {
  std::vector<std::string> names;
  for (const AuditedHeader& header : all_) names.push_back(header.name);
  return names;
}

}  // namespace leasehold::core
