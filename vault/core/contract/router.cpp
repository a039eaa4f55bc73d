#include "vault/core/contract/router.h"

#include <algorithm>

namespace leasehold::core {

namespace {

// The first segment of `path`, and what follows its slash.
std::pair<std::string_view, std::string_view> split(std::string_view path) {
  const std::size_t slash = path.find('/');
  if (slash == path.npos) return {path, {}};
  return {path.substr(0, slash), path.substr(slash + 1)};
}

bool serves(const Route& route, Operation asked) {
  return std::any_of(route.actions.begin(), route.actions.end(),
                     [asked](const Action& action) { return action.operation == asked; });
}

bool is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

}  // namespace

bool is_name(std::string_view segment) {
  return !segment.empty() && is_word(segment.front()) && is_word(segment.back()) &&
         std::all_of(segment.begin(), segment.end(),
                     [](char c) { return is_word(c) || c == '-' || c == '.'; });
}

RouteTrie::RouteTrie(std::span<const Route> routes) {
  for (const Route& route : routes) {
    Node* node = &root_;
    std::string_view rest = route.pattern;
    bool ended = false;
    while (!rest.empty() && !ended) {
      const auto parts = split(rest);
      rest = parts.second;
      if (parts.first.starts_with(':') && parts.first.ends_with('*')) {
        node->rest = &route;
        ended = true;
      } else if (parts.first.starts_with(':')) {
        if (!node->capture) node->capture = std::make_unique<Node>();
        node = node->capture.get();
      } else {
        auto& next = node->literals[std::string(parts.first)];
        if (!next) next = std::make_unique<Node>();
        node = next.get();
      }
    }
    if (!ended) node->here = &route;
  }
}

const Route* RouteTrie::find(std::string_view path, Operation asked, Captures& captures) const {
  if (!lists_names(asked) || !path.ends_with('/')) return find(path, captures);
  const std::string_view folder = path.substr(0, path.size() - 1);
  const Route* named = find(folder, captures);
  if (named != nullptr && !named->pattern.ends_with('*')) {
    if (serves(*named, asked)) return named;
    // What lists its names and none below them is there, and refuses.
    if (asked == Operation::scan && serves(*named, Operation::list)) return named;
  }
  const Route* rest = find(path, captures);
  if (rest == nullptr || serves(*rest, asked) || named == nullptr || named->pattern.ends_with('*'))
    return rest;
  // "mounts/" is no name that "mounts/:path*" takes where "mounts" is a route of its own.
  const bool is_whole = captures.items[captures.size - 1].value.empty();
  return is_whole ? nullptr : rest;
}

const Route* RouteTrie::find(std::string_view path, Captures& captures) const {
  // "mounts/" is not "mounts": a trailing slash only fits the rest of a path.
  const Route* route = find_from(root_, path, captures, 0, path.ends_with('/'));
  if (route == nullptr) return nullptr;
  // The names of the captures stand in the pattern, in order.
  std::string_view rest = route->pattern;
  std::size_t i = 0;
  while (!rest.empty() && i < captures.size) {
    const auto parts = split(rest);
    rest = parts.second;
    if (!parts.first.starts_with(':')) continue;
    std::string_view name = parts.first.substr(1);
    if (name.ends_with('*')) name.remove_suffix(1);
    captures.items[i++].name = name;
  }
  return route;
}

const Route* RouteTrie::find_from(const Node& node, std::string_view rest, Captures& captures,
                                  unsigned depth, bool trailing) const {
  if (rest.empty() && node.here != nullptr && !trailing) {
    captures.size = depth;
    return node.here;
  }
  if (!rest.empty()) {
    const auto parts = split(rest);
    const auto literal = node.literals.find(parts.first);
    if (literal != node.literals.end())
      if (const Route* found = find_from(*literal->second, parts.second, captures, depth, trailing))
        return found;
    if (node.capture && depth < Captures::kMax && is_name(parts.first)) {
      captures.items[depth].value = parts.first;
      if (const Route* found =
              find_from(*node.capture, parts.second, captures, depth + 1, trailing))
        return found;
    }
  }
  if (node.rest == nullptr || depth >= Captures::kMax) return nullptr;
  captures.items[depth].value = rest;
  captures.size = depth + 1;
  return node.rest;
}

Slash slash_of(const Route* route, const Captures& captures) {
  const bool whole = captures.size == 0 || captures.items[captures.size - 1].value.empty();
  return route == nullptr || whole ? Slash::names_a_folder : route->slash;
}

void MountTable::add(std::shared_ptr<const Mount> mount) {
  if (mount->mod != 0) by_record_[std::string(as_text(mount->stored_at.view()))] = mount;
  if (mount->tainted) return removing_.push_back(std::move(mount));
  index_[mount->info.path] = mount.get();
  by_accessor_[mount->info.accessor] = mount.get();
  by_path_[mount->info.path] = std::move(mount);
}

const Mount* MountTable::find(std::string_view path) const {
  for (std::size_t end = std::min(path.size(), kMountPathMax + kAuthPrefix.size()); end > 0;
       --end) {
    if (path[end - 1] != '/') continue;
    const auto found = index_.find(path.substr(0, end));
    if (found != index_.end()) return found->second;
  }
  return at(std::string(path) + '/');
}

std::string mount_path(std::string given) {
  while (given.starts_with('/')) given.erase(0, 1);
  if (!given.ends_with('/')) given += '/';
  return given;
}

const Mount* MountTable::at(std::string_view path) const {
  const auto found = index_.find(path);
  return found == index_.end() ? nullptr : found->second;
}

std::shared_ptr<const Mount> MountTable::made_from(ByteView stored_at, std::uint64_t mod) const {
  const auto found = by_record_.find(std::string(as_text(stored_at)));
  return found != by_record_.end() && found->second->mod == mod ? found->second : nullptr;
}

const Mount* MountTable::by_space(const barrier::Space& space) const {
  for (const auto& entry : by_path_)
    if (entry.second->info.space == space) return entry.second.get();
  for (const auto& mount : removing_)
    if (mount->info.space == space) return mount.get();
  return nullptr;
}

const Mount* MountTable::by_accessor(std::string_view accessor) const {
  const auto found = by_accessor_.find(accessor);
  return found == by_accessor_.end() ? nullptr : found->second;
}

bool is_core_path(std::string_view path) {
  constexpr std::string_view kOurs[] = {"sys/", "cubbyhole/", "identity/", "audit/", "auth/token/"};
  return std::any_of(std::begin(kOurs), std::end(kOurs),
                     [&](std::string_view ours) { return path.starts_with(ours); });
}

bool is_core_mount(std::string_view path, const Mount* mount) {
  const bool is_users = mount != nullptr && (mount->kind == nullptr || !mount->kind->is_system);
  return is_core_path(path) && !is_users;
}

std::unique_ptr<EngineKind> make_kind(const EngineRow& row, const EngineContext& context,
                                      bool is_auth) {
  auto kind = std::make_unique<EngineKind>();
  kind->wire_type = row.wire_type;
  kind->version = row.version;
  kind->other_names = row.other_names;
  kind->is_auth = is_auth;
  kind->engine = row.make(context);
  kind->routes = std::make_unique<RouteTrie>(kind->engine->routes());
  return kind;
}

bool locks_names(const EngineKind& kind) {
  const std::span<const Route> routes = kind.engine->routes();
  return std::any_of(routes.begin(), routes.end(),
                     [](const Route& route) { return route.login_alias != nullptr; });
}

}  // namespace leasehold::core
