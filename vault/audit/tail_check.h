#pragma once
// Whether the log a device holds is the one that this store wrote. The chain needs no key, so
// somebody who can write the file while the server is down could cut it and append lines that
// chain. They cannot forge the line whose number and hash the store remembers, nor a signed
// checkpoint behind it. Lines behind both are accepted after a hard stop, because they may be all
// that is left of the last second. After an orderly stop, and in a file that was begun later, only
// the records with which the log itself begins are accepted there. Thread-safe function.

#include "vault/audit/log.h"

namespace leasehold::audit {

// `device` is open and ends with `tail`, at `known` or behind it: the line that it is to hold.
// Zero: nothing is known of it.
Status check_tail(Device& device, const Tail& tail, const Identity& identity,
                  const Position& known);

// The newest commit of this store that the device's log tells of under the store's key, back to the
// store's own last checkpoint; 0: none. A checkpoint is written each second: a log with more lines
// than `at_most` behind it is an error, since what lies before them may tell of an older copy.
inline constexpr std::size_t kSearchedMax = 1'000'000;
Result<std::uint64_t> newest_commit(Device& device, const Identity& identity,
                                    std::size_t at_most = kSearchedMax);
// The error of a store that ends before what its log tells of.
Error older_store(const Device& device, std::uint64_t logged, std::uint64_t stored);

// The error of a device whose log somebody else wrote to.
Error changed_log(const Device& device, std::string_view when);

}  // namespace leasehold::audit
