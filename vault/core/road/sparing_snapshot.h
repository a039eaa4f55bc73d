#pragma once
// A snapshot for a handler on an io thread: it reads values up to the size of a small body, all in
// all. Beyond that its reads fail before anything is opened, and met_much() says that the handler
// has to run anew on a worker. Thread safety: as the snapshot below it.

#include "vault/core/contract/request.h"
#include "vault/storage/storage.h"

namespace leasehold::core {

class SparingSnapshot final : public storage::Snapshot {
 public:
  explicit SparingSnapshot(storage::Snapshot& below) : below_(below) {}
  bool met_much() const { return read_ > kSmallBodyMax; }

  Result<std::optional<storage::Found>> get(ByteView key) override {
    auto found = below_.get(key);
    if (found.ok() && found->has_value()) read_ += (*found)->value.size();
    if (met_much()) return failure(Code::unavailable, "a large value is read on a worker");
    return found;
  }
  Status scan(ByteView from, ByteView to, std::size_t limit, storage::Scan what,
              FunctionRef<bool(const storage::Entry&)> each) override {
    return below_.scan(from, to, limit, what, each);
  }
  void release() override { below_.release(); }
  Status renew() override { return below_.renew(); }

 private:
  storage::Snapshot& below_;
  std::size_t read_ = 0;
};

}  // namespace leasehold::core
