#include <doctest/doctest.h>

#include "tests/support/seeded_random.h"
#include "vault/base/encoding.h"
#include "vault/seal/keyhost_protocol.h"

using namespace leasehold;
using namespace leasehold::seal;

namespace {

Request sample_request() {
  Request request;
  request.operation = HostCall::recover;
  request.id = 7;
  request.device = 1;
  request.timeout_ms = 5000;
  request.context.generation = 3;
  request.kind = "tpm";
  request.identity = "SRK 000b";
  request.policy = {1, 2, 3};
  request.settings.push_back({"pin", SecretBytes("1234")});
  return request;
}

Reply sample_reply() {
  Reply reply;
  reply.id = 7;
  reply.answer = {DeviceState::policy, "PCR 7 changed", "rc 0x99d"};
  reply.identity = "SRK 000b";
  reply.policy = {4, 5};
  reply.secret = SecretBytes("0123456789abcdef0123456789abcdef");
  return reply;
}

}  // namespace

TEST_CASE("protocol: a request arrives as it was sent") {
  const auto frame = encode(sample_request());
  REQUIRE(frame.ok());
  const auto request = decode_request(frame->reveal());
  REQUIRE(request.ok());
  CHECK(*encode(*request) == *frame);
  CHECK(request->operation == HostCall::recover);
  CHECK(request->settings.at(0).value == SecretBytes("1234"));
}

TEST_CASE("protocol: a reply arrives as it was sent") {
  const auto frame = encode(sample_reply());
  REQUIRE(frame.ok());
  const auto reply = decode_reply(frame->reveal());
  REQUIRE(reply.ok());
  CHECK(*encode(*reply) == *frame);
  CHECK(reply->answer.message == "PCR 7 changed");
}

TEST_CASE("protocol: a cut or extended frame is refused") {
  const auto frame = encode(sample_request());
  const auto reply = encode(sample_reply());
  for (std::size_t size = 0; size < frame->size(); ++size)
    CHECK_FALSE(decode_request(frame->reveal().first(size)).ok());
  for (std::size_t size = 0; size < reply->size(); ++size)
    CHECK_FALSE(decode_reply(reply->reveal().first(size)).ok());
  Bytes longer = to_bytes(frame->reveal());
  longer.push_back(0);
  CHECK_FALSE(decode_request(longer).ok());
}

TEST_CASE("protocol: another version is named") {
  Bytes frame = to_bytes(encode(sample_request())->reveal());
  frame[0] = kKeyHostVersion + 1;
  const auto request = decode_request(frame);
  REQUIRE_FALSE(request.ok());
  CHECK(request.error().message.find("version") != std::string::npos);
}

TEST_CASE("protocol: whatever decodes is written back as the same bytes") {
  testing::SeededRandom random(3);
  const Bytes good = to_bytes(encode(sample_request())->reveal());
  for (int round = 0; round < 20'000; ++round) {
    Bytes frame = good;
    const auto dice = random.take<4>();
    frame[get_be(dice.data(), 2) % frame.size()] = dice[2];
    const auto request = decode_request(frame);
    if (request.ok()) CHECK(to_bytes(encode(*request)->reveal()) == frame);
  }
}

TEST_CASE("protocol: what does not fit a frame is refused, a long message is cut") {
  Request request = sample_request();
  request.policy.resize(kPolicyMax + 1);
  CHECK_FALSE(encode(request).ok());
  Reply reply = sample_reply();
  reply.answer.message = std::string(5000, 'x');
  const auto frame = encode(reply);
  REQUIRE(frame.ok());
  CHECK(decode_reply(frame->reveal())->answer.message.size() == 2048);
}
