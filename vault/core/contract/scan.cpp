#include "vault/core/contract/scan.h"

namespace leasehold::core {
namespace {

class Scan {
 public:
  Scan(ReadTxn& txn, const std::string& directory, const Page& page)
      : txn_(txn), root_(directory), after_(page.after), limit_(page.limit) {}

  Result<std::vector<std::string>> names() {
    VAULT_TRY(enter(""));
    while (!levels_.empty() && !is_full()) VAULT_TRY(step());
    return std::move(names_);
  }

 private:
  // A directory that is being walked; its names, and the next of them.
  struct Level {
    std::string folder;  // relative to the root
    std::vector<std::string> names;
    std::size_t next = 0;
  };

  bool is_full() const { return limit_ != 0 && names_.size() >= limit_; }

  Status enter(std::string folder) {
    VAULT_TRY_ASSIGN(auto here, txn_.list(root_ + folder));
    levels_.push_back({std::move(folder), std::move(here)});
    return {};
  }

  // Of the deepest level. In a sorted list "a-b" stands before "a/", as "a-b" does before "a/c"
  // among the paths.
  Status step() {
    Level& level = levels_.back();
    if (level.next == level.names.size()) {
      levels_.pop_back();
      return {};
    }
    std::string path = level.folder + level.names[level.next++];
    const bool is_folder = path.back() == '/';
    if (path <= after_ && !(is_folder && after_.starts_with(path))) return {};
    if (is_folder) return enter(std::move(path));
    if (names_.size() == kScannedMax)
      return failure(Code::invalid, "there are more than " + std::to_string(kScannedMax) +
                                        " names here: ask for them in parts, with limit and after");
    names_.push_back(std::move(path));
    return {};
  }

  ReadTxn& txn_;
  const std::string root_;
  const std::string after_;
  const std::size_t limit_;
  std::vector<Level> levels_;  // no recursion: a client may nest folders by the thousand
  std::vector<std::string> names_;
};

}  // namespace

Result<std::vector<std::string>> scan_names(ReadTxn& txn, const std::string& directory,
                                            const Page& page) {
  return Scan(txn, directory, page).names();
}

}  // namespace leasehold::core
