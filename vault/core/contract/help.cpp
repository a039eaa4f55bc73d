#include "vault/core/contract/help.h"

#include <algorithm>

#include "vault/core/contract/openapi.h"

namespace leasehold::core {

namespace {

constexpr std::string_view kIndent = "    ";

std::string_view type_in_words(FieldType type) {
  switch (type) {
    case FieldType::text:
      return "string";
    case FieldType::integer:
      return "int";
    case FieldType::boolean:
      return "bool";
    case FieldType::duration:
      return "duration (sec)";
    case FieldType::comma_list:
    case FieldType::text_list:
      return "slice";
    case FieldType::text_map:
      return "keypair";
    case FieldType::map:
      return "map";
    case FieldType::any:
      return "any";
  }
  return "any";
}

// The fields of the body and the names that the path captures, sorted.
std::vector<Field> parameters_of(const Route& route) {
  std::vector<Field> all = route.fields;
  std::string_view rest = route.pattern;
  while (!rest.empty()) {
    const std::size_t slash = std::min(rest.find('/'), rest.size());
    std::string_view segment = rest.substr(0, slash);
    rest.remove_prefix(std::min(slash + 1, rest.size()));
    if (!segment.starts_with(':')) continue;
    segment.remove_prefix(1);
    if (segment.ends_with('*')) segment.remove_suffix(1);
    const auto same = [&](const Field& field) { return field.name == segment; };
    if (std::none_of(all.begin(), all.end(), same))
      all.push_back({std::string(segment), FieldType::text, {}, "A part of the path."});
  }
  std::sort(all.begin(), all.end(), [](const Field& a, const Field& b) { return a.name < b.name; });
  return all;
}

void add_parameters(std::string& text, const Route& route) {
  const auto parameters = parameters_of(route);
  if (parameters.empty()) return;
  text += "\n## PARAMETERS\n";
  for (const Field& one : parameters) {
    text.append("\n").append(kIndent).append(one.name);
    text.append(" (").append(type_in_words(one.type)).append(")\n");
    if (!one.help.empty())
      text.append("\n").append(kIndent).append(kIndent).append(one.help).append("\n");
  }
}

std::string text_of(const Route& route, std::string_view path) {
  std::string text;
  text.append("Request:        ").append(path).append("\n");
  text.append("Matching Route: ").append(route.pattern).append("\n\n");
  text.append(route.synopsis).append("\n");
  add_parameters(text, route);
  text.append("\n## DESCRIPTION\n\n").append(kIndent);
  text.append(route.description.empty() ? route.synopsis : route.description).append("\n");
  return text;
}

std::string text_of(const Engine& engine) {
  std::string text = "## PATHS\n\nThe paths of this engine; `?help=1` on one of them says more.\n";
  for (const Route& one : engine.routes()) {
    text.append("\n").append(kIndent).append(one.pattern);
    text.append("\n").append(kIndent).append(kIndent).append(one.synopsis).append("\n");
  }
  return text;
}

}  // namespace

Response help_of(const MountInfo& mount, const Engine& engine, const Route* route,
                 std::string_view path) {
  const OpenApi::Origin behind_mount{mount.path, mount.type, {}, {}};
  OpenApi document;
  if (route != nullptr) document.add(behind_mount, *route);
  if (route == nullptr)
    for (const Route& one : engine.routes()) document.add(behind_mount, one);
  Json help = Json::object();
  help.set("help", route != nullptr ? text_of(*route, path) : text_of(engine));
  help.set("see_also", nullptr).set("openapi", document.take());
  return Response::bare(200, help);
}

}  // namespace leasehold::core
