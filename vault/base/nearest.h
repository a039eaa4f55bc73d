#pragma once
// The known name that a misspelt one was meant to be.
//
//   Nearest nearest("pth");
//   for (const char* key : kKeys) nearest.consider(key);
//   if (!nearest.name().empty()) text += " Did you mean ...?";
//
// Not thread-safe; what was typed outlives it.

#include <string>
#include <string_view>

namespace leasehold {

class Nearest {
 public:
  explicit Nearest(std::string_view typed);
  void consider(std::string_view name);
  const std::string& name() const { return name_; }  // empty: none is near

 private:
  std::string_view typed_;
  std::size_t best_;
  std::string name_;
};

}  // namespace leasehold
