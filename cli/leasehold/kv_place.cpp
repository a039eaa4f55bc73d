#include "cli/leasehold/kv_place.h"

#include <fmt/core.h>

#include <algorithm>

namespace leasehold::cli {
namespace {

std::string ruled(std::string_view title, std::size_t width) {
  std::size_t signs = width > title.size() + 2 ? width - title.size() - 2 : 4;
  signs += signs % 2;
  const std::string half(signs / 2, '=');
  return fmt::format("{} {} {}\n", half, title, half);
}

std::string name_in(const std::string& mount, const std::string& path) {
  return path.size() > mount.size() ? path.substr(mount.size() + 1) : "";
}

// A mount that is not there and one that the token may not use look the same.
std::string hint_of_mount(const Result<Answer>& answer, std::string_view mount) {
  const bool unknown = answer.ok() && answer->status == 403 &&
                       answer->body.find("preflight capability check") != std::string::npos;
  if (!unknown) return {};
  return fmt::format(
      "nothing is mounted at {0}/, or this token may not use it; see: leasehold secrets list\n"
      "      and mount an engine there with: leasehold secrets enable -path={0} kv-v2",
      mount);
}

}  // namespace

std::string KvPath::path(std::string_view part) const {
  std::string path = mount;
  if (is_versioned) path += fmt::format("/{}", part);
  return name.empty() ? path : path + "/" + name;
}

Located locate(Session& session) {
  const std::string given = plain_path(session.args().positional(0));
  const std::string mount = plain_path(session.args().text("mount"));
  const std::string path = mount.empty() ? given : mount + (given.empty() ? "" : "/" + given);
  if (path.empty())
    return {{},
            session.misused("Not enough arguments: PATH or -mount says where\n"
                            "What is mounted where: leasehold secrets list")};
  Call question{"GET", "sys/internal/ui/mounts/" + path};
  question.is_preliminary = true;
  const auto answer = session.send(std::move(question));
  KvPath place;
  place.mount = mount.empty() ? path.substr(0, path.find('/')) : mount;
  if (answer.ok() && answer->status == 404) {  // a server that does not say: version 1
    place.name = name_in(place.mount, path);
    return {place};
  }
  if (!is_good(answer) || answer->data() == nullptr)
    return {place, session.refused(fmt::format("Error looking up the mount of {}", path), answer,
                                   hint_of_mount(answer, place.mount))};
  place.mount = plain_path(answer->data()->string_at("path"));
  place.name = name_in(place.mount, path);
  const Json* options = answer->data()->find("options");
  const Json* version = options == nullptr ? nullptr : options->find("version");
  place.is_versioned = version != nullptr && plain(*version) == "2";
  return {place};
}

Located locate_versioned(Session& session, std::string_view what) {
  Located located = locate(session);
  if (located.code < 0 && !located.place.is_versioned)
    located.code = session.misused(fmt::format("{} needs a kv engine of version 2", what));
  return located;
}

std::string path_header(std::string_view title, std::string_view path) {
  return fmt::format("{}{}\n", ruled(title, path.size()), path);
}

void print_section(const Session& session, std::string_view title, const Json& object) {
  std::vector<Row> rows = {{"Key", "Value"}};
  std::size_t widest = 0;
  for (const auto& member : object.members()) {
    rows.push_back({member.first, plain(member.second)});
    widest = std::max(widest, member.first.size());
  }
  session.print(ruled(title, widest + 4 + 5));
  print_table(session, rows);
}

int no_value(const Session& session, std::string_view path) {
  session.note(fmt::format("No value found at {}", path));
  return kRemoteError;
}

int show_written(const Session& session, const Answer& answer, std::string_view path) {
  if (session.format() != Format::table || session.args().has("field") || answer.data() == nullptr)
    return show(session, answer);
  show_warnings(session, answer.json);
  session.print(path_header("Secret Path", path) + "\n");
  print_section(session, "Metadata", *answer.data());
  return kSuccess;
}

}  // namespace leasehold::cli
