#include "api/server/response_headers.h"

#include <algorithm>
#include <cstring>
#include <optional>

#include "vault/base/encoding.h"

namespace leasehold::server {
namespace {

constexpr std::string_view kStanza = "custom_response_headers";
constexpr std::size_t kLinesMax = 8u << 10;  // of one status
// Written by the listener itself, or by no server but one that means it.
constexpr std::string_view kOurs[] = {"cache-control",     "connection", "content-length",
                                      "content-type",      "date",       "retry-after",
                                      "transfer-encoding", "upgrade",    "location"};

// `key` is one of the block's, or none.
Error wrong(const Stanza& block, std::string_view key, const std::string& message) {
  return failure(Code::invalid, block.where(key) + ": " + std::string(kStanza) + ": " + message);
}

// 0: the default; 1 to 5: a class; 100 and above: a status.
std::optional<int> status_named(std::string_view name) {
  if (name == "default") return 0;
  if (name.size() != 3 || name[0] < '1' || name[0] > '5') return std::nullopt;
  if (name.substr(1) == "xx") return name[0] - '0';
  if (name[1] < '0' || name[1] > '9' || name[2] < '0' || name[2] > '9') return std::nullopt;
  return (name[0] - '0') * 100 + (name[1] - '0') * 10 + (name[2] - '0');
}

bool is_header_name(std::string_view name) {
  constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
  const auto fits = [&](char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           kMarks.find(c) != kMarks.npos;
  };
  return !name.empty() && std::all_of(name.begin(), name.end(), fits);
}

bool is_header_value(std::string_view value) {
  return std::all_of(value.begin(), value.end(), [](char c) { return c >= 0x20 && c < 0x7f; });
}

}  // namespace

Result<ResponseHeaders::Set> ResponseHeaders::read_set(const Stanza& block,
                                                       const HclAttribute& attribute) {
  const std::string in = "\"" + attribute.name + "\" ";
  if (!attribute.value.is_object())
    return wrong(block, attribute.name, in + "must be a map of headers");
  Set set;
  for (const auto& member : attribute.value.members()) {
    const std::string key = lower_case(member.first);
    if (!is_header_name(member.first))
      return wrong(block, attribute.name, in + "has a name that is no header's");
    if (key.starts_with("x-vault-") || std::count(std::begin(kOurs), std::end(kOurs), key) > 0)
      return wrong(block, attribute.name,
                   in + "cannot set " + member.first + ": the server sets it");
    auto& header = set[key];
    header.first =
        key == lower_case(kTransportSecurity) ? std::string(kTransportSecurity) : member.first;
    if (member.second.is_string()) header.second = {member.second.text()};
    for (const Json& item : member.second.items()) header.second.push_back(item.text());
    if (header.second.empty())
      return wrong(block, attribute.name, in + member.first + " has no value");
    for (const std::string& value : header.second)
      if (!is_header_value(value))
        return wrong(block, attribute.name,
                     in + member.first + " has a value that no header can have");
  }
  return set;
}

Result<ResponseHeaders> ResponseHeaders::read(Stanza& listener) {
  std::map<int, Set> sets;
  for (const Stanza& block : listener.nested_all(kStanza)) {
    std::vector<HclAttribute> attributes = block.body().attributes;
    for (const HclBlock& one : block.body().blocks) {  // "2xx" { ... }, without the '='
      Json map = Json::object();
      for (const HclAttribute& header : one.body.attributes) map.set(header.name, header.value);
      attributes.push_back({one.type, std::move(map), one.line});
    }
    for (const HclAttribute& attribute : attributes) {
      const auto status = status_named(attribute.name);
      if (!status)
        return wrong(block, attribute.name,
                     "\"" + attribute.name +
                         "\" is neither \"default\", nor a class like \"4xx\", nor a "
                         "status like \"404\"");
      VAULT_TRY_ASSIGN(Set set, read_set(block, attribute));
      for (auto& header : set) sets[*status][header.first] = std::move(header.second);
    }
  }
  ResponseHeaders headers;
  for (auto& set : sets) {
    const int status = set.first;
    for (const int under : {status / 100, 0})  // what is said less closely
      if (under != status)
        if (const auto wider = sets.find(under); wider != sets.end())
          set.second.insert(wider->second.begin(), wider->second.end());
    std::string lines;
    for (const auto& header : set.second)
      for (const std::string& value : header.second.second)
        lines += header.second.first + ": " + value + "\r\n";
    if (lines.size() > kLinesMax)
      return wrong(listener, {}, "more than 8 KiB of headers in one answer");
    if (status >= 100)
      headers.by_status_[status] = std::move(lines);
    else if (status > 0)
      headers.by_class_[static_cast<std::size_t>(status) - 1] = std::move(lines);
    else
      headers.default_ = std::move(lines);
  }
  for (std::string& lines : headers.by_class_)
    if (lines.empty()) lines = headers.default_;
  return headers;
}

std::string_view ResponseHeaders::lines(int status) const {
  const auto exact = by_status_.find(status);
  if (exact != by_status_.end()) return exact->second;
  if (status < 100 || status > 599) return default_;
  return by_class_[static_cast<std::size_t>(status) / 100 - 1];
}

}  // namespace leasehold::server
