// sys/metrics: what dashboards of Vault look for, in a form that Prometheus takes.

#include <doctest/doctest.h>

#include "tests/support/exposition.h"
#include "tests/support/test_vault.h"
#include "vault/core/sys/metrics_page.h"

using namespace leasehold;
using testing::Answer;
using testing::Exposition;
using testing::TestVault;

namespace {

using Nothing = std::vector<std::string>;

std::string text_of(TestVault& vault) {
  core::Request request;
  request.path = "sys/metrics";
  request.token = vault.root();
  request.body = Json::object().set("format", "prometheus");
  const Answer answer = vault.wait(vault.begin(std::move(request)));
  REQUIRE(answer.status() == 200);
  CHECK(answer.response().form == core::Response::Form::raw);
  CHECK(answer.response().content_type == "text/plain; version=0.0.4; charset=utf-8");
  return std::string(as_text(answer.response().data.reveal()));
}

double count_of(TestVault& vault, const std::string& name) {
  const Exposition page(text_of(vault));
  return page.any(name).value_or(-1);
}

}  // namespace

TEST_CASE("exposition: the checker sees what Prometheus would refuse") {
  const auto first = [](const char* text) {
    const Exposition page(text);
    return page.problems().empty() ? std::string() : page.problems()[0];
  };
  CHECK(first("# HELP a b\n# TYPE a gauge\na 1\n").empty());
  CHECK(first("# HELP a b\n# TYPE a gauge\na 1") == "the last line does not end");
  CHECK(first("a 1\n") == "outside of its block: a");
  CHECK(first("# HELP a b\n# TYPE a gauge\na 1\na 2\n") == "twice: a");
  CHECK(first("# HELP a b\n# TYPE a gauge\na x\n") == "no number: a x");
  CHECK(first("# HELP a b\n# TYPE a gauge\na{l=\"\\x\"} 1\n") == "not escaped: a l");
  CHECK(first("# HELP a b\n# TYPE a gauge\na{l=\"x} 1\n") == "open label: a");
  CHECK(first("# HELP a b\n# TYPE a gauge\n# HELP c d\n# TYPE c gauge\na 1\n") ==
        "outside of its block: a");
  CHECK(first("# HELP a b\n# TYPE a gauge\n# HELP a b\n") == "second HELP: a");
  CHECK(first("# HELP a \n# TYPE a gauge\n") == "no help text: a");
  CHECK(first("# HELP a b\n# TYPE a counter\n") ==
        "counter metrics should have \"_total\" suffix: a");
  CHECK(first("# HELP a b\n# TYPE a summary\na_sum 1\n") == "summary without sum: a");
}

TEST_CASE("metrics page: names, labels and help are escaped, equal samples added up") {
  core::MetricsPage page;
  page.gauge("vault.a-b/c", "one\nline \\ of it", 1.5, {{"label", "a\"b\\c\nd"}});
  page.gauge("vault.d", "help", 2);
  page.gauge("vault.a_b.c", "the same to Prometheus", 2, {{"label", "a\"b\\c\nd"}});
  page.counter("x_total", "help", 1e20);
  page.counter("vault.y", "help", 3);
  page.gauge("vault.kv.count", "help", 4);
  page.summary("vault.s", "help", metrics::Timed{}, metrics::Timed{});
  const std::string text = page.prometheus();
  CHECK(text.starts_with(R"(# HELP vault_a_b_c one\nline \\ of it
# TYPE vault_a_b_c gauge
vault_a_b_c{label="a\"b\\c\nd"} 3.5
# HELP vault_d help
# TYPE vault_d gauge
vault_d 2
# HELP x_total help
# TYPE x_total counter
x_total 1e+20
# HELP vault_y help
# TYPE vault_y untyped
vault_y 3
# HELP vault_kv_count help
# TYPE vault_kv_count untyped
vault_kv_count 4
# HELP vault_s help
# TYPE vault_s summary
vault_s{quantile="0.5"} NaN
)"));
  CHECK(Exposition(text).problems() == Nothing());
  const Json json = page.json(WallTime{});
  CHECK(json.string_at("Timestamp") == "1970-01-01 00:00:00 +0000 UTC");
  CHECK(json.find("Gauges")->items()[0].dump() ==
        R"({"Labels":{"label":"a\"b\\c\nd"},"Name":"vault.a-b/c","Value":4})");
  CHECK(json.find("Counters")->items()[1].integer_at("Count") == 3);
  CHECK(json.find("Samples")->items()[0].string_at("Name") == "vault.s");
}

