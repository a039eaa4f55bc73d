#include "vault/crypto/shamir.h"

#include <bitset>

namespace leasehold::crypto {
namespace {

// In GF(2^8) modulo x^8 + x^4 + x^3 + x + 1, by masks: no branch and no index sees a secret byte.
std::uint8_t multiply(std::uint8_t a, std::uint8_t b) {
  unsigned product = 0;
  unsigned shifted = a;
  for (unsigned bit = 0; bit < 8; ++bit) {
    product ^= shifted & (0u - (b >> bit & 1u));
    shifted = (shifted << 1) ^ (0x11bu & (0u - (shifted >> 7)));
  }
  return static_cast<std::uint8_t>(product);
}

// a^254, which is 1/a; and 0 for 0. Always the same thirteen products.
std::uint8_t inverse(std::uint8_t a) {
  std::uint8_t result = 1;
  std::uint8_t power = a;
  for (int bit = 1; bit < 8; ++bit) {
    power = multiply(power, power);
    result = multiply(result, power);
  }
  return result;
}

// Horner's rule; coefficient 0 is the secret byte.
std::uint8_t evaluate(ByteView coefficients, std::uint8_t x) {
  std::uint8_t y = 0;
  for (std::size_t i = coefficients.size(); i-- > 0;)
    y = static_cast<std::uint8_t>(multiply(y, x) ^ coefficients[i]);
  return y;
}

std::uint8_t x_of(const SecretBytes& share) { return share.reveal().back(); }

// The weight of share `at` in the value at x = 0 (Lagrange). Depends on x coordinates only.
std::uint8_t weight_at_zero(const std::vector<SecretBytes>& shares, std::size_t at) {
  std::uint8_t weight = 1;
  for (std::size_t other = 0; other < shares.size(); ++other) {
    if (other == at) continue;
    const auto difference = static_cast<std::uint8_t>(x_of(shares[at]) ^ x_of(shares[other]));
    weight = multiply(weight, multiply(x_of(shares[other]), inverse(difference)));
  }
  return weight;
}

Status check(const std::vector<SecretBytes>& shares) {
  if (shares.size() < 2) return failure(Code::invalid, "at least two shares are needed");
  std::bitset<256> seen;
  seen.set(0);  // x = 0 would be the secret itself
  for (const SecretBytes& share : shares) {
    if (share.size() < 2 || share.size() != shares[0].size())
      return failure(Code::invalid, "all shares must have the same length, of two bytes or more");
    if (seen.test(x_of(share)))
      return failure(Code::invalid, "a share was given twice, or is not a share");
    seen.set(x_of(share));
  }
  return {};
}

// Distinct non-zero x coordinates in a random order, so that a share's does not tell its number.
std::array<std::uint8_t, kSharesMax> shuffled_coordinates(Random& random) {
  std::array<std::uint8_t, kSharesMax> order;
  for (unsigned i = 0; i < kSharesMax; ++i) order[i] = static_cast<std::uint8_t>(i + 1);
  for (unsigned i = kSharesMax - 1; i > 0; --i) {
    const unsigned j = static_cast<unsigned>(get_be(random.take<8>().data(), 8) % (i + 1));
    std::swap(order[i], order[j]);
  }
  return order;
}

}  // namespace

Result<std::vector<SecretBytes>> shamir_split(ByteView secret, unsigned shares, unsigned threshold,
                                              Random& random) {
  if (threshold < 2) return failure(Code::invalid, "the threshold must be at least two");
  if (shares > kSharesMax) return failure(Code::invalid, "there can be at most 255 shares");
  if (threshold > shares)
    return failure(Code::invalid, "the threshold must not be above the number of shares");
  if (secret.empty()) return failure(Code::invalid, "there is no secret to split");
  const auto coordinates = shuffled_coordinates(random);
  std::vector<SecretBytes> out;
  for (unsigned i = 0; i < shares; ++i) {
    out.emplace_back(secret.size() + 1);
    out.back().writable().back() = coordinates[i];
  }
  SecretBytes coefficients{std::size_t{threshold}};
  for (std::size_t at = 0; at < secret.size(); ++at) {
    random.fill(coefficients.writable());
    coefficients.writable()[0] = secret[at];
    for (SecretBytes& share : out)
      share.writable()[at] = evaluate(coefficients.reveal(), x_of(share));
  }
  return out;
}

Result<SecretBytes> shamir_combine(const std::vector<SecretBytes>& shares) {
  VAULT_TRY(check(shares));
  SecretBytes secret(shares[0].size() - 1);
  for (std::size_t i = 0; i < shares.size(); ++i) {
    const std::uint8_t weight = weight_at_zero(shares, i);
    for (std::size_t at = 0; at < secret.size(); ++at)
      secret.writable()[at] ^= multiply(shares[i].reveal()[at], weight);
  }
  return secret;
}

}  // namespace leasehold::crypto
