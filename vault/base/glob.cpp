#include "vault/base/glob.h"

namespace leasehold {

// Each piece between two `*` where it is found first: so the most is left for those behind it.
bool matches_glob(std::string_view glob, std::string_view text) {
  auto star = glob.find('*');
  if (star == glob.npos) return glob == text;
  if (!text.starts_with(glob.substr(0, star))) return false;
  text.remove_prefix(star);
  for (glob.remove_prefix(star + 1); (star = glob.find('*')) != glob.npos;
       glob.remove_prefix(star + 1)) {
    const auto at = text.find(glob.substr(0, star));
    if (at == text.npos) return false;
    text.remove_prefix(at + star);
  }
  return text.ends_with(glob);
}

}  // namespace leasehold
