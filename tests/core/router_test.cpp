#include <doctest/doctest.h>

#include "vault/core/contract/fields.h"

using namespace leasehold;
using namespace leasehold::core;

namespace {

Route pattern(std::string text) {
  Route route;
  route.pattern = std::move(text);
  return route;
}

// The pattern that was found and what it captured: "creds/:name name=ro".
std::string found(const RouteTrie& trie, std::string_view path) {
  Captures captures;
  const Route* route = trie.find(path, captures);
  if (route == nullptr) return "none";
  std::string text = route->pattern;
  for (std::size_t i = 0; i < captures.size; ++i)
    text += " " + std::string(captures.items[i].name) + "=" + std::string(captures.items[i].value);
  return text;
}

std::shared_ptr<Mount> mount(std::string path, bool tainted = false) {
  auto made = std::make_shared<Mount>();
  made->info.path = std::move(path);
  made->info.space[0] = static_cast<std::uint8_t>(made->info.path.size());
  made->tainted = tainted;
  return made;
}

struct Converted {
  Result<Fields> fields;
  std::vector<std::string> warnings;
};
Converted convert(const Field& field, const std::string& body) {
  Route route = pattern("x");
  route.fields = {field};
  Converted out{Fields(), {}};
  const auto parsed = parse_json(body);
  REQUIRE(parsed.ok());
  out.fields = fields_of(route, Operation::read, {}, *parsed, out.warnings);
  return out;
}
bool refused(const Field& field, const std::string& body) {
  const Converted out = convert(field, body);
  return !out.fields.ok() && out.fields.error().code == Code::invalid &&
         out.fields.error().message.starts_with("Field validation failed: ");
}

}  // namespace

TEST_CASE("router: a literal beats a capture, which beats the rest") {
  const std::vector<Route> routes = {pattern("creds/:name"),        pattern("creds/special"),
                                     pattern("creds/:name/rotate"), pattern("config"),
                                     pattern("data/:path*"),        pattern("data/x/fixed")};
  const RouteTrie trie(routes);
  CHECK(found(trie, "creds/ro") == "creds/:name name=ro");
  CHECK(found(trie, "creds/special") == "creds/special");
  CHECK(found(trie, "creds/special/rotate") == "creds/:name/rotate name=special");
  CHECK(found(trie, "config") == "config");
  CHECK(found(trie, "data/x/fixed") == "data/x/fixed");
  CHECK(found(trie, "data/x/fixed/more") == "data/:path* path=x/fixed/more");
  CHECK(found(trie, "data/a") == "data/:path* path=a");
  CHECK(found(trie, "data/") == "data/:path* path=");
  CHECK(found(trie, "data") == "data/:path* path=");
  CHECK(found(trie, "creds") == "none");
  CHECK(found(trie, "creds/") == "none");
  CHECK(found(trie, "creds/a/b") == "none");
  CHECK(found(trie, "") == "none");
  CHECK(found(trie, "configuration") == "none");
}

TEST_CASE("router: a capture takes what Vault takes as a name") {
  const std::vector<Route> routes = {pattern("users/:name"), pattern("data/:path*")};
  const RouteTrie trie(routes);
  for (const std::string name : {"bob", "b", "Bob.Smith", "a-b", "_x", "9", "a--b..c"})
    CHECK(found(trie, "users/" + name) == "users/:name name=" + name);
  for (const std::string name :
       {"bo b", "bob ", "-bob", "bob.", "bob@x", "b\xc3\xb6", "a+b", "*"}) {
    CHECK(found(trie, "users/" + name) == "none");
    CHECK(found(trie, "data/" + name) == "data/:path* path=" + name);
  }
}

TEST_CASE("router: the whole path may be one capture") {
  const std::vector<Route> routes = {pattern(":path*")};
  const RouteTrie trie(routes);
  CHECK(found(trie, "a/b/c") == ":path* path=a/b/c");
  CHECK(found(trie, "") == ":path* path=");
}

TEST_CASE("router: a mount is found by the longest prefix that is whole segments") {
  MountTable mounts;
  mounts.add(mount("a/"));
  mounts.add(mount("auth/token/"));
  mounts.add(mount("deep/er/"));
  REQUIRE(mounts.find("a/b") != nullptr);
  CHECK(mounts.find("a/b")->info.path == "a/");
  CHECK(mounts.find("a/")->info.path == "a/");
  CHECK(mounts.find("a")->info.path == "a/");  // as `path-help a` asks
  CHECK(mounts.find("b") == nullptr);
  CHECK(mounts.find("ab/c") == nullptr);
  CHECK(mounts.find("auth/token/create")->info.path == "auth/token/");
  CHECK(mounts.find("auth/other") == nullptr);
  CHECK(mounts.find("deep/x") == nullptr);
  CHECK(mounts.find("") == nullptr);
}

TEST_CASE("router: no path leads to a mount that is being removed") {
  MountTable mounts;
  const auto removed = mount("gone/", true);
  mounts.add(removed);
  CHECK(mounts.find("gone/x") == nullptr);
  CHECK(mounts.at("gone/") == nullptr);
  CHECK(mounts.by_space(removed->info.space) == removed.get());
  CHECK(mounts.removing().size() == 1);
}

