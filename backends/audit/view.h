#pragma once
// What a device leaves out of the records it is sent: `filter`, `exclude` and
// `elide_list_responses`. A view is for a reader (a SIEM, a team's collector), never evidence: its
// lines are no part of the chain, keep their `seq` to be found in the whole log by, and lose
// `prev`; the log's own records (epochs, checkpoints) are not in it. So a device with a view never
// counts as one that records. Immutable; thread-safe.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "backends/audit/filter.h"
#include "vault/base/stanza.h"

namespace leasehold::audit {

class View {
 public:
  // Takes the three keys of `options`; nothing when none is set. What cannot be read is refused in
  // `options`, whose finish() tells it.
  static std::optional<View> take(Stanza& options);

  // What of `line` is shown, without newline; nothing when it is left out.
  std::optional<std::string> shown(std::string_view line) const;

 private:
  struct Exclusion {
    std::optional<Filter> condition;  // none: always
    std::vector<std::string> fields;  // JSON pointers
  };
  void take_exclusions(Stanza& options);
  Result<Exclusion> read_exclusion(const Json& one) const;
  void take_filter(Stanza& options);

  std::optional<Filter> filter_;
  std::vector<Exclusion> exclusions_;
  bool elides_lists_ = false;
};

}  // namespace leasehold::audit
