#pragma once
// Sorted lists of the names in large directories, so that a page costs its page: storage keeps
// names in the order of their hashes, and without the list every page would have to open them all.
//
// A list is good for every snapshot between which no name came to its directory or went. Which ones
// those are is known from the commit indexes of such changes, kept per directory in a table of
// fixed size; two directories that share a place there only cost each other a list. Names are
// secrets: what is dropped is wiped. Thread-safe.

#include <array>
#include <atomic>
#include <memory>
#include <unordered_map>
#include <vector>

#include "vault/barrier/format.h"
#include "vault/base/mutex.h"

namespace leasehold::barrier {

class NameList {
 public:
  void add(std::string_view name);
  void sort();
  std::size_t size() const { return ranges_.size(); }
  // The names greater than `after`, at most `limit` (0: all); once it is sorted.
  std::vector<std::string> page(std::string_view after, std::size_t limit) const;
  std::size_t weight() const { return text_.size() + ranges_.size() * sizeof(Range); }  // bytes

 private:
  struct Range {
    std::uint32_t at = 0, size = 0;
  };
  std::string_view at(const Range& range) const {
    return as_text(text_.reveal()).substr(range.at, range.size);
  }
  SecretBytes text_;
  std::vector<Range> ranges_;
};

class NameLists {
 public:
  static constexpr std::size_t kSizeMin = 256;  // names; smaller directories are quickly read
  static constexpr std::size_t kWeightMax = 64u << 20;  // of all lists that are kept
  using Kept = std::shared_ptr<const NameList>;

  // A name comes to the directory that the name record `key` lies in, or goes. Called before the
  // commit with that index can be seen.
  void changed(ByteView key, std::uint64_t index);
  // As the snapshot shows it whose last commit is `index`; null: it must be read. `directory` is
  // the prefix of its name records.
  Kept find(const PhysicalKey& directory, std::uint64_t index);
  void keep(const PhysicalKey& directory, std::uint64_t index, Kept list);

 private:
  struct Entry {
    Kept list;
    std::uint64_t index = 0, used = 0;
  };
  std::atomic<std::uint64_t>& changed_at(ByteView key);
  void drop_oldest() REQUIRES(mutex_);  // the longest unused

  std::array<std::atomic<std::uint64_t>, 4096> changes_{};  // the last commit index of each place
  Mutex mutex_;
  std::unordered_map<std::string, Entry> lists_ GUARDED_BY(mutex_);
  std::size_t weight_ GUARDED_BY(mutex_) = 0;
  std::uint64_t clock_ GUARDED_BY(mutex_) = 0;
};

}  // namespace leasehold::barrier
