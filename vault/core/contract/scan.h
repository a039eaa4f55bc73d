#pragma once
// SCAN, OpenBao's recursive list: the names below a directory and all of its own, as paths relative
// to it, in order. Functions without state.

#include <string>
#include <vector>

#include "vault/core/contract/engine.h"

namespace leasehold::core {

// A larger answer is to be asked for in parts.
inline constexpr std::size_t kScannedMax = 100'000;

// Those behind `page.after`, at most `page.limit`. `directory` is "" or ends in '/'. Grows with
// what is there: for workers. Code::invalid: there are more than kScannedMax.
Result<std::vector<std::string>> scan_names(ReadTxn& txn, const std::string& directory,
                                            const Page& page);

}  // namespace leasehold::core
