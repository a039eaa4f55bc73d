// Records that account for lines which are missing: gaps, cuts, and what a hard stop leaves.

#include "vault/audit/verifier.h"

namespace leasehold::audit {

// A gap record names the last line that stands before it, and the bytes of half a line between. In
// a new file it names the last that was seen on a disk: the file before may hold some more. It
// stands in the file of every device, and in those of others it would cover a removal.
bool Verifier::explained(const Json& gap, std::uint64_t seq, std::uint64_t commit) {
  const Json* devices = gap.find("devices");
  if (devices == nullptr) return false;
  for (const Json& device : devices->items()) {
    const auto last = position_at(device, "last_seq", "last_hash");
    const auto remnant = static_cast<std::uint64_t>(device.integer_at("remnant"));
    if (!last || remnant != junk_bytes_) continue;
    const auto more = *last == last_ ? LeftBehind() : left_in_files_before(*last, commit);
    if (!more) continue;
    const std::string name = device.string_at("device");
    std::string missed = "the lines between " + std::to_string(last->seq) + " and " +
                         std::to_string(seq) + " are missing";
    if (more->lines > 0)
      missed += ", but for " + std::to_string(more->lines) + " that " + more->file +
                " holds, which was rotated before the server had seen them there";
    missed += "; ";
    junk_bytes_ = 0;
    excuses_.rely_on(seq, here());
    if (!is_this(name)) {
      add_break(here() + missed + "the log says that of " + name +
                ": if these are its files, give -device");
      return true;
    }
    judge_tail(here());
    end_ = End::missed;
    note(here() + missed + name + " did not get them; another device may have them" +
         unsigned_before());
    return true;
  }
  return false;
}

// The file before was rotated between a hard stop and this start, and holds the line that this
// one goes on from.
bool Verifier::goes_on_behind_hard_stop(const ParsedLine& line, const Json& own) {
  if (own.string_at("type") != "epoch") return false;
  const Position from{line.seq - 1, line.previous};
  const auto left = left_in_files_before(from, commit_of(line.body));
  if (!left) return false;
  const std::string of =
      left->signed_lines == 0 ? "" : " (" + std::to_string(left->signed_lines) + " of them signed)";
  note(here() + "the file before was rotated after a hard stop; the log goes on from line " +
       std::to_string(from.seq) + " in " + left->file + ", and the " + std::to_string(left->lines) +
       " lines behind it" + of + " are not followed up");
  return true;
}

std::optional<LeftBehind> Verifier::left_in_files_before(const Position& from,
                                                         std::uint64_t commit) const {
  if (line_number_ != 1) return std::nullopt;
  const auto left = left_behind(files_before_, from, commit);
  return left.ok() ? *left : std::nullopt;
}

// Says that lines of this device are gone, and will be named as a break.
bool Verifier::names_cut(const Json& own) const {
  const Json* devices = own.string_at("type") == "cut" ? own.find("devices") : nullptr;
  if (devices == nullptr) return false;
  return std::any_of(devices->items().begin(), devices->items().end(),
                     [this](const Json& one) { return is_this(one.string_at("device")); });
}

void Verifier::cut(const Json& own) {
  const Json* devices = own.find("devices");
  if (devices == nullptr) return add_break(here() + "the record names no device");
  for (const Json& one : devices->items()) {
    const std::string name = one.string_at("device");
    const std::int64_t held = one.integer_at("held_seq"), last = one.integer_at("last_seq");
    const std::string lost = last == held
                                 ? name + " lost lines before this one while the server wrote to it"
                                 : name + " held lines up to " + std::to_string(held) +
                                       " and was cut behind " + std::to_string(last);
    if (is_this(name))
      add_break(here() + lost + "; what stands before may have been made up as well");
    else
      note(here() + lost);
  }
}

}  // namespace leasehold::audit
