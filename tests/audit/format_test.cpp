#include <doctest/doctest.h>

#include <cstdio>

#include "tests/audit/support.h"

using namespace leasehold;
using namespace leasehold::audit;

namespace {

constexpr WallTime kTime{1'800'000'000'123'456'789};

std::string line(std::uint64_t seq, const crypto::Digest& previous, const std::string& body) {
  std::string out;
  append_line(out, seq, previous, body);
  return out;
}

std::string golden_request() {
  static const std::vector<std::string> policies = {"default", "ops"}, granting = {"ops"};
  Record record;
  record.time = kTime;
  record.has_auth = true;
  record.auth.client_token = "hvs.token";
  record.auth.accessor = "accessor";
  record.auth.display_name = "token";
  record.auth.policies = policies;
  record.auth.token_policies = policies;
  record.auth.allowed = true;
  record.auth.granting_policies = granting;
  record.auth.metadata_json = R"({"user":"eve"})";
  record.auth.entity_id = "e-1";
  record.auth.token_type = "service";
  record.auth.token_ttl = 3600;
  record.auth.token_issue_time = WallTime{1'799'999'999'000'000'000};
  record.auth.num_uses = 5;
  record.auth.remaining_uses = 4;
  record.request.id = "r-1";
  record.request.operation = "update";
  record.request.path = "secret/data/a";
  record.request.mount_point = "secret/";
  record.request.mount_type = "kv";
  record.request.mount_accessor = "kv_1";
  record.request.mount_class = "secret";
  record.request.client_token = "hvs.token";
  record.request.client_token_accessor = "accessor";
  record.request.data_json = R"({"data":{"n":1,"p":"w"}})";
  record.request.remote_address = "127.0.0.1";
  record.request.remote_port = 4711;
  record.request.wrap_ttl = 60;
  record.request.purpose = "deploy";
  const crypto::HmacKey key(as_bytes("k"));
  return body(record, key);
}

std::string golden_response() {
  static const std::vector<std::string> warnings = {"careful"}, policies = {"default"};
  Record record;
  record.type = Type::response;
  record.time = kTime;
  record.error = "permission denied";
  record.request.id = "r-1";
  record.request.operation = "read";
  record.request.path = "database/creds/a";
  record.request.mount_point = "database/";
  record.response.data_json = R"({"password":"p"})";
  record.response.lease_id = "database/creds/a/x";
  record.response.warnings = warnings;
  record.response.auth_client_token = "hvs.new";
  record.response.auth_accessor = "new";
  record.response.auth_policies = policies;
  record.response.auth_ttl = 60;
  record.response.status = 403;
  const crypto::HmacKey key(as_bytes("k"));
  return body(record, key);
}

}  // namespace

// Logs are kept for years: these bytes never change. A new version adds lines here.
TEST_CASE("audit format: one line of each kind has exactly these bytes") {
  crypto::Digest previous;
  previous.fill(0x11);
  const Position last{41, previous};
  const Identity identity = test_identity();
  const Gap gap{"file /a", last, 7};
  const Cut cut{"file /a", {40, previous}, last};
  const std::vector<std::string> devices = {"file /a"};
  const std::vector<std::string> bodies = {
      golden_request(),
      golden_response(),
      event_body("lease-revoked", kTime, R"({"cause":"ttl"})"),
      epoch_body(identity, kTime, last),
      checkpoint_body(identity, kTime, last),
      torn_body(kTime, "file /a"),
      gap_body(Identity{}, kTime, {&gap, 1}),
      continued_body(identity, kTime, last, devices),
      closed_body(kTime),
      cut_body(kTime, {&cut, 1}),
      epoch_body(identity, kTime, last, 2),
  };
  const std::vector<std::string> golden = lines_of(
#include "tests/audit/golden_lines.inc"
  );
  REQUIRE(golden.size() == bodies.size());
  for (std::size_t i = 0; i < bodies.size(); ++i)
    CHECK(line(42, previous, bodies[i]) == golden[i] + "\n");
}

TEST_CASE("audit format: the hash of a line and the signed message have exactly these bytes") {
  crypto::Digest previous;
  previous.fill(0x11);
  CHECK(hex(line_hash(previous, 42, "{\"time\":\"t\"}")) ==
        "fbc30b3a076b03b87463419e25d9afe49df210da074dfbfc98d4a3d9a3c9e351");
  CHECK(hex(checkpoint_message(Bytes{1, 2, 3}, 42, previous)) ==
        "6c65617365686f6c6420617564697420636865636b706f696e7420763100"
        "0003010203000000000000002a"
        "1111111111111111111111111111111111111111111111111111111111111111");
}

TEST_CASE("audit format: a line that was written is read back") {
  crypto::Digest previous;
  previous.fill(0x2a);
  for (const std::uint64_t seq : {1ull, 9ull, 10ull, 18446744073709551615ull}) {
    std::string text = line(seq, previous, "{\"time\":\"t\"}");
    text.pop_back();
    const auto parsed = parse_line(text);
    REQUIRE(parsed.ok());
    CHECK(parsed->seq == seq);
    CHECK(parsed->previous == previous);
    CHECK(parsed->body == "{\"time\":\"t\"}");
  }
}

TEST_CASE("audit format: a line in any other form is refused") {
  const std::string zeros(64, '0');
  const auto bad = [](const std::string& text) { return parse_line(text).is(Code::invalid); };
  CHECK(bad(""));
  CHECK(bad("{\"seq\":"));
  CHECK(bad("{\"seq\":1"));
  CHECK(bad("{\"seq\":0,\"prev\":\"" + zeros + "\",\"a\":1}"));
  CHECK(bad("{\"seq\":01,\"prev\":\"" + zeros + "\",\"a\":1}"));
  CHECK(bad("{\"seq\":-1,\"prev\":\"" + zeros + "\",\"a\":1}"));
  CHECK(bad("{\"seq\":+1,\"prev\":\"" + zeros + "\",\"a\":1}"));
  CHECK(bad("{\"seq\":18446744073709551616,\"prev\":\"" + zeros + "\",\"a\":1}"));
  CHECK(bad("{\"seq\": 1,\"prev\":\"" + zeros + "\",\"a\":1}"));
  CHECK(bad("{\"seq\":1,\"prev\":\"" + zeros.substr(1) + "\",\"a\":1}"));
  CHECK(bad("{\"seq\":1,\"prev\":\"" + std::string(64, 'A') + "\",\"a\":1}"));
  CHECK(bad("{\"seq\":1,\"prev\":\"" + std::string(64, 'g') + "\",\"a\":1}"));
  CHECK(bad("{\"seq\":1,\"prev\":\"" + zeros + "\"}"));
  CHECK(bad("{\"seq\":1,\"prev\":\"" + zeros + "\",\"a\":1"));
  CHECK(bad("{\"seq\":1,\"prev\":\"" + zeros + "\",}"));
}
