#include "vault/base/environment.h"

#include <unistd.h>

#include <array>
#include <cstring>

namespace leasehold {

namespace {

// Volatile: a compiler makes strlen of a plain loop.
std::size_t length_of(const volatile char* text) {
  std::size_t length = 0;
  while (text[length] != '\0') ++length;
  return length;
}

bool is_named(const volatile char* entry, const std::string& variable) {
  std::size_t same = 0;
  while (same < variable.size() && entry[same] == variable[same]) ++same;
  return same == variable.size() && entry[same] == '=';
}

}  // namespace

char* find_in_environment(const std::string& variable) {
  for (char** entry = ::environ; entry != nullptr && *entry != nullptr; ++entry)
    if (is_named(*entry, variable)) return *entry + variable.size() + 1;
  return nullptr;
}

SecretBytes secret_in_environment(const std::string& variable) {
  const char* const value = find_in_environment(variable);
  if (value == nullptr) return {};
  SecretBytes secret(std::string_view(value, length_of(value)));
  forget_in_registers();
  return secret;
}

void forget_in_environment(const std::string& variable) {
  char* const value = find_in_environment(variable);
  if (value != nullptr) wipe(value, length_of(value));
}

// In sizes that take the same registers.
void forget_in_registers() {
  static constexpr std::array<std::uint8_t, 128> kNothing{};
  std::array<std::uint8_t, kNothing.size()> to;
  static const volatile std::size_t kSizes[] = {16, 32, 64, 128};  // not known when compiled
  for (const volatile std::size_t& size : kSizes) std::memcpy(to.data(), kNothing.data(), size);
  wipe(to.data(), to.size());
}

}  // namespace leasehold