TEST_CASE("fields: values are converted as weakly as Vault converts them") {
  CHECK(convert({"n", FieldType::integer}, R"({"n":"42"})").fields->integer("n") == 42);
  CHECK(convert({"n", FieldType::integer}, R"({"n":true})").fields->integer("n") == 1);
  CHECK(convert({"t", FieldType::text}, R"({"t":12})").fields->text("t") == "12");
  CHECK(convert({"b", FieldType::boolean}, R"({"b":"TRUE"})").fields->boolean("b"));
  CHECK(convert({"b", FieldType::boolean}, R"({"b":1})").fields->boolean("b"));
  CHECK_FALSE(convert({"b", FieldType::boolean}, R"({"b":""})").fields->boolean("b"));
  CHECK(convert({"d", FieldType::duration}, R"({"d":"1h30m"})").fields->duration("d") ==
        Seconds{5400});
  CHECK(convert({"d", FieldType::duration}, R"({"d":90})").fields->duration("d") == Seconds{90});
  CHECK(convert({"d", FieldType::duration}, R"({"d":"90"})").fields->duration("d") == Seconds{90});
  const std::vector<std::string> ab = {"a", "b"};
  CHECK(convert({"l", FieldType::comma_list}, R"({"l":"a, b,"})").fields->list("l") == ab);
  CHECK(convert({"l", FieldType::comma_list}, R"({"l":["a","b"]})").fields->list("l") == ab);
  CHECK(convert({"l", FieldType::text_list}, R"({"l":"a,b"})").fields->list("l") ==
        std::vector<std::string>{"a,b"});
  CHECK(convert({"m", FieldType::text_map}, R"({"m":{"a":1}})").fields->json("m").string_at("a") ==
        "1");
  CHECK(
      convert({"m", FieldType::text_map}, R"({"m":["a=b=c"]})").fields->json("m").string_at("a") ==
      "b=c");
}

TEST_CASE("fields: a list with commas has an end, however it was sent") {
  const auto body = [](std::size_t items, bool as_text) {
    std::string list;
    for (std::size_t i = 0; i < items; ++i)
      list += std::string(list.empty() ? "" : ",") + (as_text ? "a" : R"("a")");
    return as_text ? R"({"l":")" + list + R"("})" : R"({"l":[)" + list + "]}";
  };
  const Field field{"l", FieldType::comma_list};
  for (const bool as_text : {true, false}) {
    CHECK(convert(field, body(kListMax, as_text)).fields->list("l").size() == kListMax);
    CHECK(refused(field, body(kListMax + 1, as_text)));
  }
  CHECK(convert(field, R"({"l":")" + std::string(10000, ',') + R"("})").fields->list("l").empty());
}

TEST_CASE("fields: what cannot be converted is refused, without its value") {
  CHECK(refused({"n", FieldType::integer}, R"({"n":"4x"})"));
  CHECK(refused({"n", FieldType::integer}, R"({"n":99999999999999999999})"));
  CHECK(refused({"t", FieldType::text}, R"({"t":{}})"));
  CHECK(refused({"b", FieldType::boolean}, R"({"b":"yes, please"})"));
  CHECK(refused({"d", FieldType::duration}, R"({"d":-1})"));
  CHECK(refused({"d", FieldType::duration}, R"({"d":"-5m"})"));
  CHECK(refused({"m", FieldType::map}, R"({"m":[]})"));
  CHECK(refused({"m", FieldType::text_map}, R"({"m":["no equals"]})"));
  const Converted out = convert({"n", FieldType::integer}, R"({"n":"hunter2"})");
  CHECK(out.fields.error().message.find("hunter2") == std::string::npos);
}

TEST_CASE("fields: defaults fill what is absent, unknown keys are a warning") {
  const Converted out = convert({"n", FieldType::integer, Json(7)}, R"({"other":1,"another":2})");
  CHECK(out.fields->integer("n") == 7);
  CHECK_FALSE(out.fields->given("n"));
  CHECK(out.warnings == std::vector<std::string>{
                            "Endpoint ignored these unrecognized parameters: [another other]"});
  const Converted null = convert({"n", FieldType::integer, Json(7)}, R"({"n":null})");
  CHECK_FALSE(null.fields->given("n"));
  CHECK(null.fields->integer("n") == 7);
}

TEST_CASE("fields: the path wins over the body, and says so") {
  Route route = pattern("roles/:name");
  route.fields = {{"ttl", FieldType::duration}};
  const std::vector<Route> routes = {route};
  const RouteTrie trie(routes);
  Captures captures;
  REQUIRE(trie.find("roles/ro", captures) != nullptr);
  std::vector<std::string> warnings;
  const auto body = parse_json(R"({"name":"admin"})");
  const auto fields = fields_of(route, Operation::read, captures, *body, warnings);
  CHECK(fields->text("name") == "ro");
  REQUIRE(warnings.size() == 1);
  CHECK(warnings[0] ==
        "Endpoint replaced the value of these parameters with the values captured "
        "from the endpoint's path: [name]");
}
