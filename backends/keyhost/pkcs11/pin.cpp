#include "backends/keyhost/pkcs11/pin.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>

#include "vault/base/encoding.h"
#include "vault/crypto/hash.h"

namespace leasehold::keyhost::pkcs11 {
namespace {

constexpr std::size_t kPinMax = 256;

class File {
 public:
  File(const std::string& path, int flags, mode_t mode = 0)
      : fd_(::open(path.c_str(), flags | O_CLOEXEC, mode)) {}
  ~File() {
    if (fd_ >= 0) ::close(fd_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  int fd() const { return fd_; }

 private:
  const int fd_;
};

Result<Pin> read_pin_file(const std::string& path) {
  const File file(path, O_RDONLY);
  struct stat found {};
  if (file.fd() < 0 || ::fstat(file.fd(), &found) != 0)
    return failure(Code::invalid, "cannot read the PIN file " + path);
  if ((found.st_mode & (S_IRWXG | S_IRWXO)) != 0)
    return failure(Code::invalid,
                   "others can read the PIN file " + path + ": run chmod 600 " + path);
  Pin pin;
  pin.inode = found.st_ino;
  pin.modified = found.st_mtim.tv_sec * 1'000'000'000 + found.st_mtim.tv_nsec;
  SecretBytes buffer(kPinMax + 2);
  const ssize_t size = ::read(file.fd(), buffer.writable().data(), buffer.size());
  ByteView text = buffer.reveal().first(static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
  if (!text.empty() && text.back() == '\n') text = text.first(text.size() - 1);
  if (text.empty() || text.size() > kPinMax)
    return failure(Code::invalid, "the PIN file " + path + " is empty or too long");
  pin.text = SecretBytes(text);
  return pin;
}

Result<Pin> pin_from_environment(const std::string& name) {
  const char* const value = std::getenv(name.c_str());
  if (value == nullptr)
    return failure(Code::invalid, "pin_source: the environment variable " + name + " is not set");
  Pin pin;
  pin.text = SecretBytes(std::string_view(value));
  return pin;
}

void sync_directory(const std::string& path) {
  const File directory(path, O_RDONLY | O_DIRECTORY);
  if (directory.fd() >= 0) ::fsync(directory.fd());
}

}  // namespace

Result<Pin> read_pin(const Settings& settings) {
  for (const seal::Setting& each : settings) {
    if (each.name != "pin") continue;
    Pin pin;
    pin.text = each.value.clone();
    return pin;
  }
  const std::string source = setting(settings, "pin_source");
  if (source.compare(0, 4, "env:") == 0) return pin_from_environment(source.substr(4));
  const std::string path = source.compare(0, 5, "file:") == 0 ? source.substr(5) : source;
  if (path.empty() || path[0] != '/')
    return failure(Code::invalid,
                   "seal \"pkcs11\" needs pin_source = \"file:/path\" or \"env:NAME\", or pin");
  return read_pin_file(path);
}

PinLatch::PinLatch(std::string directory, std::string_view device)
    : directory_(std::move(directory)),
      path_(directory_ + "/pin-" + hex(ByteView(crypto::sha256(as_bytes(device))).first(8))) {}

std::string PinLatch::mark_of(const Pin& pin) const {
  return std::to_string(pin.inode) + " " + std::to_string(pin.modified);
}

Status PinLatch::before_try(const Pin& pin) {
  const std::string mark = mark_of(pin);
  std::string last = marked_;
  if (last.empty() && !directory_.empty()) std::getline(std::ifstream(path_), last);
  if (last == mark) {
    std::string way = "restart the vault";
    if (!directory_.empty()) way = "remove " + path_;
    return failure(Code::denied,
                   "this PIN was tried before and was not accepted; it is not tried "
                   "again, so that the token does not lock. Write the right PIN to its "
                   "file, or " +
                       way + " to try it once more");
  }
  if (!directory_.empty()) {
    VAULT_TRY(write(mark));
  }
  marked_ = mark;
  return {};
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
