#pragma once
// What the kv commands share: where a secret is, which version of the engine holds it, and the
// titled tables they print. Thread safety: functions without state.

#include <optional>
#include <string>
#include <string_view>

#include "cli/leasehold/output.h"

namespace leasehold::cli {

inline constexpr Flag kKvMount = {"mount", "", Takes::value, "PATH",
                                  "Where the engine is; the argument is then the name inside it"};

struct KvPath {
  std::string mount;  // "secret"
  std::string name;   // "app/db"
  bool is_versioned = false;

  // "secret/data/app/db"; the part only where the engine has versions.
  std::string path(std::string_view part) const;
};

struct Located {
  KvPath place;
  int code = -1;  // of a failure, already explained
};

// Asks the server which mount holds the path and of which version it is.
Located locate(Session& session);
// The same for commands that only version 2 has.
Located locate_versioned(Session& session, std::string_view what);

// "== Secret Path ==" over the path.
std::string path_header(std::string_view title, std::string_view path);
// Prints a titled table of one object, as `kv get` shows metadata and data.
void print_section(const Session& session, std::string_view title, const Json& object);
int no_value(const Session& session, std::string_view path);
// What the server says of a version it has just written.
int show_written(const Session& session, const Answer& answer, std::string_view path);

}  // namespace leasehold::cli
