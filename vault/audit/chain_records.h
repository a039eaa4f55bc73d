#pragma once
// The records by which the log speaks of itself: what each says, and how the verifier reads them
// back. All have "type" as their first member, which no record about the vault has. Drawn in
// FORMAT.md. Thread-safe functions.

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "vault/audit/log.h"
#include "vault/base/json.h"

namespace leasehold::audit {

// A device that is back after lines it did not get, by the last line it holds; where its file is
// another one now, by the last that the one before was seen to hold. `remnant` counts the
// bytes of half a line that could not be removed, with the newline that now ends it.
struct Gap {
  std::string device;
  Position last;
  std::uint64_t remnant = 0;
};

// A device that held lines up to `held`, and now ends with `last`.
struct Cut {
  std::string device;
  Position last, held;
};

// `told`: how many records right before it the same run wrote, in the same write. Absent: as
// earlier versions wrote it.
std::string epoch_body(const Identity& identity, WallTime time, const Position& last,
                       std::optional<std::uint64_t> told = {});
std::string checkpoint_body(const Identity& identity, WallTime time, const Position& covered);
std::string torn_body(WallTime time, const std::string& device);
std::string gap_body(const Identity& identity, WallTime time, std::span<const Gap> gaps);
std::string cut_body(WallTime time, std::span<const Cut> cuts);
std::string continued_body(const Identity& identity, WallTime time, const Position& last,
                           std::span<const std::string> devices);
std::string closed_body(WallTime time);

// How a body begins: which of the two kinds of record it is.
inline constexpr std::string_view kVaultRecord = "{\"time\":\"";
inline constexpr std::string_view kChainRecord = "{\"type\":\"";
// The text of the record's time, whichever it is; "" when it has none where it belongs.
std::string_view time_text(std::string_view body);
// One of the log's own records as a tree; an empty object when it is no JSON.
Json read_chain_record(std::string_view body);
std::optional<Position> position_at(const Json& record, std::string_view seq_key,
                                    std::string_view hash_key);

}  // namespace leasehold::audit
