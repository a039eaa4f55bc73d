// The framer against anything a stranger sends: it never crashes, never passes a limit, and what it
// makes of some bytes does not depend on how they were cut. The first byte chooses the cuts.

#include <cstdint>
#include <cstdlib>
#include <string>

#include "api/server/http_parser.h"
#include "api/server/wire.h"

namespace {

using namespace leasehold::server;

struct Outcome {
  HttpParser::State state = HttpParser::State::head;
  int status = 0;
  std::string method, target, token, body, rest;
  bool keep_alive = false, going_on = true;
  bool operator==(const Outcome&) const = default;
};

Outcome parse(const std::string& bytes, std::size_t step, const HttpLimits& limits) {
  HttpParser parser(limits);
  Outcome outcome;
  std::string buffer;
  for (std::size_t at = 0; at < bytes.size(); at += step) {
    buffer += bytes.substr(at, step);
    if (outcome.going_on) buffer.resize(parser.parse(buffer));
    outcome.going_on =
        parser.state() == HttpParser::State::head || parser.state() == HttpParser::State::body;
  }
  outcome.state = parser.state();
  if (outcome.state == HttpParser::State::refused) outcome.status = parser.refusal_status();
  if (outcome.state != HttpParser::State::complete) return outcome;
  const HttpMessage message = parser.message(buffer.data());
  outcome.method = message.method;
  outcome.target = message.target;
  outcome.token = message.token;
  outcome.body = message.body;
  outcome.rest = buffer.substr(parser.message_size());
  outcome.keep_alive = parser.keep_alive();
  if (outcome.body.size() > limits.body_bytes) std::abort();
  leasehold::core::Request request;
  WireError refusal;
  // A path that is not clean is sent to the clean one (307); all else is a refusal.
  if (!read_request(message, {}, request, refusal)) {
    if (refusal.status != 307 && refusal.status < 400) std::abort();
  } else if (request.late_body) {
    (void)request.late_body->read(request.body);
  }
  return outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  HttpLimits limits;
  limits.head_bytes = 512;
  limits.headers = 8;
  limits.body_bytes = 256;
  const std::string bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const Outcome whole = parse(bytes, bytes.size() + 1, limits);
  const std::size_t step = data[0] % 16 + 1u;
  if (!(parse(bytes, step, limits) == whole)) std::abort();
  return 0;
}
