#include "backends/storage/lmdb_pages.h"

#include <unistd.h>

#include <cstring>
#include <vector>

namespace leasehold::storage {

namespace {

// The layout of LMDB 0.9 on 64 bits, in the machine's byte order. A page begins with its number (8
// bytes), 2 unused, its flags (2), and the end of its list of nodes (2); the list holds the offsets
// of nodes (2 each). A node: 4 bytes of size or page number, flags (2), size of the key (2), the
// key, the data.
constexpr std::size_t kFlagsAt = 10, kLowerAt = 12, kNodesAt = 16, kNodeHead = 8;
constexpr std::uint16_t kBranch = 0x01, kLeaf = 0x02;
constexpr std::uint16_t kOnOwnPages = 0x01, kDatabase = 0x02;  // of a node in a leaf
// A database: its root is the last of 48 bytes. A meta page holds the list of free pages, the main
// database, the highest page and the transaction behind a head.
constexpr std::size_t kDatabaseSize = 48, kRootAt = 40;
constexpr std::size_t kFreeAt = 40, kMainAt = kFreeAt + kDatabaseSize;
constexpr std::size_t kTransactionAt = kMainAt + kDatabaseSize + 8;
constexpr std::uint64_t kNoPage = ~std::uint64_t{0};
constexpr int kDepthMax = 64;

template <class T>
T read_at(const std::uint8_t* bytes, std::size_t at) {
  T value;
  std::memcpy(&value, bytes + at, sizeof value);
  return value;
}

class Pages {
 public:
  Pages(int file, std::uint64_t size, std::size_t page_size)
      : file_(file), pages_(size / page_size), page_size_(page_size) {}

  // Whether all pages from this root on lie in the file.
  bool hold(std::uint64_t root, int depth = 0) {
    if (root == kNoPage || depth > kDepthMax) return true;
    std::vector<std::uint8_t> page(page_size_);
    if (root >= pages_ || !read(root, page)) return false;
    if (++visited_ > pages_) return true;  // a circle: no tree
    const auto flags = read_at<std::uint16_t>(page.data(), kFlagsAt);
    const std::size_t end = read_at<std::uint16_t>(page.data(), kLowerAt);
    for (std::size_t at = kNodesAt; at + 2 <= end && at + 2 <= page_size_; at += 2) {
      const std::size_t node = read_at<std::uint16_t>(page.data(), at);
      if (node + kNodeHead > page_size_) return true;
      const bool held = (flags & kBranch) != 0 ? hold(child_of(&page[node]), depth + 1)
                        : (flags & kLeaf) != 0 ? holds_data(page, node, depth)
                                               : true;
      if (!held) return false;
    }
    return true;
  }

  bool read(std::uint64_t number, std::vector<std::uint8_t>& page) const {
    return ::pread(file_, page.data(), page.size(), static_cast<off_t>(number * page_size_)) ==
           static_cast<ssize_t>(page.size());
  }

 private:
  static std::uint64_t child_of(const std::uint8_t* node) {
    return read_at<std::uint32_t>(node, 0) |
           static_cast<std::uint64_t>(read_at<std::uint16_t>(node, 4)) << 32;
  }

  bool holds_data(const std::vector<std::uint8_t>& page, std::size_t node, int depth) {
    const auto flags = read_at<std::uint16_t>(page.data(), node + 4);
    const std::size_t data = node + kNodeHead + read_at<std::uint16_t>(page.data(), node + 6);
    if ((flags & kOnOwnPages) != 0 && data + 8 <= page_size_) {
      const auto first = read_at<std::uint64_t>(page.data(), data);
      const std::uint64_t size = read_at<std::uint32_t>(page.data(), node);
      const std::uint64_t count = (kNodesAt - 1 + size) / page_size_ + 1;
      return first <= pages_ && count <= pages_ - first;
    }
    if ((flags & kDatabase) != 0 && data + kDatabaseSize <= page_size_)
      return hold(read_at<std::uint64_t>(page.data(), data + kRootAt), depth + 1);
    return true;
  }

  const int file_;
  const std::uint64_t pages_;  // whole ones in the file
  const std::size_t page_size_;
  std::uint64_t visited_ = 0;
};

}  // namespace

bool holds_its_pages(MDB_env* env, int file, std::uint64_t size) {
  MDB_envinfo info;
  MDB_stat stat;
  if (mdb_env_info(env, &info) != 0 || mdb_env_stat(env, &stat) != 0) return true;
  if (size / stat.ms_psize > info.me_last_pgno) return true;
  Pages pages(file, size, stat.ms_psize);
  std::vector<std::uint8_t> meta(stat.ms_psize);
  for (const std::uint64_t number : {0, 1}) {  // the one of the last commit
    if (!pages.read(number, meta)) return false;
    if (read_at<std::uint64_t>(meta.data(), kTransactionAt) != info.me_last_txnid) continue;
    return pages.hold(read_at<std::uint64_t>(meta.data(), kFreeAt + kRootAt)) &&
           pages.hold(read_at<std::uint64_t>(meta.data(), kMainAt + kRootAt));
  }
  return true;
}

}  // namespace leasehold::storage
