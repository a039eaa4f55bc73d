#include <doctest/doctest.h>

#include "backends/audit/filter.h"
#include "backends/audit/view.h"
#include "vault/base/hcl.h"

using namespace leasehold;
using namespace leasehold::audit;

namespace {

constexpr std::string_view kRecord = R"({
  "seq": 7, "prev": "ab", "time": "t", "type": "response",
  "auth": {"display_name": "ci", "policies": ["default", "app"]},
  "request": {"operation": "list", "mount_type": "kv", "mount_point": "secret/", "path": "secret/a b/",
              "namespace": {"path": ""}, "data": {"x/y": "h"}},
  "response": {"data": {"keys": ["a", "b", "c"], "key_info": {"a": 1, "b": 2}}, "status": 200}
})";

Json record() { return *parse_json(kRecord); }

bool holds(std::string_view condition) {
  const auto filter = Filter::parse(condition);
  CAPTURE(condition);
  REQUIRE(filter.ok());
  return filter->matches(record());
}

std::string refusal(std::string_view condition) {
  const auto filter = Filter::parse(condition);
  REQUIRE_FALSE(filter.ok());
  CHECK(filter.is(Code::invalid));
  return filter.error().message;
}

// With the error of the stanza, if there is one.
std::optional<View> view(const std::string& options, std::string* error = nullptr) {
  auto parsed = parse_hcl("options {\n" + options + "\n}\n", {"options"});
  REQUIRE(parsed.ok());
  Stanza stanza("vault.hcl", parsed->blocks.at(0));
  auto taken = View::take(stanza);
  const Status finished = stanza.finish();
  if (error != nullptr && !finished.ok()) *error = finished.error().message;
  CHECK(finished.ok() == (error == nullptr));
  return taken;
}

std::string refused_view(const std::string& options) {
  std::string error;
  (void)view(options, &error);
  return error;
}

Json shown(const std::string& options, std::string_view line = kRecord) {
  const auto made = view(options);
  REQUIRE(made);
  const auto text = made->shown(line);
  return text ? *parse_json(*text) : Json();
}

}  // namespace

TEST_CASE("audit filter: each operator, with names, pointers and quoted values") {
  CHECK(holds("mount_type == kv"));
  CHECK_FALSE(holds("mount_type==\"transit\""));
  CHECK(holds("mount_type!=transit"));
  CHECK(holds("path contains \"a b\""));
  CHECK_FALSE(holds("path not contains secret"));
  CHECK(holds("path matches `^secret/.*/$`"));
  CHECK(holds("path not matches \"^kv/\""));
  CHECK(holds("namespace is empty"));
  CHECK(holds("operation is not empty"));
  CHECK(holds("\"/auth/display_name\" == ci"));
  CHECK(holds("app in \"/auth/policies\""));
  CHECK(holds("root not in \"/auth/policies\""));
  CHECK(holds("\"/auth/policies/1\" == app"));
  CHECK(holds("\"/request/data/x~1y\" == h"));
  CHECK(holds("\"/response/status\" == 200"));
  CHECK(holds("\"/nowhere/at/all\" == \"\""));
}

TEST_CASE("audit filter: not binds tighter than and, and tighter than or") {
  CHECK(holds("operation == x and operation == y or mount_type == kv"));
  CHECK_FALSE(holds("operation == x and (operation == y or mount_type == kv)"));
  CHECK(holds("not operation == x and mount_type == kv"));
  CHECK_FALSE(holds("not (operation == x or mount_type == kv)"));
  CHECK(holds("not not mount_type == kv"));
}

