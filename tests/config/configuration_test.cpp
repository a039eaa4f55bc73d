#include "config/configuration.h"

#include <doctest/doctest.h>

#include "tests/support/temporary_folder.h"

using leasehold::Code;
using leasehold::LogFormat;
using leasehold::LogLevel;
using leasehold::Result;
using leasehold::Seconds;
using leasehold::testing::TemporaryFolder;
namespace config = leasehold::config;

namespace {

Result<config::Configuration> parse(const std::string& name, std::string_view text) {
  config::Configuration configuration;
  const auto read = config::parse(name, text, configuration);
  if (!read.ok()) return read.error();
  return configuration;
}

Result<config::Configuration> load(const std::vector<std::string>& paths) {
  config::Configuration configuration;
  const auto read = config::load(paths, configuration);
  if (!read.ok()) return read.error();
  return configuration;
}

std::string message_of(std::string_view text) {
  const auto parsed = parse("vault.hcl", text);
  return parsed.ok() ? "" : parsed.error().message;
}

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

std::string sample_path() { return LEASEHOLD_SOURCES "/config/sample.hcl"; }

}  // namespace

TEST_CASE("config: a file in HCL becomes stanzas and scalars") {
  auto parsed = parse("vault.hcl", R"(
storage "lmdb" { path = "/var/lib/leasehold" }
listener "tcp" {
  address     = "127.0.0.1:8200"
  tls_disable = "true"
}
listener "unix" { address = "/run/leasehold.sock" }
seal "tpm" { device = "/dev/tpmrm0" }
audit "file" "main" {
  options { file_path = "/var/log/audit.log" }
}
api_addr          = "http://127.0.0.1:8200"
default_lease_ttl = "1h"
max_lease_ttl     = 7200
log_level         = "debug"
disable_mlock     = true
audit_required    = false
)");
  REQUIRE_MESSAGE(parsed.ok(), parsed.error().message);
  auto& c = *parsed;
  REQUIRE(c.storage);
  CHECK(c.storage->label(0) == "lmdb");
  CHECK(*c.storage->require_text("path") == "/var/lib/leasehold");
  REQUIRE(c.listeners.size() == 2);
  CHECK(*c.listeners[0].flag("tls_disable", false));
  CHECK(c.listeners[1].label(0) == "unix");
  REQUIRE(c.seals.size() == 1);
  REQUIRE(c.audits.size() == 1);
  CHECK(c.audits[0].label(1) == "main");
  CHECK(*c.audits[0].nested("options").text("file_path") == "/var/log/audit.log");
  CHECK(c.audits[0].finish().ok());
  CHECK(c.default_lease_ttl == Seconds{3600});
  CHECK(c.max_lease_ttl == Seconds{7200});
  CHECK(c.log_level == LogLevel::debug);
  CHECK(c.disable_mlock);
  CHECK_FALSE(c.audit_required);
  CHECK(c.warnings.empty());
}

TEST_CASE("config: the JSON form means the same as the HCL form") {
  auto parsed = parse("vault.json", R"({
    "backend": {"inmem": {}},
    "listener": {"tcp": {"address": "127.0.0.1:8200", "tls_disable": 1}},
    "audit": {"file": {"main": {"options": {"file_path": "/tmp/a.log"}}}},
    "disable_mlock": true,
    "default_lease_ttl": "768h"
  })");
  REQUIRE_MESSAGE(parsed.ok(), parsed.error().message);
  auto& c = *parsed;
  REQUIRE(c.storage);
  CHECK(c.storage->label(0) == "inmem");
  REQUIRE(c.listeners.size() == 1);
  CHECK(c.listeners[0].label(0) == "tcp");
  CHECK(*c.listeners[0].text("address") == "127.0.0.1:8200");
  CHECK(*c.listeners[0].flag("tls_disable", false));
  REQUIRE(c.audits.size() == 1);
  CHECK(c.audits[0].label(0) == "file");
  CHECK(c.audits[0].label(1) == "main");
  CHECK(*c.audits[0].nested("options").text("file_path") == "/tmp/a.log");
  CHECK(c.disable_mlock);
}

TEST_CASE("config: JSON may list several listeners") {
  auto parsed = parse("vault.json", R"({"storage": {"inmem": {}}, "listener": [
    {"tcp": {"address": "127.0.0.1:1"}}, {"unix": {"address": "/s"}}]})");
  REQUIRE_MESSAGE(parsed.ok(), parsed.error().message);
  REQUIRE(parsed->listeners.size() == 2);
  CHECK(parsed->listeners[0].label(0) == "tcp");
  CHECK(*parsed->listeners[1].text("address") == "/s");
}