TEST_CASE("metrics: Prometheus takes the page, and dashboards of Vault find their series") {
  TestVault vault;
  vault.token(R"({"policies":["default"],"ttl":"1h"})");
  vault.get("test/notes/none", vault.root());
  const Exposition page(text_of(vault));
  CHECK(page.problems() == Nothing());
  for (const char* name : {"vault_core_unsealed",
                           "vault_core_active",
                           "vault_core_in_flight_requests",
                           "vault_core_handle_request",
                           "vault_core_handle_request_sum",
                           "vault_core_handle_request_count",
                           "vault_core_handle_login_request_count",
                           "vault_barrier_get_count",
                           "vault_barrier_put_count",
                           "vault_barrier_delete_count",
                           "vault_barrier_list_count",
                           "vault_policy_get_policy_count",
                           "vault_policy_set_policy_count",
                           "vault_token_lookup_count",
                           "vault_token_create_count",
                           "vault_token_store_count",
                           "vault_token_count",
                           "vault_token_count_by_policy",
                           "vault_token_count_by_auth",
                           "vault_token_count_by_ttl",
                           "vault_token_creation",
                           "vault_expire_num_leases",
                           "vault_expire_num_irrevocable_leases",
                           "vault_expire_renew_count",
                           "vault_expire_revoke_count",
                           "vault_secret_lease_creation",
                           "vault_audit_log_request_count",
                           "vault_audit_log_response_count",
                           "vault_audit_log_request_failure",
                           "vault_audit_log_response_failure",
                           "vault_runtime_alloc_bytes",
                           "vault_runtime_sys_bytes",
                           "vault_runtime_num_goroutines",
                           "vault_core_mount_table_num_entries",
                           "vault_identity_num_entities",
                           "vault_route_read_test__count",
                           "process_cpu_seconds_total",
                           "process_resident_memory_bytes",
                           "process_start_time_seconds",
                           "process_open_fds",
                           "process_max_fds",
                           "leasehold_seal_slot_healthy",
                           "leasehold_lease_irrevocable",
                           "leasehold_audit_unsynced_lines",
                           "leasehold_commit_queue",
                           "leasehold_lane_open"}) {
    CAPTURE(name);
    CHECK(page.any(name));
  }
  CHECK(page.any("vault_core_unsealed") == 1);
  CHECK(page.any("vault_core_in_flight_requests").value_or(0) >= 1);  // this one
  CHECK(page.type("vault_core_handle_request") == "summary");
  CHECK(page.type("process_cpu_seconds_total") == "counter");
}

TEST_CASE("metrics: what happens is counted") {
  TestVault vault;
  const double requests = count_of(vault, "vault_core_handle_request_count");
  const double lines = count_of(vault, "vault_audit_log_request_count");
  const double puts = count_of(vault, "vault_barrier_put_count");
  const double tokens = count_of(vault, "vault_token_count");
  const double made = count_of(vault, "vault_token_create_count");
  for (int i = 0; i < 20; ++i) vault.post("test/notes/a" + std::to_string(i), vault.root());
  for (int i = 0; i < 5; ++i) vault.token(R"({"policies":["default"]})");
  vault.advance(Seconds{11});  // what is stored is counted anew
  CHECK(count_of(vault, "vault_core_handle_request_count") >= requests + 25);
  CHECK(count_of(vault, "vault_audit_log_request_count") >= lines + 25);
  CHECK(count_of(vault, "vault_barrier_put_count") >= puts + 25);
  CHECK(count_of(vault, "vault_token_count") == tokens + 5);
  CHECK(count_of(vault, "vault_token_create_count") == made + 5);
  CHECK(count_of(vault, "vault_token_creation") >= 5);
  const Exposition page(text_of(vault));
  CHECK(page.any("vault_expire_num_leases").value_or(0) >= 5);
}

TEST_CASE("metrics: as JSON, in the form that Vault has; another form is refused") {
  TestVault vault;
  const Answer answer = vault.get("sys/metrics", vault.root());
  REQUIRE(answer.status() == 200);
  CHECK(answer.response().content_type == "application/json");
  const auto page = parse_json(as_text(answer.response().data.reveal()));
  REQUIRE(page.ok());
  bool open = false;
  for (const Json& gauge : page->find("Gauges")->items())
    open = open ||
           (gauge.string_at("Name") == "vault.core.unsealed" && gauge.integer_at("Value") == 1);
  CHECK(open);
  for (const char* part : {"Points", "Counters", "Samples"}) CHECK(page->find(part)->is_array());
  core::Request request;
  request.path = "sys/metrics";
  request.token = vault.root();
  request.body = Json::object().set("format", "xml");
  const Answer refused = vault.wait(vault.begin(std::move(request)));
  CHECK(refused.status() == 400);
  CHECK(refused.error().starts_with("metric response format \"xml\" unknown"));
}

TEST_CASE("metrics: who may read them is said by policies") {
  TestVault vault;
  const std::string stranger = vault.token(R"({"policies":["default"]})");
  CHECK(vault.get("sys/metrics", stranger).status() == 403);
  CHECK(vault.get("sys/metrics", "").status() == 403);
  vault.policy("watcher", R"(path "sys/metrics" { capabilities = ["read"] })");
  const std::string watcher = vault.token(R"({"policies":["watcher"]})");
  CHECK(vault.get("sys/metrics", watcher).status() == 200);
}
