#include "backends/keyhost/tpm/pcrs.h"

#include <algorithm>
#include <charconv>
#include <set>

#include "vault/seal/codec.h"

namespace leasehold::keyhost::tpm {
namespace {

constexpr unsigned kPcrs = 24;
constexpr std::uint8_t kSelectBytes = kPcrs / 8;

bool has(const TPML_PCR_SELECTION& selection, unsigned pcr) {
  for (UINT32 i = 0; i < selection.count; ++i)
    if (selection.pcrSelections[i].hash == TPM2_ALG_SHA256 &&
        (selection.pcrSelections[i].pcrSelect[pcr / 8] >> pcr % 8 & 1) != 0)
      return true;
  return false;
}

}  // namespace

Result<std::vector<unsigned>> parse_pcrs(std::string_view text) {
  std::set<unsigned> pcrs;
  while (!text.empty()) {
    const auto end = std::min(text.find_first_of("+,"), text.size());
    unsigned pcr = kPcrs;
    const auto [rest, error] = std::from_chars(text.data(), text.data() + end, pcr);
    if (error != std::errc() || rest != text.data() + end || end + 1 == text.size() || pcr >= kPcrs)
      return failure(Code::invalid, "pcrs takes numbers from 0 to 23, as in \"7+14\"");
    if (pcr == 16 || pcr >= 21)
      return failure(Code::invalid, "pcrs: PCR " + std::to_string(pcr) +
                                        " can be reset by any program and protects nothing");
    pcrs.insert(pcr);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return std::vector<unsigned>(pcrs.begin(), pcrs.end());
}

TPML_PCR_SELECTION selection_of(const std::vector<unsigned>& pcrs) {
  TPML_PCR_SELECTION selection{};
  selection.count = 1;
  selection.pcrSelections[0].hash = TPM2_ALG_SHA256;
  selection.pcrSelections[0].sizeofSelect = kSelectBytes;
  for (const unsigned pcr : pcrs)
    selection.pcrSelections[0].pcrSelect[pcr / 8] |= static_cast<BYTE>(1u << pcr % 8);
  return selection;
}

std::vector<unsigned> indexes_of(const PcrValues& values) {
  std::vector<unsigned> pcrs;
  for (const PcrValue& value : values) pcrs.push_back(value.index);
  return pcrs;
}

// The TPM answers at most eight values at a time, and says which.
bool read_pcrs(Esys& tpm, const std::vector<unsigned>& pcrs, PcrValues& out) {
  std::vector<unsigned> left = pcrs;
  while (!left.empty()) {
    const TPML_PCR_SELECTION wanted = selection_of(left);
    Owned<TPML_PCR_SELECTION> given;
    Owned<TPML_DIGEST> digests;
    if (!tpm.check(Esys_PCR_Read(tpm.context(), ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &wanted,
                                 nullptr, given.out(), digests.out()),
                   "read its PCRs"))
      return false;
    std::vector<unsigned> rest;
    UINT32 at = 0;
    for (const unsigned pcr : left) {
      if (!has(*given, pcr) || at >= digests->count || digests->digests[at].size != 32) {
        rest.push_back(pcr);
        continue;
      }
      PcrValue value{static_cast<std::uint8_t>(pcr), {}};
      std::copy_n(digests->digests[at++].buffer, value.digest.size(), value.digest.begin());
      out.push_back(value);
    }
    // Nothing came: an inactive bank answers with an empty list and no error.
    if (rest.size() == left.size())
      return tpm.fail(DeviceState::unsupported,
                      "the TPM's SHA-256 PCR bank is not active; switch it on in the firmware");
    left = std::move(rest);
  }
  return true;
}

namespace {

// Each policy command extends the digest with itself: H(before | command | arguments).
crypto::Digest extended(const crypto::Digest& before, TPM2_CC command, ByteView arguments) {
  std::uint8_t code[4];
  put_be(code, command, sizeof code);
  Bytes head = to_bytes(before);
  append(head, code);
  return crypto::sha256(head, arguments);
}

Bytes pcr_arguments(const PcrValues& values) {
  crypto::Sha256 all;
  for (const PcrValue& value : values) all.update(value.digest);
  const TPML_PCR_SELECTION selection = selection_of(indexes_of(values));
  seal::Writer out;
  out.number(1, 4);
  out.number(TPM2_ALG_SHA256, 2);
  out.number(kSelectBytes, 1);
  out.raw({selection.pcrSelections[0].pcrSelect, kSelectBytes});
  out.raw(all.finish());
  return out.take_public();
}

}  // namespace

crypto::Digest policy_digest(const PcrValues& values, bool with_pin) {
  std::uint8_t unseal[4];
  put_be(unseal, TPM2_CC_Unseal, sizeof unseal);
  crypto::Digest digest = extended({}, TPM2_CC_PolicyCommandCode, unseal);
  if (!values.empty()) digest = extended(digest, TPM2_CC_PolicyPCR, pcr_arguments(values));
  if (with_pin) digest = extended(digest, TPM2_CC_PolicyAuthValue, {});
  return digest;
}

std::string differing(const PcrValues& recorded, const PcrValues& now) {
  std::string text;
  for (std::size_t i = 0; i < recorded.size() && i < now.size(); ++i)
    if (recorded[i].digest != now[i].digest)
      text += (text.empty() ? "PCR " : ", PCR ") + std::to_string(recorded[i].index);
  return text;
}

}  // namespace leasehold::keyhost::tpm
