#include "backends/target/scram.h"

#include "vault/base/encoding.h"
#include "vault/crypto/hash.h"

namespace leasehold::postgresql {
namespace {

// Hi() of RFC 5802, section 2.2: PBKDF2 with one block.
crypto::Digest salted_password(const SecretBytes& password, ByteView salt, unsigned iterations) {
  const crypto::HmacKey key(password.reveal());
  const std::uint8_t first_block[4] = {0, 0, 0, 1};
  crypto::Digest round = key.mac(salt, first_block);
  crypto::Digest sum = round;
  for (unsigned i = 1; i < iterations; ++i) {
    round = key.mac(round);
    for (std::size_t b = 0; b < sum.size(); ++b) sum[b] ^= round[b];
  }
  wipe(round.data(), round.size());
  return sum;
}

}  // namespace

SecretBytes scram_verifier(const SecretBytes& password, ByteView salt, unsigned iterations) {
  crypto::Digest salted = salted_password(password, salt, iterations);
  const crypto::HmacKey key(salted);
  wipe(salted.data(), salted.size());
  crypto::Digest client_key = key.mac(as_bytes("Client Key"));
  const crypto::Digest stored_key = crypto::sha256(client_key);
  wipe(client_key.data(), client_key.size());
  const crypto::Digest server_key = key.mac(as_bytes("Server Key"));
  SecretBytes verifier("SCRAM-SHA-256$" + std::to_string(iterations) + ":" + base64(salt) + "$" +
                       base64(stored_key) + ":");
  verifier.append(base64_secret(server_key).reveal());
  return verifier;
}

SecretBytes scram_verifier(const SecretBytes& password, Random& random) {
  const auto salt = random.take<kScramSaltSize>();
  return scram_verifier(password, salt, kScramIterations);
}

}  // namespace leasehold::postgresql
