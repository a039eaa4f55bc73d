#include "vault/commit/group.h"

namespace leasehold::commit {

namespace {

// A decrease may stand above `max` (the cap was lowered meanwhile), an increase below `min`.
std::optional<std::int64_t> sum_within(std::int64_t value, const Addition& addition) {
  std::int64_t sum = 0;
  if (__builtin_add_overflow(value, addition.delta, &sum)) return std::nullopt;
  if (addition.delta <= 0 && sum < addition.min) return std::nullopt;
  if (addition.delta >= 0 && sum > addition.max) return std::nullopt;
  return sum;
}

}  // namespace

Group::Staged& Group::staged(ByteView key) {
  const auto [place, fresh] = staged_.try_emplace(std::string(as_text(key)));
  if (fresh) {
    if (const Counter* known = counters_.find(key)) place->second = {*known, true};
  }
  return place->second;
}

// A value under an older key would come behind the pass that seals all of them anew.
bool Group::admit(std::size_t batch) {
  if (is_stale(batch)) return false;
  struct Step {
    Staged* staged;
    Staged before;
  };
  std::vector<Step> steps;  // to go back when a later addition of the same batch is refused
  for (const Addition& addition : batches_[batch]->additions) {
    Staged& counter = staged(addition.counter.view());
    VAULT_ASSERT(counter.known);
    steps.push_back({&counter, counter});
    const auto sum = addition.erase ? 0 : sum_within(counter.counter.value, addition);
    if (!sum) {
      hit_[batch] = &addition;
      for (auto step = steps.rbegin(); step != steps.rend(); ++step) *step->staged = step->before;
      return false;
    }
    counter.counter.value = *sum;
    if (&addition == &batches_[batch]->additions.front()) counted_[batch] = *sum;
    counter.erased = addition.erase;
    counter.touched = true;
  }
  batches_[batch]->audit.append_views(bodies_);
  return true;
}

void Group::changed(ByteView key, const std::optional<storage::Found>& before,
                    const std::optional<ByteView>& after, std::uint64_t mod) {
  if (!counts_in_multiset(key)) return;
  if (static_cast<barrier::Table>(key[0]) == barrier::Table::name && !before != !after)
    barrier_.name_lists().changed(key, mod);
  if (before) subtract_from(head_.multiset, barrier_.contribution(key, before->value, before->mod));
  crypto::Digest contribution{};
  if (after) {
    contribution = barrier_.contribution(key, *after, mod);
    add_to(head_.multiset, contribution);
  }
  // A counter's record written as a record (the range erase of a deleted mount): what is remembered
  // of it no longer holds. Its value may; the record a later addition replaces is this one.
  if (static_cast<barrier::Table>(key[0]) == barrier::Table::counter) {
    Staged& counter = staged(key);
    counter.counter.stored = after.has_value();
    counter.counter.contribution = contribution;
  }
}

void Group::write_counter(ByteView key, Staged& counter, std::uint64_t index,
                          storage::Batch& tail) {
  Counter& record = counter.counter;
  if (record.stored) subtract_from(head_.multiset, record.contribution);
  if (counter.erased) {
    if (record.stored) tail.erase(key);
    record = {};
    return;
  }
  std::uint8_t plain[kCounterSize];
  put_be(plain, static_cast<std::uint64_t>(record.value), kCounterSize);
  Bytes sealed;
  barrier_.seal(barrier::PhysicalKey::from(key), {}, plain, sealed);
  tail.put(key, sealed);
  record.stored = true;
  record.contribution = barrier_.contribution(key, sealed, index);
  add_to(head_.multiset, record.contribution);
}

void Group::erase_synced(storage::Batch& tail) {
  erased_ = outbox_.erasable();
  for (std::size_t i = 0; i < erased_; ++i) {
    for (const OutboxPart& part : outbox_[i].parts) {
      tail.erase(part.key.view());
      subtract_from(head_.multiset, part.contribution);
    }
  }
}

void Group::finish(std::uint64_t index, storage::Batch& tail) {
  head_.index = index;
  ++head_.group;
  for (auto& [key, counter] : staged_)
    if (counter.touched) write_counter(as_bytes(key), counter, index, tail);
  if (!bodies_.empty()) {
    written_ = write_outbox(barrier_, head_.group, index, bodies_, tail);
    for (const OutboxPart& part : written_.parts) add_to(head_.multiset, part.contribution);
  }
  erase_synced(tail);

  Bytes sealed;
  barrier_.seal(head_key(), {}, head_.serialize(), sealed);
  tail.put(head_key().view(), sealed);
}

void Group::publish() {
  for (const auto& [key, counter] : staged_) {
    if (counter.touched) {
      counters_.put(as_bytes(key), counter.counter);
    } else {
      counters_.forget(as_bytes(key));
    }
  }
  outbox_.erased(erased_);
  if (!written_.parts.empty()) outbox_.add(std::move(written_));
}

}  // namespace leasehold::commit
