#pragma once
// The state of a verification: verify.cpp reads the files and follows the chain, and
// verify_explained.cpp knows which records account for lines that are missing.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "vault/audit/chain_records.h"
#include "vault/audit/excuses.h"
#include "vault/audit/left_behind.h"
#include "vault/audit/log_files.h"
#include "vault/audit/signer.h"
#include "vault/audit/unsigned_tail.h"
#include "vault/audit/verify.h"

namespace leasehold::audit {

inline constexpr std::size_t kNotesMax = 1000;

// Follows the chain over all files. After a break it goes on from the line that broke it, so that
// each break is named once.
class Verifier {
 public:
  explicit Verifier(const VerifyOptions& options) : options_(options), signer_(options.public_key) {
    verdict_.key_was_given = options.public_key.has_value();
  }

  Status read(const std::vector<std::string>& files);
  Verdict finish();

 private:
  Status read_file(const std::string& file);
  void check(std::string_view text);
  std::uint64_t told_commit(std::string_view body) const;
  void behind_end(std::string_view type);
  void names_file(std::string_view type);
  void judge_tail(const std::string& where);
  void judge_key();
  void follow(const ParsedLine& line, const std::optional<Json>& own);
  std::string order() const;
  void first(const ParsedLine& line);
  bool explained(const Json& gap, std::uint64_t seq, std::uint64_t commit);
  std::optional<LeftBehind> left_in_files_before(const Position& from, std::uint64_t commit) const;
  bool goes_on_behind_hard_stop(const ParsedLine& line, const Json& own);
  bool names_cut(const Json& own) const;
  void cut(const Json& own);
  bool is_this(const std::string& name) const {
    return name == device_ || is_device_at(name, device_);
  }

  void own_record(const ParsedLine& line, const Json& own);
  void epoch(const Json& own);
  std::string unsigned_before() const;
  void adopt_key(const Json& own);
  bool checkpoint(const ParsedLine& line, const Json& own);
  void torn_end();
  void judge_torn(std::string_view type);
  void drop_junk();
  void limits();
  void report_progress(std::uint64_t bytes);
  std::string here() const { return file_ + ":" + std::to_string(line_number_) + ": "; }
  void add_break(std::string text) {
    if (verdict_.breaks.size() < kBreaksMax) verdict_.breaks.push_back(std::move(text));
  }
  void add_break_if(std::string text) {
    if (!text.empty()) add_break(std::move(text));
  }
  void note(std::string text) {
    if (verdict_.notes.size() < kNotesMax) verdict_.notes.push_back(std::move(text));
  }

  const VerifyOptions& options_;
  std::string device_;
  Signer signer_;
  Verdict verdict_;
  std::string file_;
  bool last_file_ = false;
  std::vector<std::string> files_before_;
  Excuses excuses_;
  std::uint64_t line_number_ = 0;
  Position last_;
  std::string last_at_;
  std::string torn_at_;           // half a line at the end of the file before
  std::uint64_t junk_bytes_ = 0;  // lines that are none, not yet accounted for
  std::string junk_at_;
  // An end counts once it is signed: anybody can write `closed`. Among lines that the device missed
  // may be an end, and a start.
  enum class End { none, closed, signed_for, missed };
  End end_ = End::none;
  bool named_ = false;           // the file in hand began as the vault begins one, or it was said
  bool begun_unsigned_ = false;  // by the last `epoch` or `continued`, and not signed yet
  UnsignedTail tail_;
  std::uint64_t records_signed_ = 0;
  std::uint64_t records_before_ = 0;   // the line in hand
  std::uint64_t records_checked_ = 0;  // up to the last good checkpoint, whatever broke before it
  std::uint64_t bytes_ = 0, of_ = 0, reported_ = 0;
};

}  // namespace leasehold::audit
