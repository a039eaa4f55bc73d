#include "backends/keyhost/pkcs11/pin.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "vault/base/encoding.h"
#include "vault/crypto/hash.h"

namespace leasehold::keyhost::pkcs11 {
namespace {

void sync_directory(const std::string& path) {
  const File directory(path, O_RDONLY | O_DIRECTORY);
  if (directory.fd() >= 0) ::fsync(directory.fd());
}

}  // namespace

PinLatch::PinLatch(std::string directory, std::string_view device)
    : directory_(std::move(directory)),
      path_(directory_ + "/pin-" + hex(ByteView(crypto::sha256(as_bytes(device))).first(8))) {}

std::string PinLatch::mark_of(const Pin& pin) const {
  return std::to_string(pin.inode) + " " + std::to_string(pin.modified);
}

std::string PinLatch::refusal(const Pin& pin) const {
  const std::string way = directory_.empty() ? "restart the vault" : "remove " + path_;
  const std::string start =
      "a PIN was tried before, and the token did not say that it accepted it; it is not tried "
      "again, so that the token does not lock. ";
  if (pin.inode != 0)
    return start + "Write the right PIN to its file, or " + way + " to try this one once more";
  return start +
         "It does not come from a file, so the vault cannot tell whether it was corrected: " +
         "once it is right, " + way;
}

Status PinLatch::before_try(const Pin& pin) {
  const std::string mark = mark_of(pin);
  std::string last = marked_;
  if (!directory_.empty()) last = written();
  if (last == mark) return failure(Code::denied, refusal(pin));
  if (!directory_.empty()) {
    VAULT_TRY(write(mark));
  }
  marked_ = mark;
  return {};
}

std::string PinLatch::written() const {
  std::ifstream file(path_);
  std::string mark;
  std::getline(file, mark);
  return mark;
}

Status PinLatch::write(const std::string& mark) const {
  ::mkdir(directory_.c_str(), S_IRWXU);
  const std::string text = mark + "\n";
  const File file(path_, O_WRONLY | O_CREAT | O_TRUNC, S_IRUSR | S_IWUSR);
  if (file.fd() < 0 ||
      ::write(file.fd(), text.data(), text.size()) != static_cast<ssize_t>(text.size()) ||
      ::fsync(file.fd()) != 0)
    return failure(Code::internal,
                   "cannot write " + path_ +
                       ", which keeps a wrong PIN from being tried again and again; "
                       "the PIN is not tried");
  sync_directory(directory_);
  return {};
}

void PinLatch::not_counted() {
  marked_.clear();
  if (directory_.empty()) return;
  ::unlink(path_.c_str());
  sync_directory(directory_);
}

}  // namespace leasehold::keyhost::pkcs11
