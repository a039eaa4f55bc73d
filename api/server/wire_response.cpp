#include <algorithm>
#include <charconv>
#include <cstring>

#include "api/server/wire.h"
#include "vault/core/contract/envelope.h"

namespace leasehold::server {
namespace {

using core::Response;

constexpr std::size_t kHeadRoom = 1024;  // of what stands in every head
// For a year, as Vault's default header says it.
constexpr std::string_view kStrictTransport =
    "\r\nStrict-Transport-Security: max-age=31536000; includeSubDomains";
constexpr std::size_t kContentTypeBytes = 256;
constexpr std::size_t kWarningsMax = 8, kWarningBytes = 500;
constexpr std::size_t kKeptBytes = 64u << 10;

std::string_view reason_of(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 202:
      return "Accepted";
    case 204:
      return "No Content";
    case 307:
      return "Temporary Redirect";
    case 400:
      return "Bad Request";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 413:
      return "Content Too Large";
    case 415:
      return "Unsupported Media Type";
    case 417:
      return "Expectation Failed";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    case 505:
      return "HTTP Version Not Supported";
    case 507:
      return "Insufficient Storage";
    default:
      return "Status";
  }
}

std::string_view content_type_of(const Response& answer) {
  constexpr std::string_view kJson = "application/json", kBytes = "application/octet-stream";
  if (answer.is_error || answer.form != Response::Form::raw) return kJson;
  const std::string_view type = answer.content_type;
  if (type.empty()) return kJson;
  const bool clean =
      std::all_of(type.begin(), type.end(), [](char c) { return c >= 0x20 && c < 0x7f; });
  return clean && type.size() <= kContentTypeBytes ? type : kBytes;
}

// RFC 9112, section 6.3: a client reads no body behind these, so a byte of one would be the start
// of the next answer.
bool allows_body(int status) { return status >= 200 && status != 204 && status != 304; }

// Lines of `Warning` (RFC 7234, section 5.5): who does not know the header passes over it. The last
// one says how many there are behind it.
std::string lines_of_warnings(const std::vector<std::string>& warnings) {
  std::string lines;
  for (std::size_t i = 0; i < std::min(warnings.size(), kWarningsMax); ++i) {
    const bool is_cut = i + 1 == kWarningsMax && warnings.size() > kWarningsMax;
    const std::string more = "and " + std::to_string(warnings.size() - i) + " more warnings";
    const std::string_view text = is_cut ? more : warnings[i];
    lines += "Warning: 299 - \"";
    for (const char c : text.substr(0, kWarningBytes)) {
      if (c == '"' || c == '\\') lines += '\\';
      lines += c >= 0x20 && c < 0x7f ? c : '?';
    }
    lines += "\"\r\n";
  }
  return lines;
}

// `custom` and `warnings` are whole lines.
void write_head(std::string& head, const Response& answer, int status, std::size_t body_size,
                const ReplyOptions& options, std::string_view custom, std::string_view warnings) {
  const auto number = [&head](std::int64_t what) {
    char digits[24];
    head.append(digits, std::to_chars(digits, digits + sizeof digits, what).ptr);
  };
  head = "HTTP/1.1 ";
  number(status);
  head.append(" ").append(reason_of(status));
  head.append("\r\nCache-Control: no-store\r\nContent-Type: ").append(content_type_of(answer));
  if (!options.date.empty()) head.append("\r\nDate: ").append(options.date);
  if (options.secure && custom.find(kTransportSecurity) == custom.npos) head += kStrictTransport;
  if (!options.location.empty()) head.append("\r\nLocation: ").append(options.location);
  if (allows_body(status)) {
    head += "\r\nContent-Length: ";
    number(static_cast<std::int64_t>(body_size));
  }
  if (answer.is_error && !answer.request_id.empty())
    head.append("\r\nX-Leasehold-Request-Id: ").append(answer.request_id);
  if (answer.retry_after) {
    head += "\r\nRetry-After: ";
    number(answer.retry_after->count());
  }
  if (answer.rate_limit) {
    head += "\r\nX-Ratelimit-Limit: ";
    number(answer.rate_limit->limit);
    head += "\r\nX-Ratelimit-Remaining: ";
    number(answer.rate_limit->remaining);
    head += "\r\nX-Ratelimit-Reset: ";
    number(answer.rate_limit->reset.count());
  }
  if (options.close)
    head += "\r\nConnection: close";
  else if (options.keep_alive)
    head += "\r\nConnection: keep-alive";
  head.append("\r\n").append(warnings).append(custom).append("\r\n");
}

}  // namespace

void encode_reply(const core::Response& answer, const ReplyOptions& options, ReplyBuffer& out) {
  std::string& bytes = out.bytes_;
  bytes.clear();
  const int status = core::status_of(answer);
  const std::string_view custom =
      options.headers != nullptr ? options.headers->lines(status) : std::string_view();
  const std::string warnings = lines_of_warnings(answer.quiet_warnings);
  const std::size_t room = kHeadRoom + options.location.size() + custom.size() + warnings.size();
  bytes.reserve(room + core::body_bytes_max(answer));
  bytes.resize(room);
  if (allows_body(status)) core::write_body(bytes, answer);
  write_head(out.head_, answer, status, bytes.size() - room, options, custom, warnings);
  out.begin_ = room - out.head_.size();
  std::memcpy(bytes.data() + out.begin_, out.head_.data(), out.head_.size());
  if (options.head) {
    wipe(bytes.data() + room, bytes.size() - room);
    bytes.resize(room);
  }
}

void ReplyBuffer::wipe_used() {
  wipe(bytes_.data() + begin_, bytes_.size() - begin_);
  bytes_.clear();
  begin_ = 0;
  if (bytes_.capacity() > kKeptBytes) std::string().swap(bytes_);
  if (head_.capacity() > kKeptBytes) std::string().swap(head_);
}

core::Response reply_of(const WireError& refusal) {
  core::Response answer;
  answer.status = refusal.status;
  answer.is_error = true;
  if (!refusal.message.empty()) answer.errors.push_back(refusal.message);
  return answer;
}

}  // namespace leasehold::server
