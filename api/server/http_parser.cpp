#include "api/server/http_parser.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "vault/base/encoding.h"
#include "vault/base/trimmed.h"
#include "vault/core/contract/request.h"

namespace leasehold::server {
namespace {

constexpr std::size_t kChunkLineBytes = 256;
constexpr std::size_t kMethodBytes = 32;

constexpr std::array<bool, 256> token_characters() {
  std::array<bool, 256> table{};
  for (int c = '0'; c <= '9'; ++c) table[c] = true;
  for (int c = 'a'; c <= 'z'; ++c) table[c] = table[c - 'a' + 'A'] = true;
  for (const char c : {'!', '#', '$', '%', '&', '\'', '*', '+', '-', '.', '^', '_', '`', '|', '~'})
    table[static_cast<unsigned char>(c)] = true;
  return table;
}
constexpr auto kToken = token_characters();  // RFC 9110, section 5.6.2

bool is_token(char c) { return kToken[static_cast<unsigned char>(c)]; }
bool is_text(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return (byte >= 0x20 && byte != 0x7f) || byte == '\t';
}
// Bytes above 0x7f pass: a path in raw UTF-8 is checked where paths are read.
bool is_target(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte > 0x20 && byte != 0x7f && byte != '#';
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char l = lower_case(c);
  return l >= 'a' && l <= 'f' ? l - 'a' + 10 : -1;
}

}  // namespace

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) {
           return lower_case(x) == lower_case(y);
         });
}

void HttpParser::refuse(int status, std::string_view message) {
  state_ = State::refused;
  refusal_status_ = status;
  refusal_ = message.data();
  refusal_size_ = static_cast<std::uint32_t>(message.size());
}

void find_headers(std::string_view head, std::span<const std::string> names, HeaderSink each) {
  for (std::size_t end = head.find('\n'); end != head.npos; end = head.find('\n')) {
    head.remove_prefix(end + 1);  // the line before, of which the first is the request line
    const std::string_view line = head.substr(0, head.find('\r'));
    const std::size_t colon = line.find(':');
    for (std::size_t i = 0; i < names.size() && colon != line.npos; ++i)
      if (equal_ignoring_case(line.substr(0, colon), names[i]))
        each(i, trimmed(line.substr(colon + 1)));
  }
}

HttpMessage HttpParser::message(const char* buffer) const {
  const auto view = [buffer](Span span) { return std::string_view(buffer + span.from, span.size); };
  HttpMessage message;
  message.method = view(method_);
  message.target = view(target_);
  message.token = view(token_);
  message.authorization = view(authorization_);
  message.wrap_ttl = view(wrap_ttl_);
  message.content_type = view(content_type_);
  message.name_space = view(name_space_);
  message.purpose = view(purpose_);
  for (std::size_t i = 0; i < forwarded_count_; ++i) message.forwarded[i] = view(forwarded_[i]);
  message.forwarded_count = forwarded_count_;
  message.head = {buffer, head_size_};
  message.body = {buffer + head_size_, body_end_ - head_size_};
  return message;
}

std::size_t HttpParser::parse(std::span<char> buffer) {
  while (state_ == State::head) {
    const std::size_t before = cursor_;
    head_line(buffer);
    if (cursor_ == before) break;
  }
  if (state_ != State::body) return buffer.size();
  if (!chunked_) {
    plain_body(buffer.size());
    return buffer.size();
  }
  while (state_ == State::body && chunked_body(buffer)) {
  }
  return squeeze(buffer);
}

// The line at cursor_ without its CRLF; false when it is not whole yet, or refused. `most` is the
// position that its LF must stand before.
bool HttpParser::next_line(std::span<const char> buffer, std::size_t most, Span& line) {
  const std::size_t end = std::min(buffer.size(), most);
  const void* found =
      scanned_ < end ? std::memchr(buffer.data() + scanned_, '\n', end - scanned_) : nullptr;
  if (found == nullptr) {
    scanned_ = std::max(scanned_, end);
    return false;
  }
  const auto at = static_cast<std::size_t>(static_cast<const char*>(found) - buffer.data());
  if (at == cursor_ || buffer[at - 1] != '\r') {
    refuse(400, "a line ends in a bare line feed");
    return false;
  }
  line = {static_cast<std::uint32_t>(cursor_), static_cast<std::uint32_t>(at - 1 - cursor_)};
  cursor_ = scanned_ = at + 1;
  return true;
}

void HttpParser::head_line(std::span<const char> buffer) {
  Span span;
  if (!next_line(buffer, limits_->head_bytes, span)) {
    if (state_ == State::head && buffer.size() >= limits_->head_bytes)
      refuse(431, "the request head is too large");
    return;
  }
  const std::string_view line(buffer.data() + span.from, span.size);
  if (!request_line_done_) return request_line(line, span.from);
  if (line.empty()) return end_of_head(buffer);
  header_line(line, span.from);
}

