// What an audit line costs, in CPU time of one core: `bench_audit` prints microseconds per line for
// building the body, for its HMACs alone, and for chaining and writing it to each kind of device.
#include <fmt/core.h>

#include <cstdlib>
#include <ctime>
#include <functional>

#include "backends/audit/log_file.h"
#include "tests/support/null_log.h"
#include "vault/audit/log.h"
#include "vault/audit/record.h"

namespace {

using namespace leasehold;
using namespace leasehold::audit;

constexpr int kRounds = 200'000;

double cpu_us() {
  timespec now{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e6 + static_cast<double>(now.tv_nsec) / 1e3;
}

void measure(const char* what, int lines, const std::function<void()>& one) {
  for (int i = 0; i < kRounds / 20; ++i) one();
  const double begun = cpu_us();
  for (int i = 0; i < kRounds; ++i) one();
  fmt::print("{:<44}{:>8.2f} us per line\n", what, (cpu_us() - begun) / kRounds / lines);
}

struct Sample {
  std::vector<std::string> policies = {"default", "web"};
  crypto::HmacKey key{as_bytes("bench")};
  Record record;

  explicit Sample(Type type) {
    record.type = type;
    record.time = WallTime{1'800'000'000'123'456'789};
    record.has_auth = true;
    record.auth.client_token = "hvs.0123456789abcdef0123456789abcdef0123456789ab";
    record.auth.accessor = "0123456789abcdef01234567";
    record.auth.display_name = "approle-web";
    record.auth.policies = policies;
    record.auth.token_policies = policies;
    record.auth.allowed = true;
    record.auth.granting_policies = policies;
    record.auth.token_type = "service";
    record.auth.token_ttl = 3600;
    record.auth.token_issue_time = record.time;
    record.request.id = "2f6c3a1e-7d11-4d2f-9c35-0a52b2f4f5a1";
    record.request.operation = "read";
    record.request.path = "secret/team/web/database";
    record.request.mount_point = "secret/";
    record.request.mount_type = "kv";
    record.request.mount_accessor = "kv_1a2b3c4d";
    record.request.mount_class = "secret";
    record.request.client_token = record.auth.client_token;
    record.request.client_token_accessor = record.auth.accessor;
    record.request.remote_address = "127.0.0.1";
    record.request.remote_port = 40000;
    if (type == Type::response) record.response.data_json = R"({"password":"p","user":"u"})";
  }
};

void measure_device(const char* what, std::unique_ptr<Device> device) {
  std::vector<std::unique_ptr<Device>> devices;
  devices.push_back(std::move(device));
  SystemClock clock;
  NullLog sink;
  AuditLog log(std::move(devices), clock, sink);
  const Bytes seed(32, 1);
  Identity identity;
  identity.store_id = Bytes(16, 1);
  identity.incarnation = Bytes(8, 1);
  identity.sign_seed = seed;
  if (!log.start(identity).ok()) std::abort();
  const Sample request(Type::request), response(Type::response);
  Texts pair;
  append_body(pair, request.record, request.key);
  append_body(pair, response.record, response.key);
  const auto bodies = pair.views();
  measure(what, 2, [&] { log.append(bodies).ignore(); });
}

}  // namespace

int main(int count, char** arguments) {
  const std::string file = count > 1 ? arguments[1] : "/tmp/bench-audit.log";
  const Sample request(Type::request), response(Type::response);
  std::size_t bytes = 0;
  Texts texts;
  measure("body of a request (2 HMACs)", 1, [&] {
    texts.clear();
    append_body(texts, request.record, request.key);
    bytes += texts.bytes();
  });
  measure("both bodies of a request (4 HMACs)", 2, [&] {
    texts.clear();
    append_both(texts, response.record, request.record.time, response.key);
    bytes += texts.bytes();
  });
  measure("of which 4 HMACs", 1, [&] {
    for (int i = 0; i < 4; ++i)
      bytes += request.key.mac(as_bytes(request.record.auth.client_token))[0];
  });
  measure_device("chain and discard, two lines together", make_discard_device());
  measure_device("chain and write, two lines together", std::make_unique<LogFile>(file, 0600));
  ::remove(file.c_str());
  return bytes == 0;
}