TEST_CASE("audit filter: what cannot be read is refused, with the place") {
  CHECK(refusal("") == "expected a selector at character 1");
  CHECK(refusal("mount_type") ==
        "expected ==, !=, in, contains, matches or \"is empty\" at "
        "character 11");
  CHECK(refusal("mount_type = kv") ==
        "expected ==, !=, in, contains, matches or \"is empty\" at "
        "character 12");
  CHECK(refusal("mount_type == ") == "expected a value at character 15");
  CHECK(refusal("(mount_type == kv") == "expected \")\" at character 18");
  CHECK(refusal("mount_type == kv kv") == "expected \"and\", \"or\" or the end at character 18");
  CHECK(refusal("mount_type == \"kv") == "expected the end of a quoted text at character 15");
  CHECK(refusal("mount == kv").find("\"mount\" is nothing to select by") == 0);
  CHECK(refusal("path matches \"(\"") == "\"(\" is no regular expression");
  CHECK(refusal(std::string(5000, ' ')) == "the condition is longer than 4 KiB");
  std::string deep;
  for (int i = 0; i < 1000; ++i) deep += "not ";
  CHECK(refusal(deep + "path == x") == "the condition is nested too deeply");
}

TEST_CASE("audit view: nothing set is no view") {
  CHECK_FALSE(view(""));
  CHECK_FALSE(view("elide_list_responses = false"));
}

TEST_CASE("audit view: a filter leaves out what does not match, and the log's own records") {
  CHECK(shown("filter = \"mount_type == kv\"").integer_at("seq") == 7);
  CHECK(shown("filter = \"mount_type == pki\"").is_null());
  CHECK(shown("filter = \"mount_type != pki\"", "{\"seq\":1,\"type\":\"checkpoint\"}").is_null());
  CHECK(shown("filter = \"mount_type != pki\"", "no JSON").is_null());
}

TEST_CASE("audit view: a record in it has its number, and no place in the chain") {
  const Json seen = shown("filter = \"mount_type == kv\"");
  CHECK(seen.find("prev") == nullptr);
  CHECK(seen.integer_at("seq") == 7);
}

TEST_CASE("audit view: lists are counted where that is asked for") {
  const Json seen = shown("elide_list_responses = true");
  CHECK(at_pointer(seen, "/response/data/keys")->integer() == 3);
  CHECK(at_pointer(seen, "/response/data/key_info")->integer() == 2);
  CHECK(at_pointer(seen, "/response/status")->integer() == 200);
}

TEST_CASE("audit view: fields are left out, where their condition holds for the whole record") {
  const std::string options = R"(
    exclude = [
      { condition = "mount_type == kv", fields = ["/request/data", "/request/mount_type"] },
      { condition = "\"/request/mount_type\" == kv", fields = ["/response/data"] },
      { condition = "operation == read", fields = ["/auth"] },
      { fields = ["/nowhere/at", "/response/status"] }
    ])";
  const Json seen = shown(options);
  CHECK(at_pointer(seen, "/request/data") == nullptr);
  CHECK(at_pointer(seen, "/request/mount_type") == nullptr);
  CHECK(at_pointer(seen, "/response/data") == nullptr);
  CHECK(at_pointer(seen, "/response/status") == nullptr);
  CHECK(at_pointer(seen, "/auth/display_name")->text() == "ci");
  CHECK(at_pointer(seen, "/request/path")->text() == "secret/a b/");
}

TEST_CASE("audit view: the same list as JSON in a text") {
  const Json seen = shown(R"(exclude = "[{\"fields\": [\"/request/data\"]}]")");
  CHECK(at_pointer(seen, "/request/data") == nullptr);
}

TEST_CASE("audit view: what cannot be meant is refused where it stands") {
  CHECK(refused_view("filter = \"mount = x\"").find("vault.hcl:2:1: \"filter\": ") == 0);
  CHECK(refused_view("exclude = \"x\"").find("vault.hcl:2:1: \"exclude\": ") == 0);
  CHECK(refused_view("exclude = [{ fields = [\"request\"] }]").find("no JSON pointer") !=
        std::string::npos);
  CHECK(refused_view("exclude = [{ fields = [\"/time\"] }]").find("cannot be left out") !=
        std::string::npos);
  CHECK(refused_view("exclude = [{ condition = \"path == x\" }]").find("needs \"fields\"") !=
        std::string::npos);
}
