#include "vault/crypto/password.h"

#include <crypt.h>
#include <sodium.h>

#include <algorithm>
#include <memory>

namespace leasehold::crypto {

namespace {

// The second choice of RFC 9106 does not fit a vault of 20 MB; these are the costs that OWASP's
// password storage sheet gives for Argon2id with 19 MiB.
constexpr unsigned long long kPasses = 2;
constexpr std::size_t kMemory = 19u << 20;
constexpr std::size_t kBcryptSize = 60;
constexpr std::size_t kBcryptPasswordMax = 72;  // bcrypt looks at no more
constexpr int kBcryptCostMin = 4, kBcryptCostMax = 16;

struct WipedState {
  crypt_data data{};
  ~WipedState() { wipe(&data, sizeof data); }
};

// Bcrypt cuts what is longer, and stops at a NUL: such passwords are refused, not shortened.
bool verify_bcrypt(const std::string& hash, std::string_view password) {
  if (password.size() > kBcryptPasswordMax || password.find('\0') != password.npos) return false;
  std::string terminated(password);
  const auto state = std::make_unique<WipedState>();
  const char* const made = crypt_r(terminated.c_str(), hash.c_str(), &state->data);
  const bool same =
      made != nullptr && equal_constant_time(as_bytes(std::string_view(made)), as_bytes(hash));
  wipe(terminated);
  return same;
}

// libsodium wants an address, of nothing too.
const char* address_of(std::string_view text) { return text.empty() ? "" : text.data(); }

}  // namespace

Result<std::string> hash_password(std::string_view password) {
  if (password.size() > kPasswordMax)
    return failure(Code::invalid, "a password can have at most 4096 bytes");
  char text[crypto_pwhash_STRBYTES] = {};
  if (crypto_pwhash_str_alg(text, address_of(password), password.size(), kPasses, kMemory,
                            crypto_pwhash_ALG_ARGON2ID13) != 0)
    return failure(Code::unavailable, "there is no memory to hash a password: try again");
  return std::string(text);
}

bool verify_password(std::string_view hash, std::string_view password) {
  if (password.size() > kPasswordMax) return false;
  const std::string terminated(hash);
  if (bcrypt_cost(hash)) return verify_bcrypt(terminated, password);
  if (terminated.size() >= crypto_pwhash_STRBYTES) return false;
  char text[crypto_pwhash_STRBYTES] = {};
  std::copy(terminated.begin(), terminated.end(), text);
  return crypto_pwhash_str_verify(text, address_of(password), password.size()) == 0;
}

std::optional<int> bcrypt_cost(std::string_view text) {
  if (text.size() != kBcryptSize || text.substr(0, 2) != "$2" || text[3] != '$' || text[6] != '$')
    return std::nullopt;
  if (std::string_view("aby").find(text[2]) == std::string_view::npos) return std::nullopt;
  const auto digit = [&](std::size_t at) { return text[at] >= '0' && text[at] <= '9'; };
  if (!digit(4) || !digit(5)) return std::nullopt;
  const int cost = (text[4] - '0') * 10 + (text[5] - '0');
  const std::string_view body = text.substr(7);
  const bool whole =
      cost >= kBcryptCostMin && cost <= kBcryptCostMax &&
      std::all_of(body.begin(), body.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '.' && c <= '9');
      });
  return whole ? std::optional<int>(cost) : std::nullopt;
}

}  // namespace leasehold::crypto
