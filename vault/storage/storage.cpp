#include "vault/storage/storage.h"

namespace leasehold::storage {

namespace {

bool is_write(Batch::Kind kind) { return kind == Batch::Kind::put || kind == Batch::Kind::erase; }

}  // namespace

Batch::Operation Batch::operator[](std::size_t i) const {
  const Placed& p = entries_[i];
  const ByteView all(data_);
  return {p.kind, all.subspan(p.at, p.key_size), all.subspan(p.at + p.key_size, p.value_size),
          p.mod};
}

std::optional<Batch::Operation> Batch::written(ByteView key) const {
  if (writes_ == 0) return std::nullopt;
  for (std::size_t i = entries_.size(); i-- > 0;) {
    const Placed& p = entries_[i];
    if (!is_write(p.kind) || p.key_size != key.size()) continue;
    if (std::memcmp(data_.data() + p.at, key.data(), key.size()) == 0) return (*this)[i];
  }
  return std::nullopt;
}

void Batch::clear() {
  entries_.clear();
  data_.clear();
  writes_ = guards_ = 0;
}

void Batch::add(Kind kind, ByteView key, ByteView value, std::uint64_t mod) {
  VAULT_ASSERT(!key.empty() && key.size() <= kKeyMax);
  VAULT_ASSERT(kind != Kind::empty || (!value.empty() && value.size() <= kKeyMax));
  // A second write of a key takes the place of the first: storage sees every key once.
  Placed* place = nullptr;
  if (is_write(kind)) {
    for (Placed& p : entries_) {
      if (is_write(p.kind) && p.key_size == key.size() &&
          std::memcmp(data_.data() + p.at, key.data(), key.size()) == 0) {
        place = &p;
        break;
      }
    }
    if (place == nullptr) ++writes_;
  }
  if (kind == Kind::version) ++guards_;
  if (entries_.empty()) {  // as much as most requests write
    entries_.reserve(16);
    data_.reserve(1024);
  }
  if (place == nullptr) place = &entries_.emplace_back();
  *place = {kind, static_cast<std::uint32_t>(data_.size()), static_cast<std::uint32_t>(key.size()),
            static_cast<std::uint32_t>(value.size()), mod};
  append(data_, key);
  append(data_, value);
}

}  // namespace leasehold::storage
