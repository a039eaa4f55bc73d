#include "vault/audit/verify.h"

#include <sys/stat.h>

#include <algorithm>

#include "vault/audit/line_reader.h"
#include "vault/audit/verifier.h"
#include "vault/base/encoding.h"

namespace leasehold::audit {

namespace {

constexpr std::uint64_t kProgressEvery = 4u << 20;

}  // namespace

Status Verifier::read(const std::vector<std::string>& files) {
  device_ = options_.device.empty() ? files.back() : options_.device;
  for (const std::string& file : files) {
    struct stat status {};
    if (::stat(file.c_str(), &status) == 0) of_ += static_cast<std::uint64_t>(status.st_size);
  }
  for (const std::string& file : files) {
    last_file_ = &file == &files.back();
    VAULT_TRY(read_file(file));
    files_before_.push_back(file);
  }
  return {};
}

Verdict Verifier::finish() {
  drop_junk();
  const bool before_these = options_.head_seq != 0 && options_.head_seq < verdict_.first_seq;
  if (options_.head && !verdict_.head_found && !before_these)
    add_break("the head " + hex(*options_.head) +
              " occurs nowhere: the log was cut behind it, or is another log");
  if (verdict_.records == 0) add_break("there is no record at all");
  add_break_if(excuses_.end());
  judge_tail("");
  judge_key();
  verdict_.last_seq = last_.seq;
  verdict_.last_hash = last_.hash;
  verdict_.after_signed = verdict_.records - records_signed_;
  verdict_.after_signed_span = tail_.span();
  verdict_.whole = verdict_.breaks.empty();
  if (!verdict_.whole) verdict_.broken = verdict_.breaks.front();
  limits();
  return std::move(verdict_);
}

Status Verifier::read_file(const std::string& file) {
  VAULT_TRY_ASSIGN(LineReader reader, LineReader::open(file));
  file_ = file;
  line_number_ = 0;
  named_ = false;
  std::string_view line;
  for (;;) {
    const LineReader::Next found = reader.next(line);
    if (line_number_ == 0 && is_compressed(line))
      return failure(Code::invalid, file + " is compressed: unpack it first, as in `zcat " + file +
                                        " > /tmp/audit.log.1`, and give the unpacked file");
    switch (found) {
      case LineReader::Next::line:
        ++line_number_;
        check(line);
        report_progress(line.size() + 1);
        break;
      case LineReader::Next::torn:
        ++line_number_;
        torn_end();
        break;
      case LineReader::Next::end:
        return {};
      case LineReader::Next::too_long:
        return failure(Code::invalid, here() + "the line is longer than any log line");
      case LineReader::Next::unreadable:
        return failure(Code::not_found, file + ": cannot be read to its end");
    }
  }
}

void Verifier::check(std::string_view text) {
  auto line = parse_line(text);
  if (!line.ok()) {
    if (junk_bytes_ == 0) junk_at_ = here();
    junk_bytes_ += text.size() + 1;
    return;
  }
  records_before_ = verdict_.records;
  std::optional<Json> own;
  if (line->body.starts_with(kChainRecord)) own = read_chain_record(line->body);
  const std::string type = own ? own->string_at("type") : std::string();
  judge_torn(type);
  behind_end(type);
  if (type == "epoch") judge_tail(here());
  follow(*line, own);
  names_file(type);
  ++verdict_.records;
  tail_.add(time_text(line->body));
  last_ = {line->seq, line_hash(line->previous, line->seq, line->body)};
  last_at_ = here();
  if (options_.head && last_.hash == *options_.head) verdict_.head_found = true;
  verdict_.last_commit = std::max(verdict_.last_commit, told_commit(line->body));
  if (own)
    own_record(*line, *own);
  else if (!line->body.starts_with(kVaultRecord))
    add_break(here() + "the record does not begin as records do");
}

std::uint64_t Verifier::told_commit(std::string_view body) const {
  return options_.commits != nullptr ? commit_of(body, *options_.commits) : commit_of(body);
}

// Behind `closed` the vault writes one checkpoint, and the next start its first records.
void Verifier::behind_end(std::string_view type) {
  if (end_ == End::none || end_ == End::missed) return;
  if (type == "epoch" || type == "gap" || type == "cut") return;
  if (end_ == End::closed && type == "checkpoint") return;
  add_break(here() + "stands behind the end of the log: the vault wrote nothing there");
  end_ = End::none;
}

// Each file begins with a record that names it, and is signed before anything else follows.
void Verifier::names_file(std::string_view type) {
  const bool names = type == "epoch" || type == "continued";
  if (!named_ && !names && type != "gap" && type != "cut")
    add_break(here() +
              "the file does not begin as the vault begins one: with a record `epoch` "
              "or `continued`; its beginning was cut off, or somebody else wrote it");
  named_ = named_ || names || (type != "gap" && type != "cut");
  if (begun_unsigned_ && type.empty())
    add_break(here() + "stands behind the beginning of a file or a run that nobody signed");
  begun_unsigned_ = names || (begun_unsigned_ && !type.empty() && type != "checkpoint");
}

// The end of what was signed, or what stands before a start of the server.
void Verifier::judge_tail(const std::string& where) {
  const std::string excess = tail_.excess();
  if (!excess.empty()) add_break(where + excess);
}

// What the caller gave a key for.
void Verifier::judge_key() {
  verdict_.public_key_hex = signer_.shown_key();
  verdict_.signed_by_hex = signer_.signed_by();
  const std::string refusal = signer_.refusal();
  if (refusal.empty() || verdict_.records == 0) return;
  verdict_.breaks.insert(verdict_.breaks.begin(), refusal);
  verdict_.checkpoints = verdict_.signed_seq = records_signed_ = 0;
}

// Whether this line may stand behind the one before.
void Verifier::follow(const ParsedLine& line, const std::optional<Json>& own) {
  const Position expected = last_;
  const bool follows = line.seq == expected.seq + 1 && line.previous == expected.hash;
  const bool is_gap = own && own->string_at("type") == "gap";
  if (verdict_.records == 0) verdict_.first_seq = line.seq;
  if (is_gap && (!follows || junk_bytes_ != 0) && explained(*own, line.seq, commit_of(line.body)))
    return;
  if (verdict_.records == 0) return first(line);
  drop_junk();
  if (follows || (own && (names_cut(*own) || goes_on_behind_hard_stop(line, *own)))) return;
  if (line.seq == 1)
    add_break(here() + "a new log begins; it does not name the one before (" +
              std::to_string(expected.seq) + " lines)" + order());
  else if (line.seq != expected.seq + 1)
    add_break(here() + "line " + std::to_string(line.seq) + " of the chain stands behind line " +
              std::to_string(expected.seq) + ": lines were removed, added or reordered" + order());
  else
    add_break(here() + "does not follow from the line before: one of the two was changed (" +
              last_at_ + "the line before)");
}

// Most often nobody changed anything: a shell sorts audit.log before audit.log.1.
std::string Verifier::order() const {
  if (line_number_ != 1) return {};
  return "; were the files given oldest first, and all of them?";
}

void Verifier::first(const ParsedLine& line) {
  drop_junk();
  if (line.seq == 1 && line.previous != crypto::Digest{})
    add_break(here() + "the first line of a log names a line before it");
  if (line.seq != 1)
    note(here() + "the log begins with line " + std::to_string(line.seq) +
         "; the lines before it are not in these files");
}

void Verifier::own_record(const ParsedLine& line, const Json& own) {
  if (const auto store = own.string_at("store_id"); !store.empty()) {
    if (store != verdict_.store_id_hex) verdict_.last_commit = told_commit(line.body);
    verdict_.store_id_hex = store;
  }
  const std::string type = own.string_at("type");
  static constexpr std::string_view kTypes[] = {"epoch",     "checkpoint", "torn", "gap",
                                                "continued", "closed",     "cut"};
  if (std::find(std::begin(kTypes), std::end(kTypes), type) == std::end(kTypes))
    return add_break(here() + "a record of the log that this version cannot read");
  if (type == "epoch") add_break_if(excuses_.epoch(own, line.seq));
  if (type == "checkpoint") excuses_.signed_over();
  if (type == "epoch") epoch(own);
  if (type == "epoch" || type == "continued") adopt_key(own);
  if (type == "checkpoint" && checkpoint(line, own) && end_ == End::closed) end_ = End::signed_for;
  if (type == "cut") cut(own);
  if (type == "torn")
    note(here() + "after a hard stop, half a last line was cut from " + own.string_at("device"));
  if (type == "closed") end_ = End::closed;
  if (type == "epoch") end_ = End::none;
}

void Verifier::epoch(const Json& own) {
  ++verdict_.epochs;
  if (own.integer_at("version") > 1)
    note(here() + "written by a newer version; its rules may differ");
  if (verdict_.epochs > 1 && end_ != End::signed_for && end_ != End::missed)
    note(here() + "the server started again without having closed the log: a hard stop" +
         unsigned_before());
}

// Lines that nothing vouched for when the server found them at a start or in a device that was
// back; the next checkpoint signs over them.
std::string Verifier::unsigned_before() const {
  const std::uint64_t before = last_.seq == 0 ? 0 : records_before_ - records_checked_;
  if (before == 0) return "";
  return "; the " + std::to_string(before) + " records before it were not signed then";
}

void Verifier::adopt_key(const Json& own) {
  const auto named = array_from_hex<crypto::PublicKey>(own.string_at("public_key"));
  if (!named) return add_break(here() + "the record names no public key");
  const Signer::Named found = signer_.name(*named);
  if (found == Signer::Named::first)
    note(here() +
         "the public key is taken from the log itself; give the one that init printed "
         "to rule out a log written anew as a whole");
  if (found == Signer::Named::another)
    add_break(here() + "another public key: the rest was signed by somebody else");
}

// False: it vouches for nothing.
bool Verifier::checkpoint(const ParsedLine& line, const Json& own) {
  std::string why;
  if (!signer_.vouches(line, own, why)) {
    if (!why.empty())
      add_break(here() + why);  // else no key is known: the file lacks its beginning
    return false;
  }
  ++verdict_.checkpoints;
  records_checked_ = verdict_.records;
  tail_.signed_over();
  if (!verdict_.breaks.empty()) return true;
  verdict_.signed_seq = line.seq - 1;
  records_signed_ = verdict_.records;
  return true;
}

void Verifier::torn_end() {
  if (last_file_)
    note(here() + "the file ends in half a line: written just now, or a hard stop");
  else
    torn_at_ = here();
}

// Only a hard stop leaves half a line at the end of a file, and the next one begins with a start.
void Verifier::judge_torn(std::string_view type) {
  if (torn_at_.empty()) return;
  if (type == "epoch" || type == "gap" || type == "cut")
    note(torn_at_ + "the file ends in half a line: a hard stop, before the file was rotated");
  else
    add_break(torn_at_ + "the file ends in half a line and another file follows");
  torn_at_.clear();
}

// Bytes that no gap record accounted for.
void Verifier::drop_junk() {
  if (junk_bytes_ != 0) add_break(junk_at_ + "not a line of this log");
  junk_bytes_ = 0;
}

// What a good chain cannot show; said every time, because it is easily forgotten.
void Verifier::limits() {
  if (verdict_.whole && verdict_.after_signed > 0)
    note(std::to_string(verdict_.after_signed) +
         " records after the last signature are chained but not signed: the vault signs them "
         "within a second, a hard stop leaves them so");
  if (verdict_.whole && end_ != End::signed_for)
    note(
        "the log does not end with a closed record: the server runs, or stopped hard, or the "
        "end was cut off");
  if (!options_.head)
    note(
        "a log cut at a checkpoint looks whole: compare its last line with a head noted "
        "elsewhere (-head)");
  note("the log shows that its records were not changed, not that everything was recorded");
}

void Verifier::report_progress(std::uint64_t bytes) {
  bytes_ += bytes;
  if (!options_.progress || (bytes_ < reported_ + kProgressEvery && bytes_ < of_)) return;
  reported_ = bytes_;
  options_.progress(bytes_, of_);
}

Result<Verdict> verify_files(const std::vector<std::string>& files, const VerifyOptions& options) {
  Verifier verifier(options);
  VAULT_TRY(verifier.read(files));
  return verifier.finish();
}

}  // namespace leasehold::audit