void HttpParser::request_line(std::string_view line, std::uint32_t at) {
  request_line_done_ = true;
  std::size_t i = 0;
  while (i < line.size() && is_token(line[i])) ++i;
  if (i == 0 || i > kMethodBytes || i == line.size() || line[i] != ' ')
    return refuse(400, "malformed request line");
  method_ = {at, static_cast<std::uint32_t>(i)};
  const std::size_t from = ++i;
  while (i < line.size() && is_target(line[i])) ++i;
  if (i == from || i == line.size() || line[i] != ' ')
    return refuse(400, "malformed request target");
  target_ = {at + static_cast<std::uint32_t>(from), static_cast<std::uint32_t>(i - from)};
  version(line.substr(i + 1));
}

void HttpParser::version(std::string_view text) {
  if (text == "HTTP/1.1" || text == "HTTP/1.0")
    minor_ = text.back() == '1' ? 1 : 0;
  else if (text.size() == 8 && text.starts_with("HTTP/"))
    refuse(505, "only HTTP/1.1 and HTTP/1.0 are spoken here");
  else
    refuse(400, "malformed request line");
}

void HttpParser::header_line(std::string_view line, std::uint32_t at) {
  if (++headers_ > limits_->headers) return refuse(431, "too many headers");
  std::size_t colon = 0;
  while (colon < line.size() && is_token(line[colon])) ++colon;
  if (colon == 0 || colon == line.size() || line[colon] != ':')
    return refuse(400, "malformed header line");
  if (!std::all_of(line.begin() + static_cast<std::ptrdiff_t>(colon), line.end(), is_text))
    return refuse(400, "a header holds a control character");
  if (chunked_ && state_ == State::body) return;  // a trailer: checked, and of no effect
  const std::string_view value = trimmed(line.substr(colon + 1));
  const auto offset = static_cast<std::uint32_t>(value.data() - line.data());
  known_header(line.substr(0, colon), value,
               {at + offset, static_cast<std::uint32_t>(value.size())});
}

void HttpParser::known_header(std::string_view name, std::string_view value, Span span) {
  const auto is = [name](std::string_view other) { return equal_ignoring_case(name, other); };
  const auto keep_first = [span](Span& to) {
    if (to.size == 0) to = span;
  };
  switch (name.size()) {
    case 4:
      if (!is("host")) return;
      if (has_host_) return refuse(400, "two Host headers");
      has_host_ = true;
      return;
    case 6:
      if (is("expect")) expect(value);
      return;
    case 10:
      if (is("connection")) connection(value);
      return;
    case 12:
      if (is("content-type")) keep_first(content_type_);
      return;
    case 13:
      if (is("x-vault-token")) return keep_first(token_);
      if (is("authorization") && value.starts_with("Bearer ")) keep_first(authorization_);
      return;
    case 14:
      if (is("content-length")) content_length(value);
      return;
    case 15:
      if (!is("x-forwarded-for")) return;
      if (forwarded_count_ == forwarded_.size())
        return refuse(400, "too many X-Forwarded-For headers");
      forwarded_[forwarded_count_++] = span;
      return;
    case 16:
      if (is("x-vault-wrap-ttl")) keep_first(wrap_ttl_);
      return;
    case 17:
      if (is("transfer-encoding")) return transfer_encoding(value);
      if (is("x-vault-namespace")) keep_first(name_space_);
      return;
    case 19:
      if (is("x-leasehold-purpose")) keep_first(purpose_);
      return;
    default:
      return;
  }
}

void HttpParser::content_length(std::string_view value) {
  if (has_length_) return refuse(400, "two Content-Length headers");
  has_length_ = true;
  constexpr std::size_t kDigits = 18;  // fits 64 bits
  const bool digits = !value.empty() && std::all_of(value.begin(), value.end(),
                                                    [](char c) { return c >= '0' && c <= '9'; });
  if (!digits) return refuse(400, "Content-Length is not a number");
  if (value.size() > kDigits) return refuse(413, core::kBodyTooLarge);
  for (const char c : value) left_ = left_ * 10 + static_cast<std::uint64_t>(c - '0');
}

void HttpParser::transfer_encoding(std::string_view value) {
  if (chunked_) return refuse(400, "two Transfer-Encoding headers");
  if (!equal_ignoring_case(value, "chunked"))
    return refuse(501, "the only transfer coding understood is chunked");
  chunked_ = true;
}

void HttpParser::connection(std::string_view value) {
  while (!value.empty()) {
    const std::size_t comma = std::min(value.find(','), value.size());
    const std::string_view option = trimmed(value.substr(0, comma));
    if (equal_ignoring_case(option, "close")) asked_close_ = true;
    if (equal_ignoring_case(option, "keep-alive")) asked_keep_ = true;
    value.remove_prefix(std::min(comma + 1, value.size()));
  }
}

void HttpParser::expect(std::string_view value) {
  if (!equal_ignoring_case(value, "100-continue")) return refuse(417, "expectation failed");
  expects_continue_ = minor_ == 1;  // an older client does not understand the answer
}

