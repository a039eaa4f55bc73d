#pragma once
// The layout of every key and value on disk; drawn in FORMAT.md. Reader and writer both use this.
// DO NOT CHANGE A VALUE HERE: it is on users' disks. Add a version.

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "vault/base/bytes.h"
#include "vault/crypto/aead.h"

namespace leasehold::barrier {

// The first byte of a key. A table is either hidden tree (H), ordered by time (O) or fixed names
// (F).
enum class Table : std::uint8_t {
  head = 0x01,         // F  the head record
  seal = 0x02,         // F  slot records, the wrapped key registry, the store's description
  incarnation = 0x03,  //    be64 group | its random id: each run of the vault that wrote here
  restored = 0x04,     // F  in clear: the store was put back, and has not been opened since
  value = 0x10,        // H  space | H(space, directory) | H(space, directory, name)
  name = 0x11,         // H  the sealed name of each entry, for LIST
  counter = 0x12,      // H  folded counters
  revision = 0x13,     // F  whose `mod` is a revision: of mounts and policies; | 'm': of mounts;
                       //    | 'i': of identities
  token = 0x20,        // O  ms of creation | id of the token
  child = 0x21,        //    parent token key | child token key; empty value
  lease = 0x22,        // O  ms of creation | id of the lease
  lease_owner = 0x23,  //    owner token key | lease key; empty value
  lease_path = 0x24,   //    H(path) | ms of creation | id of the lease; empty value
  expiry = 0x25,       //    ms of expiry | table | the key's own ms and id; empty value
  due = 0x26,          //    target | ms | lease key; empty value
  receipt = 0x27,      // O  ms of revocation | id of the lease
  wrapped = 0x29,      // O  ms of creation | id of the wrapping token
  cubbyhole = 0x2a,    //    id of a token; the space of what it put there
  job = 0x28,     // O  background work that must survive a restart (revocation of a tree, a mount)
  outbox = 0x30,  //    be64 group | be16 part; audit bodies not yet synced
};

// format:u8  suite:u8  term:u32be  nonce[24]  ciphertext[n]  tag[16]
// Format 2 has order:u48be behind the term: of a value in the hidden tree, where its name stands.
inline constexpr std::uint8_t kFormat = 1, kFormatWithOrder = 2;
inline constexpr std::uint8_t kSuiteXChaCha20Poly1305 = 1;
inline constexpr std::size_t kHeaderSize = 6;
inline constexpr std::size_t kOverhead = kHeaderSize + crypto::kNonceSize + crypto::kTagSize;
static_assert(kOverhead == 46, "the size of every stored value depends on it");
inline constexpr std::size_t kOrderSize = 6;
inline constexpr std::size_t kOverheadMax = kOverhead + kOrderSize;

// The plaintext: length:u16be  name[length]  payload.
inline constexpr std::size_t kNameLengthSize = 2;

// The serialized key ring (keyring.h): format:u8 | term:u32be | count:u16be |
// count * (term:u32be | key[32]) | index | multiset | token | batch token | audit HMAC | audit
// seed, the last six 32 bytes each.
inline constexpr std::uint8_t kRegistryFormat = 1;

inline constexpr std::size_t kSpaceSize = 8;
inline constexpr std::size_t kHashSize = 16;
inline constexpr std::size_t kMillisSize = 6;
inline constexpr std::size_t kOrderedIdSize =
    kMillisSize + kHashSize;  // ms | hash: names a token, a lease

using StoreId = std::array<std::uint8_t, 16>;
using Space = std::array<std::uint8_t, kSpaceSize>;  // a mount instance; all zero is the core's own
inline constexpr Space kCoreSpace{};

// A key of storage, without allocation.
class PhysicalKey {
 public:
  static constexpr std::size_t kMax = 64;
  PhysicalKey() = default;
  explicit PhysicalKey(Table table) { push(static_cast<std::uint8_t>(table)); }
  // Of at most kMax bytes: of a stored key once it is_well_formed().
  static PhysicalKey from(ByteView bytes) {
    PhysicalKey key;
    key.push(bytes);
    return key;
  }
  void push(std::uint8_t byte) {
    VAULT_ASSERT(size_ < kMax);
    bytes_[size_++] = byte;
  }
  void push(ByteView more) {
    VAULT_ASSERT(size_ + more.size() <= kMax);
    if (!more.empty()) std::memcpy(bytes_.data() + size_, more.data(), more.size());
    size_ += more.size();
  }
  void push_be(std::uint64_t value, unsigned size) {
    VAULT_ASSERT(size_ + size <= kMax);
    put_be(bytes_.data() + size_, value, size);
    size_ += size;
  }
  ByteView view() const { return {bytes_.data(), size_}; }
  std::size_t size() const { return size_; }
  Table table() const { return static_cast<Table>(bytes_[0]); }
  // The key of the same place in another table: hashing the name again would give the same bytes.
  PhysicalKey in(Table table) const {
    PhysicalKey key = *this;
    key.bytes_[0] = static_cast<std::uint8_t>(table);
    return key;
  }
  bool operator==(const PhysicalKey& other) const { return compare(view(), other.view()) == 0; }
  bool operator<(const PhysicalKey& other) const { return compare(view(), other.view()) < 0; }
  // The first key after all that begin with this one.
  PhysicalKey end_of_prefix() const;
  // The first well-formed key after this one may stand here: where the next page of a scan begins.
  PhysicalKey successor() const;

 private:
  std::array<std::uint8_t, kMax> bytes_{};
  std::size_t size_ = 0;
};

// be48 milliseconds | hash: the part of a token's or lease's key after the table byte.
using OrderedId = std::array<std::uint8_t, kOrderedIdSize>;
inline OrderedId id_at_end(ByteView key) {
  VAULT_ASSERT(key.size() >= kOrderedIdSize);
  OrderedId id{};
  std::memcpy(id.data(), key.data() + key.size() - id.size(), id.size());
  return id;
}

// Of an entry of the expiry index: which table the record is in that it is about.
inline Table table_at_end(ByteView key) {
  VAULT_ASSERT(key.size() > kOrderedIdSize);
  return static_cast<Table>(key[key.size() - kOrderedIdSize - 1]);
}

// The record of a name stands in its directory in the order in which names came, so that names made
// one after the other are neighbours on disk: space | H(directory) | order:u48be | the first 10
// bytes of the entry's hash. Its value keeps the order. Values of format 1 have none: their names
// stand under the hashes of the value, as those of directories do.
using NameOrder = std::optional<std::uint64_t>;
NameOrder name_order(ByteView sealed);
PhysicalKey name_of(const PhysicalKey& value, NameOrder order);

// Whether a key that storage returned has the size and form of one that this version writes. Bytes
// read from storage are looked at before anything is taken from them.
bool is_well_formed(ByteView key);

// AAD of a sealed value: store id | header | physical key. Binds a value to its place.
Bytes aad_for(const StoreId& store, ByteView header, ByteView key);

}  // namespace leasehold::barrier
