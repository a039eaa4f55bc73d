#include "vault/audit/left_behind.h"

#include "vault/audit/chain_records.h"
#include "vault/audit/line_reader.h"

namespace leasehold::audit {
namespace {

// What one file holds behind the line that is sought, or from its beginning.
struct Seen {
  bool found = false;
  bool ends_elsewhere = false;  // a run ended or began there, or a commit is too new
  std::uint64_t lines = 0, signed_lines = 0;

  void add(const ParsedLine& line, const Position& from, std::uint64_t commit) {
    if (line.seq == from.seq && line_hash(line.previous, line.seq, line.body) == from.hash) {
      *this = Seen{true, false, 0, 0};
      return;
    }
    ++lines;
    ends_elsewhere = ends_elsewhere || commit_of(line.body) > commit;
    if (!line.body.starts_with(kChainRecord)) return;
    const std::string type = read_chain_record(line.body).string_at("type");
    ends_elsewhere = ends_elsewhere || type == "epoch" || type == "closed";
    if (type == "checkpoint") signed_lines = lines - 1;
  }
};

Result<Seen> look_into(const std::string& file, const Position& from, std::uint64_t commit) {
  VAULT_TRY_ASSIGN(LineReader reader, LineReader::open(file));
  Seen seen;
  for (std::string_view text; reader.next(text) == LineReader::Next::line;) {
    const auto line = parse_line(text);
    if (line.ok()) seen.add(*line, from, commit);
  }
  return seen;
}

}  // namespace

Result<std::optional<LeftBehind>> left_behind(std::span<const std::string> files,
                                              const Position& from, std::uint64_t commit) {
  LeftBehind left;
  for (auto file = files.rbegin(); file != files.rend(); ++file) {
    VAULT_TRY_ASSIGN(const Seen seen, look_into(*file, from, commit));
    if (seen.ends_elsewhere) break;
    if (left.signed_lines != 0)
      left.signed_lines += seen.lines;  // a later file's checkpoint signs these as well
    else
      left.signed_lines = seen.signed_lines;
    left.lines += seen.lines;
    left.file = *file;
    if (seen.found) return std::optional(left);
  }
  return std::optional<LeftBehind>();
}

}  // namespace leasehold::audit
