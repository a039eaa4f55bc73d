#pragma once
// Collects errors, so that all mistakes of a file are reported at once. A value of one thread.
//
//   Problems problems;
//   problems.add(read_this());
//   problems.add(read_that());
//   return problems.status();   // Code::invalid, one message a line; ok when there are none

#include <string>
#include <vector>

#include "vault/base/result.h"

namespace leasehold {

class Problems {
 public:
  void add(std::string message) { messages_.push_back(std::move(message)); }
  void add(const Status& status) {
    if (!status.ok()) add(status.error().message);
  }
  bool none() const { return messages_.empty(); }
  Status status() const {
    std::string all;
    for (const std::string& message : messages_) all += (all.empty() ? "" : "\n") + message;
    if (none()) return {};
    return failure(Code::invalid, std::move(all));
  }

 private:
  std::vector<std::string> messages_;
};

}  // namespace leasehold
