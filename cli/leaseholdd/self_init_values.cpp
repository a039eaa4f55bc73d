#include "cli/leaseholdd/self_init_values.h"

#include <charconv>
#include <fstream>

#include "vault/base/environment.h"

namespace leasehold::server_process {
namespace {

constexpr std::size_t kFileBytesMax = 1u << 20;

Error wrong(std::string message) { return failure(Code::invalid, std::move(message)); }

Result<Json> of_environment(const Json& source) {
  const std::string name = source.string_at("env_var");
  if (name.empty()) return wrong("eval_source \"env\" needs env_var");
  const SecretBytes value = secret_in_environment(name);
  if (value.size() == 0 && source.bool_at("require_present", true))
    return wrong("the environment variable " + name + " is not set, or empty");
  return Json(as_text(value.reveal()));
}

// A newline at the end is the editor's.
Result<Json> of_file(const Json& source) {
  const std::string path = source.string_at("path");
  if (path.empty()) return wrong("eval_source \"file\" needs path");
  std::ifstream file(path, std::ios::binary);
  if (!file) return wrong("the file " + path + " cannot be opened");
  std::string text(kFileBytesMax + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(file.gcount()));
  if (text.size() > kFileBytesMax) {
    wipe(text);
    return wrong("the file " + path + " is larger than 1 MiB");
  }
  if (text.ends_with('\n')) text.pop_back();
  return Json(std::move(text));
}

// "data.keys.0", or a list of the names.
Result<Json> selected(const Json& from, const Json& source) {
  const Json* selector = source.find("field_selector");
  std::vector<std::string> names;
  if (selector != nullptr && selector->is_array()) names = source.strings_at("field_selector");
  std::string_view rest = selector != nullptr ? std::string_view(selector->text()) : "";
  for (bool more = !rest.empty(); more;) {
    const std::size_t dot = rest.find('.');
    names.emplace_back(rest.substr(0, dot));
    more = dot != rest.npos;
    rest.remove_prefix(more ? dot + 1 : rest.size());
  }
  const Json* at = &from;
  for (const std::string& name : names) {
    std::size_t index = 0;
    const auto parsed = std::from_chars(name.data(), name.data() + name.size(), index);
    const bool is_index = parsed.ec == std::errc() && parsed.ptr == name.data() + name.size();
    const Json* next = at->find(name);
    if (next == nullptr && is_index && index < at->items().size()) next = &at->items()[index];
    if (next == nullptr) return wrong("field_selector finds nothing at \"" + name + "\"");
    at = next;
  }
  return *at;
}

Result<Json> of_exchange(const Json& source, const ExchangedByName& before, bool response) {
  const char* key = response ? "response_name" : "request_name";
  const std::string name = source.string_at(key), init = source.string_at("initialize_name");
  const auto found = before.find({init, name});
  if (found == before.end())
    return wrong(std::string(key) + " \"" + name + "\" of initialize_name \"" + init +
                 "\" is no request before this one");
  return selected(response ? found->second.response : found->second.request, source);
}

Result<Json> of_source(const Json& source, const ExchangedByName& before) {
  const std::string kind = source.string_at("eval_source");
  if (kind == "env") return of_environment(source);
  if (kind == "file") return of_file(source);
  if (kind == "response" || kind == "request")
    return of_exchange(source, before, kind == "response");
  return wrong("eval_source \"" + kind + "\" is not supported: use env, file, request or response");
}

Result<Json> converted(Json value, const std::string& type) {
  if (type.empty() || (type == "string" && value.is_string())) return value;
  const bool is_plain = value.is_string() || value.is_number() || value.is_bool();
  const std::string text = value.is_bool() ? (value.boolean() ? "true" : "false") : value.text();
  if (type == "string" && is_plain) return Json(text);
  const bool is_int = is_json_number(text) && text.find_first_of(".eE") == text.npos;
  if (type == "int" && is_plain && is_int) return Json::number(text);
  if ((type == "float" || type == "float64") && is_plain && is_json_number(text))
    return Json::number(text);
  if (type == "bool" && (text == "true" || text == "false")) return Json(text == "true");
  for (const char* known : {"string", "int", "float", "float64", "bool"})
    if (type == known) return wrong("the value of its source is no " + type);
  return wrong("eval_type \"" + type + "\" is not supported: use string, int, float or bool");
}

}  // namespace

Result<Json> evaluated(const Json& given, const ExchangedByName& before) {
  if (given.is_object() && given.find("eval_source") != nullptr) {
    VAULT_TRY_ASSIGN(Json value, of_source(given, before));
    return converted(std::move(value), given.string_at("eval_type"));
  }
  if (given.is_array()) {
    Json out = Json::array();
    for (const Json& item : given.items()) {
      VAULT_TRY_ASSIGN(Json value, evaluated(item, before));
      out.push(std::move(value));
    }
    return out;
  }
  if (!given.is_object()) return given;
  Json out = Json::object();
  for (const auto& member : given.members()) {
    VAULT_TRY_ASSIGN(Json value, evaluated(member.second, before));
    out.set(member.first, std::move(value));
  }
  return out;
}

}  // namespace leasehold::server_process
