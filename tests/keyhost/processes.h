#pragma once
// Key hosts and settings for the tests of this folder.

#include "backends/keyhost/client.h"

namespace leasehold::testing {

inline keyhost::KeyHostOptions test_key_host() { return {KEYHOST_PROCESS, {"keyhost"}}; }

inline keyhost::Settings settings(
    std::initializer_list<std::pair<const char*, std::string>> values) {
  keyhost::Settings out;
  for (const auto& value : values)
    out.push_back({value.first, SecretBytes(std::string_view(value.second))});
  return out;
}

inline keyhost::StoredSlot stored(const seal::Enrolled& enrolled) {
  return {{}, enrolled.identity, enrolled.policy};
}

}  // namespace leasehold::testing
