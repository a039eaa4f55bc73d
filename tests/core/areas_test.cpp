// The parts of sys/ that show and set how the process works.

#include <doctest/doctest.h>

#include "tests/support/test_vault.h"
#include "vault/base/encoding.h"
#include "vault/base/log_level.h"

using namespace leasehold;
using testing::Answer;
using testing::TestVault;

TEST_CASE("host-info: the machine that the test runs on") {
  TestVault vault;
  const Answer answer = vault.get("sys/host-info", vault.root());
  REQUIRE(answer.status() == 200);
  const Json data = answer.data();
  CHECK(parse_rfc3339(data.string_at("timestamp")).ok());
  REQUIRE(data.find("cpu")->size() > 0);
  CHECK(data.find("cpu")->size() <= data.find("cpu_times")->size());
  CHECK(data.find("cpu_times")->items()[0].string_at("cpu") == "cpu0");
  const Json& memory = *data.find("memory");
  CHECK(memory.integer_at("total") > 0);
  CHECK(memory.integer_at("used") <= memory.integer_at("total"));
  CHECK(data.find("host")->string_at("os") == "linux");
  CHECK(!data.find("host")->string_at("hostname").empty());
  CHECK(data.find("host")->integer_at("uptime") > 0);
  CHECK(data.find("disk")->is_array());
  CHECK(vault.get("sys/host-info", vault.token(R"({"policies":["default"]})")).status() == 403);
}

TEST_CASE("in-flight-req: a request that is being answered is seen, and none that has been") {
  TestVault vault;
  const Answer answer = vault.get("sys/in-flight-req", vault.root());
  REQUIRE(answer.status() == 200);
  CHECK(answer.response().form == core::Response::Form::bare);
  const auto all = parse_json(as_text(answer.response().data.reveal()));
  REQUIRE(all.ok());
  int own = 0;
  for (const Json::Member& one : all->members()) {
    if (one.first != answer.response().request_id) continue;
    ++own;
    CHECK(one.second.string_at("request_path") == "/v1/sys/in-flight-req");
    CHECK(one.second.string_at("request_method") == "GET");
    CHECK(one.second.string_at("client_remote_address").find(':') != std::string::npos);
    CHECK(parse_rfc3339(one.second.string_at("start_time")).ok());
  }
  CHECK(own == 1);
  CHECK(all->size() == 1);
}

TEST_CASE("loggers: the level of the one log is read, set and put back") {
  TestVault vault;
  configure_log_level(LogLevel::warn);
  CHECK(vault.get("sys/loggers", vault.root()).data().dump() ==
        R"({"core":"warn","leasehold":"warn"})");
  CHECK(vault.post("sys/loggers", vault.root(), R"({"level":"debug"})").status() == 204);
  CHECK(log_level() == LogLevel::debug);
  CHECK(vault.get("sys/loggers/core", vault.root()).data().dump() == R"({"core":"debug"})");
  CHECK(vault.post("sys/loggers/core", vault.root(), R"({"level":"error"})").status() == 204);
  CHECK(log_level() == LogLevel::error);
  CHECK(vault.remove("sys/loggers/core", vault.root()).status() == 204);
  CHECK(log_level() == LogLevel::warn);
  CHECK(vault.logs("the log's level is debug now"));
  const auto error = [&](const char* path, const char* body) {
    const Answer answer = vault.post(path, vault.root(), body);
    CHECK(answer.status() == 400);
    return answer.error();
  };
  CHECK(error("sys/loggers", "{}") == "level is required");
  CHECK(error("sys/loggers", R"({"level":""})") == "level is empty");
  CHECK(error("sys/loggers", R"({"level":"loud"})")
            .starts_with("invalid level provided: unknown log level: loud"));
  CHECK(error("sys/loggers/none", R"({"level":"info"})").starts_with("logger \"none\" not found"));
  CHECK(vault.get("sys/loggers/none", vault.root()).status() == 400);
  configure_log_level(LogLevel::info);
}

