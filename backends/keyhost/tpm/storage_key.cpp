#include "backends/keyhost/tpm/storage_key.h"

namespace leasehold::keyhost::tpm {
namespace {

constexpr TPMA_OBJECT kStorageKey = TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT |
                                    TPMA_OBJECT_SENSITIVEDATAORIGIN | TPMA_OBJECT_USERWITHAUTH |
                                    TPMA_OBJECT_RESTRICTED | TPMA_OBJECT_DECRYPT;

TPM2B_PUBLIC primary_template(KeySource source) {
  TPM2B_PUBLIC whole{};
  TPMT_PUBLIC& key = whole.publicArea;
  key.type = TPM2_ALG_ECC;
  key.nameAlg = TPM2_ALG_SHA256;
  key.objectAttributes = kStorageKey | TPMA_OBJECT_NODA;
  key.parameters.eccDetail.symmetric.algorithm = TPM2_ALG_AES;
  key.parameters.eccDetail.symmetric.keyBits.aes = 128;
  key.parameters.eccDetail.symmetric.mode.aes = TPM2_ALG_CFB;
  key.parameters.eccDetail.scheme.scheme = TPM2_ALG_NULL;
  key.parameters.eccDetail.curveID = TPM2_ECC_NIST_P256;
  key.parameters.eccDetail.kdf.scheme = TPM2_ALG_NULL;
  if (source == KeySource::zeros) {
    key.unique.ecc.x.size = 32;
    key.unique.ecc.y.size = 32;
  }
  return whole;
}

bool create_primary(Esys& tpm, KeySource source, Handle& key) {
  const TPM2B_SENSITIVE_CREATE nothing{};
  const TPM2B_PUBLIC wanted = primary_template(source);
  const TPM2B_DATA outside{};
  const TPML_PCR_SELECTION no_pcrs{};
  Owned<TPM2B_PUBLIC> made;
  Owned<TPM2B_CREATION_DATA> data;
  Owned<TPM2B_DIGEST> hash;
  Owned<TPMT_TK_CREATION> ticket;
  return tpm.check(
      Esys_CreatePrimary(tpm.context(), ESYS_TR_RH_OWNER, ESYS_TR_PASSWORD, ESYS_TR_NONE,
                         ESYS_TR_NONE, &nothing, &wanted, &outside, &no_pcrs, key.out(), made.out(),
                         data.out(), hash.out(), ticket.out()),
      "make its storage key");
}

bool open_persistent(Esys& tpm, Handle& key) {
  const bool found = tpm.check(Esys_TR_FromTPMPublic(tpm.context(), kPersistentKey, ESYS_TR_NONE,
                                                     ESYS_TR_NONE, ESYS_TR_NONE, key.out()),
                               "open its persistent storage key");
  if (found) key.set_persistent();
  return found;
}

bool open_key(Esys& tpm, KeySource source, Handle& key) {
  return source == KeySource::persistent ? open_persistent(tpm, key)
                                         : create_primary(tpm, source, key);
}

bool is_storage_key(Esys& tpm, const Handle& key) {
  Owned<TPM2B_PUBLIC> found;
  Owned<TPM2B_NAME> name, qualified;
  if (!tpm.check(Esys_ReadPublic(tpm.context(), key.get(), ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
                                 found.out(), name.out(), qualified.out()),
                 "show its storage key"))
    return false;
  const TPMT_PUBLIC& area = found->publicArea;
  return (area.type == TPM2_ALG_ECC || area.type == TPM2_ALG_RSA) &&
         area.nameAlg == TPM2_ALG_SHA256 && (area.objectAttributes & kStorageKey) == kStorageKey;
}

bool name_of(Esys& tpm, const Handle& key, Bytes& out) {
  Owned<TPM2B_NAME> name;
  if (!tpm.check(Esys_TR_GetName(tpm.context(), key.get(), name.out()), "name its storage key"))
    return false;
  out.assign(name->name, name->name + name->size);
  return true;
}

}  // namespace

bool any_storage_key(Esys& tpm, Handle& key, KeySource& source, Bytes& name) {
  source = KeySource::persistent;
  if (open_persistent(tpm, key) && is_storage_key(tpm, key)) return name_of(tpm, key, name);
  tpm.forget_trouble();
  key.reset();
  source = KeySource::empty;
  return tpm.ok() && create_primary(tpm, source, key) && name_of(tpm, key, name);
}

// The recorded way first, then the others: an operating system may have made the same key
// persistent since, or removed it.
bool same_storage_key(Esys& tpm, KeySource source, ByteView name, Handle& key) {
  DeviceAnswer last{DeviceState::ok, {}, {}};
  bool first = true;
  for (const KeySource way : {source, KeySource::persistent, KeySource::empty, KeySource::zeros}) {
    if (!std::exchange(first, false) && way == source) continue;
    Bytes found;
    if (open_key(tpm, way, key) && name_of(tpm, key, found) && compare(found, name) == 0)
      return true;
    if (!tpm.ok() && way != KeySource::persistent) last = tpm.trouble();
    tpm.forget_trouble();
    if (!tpm.ok()) return false;
    key.reset();
  }
  // A TPM that refuses to make keys is not another TPM.
  if (last.state != DeviceState::ok) return tpm.fail(last.state, last.message);
  return tpm.fail(
      DeviceState::replaced,
      "this is not the TPM the slot was made with, or it was cleared since: its storage "
      "key is another; open the vault with its recovery shares, and this TPM gets a new "
      "slot");
}

}  // namespace leasehold::keyhost::tpm
