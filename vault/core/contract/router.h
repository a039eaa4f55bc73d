#pragma once
// Which mount, and which of its engine's routes. Both are immutable once built: a RouteTrie belongs
// to an engine for the process's life, a MountTable to one revision of the mounts. Thread-safe.

#include <array>
#include <map>
#include <memory>
#include <string_view>
#include <unordered_map>

#include "vault/core/contract/engine.h"

namespace leasehold::core {

struct Captures {
  struct Item {
    std::string_view name, value;  // into the route's pattern and the request's path
  };
  static constexpr std::size_t kMax = 4;
  std::array<Item, kMax> items;
  std::size_t size = 0;
};

// What a `:capture` takes: the names of Vault's roles, users and connections.
bool is_name(std::string_view segment);

// Patterns by segment: a literal beats a `:capture`, which beats a `:rest*`. A capture takes
// letters, digits and "_", and between them "-" and ".", as Vault's names are; the rest takes
// anything.
class RouteTrie {
 public:
  explicit RouteTrie(std::span<const Route> routes);
  // Null: no pattern fits. `path` is behind the mount; a trailing slash is a segment of its own
  // only for `:rest*`. The path of a list arrives with one: a route that lists and is named without
  // it comes first, and one that does not list is not found by it.
  const Route* find(std::string_view path, Operation asked, Captures& captures) const;
  const Route* find(std::string_view path, Captures& captures) const;

 private:
  struct Node {
    std::map<std::string, std::unique_ptr<Node>, std::less<>> literals;
    std::unique_ptr<Node> capture;
    const Route* here = nullptr;
    const Route* rest = nullptr;
  };
  const Route* find_from(const Node& node, std::string_view rest, Captures& captures,
                         unsigned depth, bool trailing) const;
  Node root_;
};

// What the handler of `route` takes the slash for that a path ends in. Without a route nothing is
// served, and a folder has no name without its slash when it is the mount's or the route's own.
Slash slash_of(const Route* route, const Captures& captures);

struct EngineKind {  // one per row of the catalog, and one per system engine
  std::string wire_type;
  int version = 0;
  std::array<std::string_view, 2> other_names = {};  // of the row
  bool is_auth = false;
  bool is_system = false;  // sys, cubbyhole, identity, token: not to be enabled or disabled
  std::unique_ptr<Engine> engine;
  std::unique_ptr<RouteTrie> routes;
};
std::unique_ptr<EngineKind> make_kind(const EngineRow& row, const EngineContext& context,
                                      bool is_auth);
// Whether failed logins of its mounts are counted: one of its routes says which name logs in.
bool locks_names(const EngineKind& kind);

struct Mount {
  MountInfo info;
  const EngineKind* kind = nullptr;  // null: its engine is not in this build
  bool tainted = false;              // being removed: only revocation goes on
  Json record;                       // as stored, for sys/mounts
  barrier::PhysicalKey stored_at;    // where; what rests on this mount guards that version
  std::uint64_t mod = 0;             // 0: a system mount that was not found and is made up
};

// Auth methods are mounted below it, and nothing else is.
inline constexpr std::string_view kAuthPrefix = "auth/";
inline bool is_auth_path(std::string_view path) { return path.starts_with(kAuthPrefix); }
// Where the core's own mounts are and the paths that it keeps for itself: nothing is mounted there,
// and nothing moves from or to it.
bool is_core_path(std::string_view path);
// Whether what is at `path`, if anything, is the core's. A mount that an earlier version let a user
// make at a path like "audit/" stays theirs.
bool is_core_mount(std::string_view path, const Mount* mount);
inline constexpr std::size_t kMountPathMax = 256;  // below kAuthPrefix, if it lies there
// As a mount's path is stored, of what a client gives: no slash in front, one at the end.
std::string mount_path(std::string given);

class MountTable {
 public:
  // A tainted mount is kept for revocation only: no path leads to it.
  void add(std::shared_ptr<const Mount> mount);
  // The mount whose path is the longest prefix of `path`, or `path` itself without its last slash;
  // null when there is none.
  const Mount* find(std::string_view path) const;
  const Mount* at(std::string_view path) const;  // exactly
  const std::map<std::string, std::shared_ptr<const Mount>, std::less<>>& all() const {
    return by_path_;
  }
  const Mount* by_space(const barrier::Space& space) const;
  const Mount* by_accessor(std::string_view accessor) const;  // null: none, or it is being removed
  // The mount made from this record, in this version; null when there is none.
  std::shared_ptr<const Mount> made_from(ByteView stored_at, std::uint64_t mod) const;
  const std::vector<std::shared_ptr<const Mount>>& removing() const { return removing_; }

 private:
  std::vector<std::shared_ptr<const Mount>> removing_;
  std::map<std::string, std::shared_ptr<const Mount>, std::less<>> by_path_;
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const {
      return std::hash<std::string_view>()(text);
    }
  };
  std::unordered_map<std::string, const Mount*, Hash, std::equal_to<>> index_, by_accessor_;
  std::unordered_map<std::string, std::shared_ptr<const Mount>, Hash, std::equal_to<>> by_record_;
};

}  // namespace leasehold::core
