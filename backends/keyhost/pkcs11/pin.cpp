#include "backends/keyhost/pkcs11/pin.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <sstream>

#include "vault/base/encoding.h"
#include "vault/base/folder.h"
#include "vault/crypto/hash.h"
#include "vault/crypto/password.h"

namespace leasehold::keyhost::pkcs11 {
namespace {

// The mark is one line of this length, written in place by one call: no kill leaves half of it, and
// a full disk does not keep a vault from its token. Earlier versions wrote lines of 256 bytes.
constexpr std::size_t kMarkSize = 2048;
constexpr std::size_t kRefusedMax = 8;  // of the hashes; real tokens lock after fewer tries
constexpr std::int64_t kPauseMax = 300;
constexpr std::array<std::string_view, 3> kWords = {"asked", "good", "refused"};

std::string name_of(const Pin& pin) {
  return std::to_string(pin.inode) + " " + std::to_string(pin.modified);
}

// Seconds after the nth ask without an answer: 1, 2, 4 …
std::int64_t pause_after(unsigned asks) {
  return asks > 9 ? kPauseMax : std::min(kPauseMax, std::int64_t{1} << (asks - 1));
}

}  // namespace

PinLatch::PinLatch(std::string directory) : directory_(std::move(directory)) {}

void PinLatch::name_token(std::string_view maker, std::string_view serial) {
  const std::string name = std::string(maker) + "|" + std::string(serial);
  std::string path = directory_ + "/pin-" + hex(ByteView(crypto::sha256(as_bytes(name))).first(8));
  if (path == path_) return;
  path_ = std::move(path);
  marked_.reset();
  before_.reset();
}

Error PinLatch::refusal(const std::string& start, bool from_file) const {
  const std::string way = directory_.empty() ? "restart the vault" : "remove " + path_;
  if (from_file)
    return failure(Code::denied, start + "Write the right PIN to its file, or " + way +
                                     " to try this one once more");
  return failure(Code::denied,
                 start +
                     "It does not come from a file, so the vault cannot tell whether it was "
                     "corrected: once it is right, " +
                     way);
}

Error PinLatch::was_refused(bool from_file) const {
  return refusal(
      "a PIN was tried before and the token refused it; it is not tried again, so that the token "
      "does not lock. ",
      from_file);
}

Status PinLatch::may_try(const Mark& mark, bool from_file, bool wrong_try_counted,
                         WallTime now) const {
  if (mark.state == State::good) return {};
  if (mark.state == State::refused) return was_refused(from_file);
  if (!mark.accepted || (!from_file && wrong_try_counted))
    return refusal(
        "a PIN that is not known to be good was tried before, and the token's answer was lost; it "
        "is not tried again, so that the token does not lock. ",
        from_file);
  const std::int64_t since = now.seconds() - mark.last_ask.seconds();
  const std::int64_t left = pause_after(mark.asks) - since;
  if (since < 0 || left <= 0) return {};  // a clock that was set back does not lock the vault out
  return failure(Code::unavailable,
                 "the token did not answer the last login; it is tried again in " +
                     std::to_string(left) + " s");
}

Status PinLatch::before_try(const Pin& pin, bool wrong_try_counted, WallTime now) {
  VAULT_TRY_ASSIGN(before_, read());
  Mark next{State::asked, name_of(pin), false, 1, now, {}};
  if (before_) {
    next.refused = before_->refused;
    if (has_refused(pin)) return was_refused(pin.inode != 0);
    if (before_->pin == next.pin) {
      VAULT_TRY(may_try(*before_, pin.inode != 0, wrong_try_counted, now));
      next.accepted = before_->accepted;
      next.asks += before_->asks;
    }
  }
  return write(next);
}

// The token counts wrong tries from nothing again.
void PinLatch::accepted() {
  marked_->accepted = true;
  marked_->refused.clear();
  settle(State::good);
}

// Without a hash the file's inode and time have to do.
void PinLatch::refused(const Pin& pin) {
  marked_->accepted = false;
  auto hash = crypto::hash_password(as_text(pin.text.reveal()));
  if (hash.ok()) {
    auto& hashes = marked_->refused;
    hashes.insert(hashes.begin(), std::move(*hash));
    if (hashes.size() > kRefusedMax) hashes.pop_back();
  }
  settle(State::refused);
}

bool PinLatch::has_refused(const Pin& pin) const {
  return std::any_of(before_->refused.begin(), before_->refused.end(), [&](const auto& hash) {
    return crypto::verify_password(hash, as_text(pin.text.reveal()));
  });
}

// When it cannot be written, `asked` stays, which says less and nothing wrong.
void PinLatch::settle(State state) {
  Mark mark = *marked_;
  mark.state = state;
  mark.asks = 0;
  write(mark).ignore();
}

void PinLatch::not_looked_at() {
  if (before_)
    write(*before_).ignore();
  else
    forget();
}

void PinLatch::forget() {
  marked_.reset();
  if (directory_.empty()) return;
  ::unlink(path_.c_str());
  (void)sync_folder_of(path_);  // else it is there again after a power cut, and forbids a try
}

Result<std::optional<PinLatch::Mark>> PinLatch::read() const {
  if (directory_.empty()) return marked_;
  const File file(path_, O_RDONLY);
  std::array<char, kMarkSize> text{};
  const ssize_t size = file.fd() < 0 ? 0 : ::read(file.fd(), text.data(), text.size());
  if (size <= 0) return std::optional<Mark>();
  const std::string_view all(text.data(), static_cast<std::size_t>(size));
  std::istringstream in(std::string(all.substr(0, all.find('\n'))));
  Mark mark;
  std::string word, inode, modified;
  std::int64_t last = 0;
  in >> word >> inode >> modified >> mark.accepted >> mark.asks >> last;
  for (std::size_t i = 0; i < kWords.size(); ++i)
    if (word == kWords[i]) mark.state = static_cast<State>(i);
  const bool known = std::find(kWords.begin(), kWords.end(), word) != kWords.end();
  if (!in || !known || (mark.state == State::asked) != (mark.asks > 0))
    return failure(Code::denied, "cannot read " + path_ +
                                     ", which says whether the token refused the PIN; the PIN is "
                                     "not tried. When it is right, remove that file");
  for (std::string hash; mark.refused.size() < kRefusedMax && in >> hash;)
    mark.refused.push_back(hash);
  mark.pin = inode + " " + modified;
  mark.last_ask = add(WallTime{}, Seconds(last));
  return std::optional<Mark>(std::move(mark));
}

Status PinLatch::write(const Mark& mark) {
  marked_ = mark;
  if (directory_.empty()) return {};
  ::mkdir(directory_.c_str(), S_IRWXU);
  const bool has_folder = sync_folder_of(directory_);
  std::string text = std::string(kWords[static_cast<std::size_t>(mark.state)]) + " " + mark.pin +
                     (mark.accepted ? " 1 " : " 0 ") + std::to_string(mark.asks) + " " +
                     std::to_string(mark.last_ask.seconds());
  for (const std::string& hash : mark.refused) text += " " + hash;
  VAULT_ASSERT(text.size() < kMarkSize);
  text.resize(kMarkSize - 1, ' ');
  text += '\n';
  const File file(path_, O_WRONLY | O_CREAT, S_IRUSR | S_IWUSR);
  if (!has_folder || file.fd() < 0 ||
      ::write(file.fd(), text.data(), text.size()) != static_cast<ssize_t>(text.size()) ||
      ::fsync(file.fd()) != 0 || !sync_folder_of(path_))
    return failure(Code::internal,
                   "cannot write " + path_ +
                       ", which keeps a wrong PIN from being tried again and again; "
                       "the PIN is not tried");
  return {};
}

}  // namespace leasehold::keyhost::pkcs11
