#include "vault/core/contract/openapi.h"

#include <algorithm>

#include "vault/core/contract/router.h"
#include "vault/core/contract/version.h"

namespace leasehold::core {

namespace {

struct Verb {
  Operation operation;
  const char* method;
};
constexpr Verb kVerbs[] = {
    {Operation::read, "get"},    {Operation::list, "get"},    {Operation::update, "post"},
    {Operation::create, "post"}, {Operation::patch, "patch"}, {Operation::remove, "delete"},
    {Operation::head, "head"},   {Operation::scan, "get"},
};

// A pattern's name for a place: ":name", or ":path*" for the rest.
std::string_view capture_in(std::string_view segment) {
  if (!segment.starts_with(':')) return {};
  segment.remove_prefix(1);
  if (segment.ends_with('*')) segment.remove_suffix(1);
  return segment;
}

// "creds/:name" as "creds/{name}"; the names go to `captures`.
std::string templated(std::string_view pattern, std::vector<std::string>& captures) {
  std::string path;
  while (!pattern.empty()) {
    const std::size_t slash = std::min(pattern.find('/'), pattern.size());
    const std::string_view segment = pattern.substr(0, slash);
    const std::string_view name = capture_in(segment);
    if (!name.empty()) captures.emplace_back(name);
    path += name.empty() ? std::string(segment) : "{" + std::string(name) + "}";
    pattern.remove_prefix(slash);
    if (pattern.empty()) break;
    path += '/';
    pattern.remove_prefix(1);
  }
  return path;
}

Json schema_of(const Field& field) {
  Json schema = Json::object();
  const auto list = [&schema] {
    Json item = Json::object();
    item.set("type", "string");
    schema.set("type", "array").set("items", std::move(item));
  };
  switch (field.type) {
    case FieldType::text:
      schema.set("type", "string");
      break;
    case FieldType::integer:
      schema.set("type", "integer");
      break;
    case FieldType::boolean:
      schema.set("type", "boolean");
      break;
    case FieldType::duration:
      schema.set("type", "string").set("format", "seconds");
      break;
    case FieldType::comma_list:
    case FieldType::text_list:
      list();
      break;
    case FieldType::text_map:
    case FieldType::map:
      schema.set("type", "object").set("format", "map");
      break;
    case FieldType::any:
      break;  // no type: any
  }
  const bool fits =
      field.type == FieldType::text ? field.fallback.is_string() : !field.fallback.is_null();
  if (fits && field.type != FieldType::duration) schema.set("default", field.fallback);
  if (!field.help.empty()) schema.set("description", field.help);
  if (field.sensitive) {
    Json display = Json::object();
    display.set("sensitive", true);
    if (field.type == FieldType::text) schema.set("format", "password");
    schema.set("x-vault-displayAttrs", std::move(display));
  }
  return schema;
}

Json parameter(std::string_view name, const char* where, bool required, Json schema) {
  Json one = Json::object();
  one.set("name", name).set("in", where).set("required", required).set("schema", std::move(schema));
  return one;
}

Json plain_text() {
  Json schema = Json::object();
  schema.set("type", "string");
  return schema;
}

bool is_captured(const std::vector<std::string>& captures, const std::string& name) {
  return std::find(captures.begin(), captures.end(), name) != captures.end();
}

Json body_of(const Route& route, const std::vector<std::string>& captures, bool patch) {
  Json properties = Json::object(), required = Json::array(), schema = Json::object();
  for (const Field& field : route.fields) {
    if (is_captured(captures, field.name)) continue;
    properties.set(field.name, schema_of(field));
    if (!field.required.empty()) required.push(Json(field.name));
  }
  schema.set("type", "object");
  if (properties.size() > 0) schema.set("properties", std::move(properties));
  if (required.size() > 0) schema.set("required", std::move(required));
  Json media = Json::object(), content = Json::object(), body = Json::object();
  media.set("schema", std::move(schema));
  content.set(patch ? "application/merge-patch+json" : "application/json", std::move(media));
  body.set("content", std::move(content));
  return body;
}

Json answers(bool may_be_empty) {
  Json ok = Json::object(), all = Json::object();
  ok.set("description", "OK");
  all.set("200", std::move(ok));
  if (may_be_empty) {
    Json empty = Json::object();
    empty.set("description", "empty body");
    all.set("204", std::move(empty));
  }
  return all;
}

// A route on its way into the document.
struct Described {
  const OpenApi::Origin& origin;
  const Route& route;
  std::vector<std::string> captures;
  std::set<std::string>& ids;  // taken in this document
};

// Unique, and a name in every language: "kv-read-config".
std::string operation_id(Described& described, const char* verb) {
  std::string id;
  for (const std::string& part :
       {described.origin.mount_path, std::string(verb), described.route.pattern})
    for (const char c : part + "/") {
      const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
      if (plain) id += c;
      if (!plain && !id.empty() && id.back() != '-') id += '-';
    }
  while (id.ends_with('-')) id.pop_back();
  std::string unique = id;
  for (int i = 2; !described.ids.insert(unique).second; ++i) unique = id + "-" + std::to_string(i);
  return unique;
}

Json operation_of(Described& described, const Action& action, bool also_lists, bool also_scans) {
  const Operation operation = action.operation;
  const bool gets =
      operation == Operation::read || lists_names(operation) || operation == Operation::head;
  Json tags = Json::array(), parameters = Json::array(), one = Json::object();
  tags.push(Json(is_auth_path(described.origin.mount_path) ? "auth"
                 : described.origin.type == "system"       ? "system"
                                                           : "secrets"));
  if (operation == Operation::list || also_lists) {
    Json lists = plain_text();
    if (!also_lists) lists.set("enum", Json(std::vector<std::string>{"true"}));
    parameters.push(parameter("list", "query", !also_lists, std::move(lists)));
  }
  if (gets && also_scans) parameters.push(parameter("scan", "query", false, plain_text()));
  if (gets)
    for (const Field& field : described.route.fields)
      if (!is_captured(described.captures, field.name))
        parameters.push(parameter(field.name, "query", false, schema_of(field)));
  one.set("summary", described.route.synopsis).set("tags", std::move(tags));
  one.set("operationId", operation_id(described, operation_name(operation).data()));
  if (parameters.size() > 0) one.set("parameters", std::move(parameters));
  const bool patches = operation == Operation::patch;
  if (!gets && operation != Operation::remove)
    one.set("requestBody", body_of(described.route, described.captures, patches));
  one.set("responses", answers(!gets));
  return one;
}

Json item_of(Described& described) {
  const Route& route = described.route;
  Json item = Json::object(), parameters = Json::array();
  const auto has = [&](Operation wanted) {
    return std::any_of(route.actions.begin(), route.actions.end(),
                       [&](const Action& action) { return action.operation == wanted; });
  };
  item.set("description", route.synopsis);
  if (route.sudo) item.set("x-vault-sudo", true);
  if (route.unauthenticated) item.set("x-vault-unauthenticated", true);
  if (route.exists) item.set("x-vault-createSupported", true);
  const std::string& mount_parameter = described.origin.mount_parameter;
  if (!mount_parameter.empty()) {
    Json schema = plain_text();
    const std::string& path = described.origin.mount_path;
    schema.set("default", path.substr(0, path.size() - 1));
    parameters.push(parameter(mount_parameter, "path", true, std::move(schema)));
  }
  for (const std::string& name : described.captures)
    parameters.push(parameter(name, "path", true, plain_text()));
  if (parameters.size() > 0) item.set("parameters", std::move(parameters));
  for (const Verb& verb : kVerbs) {
    if (item.find(verb.method) != nullptr) continue;  // reads and lists share one, as do writes
    for (const Action& action : route.actions)
      if (action.operation == verb.operation)
        item.set(verb.method,
                 operation_of(described, action,
                              verb.operation == Operation::read && has(Operation::list),
                              has(Operation::scan)));
  }
  return item;
}

}  // namespace

void OpenApi::add(const Origin& origin, const Route& route) {
  Described described{origin, route, {}, ids_};
  const std::string path = "/" + origin.root + templated(route.pattern, described.captures);
  if (paths_.find(path) == nullptr) paths_.set(path, item_of(described));
}

Json OpenApi::take() {
  Json info = Json::object(), whole = Json::object();
  info.set("title", "Leasehold API").set("version", kApiVersion);
  info.set("description",
           "HTTP API that gives you full access to Leasehold. All API routes are "
           "prefixed with `/v1/`.");
  whole.set("openapi", "3.0.2").set("info", std::move(info)).set("paths", std::move(paths_));
  return whole;
}

}  // namespace leasehold::core
