#include "vault/audit/format.h"

#include <charconv>

#include "vault/audit/json_text.h"
#include "vault/base/encoding.h"

namespace leasehold::audit {
namespace {

constexpr std::string_view kCommit = ",\"commit\":";
constexpr std::string_view kCommitMac = ",\"commit_mac\":\"";
constexpr std::size_t kCommitMacSize = 16;
constexpr std::string_view kCommitContext = "leasehold audit commit v1";
constexpr std::string_view kBeforeSeq = "{\"seq\":";
constexpr std::string_view kBeforePrevious = ",\"prev\":\"";
constexpr std::string_view kBeforeBody = "\",";
constexpr std::string_view kCheckpointContext = "leasehold audit checkpoint v1";

bool take(std::string_view& text, std::string_view expected) {
  if (!text.starts_with(expected)) return false;
  text.remove_prefix(expected.size());
  return true;
}

// Digits as we write them: no sign, no leading zero.
bool take_seq(std::string_view& text, std::uint64_t& seq) {
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), seq);
  if (parsed.ec != std::errc() || text.front() == '0') return false;
  text.remove_prefix(static_cast<std::size_t>(parsed.ptr - text.data()));
  return true;
}

bool take_digest(std::string_view& text, crypto::Digest& digest) {
  constexpr std::size_t kSize = 2 * sizeof(crypto::Digest);
  if (text.size() < kSize) return false;
  const std::string_view digits = text.substr(0, kSize);
  const auto bytes = from_hex(digits);
  if (!bytes || hex(*bytes) != digits) return false;
  std::copy(bytes->begin(), bytes->end(), digest.begin());
  text.remove_prefix(kSize);
  return true;
}

}  // namespace

crypto::Digest body_hash(std::string_view body) {
  static constexpr std::uint8_t kBodyTag = 0x00;
  return crypto::sha256({&kBodyTag, 1}, as_bytes(body));
}

crypto::Digest line_hash(const crypto::Digest& previous, std::uint64_t seq,
                         const crypto::Digest& body) {
  std::array<std::uint8_t, 8> number;
  put_be(number.data(), seq, 8);
  return crypto::sha256(previous, number, body);
}

crypto::Digest line_hash(const crypto::Digest& previous, std::uint64_t seq, std::string_view body) {
  return line_hash(previous, seq, body_hash(body));
}

void append_line(std::string& out, std::uint64_t seq, const crypto::Digest& previous,
                 std::string_view body) {
  VAULT_ASSERT(body.size() > 2 && body.front() == '{' && body.back() == '}');
  out += kBeforeSeq;
  char digits[24];
  out.append(digits, std::to_chars(digits, digits + sizeof digits, seq).ptr);
  out += kBeforePrevious;
  append_hex(out, previous);
  out += kBeforeBody;
  out += body.substr(1);
  out += '\n';
}

Result<ParsedLine> parse_line(std::string_view line) {
  ParsedLine parsed;
  const bool good = take(line, kBeforeSeq) && !line.empty() && take_seq(line, parsed.seq) &&
                    take(line, kBeforePrevious) && take_digest(line, parsed.previous) &&
                    take(line, kBeforeBody) && line.size() > 1 && line.back() == '}';
  if (!good) return failure(Code::invalid, "not a line of this log");
  parsed.body.reserve(line.size() + 1);
  parsed.body = '{';
  parsed.body += line;
  return parsed;
}

CommitKey::CommitKey(ByteView sign_seed, ByteView store_id)
    : CommitKey(crypto::hkdf(sign_seed, store_id, kCommitContext, sizeof(crypto::Digest))) {}

std::string CommitKey::mac_of(std::uint64_t commit) const {
  std::array<std::uint8_t, 8> number;
  put_be(number.data(), commit, 8);
  return hex(ByteView(key_.mac(number)).first(kCommitMacSize));
}

std::string with_commit(std::string_view body, std::uint64_t commit, const CommitKey& key) {
  VAULT_ASSERT(body.size() > 2 && body.back() == '}');
  std::string out;
  out.reserve(body.size() + kCommit.size() + 24 + kCommitMac.size() + 2 * kCommitMacSize + 1);
  out += body.substr(0, body.size() - 1);
  out += kCommit;
  out += std::to_string(commit);
  out += kCommitMac;
  out += key.mac_of(commit);
  out += "\"}";
  return out;
}

namespace {

// Takes the MAC off the end of a body and gives it back; empty: there is none, as in logs of
// earlier versions.
std::string_view take_mac(std::string_view& body) {
  constexpr std::size_t kDigits = 2 * kCommitMacSize, kEnd = kDigits + 2;
  if (body.size() < kCommitMac.size() + kEnd || !body.ends_with("\"}")) return {};
  const std::size_t at = body.size() - kEnd;
  if (!body.substr(0, at).ends_with(kCommitMac)) return {};
  const std::string_view mac = body.substr(at, kDigits);
  body = body.substr(0, at - kCommitMac.size());
  return mac;
}

std::uint64_t number_at_end(std::string_view body) {
  const std::size_t digits = body.find_last_not_of("0123456789") + 1;
  if (digits == 0 || !body.substr(0, digits).ends_with(kCommit)) return 0;
  std::uint64_t commit = 0;
  const auto read = std::from_chars(body.data() + digits, body.data() + body.size(), commit);
  return read.ec == std::errc() && read.ptr == body.data() + body.size() ? commit : 0;
}

}  // namespace

// A text inside the body cannot pass for it: its quotes would be escaped, and a brace would follow.
std::uint64_t commit_of(std::string_view body) {
  if (take_mac(body).empty()) {
    if (!body.ends_with('}')) return 0;
    body.remove_suffix(1);
  }
  return number_at_end(body);
}

std::uint64_t commit_of(std::string_view body, const CommitKey& key) {
  const std::string_view mac = take_mac(body);
  if (mac.empty()) return 0;
  const std::uint64_t commit = number_at_end(body);
  return equal_constant_time(as_bytes(mac), as_bytes(key.mac_of(commit))) ? commit : 0;
}

Bytes checkpoint_message(ByteView store_id, std::uint64_t seq, const crypto::Digest& hash) {
  Bytes message = to_bytes(as_bytes(kCheckpointContext));
  message.push_back(0);
  append_be(message, store_id.size(), 2);
  append(message, store_id);
  append_be(message, seq, 8);
  append(message, hash);
  return message;
}

}  // namespace leasehold::audit
