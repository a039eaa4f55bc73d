#pragma once
// Where one HTTP/1.1 message ends and the next begins (RFC 9112), strictly: what two parsers could
// read in two ways is refused. Incremental, and without memory of its own: the caller keeps the
// bytes.
//
//   HttpParser parser(limits);
//   size = parser.parse({buffer, size});        // again whenever bytes were added at the end
//   if (parser.state() == HttpParser::State::complete) {
//     const HttpMessage message = parser.message(buffer);
//     ... then drop parser.message_size() bytes and parser.reset()
//
// A chunked body is decoded in place: parse() squeezes the framing out and returns the smaller
// size. The outcome depends on the bytes alone, never on how they were cut (tests/fuzz/framer.cpp).
// Refused with a status: Content-Length beside Transfer-Encoding, either of them twice, anything
// but `chunked`, obs-fold, bare CR or LF, space before a colon, no Host, a head or body beyond its
// limit. Thread safety: a value of one connection.

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "vault/base/function_ref.h"

namespace leasehold::server {

struct HttpLimits {
  std::uint32_t head_bytes = 16u << 10;
  std::uint32_t headers = 100;
  std::uint64_t body_bytes = 2u << 20;
};

// One message: views into the caller's buffer.
struct HttpMessage {
  std::string_view method, target;
  std::string_view token;          // X-Vault-Token
  std::string_view authorization;  // the first that begins with "Bearer "
  std::string_view wrap_ttl, content_type, name_space, purpose;
  std::span<const std::string_view> forwarded_for() const {  // in their order
    return {forwarded.data(), forwarded_count};
  }
  std::array<std::string_view, 4> forwarded;
  std::size_t forwarded_count = 0;
  std::string_view head;  // request line and headers, each with its CRLF, and the empty line
  std::string_view body;
};

class HttpParser {
 public:
  enum class State : std::uint8_t { head, body, complete, refused };

  explicit HttpParser(const HttpLimits& limits) : limits_(&limits) {}

  // Reads on in `buffer`: every byte of the message so far, from its first. Returns how many of
  // them still count.
  std::size_t parse(std::span<char> buffer);
  void reset() { *this = HttpParser(*limits_); }

  State state() const { return state_; }
  HttpMessage message(const char* buffer) const;
  std::size_t head_size() const { return head_size_; }
  std::size_t message_size() const { return body_end_; }
  bool started() const { return scanned_ > 0; }
  bool keep_alive() const { return keep_alive_; }
  bool http_1_0() const { return minor_ == 0; }
  // The client waits for "100 Continue" before it sends the body.
  bool expects_continue() const { return expects_continue_; }

  int refusal_status() const { return refusal_status_; }
  std::string_view refusal() const { return {refusal_, refusal_size_}; }

 private:
  struct Span {
    std::uint32_t from = 0, size = 0;
  };
  enum class Chunk : std::uint8_t { size, data, data_end, trailer };

  void refuse(int status, std::string_view message);
  bool next_line(std::span<const char> buffer, std::size_t most, Span& line);
  void head_line(std::span<const char> buffer);
  void request_line(std::string_view line, std::uint32_t at);
  void version(std::string_view text);
  void header_line(std::string_view line, std::uint32_t at);
  void known_header(std::string_view name, std::string_view value, Span span);
  void content_length(std::string_view value);
  void transfer_encoding(std::string_view value);
  void connection(std::string_view value);
  void expect(std::string_view value);
  void end_of_head(std::span<const char> buffer);
  void plain_body(std::size_t size);
  bool chunked_body(std::span<char> buffer);
  bool chunk_size(std::span<const char> buffer);
  void chunk_header(std::string_view line);
  bool chunk_data(std::span<char> buffer);
  bool chunk_data_end(std::span<const char> buffer);
  bool trailer(std::span<const char> buffer);
  std::size_t squeeze(std::span<char> buffer);

  const HttpLimits* limits_;
  State state_ = State::head;
  Chunk chunk_ = Chunk::size;
  std::uint8_t minor_ = 1;
  bool has_host_ = false, has_length_ = false, chunked_ = false;
  bool keep_alive_ = true, asked_close_ = false, asked_keep_ = false, expects_continue_ = false;
  bool request_line_done_ = false;
  std::uint16_t headers_ = 0;
  std::uint32_t trailer_bytes_ = 0;
  std::size_t cursor_ = 0;   // the next byte that no line or chunk has taken
  std::size_t scanned_ = 0;  // looked at for the end of the line at cursor_
  std::size_t head_size_ = 0;
  std::size_t body_end_ = 0;    // what is decoded so far
  std::uint64_t left_ = 0;      // of the body, or of the chunk
  std::uint64_t body_max_ = 0;  // known at the end of the head
  std::array<Span, 4> forwarded_;
  std::uint8_t forwarded_count_ = 0;
  Span method_, target_, token_, authorization_, wrap_ttl_, content_type_, name_space_, purpose_;
  int refusal_status_ = 0;
  std::uint32_t refusal_size_ = 0;
  const char* refusal_ = nullptr;
};

// What a header of this name has in a head that was parsed, each time it stands there. The names
// are few and the head is bounded; a head that nobody asks is not walked over.
using HeaderSink = FunctionRef<void(std::size_t name, std::string_view value)>;
void find_headers(std::string_view head, std::span<const std::string> names, HeaderSink each);

// ASCII only, as HTTP compares names.
bool equal_ignoring_case(std::string_view a, std::string_view b);

}  // namespace leasehold::server
