#include "vault/core/authority/ttl.h"

#include <algorithm>
#include <optional>

#include "vault/base/duration.h"

namespace leasehold::core {

Result<ResolvedTtl> resolve_ttl(const TtlTerms& terms) {
  ResolvedTtl answer;
  Seconds max = terms.max_ttl;
  if (terms.backend_max.count() > 0) max = std::min(max, terms.backend_max);
  if (terms.explicit_max.count() > 0 && terms.period.count() == 0)
    max = std::min(max, terms.explicit_max);
  std::optional<WallTime> limit;
  if (terms.period.count() > 0) {
    answer.ttl = std::min(terms.period, max);
    if (terms.period > max)
      answer.warnings.push_back("period of \"" + print_duration(terms.period) +
                                "\" exceeded the effective max_ttl of \"" + print_duration(max) +
                                "\"; period value is capped accordingly");
    if (terms.explicit_max.count() > 0) limit = add(terms.issued, terms.explicit_max);
  } else {
    answer.ttl = terms.increment.count() > 0     ? terms.increment
                 : terms.backend_ttl.count() > 0 ? terms.backend_ttl
                                                 : terms.default_ttl;
    limit = add(terms.issued, max);
  }
  if (!limit) return answer;
  const Seconds left = std::chrono::floor<Seconds>(since(*limit, terms.now));  // never beyond it
  if (left.count() <= 0) return failure(Code::invalid, "past the max TTL, cannot renew");
  if (answer.ttl > left) {
    const Seconds shown = std::chrono::round<Seconds>(since(*limit, terms.now));
    answer.warnings.push_back("TTL of \"" + print_duration(answer.ttl) +
                              "\" exceeded the effective max_ttl of \"" + print_duration(shown) +
                              "\"; TTL value is capped accordingly");
    answer.ttl = left;
  }
  return answer;
}

}  // namespace leasehold::core
