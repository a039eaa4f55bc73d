#pragma once
// PCRs of the SHA-256 bank: the operator's list, their values, and the policy digest they give,
// computed here so that it can be compared before a TPM is asked to unseal.
// Source: TPM 2.0 Library part 3, 23.7 (PolicyPCR), 23.11 (PolicyCommandCode)
// and 23.17 (PolicyAuthValue).

#include <vector>

#include "backends/keyhost/tpm/esys.h"
#include "vault/crypto/hash.h"

namespace leasehold::keyhost::tpm {

struct PcrValue {
  std::uint8_t index = 0;
  crypto::Digest digest{};
};
using PcrValues = std::vector<PcrValue>;

// "7+14" or "7,14"; empty for none. Refuses 16 and 21 to 23, whose changes a session does not
// notice, and what is not a PCR.
Result<std::vector<unsigned>> parse_pcrs(std::string_view text);

TPML_PCR_SELECTION selection_of(const std::vector<unsigned>& pcrs);
std::vector<unsigned> indexes_of(const PcrValues& values);
// False when the bank is not active, or the TPM fails.
bool read_pcrs(Esys& tpm, const std::vector<unsigned>& pcrs, PcrValues& out);

// The policy "TPM2_Unseal only, with these PCR values, and with the object's authorization value".
crypto::Digest policy_digest(const PcrValues& values, bool with_pin);
// "PCR 7, PCR 14": those whose values differ.
std::string differing(const PcrValues& recorded, const PcrValues& now);

}  // namespace leasehold::keyhost::tpm
