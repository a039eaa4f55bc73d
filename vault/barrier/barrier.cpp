#include "vault/barrier/barrier.h"

#include "vault/storage/storage.h"

namespace leasehold::barrier {

namespace {

// What is hashed with the index key begins with its purpose, so that no two uses share a hash.
enum class Purpose : std::uint8_t { directory = 'd', entry = 'e', id = 'i' };
constexpr std::size_t kPurposeMax = 32;

struct Split {
  std::string_view directory, leaf;
};

// The leaf is what follows the last '/', not counting one at the very end.
Split split(std::string_view name) {
  VAULT_ASSERT(!name.empty());
  const auto slash = name.size() == 1 ? std::string_view::npos : name.rfind('/', name.size() - 2);
  const std::size_t at = slash == std::string_view::npos ? 0 : slash + 1;
  return {name.substr(0, at), name.substr(at)};
}

std::array<std::uint8_t, 1 + kSpaceSize> scope(Purpose purpose, const Space& space) {
  std::array<std::uint8_t, 1 + kSpaceSize> bytes;
  bytes[0] = static_cast<std::uint8_t>(purpose);
  std::memcpy(bytes.data() + 1, space.data(), kSpaceSize);
  return bytes;
}

PhysicalKey directory_key(const crypto::Key& index, Table table, const Space& space,
                          std::string_view directory) {
  std::array<std::uint8_t, kHashSize> hash;
  crypto::blake2b(index.reveal(), hash, scope(Purpose::directory, space), as_bytes(directory));
  PhysicalKey key(table);
  key.push(space);
  key.push(hash);
  return key;
}

PhysicalKey tree_key(const crypto::Key& index, Table table, const Space& space,
                     std::string_view name) {
  PhysicalKey key = directory_key(index, table, space, split(name).directory);
  std::array<std::uint8_t, kHashSize> hash;
  crypto::blake2b(index.reveal(), hash, scope(Purpose::entry, space), as_bytes(name));
  key.push(hash);
  return key;
}

std::size_t header_size(std::uint8_t format) {
  return format == kFormatWithOrder ? kHeaderSize + kOrderSize : kHeaderSize;
}

Error damaged(std::string_view detail) {
  return failure(Code::internal,
                 "storage is damaged: run `leasehold operator verify` and restore a backup",
                 std::string(detail));
}

}  // namespace

Barrier::Barrier(StoreId store, KeyRing keys, Random& random)
    : store_(store), keys_(std::move(keys)), random_(random), multiset_(keys_.multiset.reveal()) {
  VAULT_ASSERT(keys_.data.count(keys_.term) == 1);
  auto terms = std::make_unique<Terms>();
  terms->newest = keys_.term;
  MutexLock lock(adding_);
  for (const auto& [term, key] : keys_.data) add_term(*terms, term, &key);
  terms_ = terms.get();
  all_terms_.push_back(std::move(terms));
}

// A key that leaves the vault in what it sealed is not the one that seals records.
void Barrier::add_term(Terms& terms, std::uint32_t term, const crypto::Key* key) {
  terms.keys.emplace(term, key);
  const SecretBytes derived = crypto::hkdf(key->reveal(), keys_.batch_token.reveal(),
                                           "leasehold batch tokens", crypto::kKeySize);
  added_.push_back(std::make_unique<const crypto::Key>(derived.reveal()));
  terms.batch_tokens.emplace(term, added_.back().get());
}

const crypto::Key* Barrier::batch_token_key(std::uint32_t term) const {
  const Terms& terms = *terms_.load();
  const auto found = terms.batch_tokens.find(term);
  return found == terms.batch_tokens.end() ? nullptr : found->second;
}

void Barrier::add_terms(const KeyRing& newer) {
  MutexLock lock(adding_);
  auto terms = std::make_unique<Terms>(*terms_.load());
  for (const auto& [term, key] : newer.data) {
    if (terms->keys.count(term) > 0) continue;
    added_.push_back(std::make_unique<const crypto::Key>(key.clone()));
    add_term(*terms, term, added_.back().get());
  }
  if (terms->keys.size() == terms_.load()->keys.size()) return;
  terms->newest = terms->keys.rbegin()->first;
  terms_.store(terms.get());
  all_terms_.push_back(std::move(terms));
}

PhysicalKey Barrier::value_key(const Space& space, std::string_view name) const {
  return tree_key(keys_.index, Table::value, space, name);
}

PhysicalKey Barrier::name_key(const Space& space, std::string_view name) const {
  return tree_key(keys_.index, Table::name, space, name);
}

PhysicalKey Barrier::counter_key(const Space& space, std::string_view name) const {
  return tree_key(keys_.index, Table::counter, space, name);
}

PhysicalKey Barrier::directory_prefix(const Space& space, std::string_view directory,
                                      Table table) const {
  VAULT_ASSERT(directory.empty() || directory.back() == '/');
  return directory_key(keys_.index, table, space, directory);
}

std::array<std::uint8_t, kHashSize> Barrier::id_hash(std::string_view purpose, ByteView id) const {
  VAULT_ASSERT(purpose.size() <= kPurposeMax);
  const std::uint8_t prefix[] = {static_cast<std::uint8_t>(Purpose::id),
                                 static_cast<std::uint8_t>(purpose.size())};
  std::array<std::uint8_t, kHashSize> hash;
  crypto::blake2b(keys_.index.reveal(), hash, prefix, as_bytes(purpose), id);
  return hash;
}

PhysicalKey Barrier::ordered_key(Table table, const OrderedId& id) const {
  PhysicalKey key(table);
  key.push(id);
  return key;
}

void Barrier::seal(const PhysicalKey& key, std::string_view name, ByteView plain, Bytes& out,
                   NameOrder order) const {
  VAULT_ASSERT(name.size() <= 0xffff);
  std::uint8_t bytes[kHeaderSize + kOrderSize] = {kFormat, kSuiteXChaCha20Poly1305};
  const Terms& terms = *terms_.load();
  put_be(bytes + 2, terms.newest, 4);
  if (order) {
    bytes[0] = kFormatWithOrder;
    put_be(bytes + kHeaderSize, *order, kOrderSize);
  }
  const ByteView header = ByteView(bytes).first(header_size(bytes[0]));
  std::uint8_t length[kNameLengthSize];
  put_be(length, name.size(), kNameLengthSize);

  SecretBytes all;
  all.reserve(kNameLengthSize + name.size() + plain.size());
  all.append(length);
  all.append(as_bytes(name));
  all.append(plain);
  out.reserve(out.size() + kOverheadMax + all.size());
  append(out, header);
  crypto::seal(terms.keys.at(terms.newest)->reveal(), all.reveal(),
               aad_for(store_, header, key.view()), random_, out);
}

// Opened, with the name and its length still in front; `length` is the name's.
Result<SecretBytes> Barrier::open_whole(const PhysicalKey& key, ByteView sealed,
                                        std::size_t& length) const {
  if (sealed.size() < kOverhead + kNameLengthSize) return damaged("a sealed value is too short");
  if (sealed[0] > kFormatWithOrder || sealed[1] != kSuiteXChaCha20Poly1305)
    return damaged("a sealed value has a format or suite this version does not know");
  if (sealed[0] < kFormat) return damaged("a sealed value has no format");
  const std::size_t header_bytes = header_size(sealed[0]);
  if (sealed.size() < header_bytes - kHeaderSize + kOverhead + kNameLengthSize)
    return damaged("a sealed value is too short");
  const Terms& terms = *terms_.load();
  const auto term = terms.keys.find(static_cast<std::uint32_t>(get_be(&sealed[2], 4)));
  if (term == terms.keys.end()) return damaged("a sealed value names a key term that is not here");

  const ByteView header = sealed.first(header_bytes);
  auto opened = crypto::open(term->second->reveal(), sealed.subspan(header_bytes),
                             aad_for(store_, header, key.view()));
  if (!opened.ok()) return damaged("a sealed value does not belong to its key");
  length = get_be(opened->reveal().data(), kNameLengthSize);
  if (opened->size() < kNameLengthSize + length)
    return damaged("the name in a sealed value is cut");
  return opened;
}

Result<Barrier::Opened> Barrier::open_named(const PhysicalKey& key, ByteView sealed) const {
  std::size_t length = 0;
  VAULT_TRY_ASSIGN(SecretBytes whole, open_whole(key, sealed, length));
  std::string name(as_text(whole.reveal().subspan(kNameLengthSize, length)));
  whole.drop_front(kNameLengthSize + length);
  return Opened{std::move(name), std::move(whole)};
}

Result<SecretBytes> Barrier::open(const PhysicalKey& key, std::string_view name,
                                  ByteView sealed) const {
  std::size_t length = 0;
  VAULT_TRY_ASSIGN(SecretBytes whole, open_whole(key, sealed, length));
  if (as_text(whole.reveal().subspan(kNameLengthSize, length)) != name)
    return damaged("a sealed value bears another name");
  whole.drop_front(kNameLengthSize + length);
  return whole;
}

crypto::Digest Barrier::contribution(ByteView key, ByteView value, std::uint64_t mod) const {
  VAULT_ASSERT(!key.empty() && key.size() <= storage::kKeyMax);
  std::array<std::uint8_t, 1 + storage::kKeyMax + 8> place;  // length | key | mod
  place[0] = static_cast<std::uint8_t>(key.size());
  std::memcpy(place.data() + 1, key.data(), key.size());
  put_be(place.data() + 1 + key.size(), mod, 8);
  const ByteView where = ByteView(place).first(1 + key.size() + 8);
  if (value.size() < kOverhead) return multiset_.mac(where, value);
  // The tag binds the ciphertext: reading the value itself would cost twice as much.
  return multiset_.mac(where, value.first(kHeaderSize + crypto::kNonceSize),
                       value.last(crypto::kTagSize));
}

}  // namespace leasehold::barrier