void HttpParser::end_of_head(std::span<const char> buffer) {
  if (minor_ == 1 && !has_host_) return refuse(400, "missing required Host header");
  if (chunked_ && has_length_) return refuse(400, "Content-Length and Transfer-Encoding together");
  if (chunked_ && minor_ == 0) return refuse(400, "HTTP/1.0 has no Transfer-Encoding");
  keep_alive_ = !asked_close_ && (minor_ == 1 || asked_keep_);
  head_size_ = body_end_ = cursor_;
  const std::string_view method(buffer.data() + method_.from, method_.size);
  const bool writes = method == "POST" || method == "PUT" || method == "PATCH";
  const bool shows_token = token_.size > 0 || authorization_.size > 0;
  body_max_ = limits_->body_bytes;
  if (!writes || !shows_token) body_max_ = std::min<std::uint64_t>(body_max_, core::kSmallBodyMax);
  if (left_ > body_max_) return refuse(413, core::kBodyTooLarge);
  state_ = chunked_ || left_ > 0 ? State::body : State::complete;
}

void HttpParser::plain_body(std::size_t size) {
  body_end_ =
      head_size_ + static_cast<std::size_t>(std::min<std::uint64_t>(left_, size - head_size_));
  cursor_ = scanned_ = body_end_;
  if (body_end_ - head_size_ == left_) state_ = State::complete;
}

bool HttpParser::chunked_body(std::span<char> buffer) {
  switch (chunk_) {
    case Chunk::size:
      return chunk_size(buffer);
    case Chunk::data:
      return chunk_data(buffer);
    case Chunk::data_end:
      return chunk_data_end(buffer);
    case Chunk::trailer:
      return trailer(buffer);
  }
  return false;
}

bool HttpParser::chunk_size(std::span<const char> buffer) {
  Span span;
  const std::size_t most = cursor_ + kChunkLineBytes;
  if (next_line(buffer, most, span)) {
    chunk_header({buffer.data() + span.from, span.size});
    return true;
  }
  if (state_ == State::body && buffer.size() >= most)
    refuse(400, "a chunk's size line is too long");
  return false;
}

void HttpParser::chunk_header(std::string_view line) {
  constexpr std::size_t kDigits = 15;  // fits 64 bits
  std::size_t i = 0;
  left_ = 0;
  for (; i < line.size() && hex_digit(line[i]) >= 0; ++i) {
    if (i == kDigits) return refuse(413, core::kBodyTooLarge);
    left_ = left_ << 4 | static_cast<std::uint64_t>(hex_digit(line[i]));
  }
  const bool extension = i < line.size() && line[i] == ';';
  if (i == 0 || (i < line.size() && !extension)) return refuse(400, "malformed chunk size");
  if (!std::all_of(line.begin() + static_cast<std::ptrdiff_t>(i), line.end(), is_text))
    return refuse(400, "malformed chunk extension");
  if (left_ > body_max_ - (body_end_ - head_size_)) return refuse(413, core::kBodyTooLarge);
  chunk_ = left_ == 0 ? Chunk::trailer : Chunk::data;
}

bool HttpParser::chunk_data(std::span<char> buffer) {
  const std::size_t here =
      static_cast<std::size_t>(std::min<std::uint64_t>(left_, buffer.size() - cursor_));
  std::memmove(buffer.data() + body_end_, buffer.data() + cursor_, here);
  body_end_ += here;
  cursor_ += here;
  scanned_ = cursor_;
  left_ -= here;
  if (left_ > 0) return false;
  chunk_ = Chunk::data_end;
  return true;
}

bool HttpParser::chunk_data_end(std::span<const char> buffer) {
  if (buffer.size() - cursor_ < 2) return false;
  if (buffer[cursor_] != '\r' || buffer[cursor_ + 1] != '\n') {
    refuse(400, "a chunk does not end where its size says");
    return false;
  }
  cursor_ += 2;
  scanned_ = cursor_;
  chunk_ = Chunk::size;
  return true;
}

bool HttpParser::trailer(std::span<const char> buffer) {
  Span span;
  const std::size_t most = cursor_ + limits_->head_bytes - trailer_bytes_;
  if (!next_line(buffer, most, span)) {
    if (state_ == State::body && buffer.size() >= most) refuse(431, "the trailers are too large");
    return false;
  }
  trailer_bytes_ += span.size + 2;
  if (span.size == 0)
    state_ = State::complete;
  else
    header_line({buffer.data() + span.from, span.size}, span.from);
  return true;
}

// Moves what follows down to the end of the decoded body.
std::size_t HttpParser::squeeze(std::span<char> buffer) {
  const std::size_t gap = cursor_ - body_end_;
  std::memmove(buffer.data() + body_end_, buffer.data() + cursor_, buffer.size() - cursor_);
  cursor_ -= gap;
  scanned_ -= gap;
  return buffer.size() - gap;
}

}  // namespace leasehold::server