TEST_CASE(
    "config: JSON may list several blocks of one type, and several files for one audit kind") {
  auto parsed = parse("vault.json", R"({"storage": {"lmdb": {"path": "/d"}},
    "listener": {"tcp": [{"address": "127.0.0.1:1"}, {"address": "127.0.0.1:2"}]},
    "audit": {"file": {"a": {"options": {"file_path": "/a"}}, "b": {"options": {"file_path": "/b"}}}}})");
  REQUIRE_MESSAGE(parsed.ok(), parsed.error().message);
  REQUIRE(parsed->listeners.size() == 2);
  CHECK(*parsed->listeners[1].text("address") == "127.0.0.1:2");
  REQUIRE(parsed->audits.size() == 2);
  CHECK(parsed->audits[1].label(1) == "b");
  CHECK(*parsed->audits[1].nested("options").text("file_path") == "/b");
}

TEST_CASE("config: hsm is another name for seal") {
  auto parsed = parse("vault.hcl", "hsm \"pkcs11\" { lib = \"/x.so\" }\n");
  REQUIRE(parsed.ok());
  REQUIRE(parsed->seals.size() == 1);
  CHECK(parsed->seals[0].label(0) == "pkcs11");
}

TEST_CASE("config: a key Vault knows and we do not need is a warning with file and line") {
  const auto parsed = parse("vault.hcl", "disable_mlock = true\nui = true\n\nsentinel {\n}\n");
  REQUIRE(parsed.ok());
  REQUIRE(parsed->warnings.size() == 2);
  CHECK(contains(parsed->warnings[0], "vault.hcl:2:1: \"ui\""));
  CHECK(contains(parsed->warnings[0], "there is no web interface, so nothing is exposed by it"));
  CHECK(contains(parsed->warnings[1], "vault.hcl:4:1: \"sentinel\""));
}

TEST_CASE("config: telemetry is taken, and what of it has no effect is told") {
  const auto usual = parse("vault.hcl",
                           "telemetry {\n  prometheus_retention_time = \"24h\"\n"
                           "  disable_hostname = true\n}\n");
  REQUIRE(usual.ok());
  CHECK(usual->warnings.empty());
  const auto other =
      parse("vault.hcl",
            "telemetry {\n  prometheus_retention_time = 0\n"
            "  disable_hostname = false\n  statsd_address = \"127.0.0.1:8125\"\n}\n");
  REQUIRE(other.ok());
  REQUIRE(other->warnings.size() == 3);
  CHECK(contains(other->warnings[0], "closes nothing"));
  CHECK(contains(other->warnings[2], "scrape sys/metrics"));
  CHECK(contains(message_of("telemetry {\n  statsd_adress = \"x\"\n}\n"),
                 "vault.hcl:2:3: unknown key \"statsd_adress\""));
}

TEST_CASE("config: an unknown key is an error with file and line") {
  CHECK(contains(message_of("ui = true\nlog_levle = \"info\"\n"),
                 "vault.hcl:2:1: unknown key \"log_levle\""));
  CHECK(contains(message_of("\n\nstroage \"lmdb\" {\n}\n"),
                 "vault.hcl:3:1: unknown key \"stroage\""));
}

TEST_CASE("config: a syntax error names file and line as other errors do") {
  CHECK(contains(message_of("ui = true\nlog_level = \n}\n"), "vault.hcl:3: "));
  CHECK(contains(message_of("ui = true\nlog_level = \"info\n"),
                 "vault.hcl:2: the string is not closed"));
  CHECK(contains(message_of("{\n\"ui\": tru\n}"), "vault.hcl:2: "));
}

TEST_CASE("config: values out of range are refused") {
  CHECK(contains(message_of("default_lease_ttl = \"2h\"\nmax_lease_ttl = \"1h\"\n"),
                 "default_lease_ttl (2h) is longer than max_lease_ttl (1h)"));
  CHECK(contains(message_of("log_level = \"loud\"\n"), "vault.hcl:1:1: log_level is one of"));
  CHECK(contains(message_of("log_format = \"xml\"\n"), "log_format is standard or json"));
  CHECK(contains(message_of("max_lease_ttl = \"soon\"\n"), "must be a duration"));
  CHECK(contains(message_of("max_lease_ttl = \"-1h\"\n"), "must be a duration"));
  CHECK(contains(message_of("disable_mlock = \"maybe\"\n"), "must be true or false"));
}

