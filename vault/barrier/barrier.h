#pragma once
// The only place where plaintext becomes ciphertext, and names become keys. Made at unseal from the
// store's id and key ring, destroyed at seal.
//
// Hidden tree: `space | H(directory) | H(directory, name)`; a stolen disk shows no path and no
// name. Ordered: `table | be48 ms | hash`, for what machines make in great number. A sealed value
// repeats its full name, so that a record moved to another place is refused even under equal keys.
// Thread-safe; its only state are the data keys and lists of names that were read (name_lists.h).

#include <atomic>
#include <memory>
#include <vector>

#include "vault/barrier/format.h"
#include "vault/barrier/keyring.h"
#include "vault/barrier/name_lists.h"
#include "vault/base/clock.h"
#include "vault/base/mutex.h"
#include "vault/crypto/hash.h"

namespace leasehold::barrier {

class Barrier {
 public:
  Barrier(StoreId store, KeyRing keys, Random& random);

  const StoreId& store() const { return store_; }
  // As at unseal; what a rotation added since is known to seal() and open() alone.
  const KeyRing& keys() const { return keys_; }
  // Data keys that a rotation added. What is sealed from now on is sealed under the newest.
  void add_terms(const KeyRing& newer);
  // The newest: seal() uses this one or one that is newer.
  std::uint32_t term() const { return terms_.load()->newest; }
  // What a batch token is sealed with that is made in this term; null: there is no such term.
  const crypto::Key* batch_token_key(std::uint32_t term) const;

  // "a/b/c" stands in directory "a/b/" under the leaf "c"; a directory's own leaf ends in '/'.
  PhysicalKey value_key(const Space& space, std::string_view name) const;
  PhysicalKey name_key(const Space& space, std::string_view name) const;
  // All name records of one directory ("" or ending in '/') begin with this; or all its values.
  PhysicalKey directory_prefix(const Space& space, std::string_view directory,
                               Table table = Table::name) const;
  PhysicalKey counter_key(const Space& space, std::string_view name) const;
  // Keyed hash of an id for ordered keys.
  std::array<std::uint8_t, kHashSize> id_hash(std::string_view purpose, ByteView id) const;
  PhysicalKey ordered_key(Table table, const OrderedId& id) const;

  // Appends the sealed form of (name, plain) under `key` to `out`. `name` may be empty for keys
  // that are a name by themselves. `order` of what was sealed there before stays with it.
  void seal(const PhysicalKey& key, std::string_view name, ByteView plain, Bytes& out,
            NameOrder order = {}) const;
  // Code::internal "storage is damaged …" when the bytes are not what this key sealed under this
  // name.
  Result<SecretBytes> open(const PhysicalKey& key, std::string_view name, ByteView sealed) const;
  // For records found by scanning: returns the name that was sealed with the value.
  struct Opened {
    std::string name;
    SecretBytes value;
  };
  Result<Opened> open_named(const PhysicalKey& key, ByteView sealed) const;

  // What readers of large directories keep for the next page, for as long as the vault is open.
  NameLists& name_lists() const { return name_lists_; }

  // What a record contributes to the multiset hash: HMAC over key, mod, the first bytes and tag.
  crypto::Digest contribution(ByteView key, ByteView value, std::uint64_t mod) const;

 private:
  Result<SecretBytes> open_whole(const PhysicalKey& key, ByteView sealed,
                                 std::size_t& name_length) const;
  // Read without a lock by every seal() and open(); what was replaced stays until the end, since a
  // reader may still use it. A rotation is rare, and costs some bytes.
  struct Terms {
    std::uint32_t newest = 0;
    std::map<std::uint32_t, const crypto::Key*> keys, batch_tokens;
  };
  void add_term(Terms& terms, std::uint32_t term, const crypto::Key* key) REQUIRES(adding_);
  const StoreId store_;
  const KeyRing keys_;
  std::atomic<const Terms*> terms_{nullptr};
  Mutex adding_;
  std::vector<std::unique_ptr<const Terms>> all_terms_ GUARDED_BY(adding_);
  std::vector<std::unique_ptr<const crypto::Key>> added_ GUARDED_BY(adding_);
  Random& random_;
  const crypto::HmacKey multiset_;
  mutable NameLists name_lists_;
};

}  // namespace leasehold::barrier
