#include "vault/commit/outbox.h"

#include <algorithm>

namespace leasehold::commit {

namespace {

using barrier::PhysicalKey;
using barrier::Table;

constexpr std::size_t kLengthSize = 4;
constexpr std::size_t kGroupAt = 1, kGroupSize = 8, kPartSize = 2;
constexpr std::size_t kKeySize = kGroupAt + kGroupSize + kPartSize;

Error damaged(const char* detail) {
  return failure(Code::internal,
                 "the audit outbox in storage is damaged: run `leasehold operator verify`", detail);
}

Result<std::vector<std::string_view>> parse(ByteView text) {
  std::vector<std::string_view> bodies;
  while (!text.empty()) {
    if (text.size() < kLengthSize) return damaged("a length is cut");
    const std::size_t length = get_be(text.data(), kLengthSize);
    text = text.subspan(kLengthSize);
    if (text.size() < length) return damaged("a body is cut");
    bodies.emplace_back(as_text(text.first(length)));
    text = text.subspan(length);
  }
  return bodies;
}

// Puts the parts of each group together again.
class Reader {
 public:
  using Each = FunctionRef<Status(OutboxGroup&&, std::span<const std::string_view>)>;
  Reader(const barrier::Barrier& barrier, Each each) : barrier_(barrier), each_(each) {}

  Status take(const storage::Entry& entry) {
    if (entry.key.size() != kKeySize) return damaged("a key has a wrong size");
    const PhysicalKey key = PhysicalKey::from(entry.key);
    const std::uint64_t group = get_be(&entry.key[kGroupAt], kGroupSize);
    if (!group_.parts.empty() && group != group_.group) VAULT_TRY(finish());
    if (get_be(&entry.key[kGroupAt + kGroupSize], kPartSize) != group_.parts.size())
      return damaged("a part is missing");
    VAULT_TRY_ASSIGN(const SecretBytes plain, barrier_.open(key, {}, entry.value));
    append(text_, plain.reveal());
    group_.group = group;
    group_.parts.push_back({key, barrier_.contribution(entry.key, entry.value, entry.mod)});
    return {};
  }

  Status finish() {
    if (group_.parts.empty()) return {};
    VAULT_TRY_ASSIGN(const auto bodies, parse(text_));
    Status status = each_(std::exchange(group_, {}), bodies);
    text_.clear();
    return status;
  }

 private:
  const barrier::Barrier& barrier_;
  const Each each_;
  OutboxGroup group_;
  Bytes text_;
};

}  // namespace

PhysicalKey outbox_key(std::uint64_t group, std::size_t part) {
  PhysicalKey key(Table::outbox);
  key.push_be(group, kGroupSize);
  key.push_be(part, kPartSize);
  return key;
}

void Outbox::add(OutboxGroup group) {
  VAULT_ASSERT(pending_.empty() || pending_.back().group < group.group);
  const bool settled = group.group <= settled_group_;
  if (settled)
    settled_ = pending_.size() + 1;
  else if (!group.line)
    ++owed_;
  pending_.push_back(std::move(group));
}

std::optional<std::size_t> Outbox::index_of(std::uint64_t group) const {
  const auto at = std::lower_bound(
      pending_.begin(), pending_.end(), group,
      [](const OutboxGroup& one, std::uint64_t number) { return one.group < number; });
  if (at == pending_.end() || at->group != group) return std::nullopt;
  return static_cast<std::size_t>(at - pending_.begin());
}

bool Outbox::owes(std::uint64_t group) const {
  const auto at = index_of(group);
  return at && *at >= settled_ && !pending_[*at].line;
}

std::uint64_t Outbox::first_owed() const {
  const auto at = std::find_if(pending_.begin() + static_cast<std::ptrdiff_t>(settled_),
                               pending_.end(), [](const OutboxGroup& one) { return !one.line; });
  VAULT_ASSERT(at != pending_.end());
  return at->group;
}

void Outbox::drained(std::uint64_t group, std::uint64_t line) {
  VAULT_ASSERT(owes(group));
  pending_[*index_of(group)].line = line;
  --owed_;
}

void Outbox::update(const AuditSynced& synced) {
  if (synced.since > since_) owe_again(synced.since);
  for (; settled_ < pending_.size(); ++settled_) {
    const OutboxGroup& oldest = pending_[settled_];
    if (!oldest.line || *oldest.line > synced.last.seq) return;
    settled_group_ = oldest.group;
  }
}

void Outbox::owe_again(std::uint64_t since) {
  since_ = since;
  for (std::size_t i = settled_; i < pending_.size(); ++i) {
    if (!pending_[i].line || *pending_[i].line >= since) continue;
    pending_[i].line.reset();
    ++owed_;
  }
}

std::size_t Outbox::erasable() const {
  const std::size_t count = std::min(settled_, kOutboxEraseMax);
  return count < kOutboxEraseMin ? 0 : count;
}

void Outbox::erased(std::size_t count) {
  VAULT_ASSERT(count <= settled_);
  pending_.erase(pending_.begin(), pending_.begin() + static_cast<std::ptrdiff_t>(count));
  settled_ -= count;
}

OutboxGroup write_outbox(const barrier::Barrier& barrier, std::uint64_t group, std::uint64_t mod,
                         std::span<const std::string_view> bodies, storage::Batch& tail) {
  Bytes text;
  std::size_t size = 0;
  for (const std::string_view body : bodies) size += kLengthSize + body.size();
  text.reserve(size);
  for (const std::string_view body : bodies) {
    append_be(text, body.size(), kLengthSize);
    append(text, as_bytes(body));
  }

  OutboxGroup written{group, {}};
  Bytes sealed;
  for (std::size_t at = 0; at < text.size(); at += kOutboxPartMax) {
    const PhysicalKey key = outbox_key(group, written.parts.size());
    sealed.clear();
    barrier.seal(key, {}, ByteView(text).subspan(at, std::min(kOutboxPartMax, text.size() - at)),
                 sealed);
    tail.put(key.view(), sealed);
    written.parts.push_back({key, barrier.contribution(key.view(), sealed, mod)});
  }
  return written;
}

Status read_outbox(
    storage::Snapshot& snapshot, const barrier::Barrier& barrier, std::uint64_t first,
    FunctionRef<Status(OutboxGroup&& group, std::span<const std::string_view> bodies)> each) {
  Reader reader(barrier, each);
  Status status;
  const auto take = [&](const storage::Entry& entry) {
    status = reader.take(entry);
    return status.ok();
  };
  const PhysicalKey table(Table::outbox);
  VAULT_TRY(snapshot.scan(outbox_key(first, 0).view(), table.end_of_prefix().view(), SIZE_MAX,
                          storage::Scan::values, take));
  VAULT_TRY(std::move(status));
  return reader.finish();
}

}  // namespace leasehold::commit