TEST_CASE("ui headers: kept and shown, for a web interface that is not there") {
  TestVault vault;
  const std::string path = "sys/config/ui/headers";
  CHECK(vault.list(path, vault.root()).status() == 404);
  CHECK(vault.post(path + "/x-custom", vault.root(), R"({"values":["a","b"]})").status() == 200);
  const Answer csp = vault.post(path + "/content-security-policy", vault.root(),
                                R"({"values":["default-src 'self'"]})");
  CHECK(csp.status() == 200);
  CHECK(csp.response().warnings.size() >= 1);
  CHECK(vault.list(path, vault.root()).data().dump() ==
        R"({"keys":["Content-Security-Policy","X-Custom"]})");
  CHECK(vault.get(path + "/X-Custom", vault.root()).data().dump() == R"({"value":"a"})");
  CHECK(vault.get(path + "/none", vault.root()).status() == 404);
  CHECK(vault.post(path + "/x-vault-token", vault.root(), R"({"values":["a"]})").error() ==
        "X-Vault headers cannot be set");
  CHECK(vault.post(path + "/x-custom", vault.root()).error() ==
        "header and values must be specified");
  CHECK(vault.post(path + "/x-custom", vault.root(), R"({"values":["a\r\nb"]})").status() == 400);
  CHECK(vault.remove(path + "/x-custom", vault.root()).status() == 204);
  CHECK(vault.get(path + "/x-custom", vault.root()).status() == 404);
  vault.policy("half", R"(path "sys/config/ui/headers/*" { capabilities = ["create", "update"] })");
  const std::string half = vault.token(R"({"policies":["half"]})");
  CHECK(vault.post(path + "/x-a", half, R"({"values":["a"]})").status() == 403);  // without sudo
}

TEST_CASE("plugins: what is built in is listed, and nothing is registered or reloaded") {
  TestVault vault;
  const Answer all = vault.get("sys/plugins/catalog", vault.root());
  REQUIRE(all.status() == 200);
  CHECK(all.data().strings_at("secret") == std::vector<std::string>{"test"});
  CHECK(all.data().find("detailed")->items()[0].bool_at("builtin"));
  CHECK(vault.list("sys/plugins/catalog/secret", vault.root()).data().dump() ==
        R"({"keys":["test"]})");
  const Answer one = vault.get("sys/plugins/catalog/secret/test", vault.root());
  CHECK(one.data().string_at("name") == "test");
  CHECK(one.data().string_at("command").empty());
  CHECK(vault.get("sys/plugins/catalog/secret/none", vault.root()).status() == 404);
  CHECK(vault.get("sys/plugins/catalog/wrong/test", vault.root())
            .error()
            .starts_with("\"wrong\" is not a supported plugin type"));
  for (const char* path : {"sys/plugins/catalog/secret/mine", "sys/plugins/reload/backend"}) {
    const Answer refused = vault.post(path, vault.root(), R"({"plugin":"mine"})");
    CHECK(refused.status() == 400);
    CHECK(refused.error().starts_with("no plugin is loaded"));
  }
}

TEST_CASE("counters: tokens and entities are counted, activity is said not to be") {
  TestVault vault;
  const auto tokens = [&] {
    const Json data = vault.get("sys/internal/counters/tokens", vault.root()).data();
    return data.find("counters")->find("service_tokens")->integer_at("total");
  };
  const auto before = tokens();
  CHECK(before >= 1);
  vault.token(R"({"policies":["default"]})");
  vault.advance(Seconds{11});
  CHECK(tokens() == before + 1);
  CHECK(vault.get("sys/internal/counters/entities", vault.root())
            .data()
            .find("counters")
            ->find("entities")
            ->integer_at("total", -1) == 0);
  CHECK(vault.get("sys/internal/counters/requests", vault.root()).status() == 200);
  const Answer activity = vault.get("sys/internal/counters/activity", vault.root());
  CHECK(activity.status() == 204);
  CHECK(activity.response().quiet_warnings.size() == 1);
  CHECK(vault.post("sys/internal/counters/config", vault.root(), R"({"enabled":"enable"})")
            .status() == 400);
  CHECK(vault.post("sys/internal/counters/config", vault.root(), R"({"enabled":"disable"})")
            .status() == 204);
}

TEST_CASE("ui facts: for whoever has a token") {
  TestVault vault;
  const std::string token = vault.token(R"({"policies":["default"]})");
  CHECK(vault.get("sys/internal/ui/namespaces", token).data().dump() == R"({"keys":[]})");
  CHECK(!vault.get("sys/internal/ui/version", token).data().string_at("version").empty());
  for (const char* path : {"sys/internal/ui/namespaces", "sys/internal/ui/version"})
    CHECK(vault.get(path, "").status() == 403);
  CHECK(vault.get("sys/internal/ui/feature-flags", "").status() == 200);
  CHECK(vault.get("sys/experiments", vault.root()).status() == 200);
  CHECK(vault.get("sys/experiments", token).status() == 403);
}

TEST_CASE("refused: profiles and reloads, in so many words") {
  TestVault vault;
  for (const char* path : {"sys/pprof", "sys/pprof/heap"}) {
    const Answer answer = vault.get(path, vault.root());
    CHECK(answer.status() == 404);
    CHECK(answer.error().starts_with("no profile is taken"));
    CHECK(vault.get(path, "").status() == 403);
  }
  const Answer reload = vault.post("sys/config/reload/license", vault.root());
  CHECK(reload.status() == 404);
  CHECK(reload.error().find("SIGHUP") != std::string::npos);
}

TEST_CASE("decode-token: a token and its one-time password give the token, to anybody") {
  TestVault vault;
  const std::string token = "s.abcdefghijklmnopqrstuvwx", otp = "0123456789abcdefghijklmnop";
  Bytes mixed;
  for (std::size_t i = 0; i < token.size(); ++i)
    mixed.push_back(static_cast<std::uint8_t>(token[i] ^ otp[i]));
  std::string encoded = base64(mixed);
  while (encoded.ends_with('=')) encoded.pop_back();
  const auto decode = [&](const std::string& given, const std::string& password) {
    return vault.post("sys/decode-token", "",
                      Json::object().set("encoded_token", given).set("otp", password).dump());
  };
  const Answer answer = decode(encoded, otp);
  CHECK(answer.status() == 200);
  CHECK(answer.data().string_at("token") == token);
  CHECK(decode(encoded, "short").status() == 400);
  CHECK(decode("!", otp).status() == 400);
  CHECK(decode("", otp).status() == 400);
  CHECK(vault.world().audit_text().find(encoded) == std::string::npos);
  CHECK(vault.world().audit_text().find(otp) == std::string::npos);
}