TEST_CASE("config: a second storage is an error that names the first") {
  const std::string message = message_of("storage \"lmdb\" {}\nbackend \"inmem\" {}\n");
  CHECK(contains(message, "vault.hcl:2:1: a second storage"));
  CHECK(contains(message, "vault.hcl:1"));
}

TEST_CASE("config: a stanza without a type says how to write one") {
  CHECK(contains(message_of("storage { path = \"/x\" }\n"), "storage \"lmdb\""));
}

TEST_CASE("config: in several files the last scalar wins and stanzas append") {
  const TemporaryFolder folder;
  folder.write("b.hcl", "log_level = \"debug\"\nlistener \"unix\" { address = \"/s\" }\n");
  folder.write("a.json", R"({"log_level": "warn", "storage": {"inmem": {}},
                             "listener": {"tcp": {"address": "127.0.0.1:1"}}})");
  folder.write("ignored.txt", "nonsense = ");
  const auto loaded = load({folder.path()});
  REQUIRE_MESSAGE(loaded.ok(), loaded.error().message);
  CHECK(loaded->log_level == LogLevel::debug);
  REQUIRE(loaded->listeners.size() == 2);
  CHECK(loaded->listeners[0].label(0) == "tcp");
  CHECK(loaded->listeners[1].label(0) == "unix");
}

TEST_CASE("config: a file that every user may write is refused") {
  const TemporaryFolder folder;
  const std::string path = folder.write("open.hcl", "log_level = \"info\"\n", 0666);
  const auto loaded = load({path});
  REQUIRE_FALSE(loaded.ok());
  CHECK(loaded.error().code == Code::invalid);
  CHECK(contains(loaded.error().message, "chmod o-w"));
}

TEST_CASE("config: an absent file and an empty folder are errors that name the path") {
  const TemporaryFolder folder;
  const auto absent = load({folder.path() + "/absent.hcl"});
  REQUIRE_FALSE(absent.ok());
  CHECK(contains(absent.error().message, "/absent.hcl"));
  const auto empty = load({folder.path()});
  REQUIRE_FALSE(empty.ok());
  CHECK(contains(empty.error().message, "no *.hcl or *.json"));
}

TEST_CASE("config: the sample is a valid configuration without warnings") {
  const auto sample = load({sample_path()});
  REQUIRE_MESSAGE(sample.ok(), sample.error().message);
  CHECK(sample->warnings.empty());
  CHECK(sample->seals.size() == 1);
}

TEST_CASE("config: all that is wrong is told at once, with the nearest names") {
  const std::string message = message_of(
      "log_levle = \"info\"\n\n  cluster_nam = \"x\"\ndisable_mlock = \"maybe\"\n"
      "log_format = \"xml\"\nlistener { }\n");
  for (const char* part :
       {"vault.hcl:1:1: unknown key \"log_levle\"; did you mean \"log_level\"?",
        "vault.hcl:3:3: unknown key \"cluster_nam\"; did you mean \"cluster_name\"?",
        "vault.hcl:4:1: \"disable_mlock\" must be true or false",
        "vault.hcl:5:1: log_format is standard or json", "vault.hcl:6:1: listener needs a type"})
    CHECK_MESSAGE(contains(message, part), message);
}

TEST_CASE("config: the errors of several files come together") {
  const TemporaryFolder folder;
  folder.write("a.hcl", "log_levle = \"info\"\n");
  folder.write("b.hcl", "clustr_name = \"x\"\n");
  const auto loaded = load({folder.path()});
  REQUIRE_FALSE(loaded.ok());
  CHECK(contains(loaded.error().message, "a.hcl:1:1: "));
  CHECK(contains(loaded.error().message, "b.hcl:1:1: "));
}

TEST_CASE("config: levels and formats of the log in any case, with their synonyms") {
  const std::pair<const char*, LogLevel> kLevels[] = {
      {"INFO", LogLevel::info},    {"Notice", LogLevel::info}, {"", LogLevel::info},
      {"WARNING", LogLevel::warn}, {"Warn", LogLevel::warn},   {"err", LogLevel::error},
      {"ERROR", LogLevel::error},  {"Debug", LogLevel::debug}, {"trace", LogLevel::trace}};
  for (const auto& level : kLevels) {
    const auto parsed = parse("v.hcl", "log_level = \"" + std::string(level.first) + "\"\n");
    REQUIRE_MESSAGE(parsed.ok(), parsed.error().message);
    CHECK(parsed->log_level == level.second);
  }
  CHECK(parse("v.hcl", "log_format = \"JSON\"\n")->log_format == LogFormat::json);
  CHECK(parse("v.hcl", "log_format = \"\"\n")->log_format == LogFormat::standard);
}
