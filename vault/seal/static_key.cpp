#include "vault/seal/static_key.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "vault/base/encoding.h"
#include "vault/base/environment.h"
#include "vault/seal/codec.h"

namespace leasehold::seal {
namespace {

constexpr std::size_t kFileMax = 4096;
constexpr std::size_t kKeyIdMax = 255;

struct Source {
  std::string id;
  std::string place;  // "file://…" or "env://…"; empty when the key stands in the stanza itself
  std::optional<crypto::Key> inline_key;  // in locked memory; its text is wiped
};

struct Key {
  DeviceAnswer answer;
  SecretBytes bytes;
};

Key no_key(DeviceState state, std::string message) { return {{state, std::move(message), {}}, {}}; }

// A descriptor that closes itself.
class File {
 public:
  explicit File(const std::string& path) : fd_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {}
  ~File() {
    if (fd_ >= 0) ::close(fd_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  int fd() const { return fd_; }

 private:
  const int fd_;
};

SecretBytes read_all(int fd) {
  SecretBytes bytes(kFileMax);
  std::size_t size = 0;
  while (size < kFileMax) {
    const ssize_t got = ::read(fd, bytes.writable().data() + size, kFileMax - size);
    if (got <= 0) break;
    size += static_cast<std::size_t>(got);
  }
  return SecretBytes(bytes.reveal().first(size));
}

bool is_inside(const std::string& path, const std::string& directory) {
  if (directory.empty()) return false;
  std::error_code ignored;
  const auto file = std::filesystem::weakly_canonical(path, ignored);
  const auto folder = std::filesystem::weakly_canonical(directory, ignored);
  const auto relative = file.lexically_relative(folder);
  return !relative.empty() && *relative.begin() != "..";
}

Key not_a_key(const std::string& where) {
  return no_key(DeviceState::auth, where +
                                       " does not hold a key: 32 bytes, raw or as hex or "
                                       "base64, are needed (openssl rand -hex 32)");
}

Key key_of(const SecretBytes& text, const std::string& where) {
  Key key{{DeviceState::ok, {}, {}}, parse_static_key(text.reveal())};
  return key.bytes.empty() ? not_a_key(where) : std::move(key);
}

Key read_key_file(const std::string& path, const std::string& data_directory) {
  if (is_inside(path, data_directory))
    return no_key(DeviceState::unsupported,
                  path +
                      " lies inside the data directory, where a backup would carry the key with "
                      "what it protects: move it elsewhere");
  const File file(path);
  struct stat found {};
  if (file.fd() < 0 || ::fstat(file.fd(), &found) != 0)
    return no_key(DeviceState::absent, "cannot read the key file " + path);
  if ((found.st_mode & (S_IRWXG | S_IRWXO)) != 0)
    return no_key(DeviceState::unsupported,
                  "others can read the key file " + path + ": run chmod 600 " + path);
  return key_of(read_all(file.fd()), "the key file " + path);
}

bool names_a_place(std::string_view text) {
  return text.substr(0, 7) == "file://" || text.substr(0, 6) == "env://";
}

constexpr std::string_view kEnvironment = "env://";

// The variable that the source names; empty when it names none.
std::string variable_of(const Source& source) {
  if (!source.place.starts_with(kEnvironment)) return {};
  return source.place.substr(kEnvironment.size());
}

// At the start; a text that is no key stays where it is and is told when the key is needed.
void take_from_environment(Source& source) {
  const SecretBytes key = parse_static_key(secret_in_environment(variable_of(source)).reveal());
  if (!key.empty()) source.inline_key.emplace(key.reveal());
}

Result<Source> take_source(Stanza& stanza, const std::string& name) {
  Source source;
  VAULT_TRY_ASSIGN(source.id, stanza.text(name + "_id"));
  VAULT_TRY_ASSIGN(std::string text, stanza.text(name));
  if (names_a_place(text)) {
    source.place = std::move(text);
    take_from_environment(source);
    forget_in_registers();
    return source;
  }
  const SecretBytes key = parse_static_key(as_bytes(text));
  if (!key.empty()) source.inline_key.emplace(key.reveal());
  wipe(text);
  forget_in_registers();
  return source;
}

Key read_key(const Source& source, const std::string& data_directory) {
  if (source.inline_key) {
    forget_in_environment(variable_of(source));
    return {{DeviceState::ok, {}, {}}, SecretBytes(source.inline_key->reveal())};
  }
  const std::string_view text = source.place;
  if (text.empty()) return not_a_key("the key \"" + source.id + "\" of the stanza");
  if (text.substr(0, 7) == "file://")
    return read_key_file(std::string(text.substr(7)), data_directory);
  const std::string name(text.substr(6));
  if (find_in_environment(name) == nullptr)
    return no_key(DeviceState::absent, "the environment variable " + name + " is not set");
  return key_of(secret_in_environment(name), "the environment variable " + name);
}

class StaticProtector final : public Protector {
 public:
  StaticProtector(Source current, Source previous, std::string data_directory, Random& random)
      : current_(std::move(current)),
        previous_(std::move(previous)),
        data_directory_(std::move(data_directory)),
        random_(random) {}

  std::string_view kind() const override { return "static"; }
  std::string describe() const override { return "the static key \"" + current_.id + "\""; }
  bool is_hardware() const override { return false; }
  // A slot that the previous key opened gets the current one, and then needs the old no more.
  bool reenrolls() const override { return !previous_.id.empty(); }

  Enrolled enroll(const SlotContext& context, Millis) override {
    Enrolled out;
    Key key = read_key(current_, data_directory_);
    out.answer = std::move(key.answer);
    if (!out.answer.ok()) return out;
    const auto salt = random_.take<16>();
    Writer policy;
    policy.text(current_.id, 1);
    policy.raw(salt);
    out.policy = policy.take_public();
    out.identity = "key file \"" + current_.id + "\", no hardware protection";
    out.kek = derive(key.bytes, salt, context);
    return out;
  }

  Recovered recover(const SlotRecord& slot, Millis) override {
    Reader policy(slot.policy);
    const std::string id = policy.text(1, kKeyIdMax);
    const auto salt = policy.array<16>();
    if (!policy.finished()) return {{DeviceState::tampered, "the stored slot was changed", {}}, {}};
    const bool current = id == current_.id;
    if (!current && id != previous_.id)
      return {{DeviceState::replaced,
               "the slot was made with the key \"" + id + "\"; configure it as previous_key",
               {}},
              {}};
    Key key = read_key(current ? current_ : previous_, data_directory_);
    if (!key.answer.ok()) return {std::move(key.answer), {}};
    SecretBytes kek = derive(key.bytes, salt, context_of(slot));
    // A key has no name of its own that the slot could have kept.
    if (!slot.open(kek.reveal()).ok())
      return {{DeviceState::replaced,
               "the static key is not the one that the slot was made with, or the stored slot was "
               "changed: put that key back, or open with shares, and the slot gets this one",
               {}},
              {}};
    if (!current)
      key.answer = {DeviceState::degraded,
                    "opened with previous_key; the slot gets the current key as soon as the vault "
                    "is open, and until then the previous one must be kept",
                    {}};
    return {std::move(key.answer), std::move(kek)};
  }

  DeviceAnswer health(const SlotRecord& slot, Millis timeout) override {
    return recover(slot, timeout).answer;
  }

 private:
  // A key of its own for each slot, so that one file may serve several stores.
  static SecretBytes derive(const SecretBytes& key, ByteView salt, const SlotContext& context) {
    Bytes full = to_bytes(salt);
    append(full, context.store);
    append(full, context.slot);
    return crypto::hkdf(key.reveal(), full, "leasehold static slot", crypto::kKeySize);
  }

  const Source current_;
  const Source previous_;
  const std::string data_directory_;
  Random& random_;
};

}  // namespace

SecretBytes parse_static_key(ByteView bytes) {
  if (bytes.size() == crypto::kKeySize) return SecretBytes(bytes);
  if (!bytes.empty() && bytes.back() == '\n') bytes = bytes.first(bytes.size() - 1);
  auto plain = bytes.size() == 64 ? from_hex(as_text(bytes)) : from_base64(as_text(bytes));
  if (!plain || plain->size() != crypto::kKeySize) return {};
  SecretBytes key(ByteView{*plain});
  wipe(plain->data(), plain->size());
  return key;
}

Result<std::unique_ptr<Protector>> make_static_protector(Stanza& stanza, std::string data_directory,
                                                         Random& random) {
  VAULT_TRY_ASSIGN(Source current, take_source(stanza, "current_key"));
  VAULT_TRY_ASSIGN(Source previous, take_source(stanza, "previous_key"));
  VAULT_TRY(stanza.finish());
  VAULT_TRY(stanza.require_text("current_key_id"));
  if (!stanza.has("current_key")) VAULT_TRY(stanza.require_text("current_key"));
  if (current.id.size() > kKeyIdMax)
    return failure(Code::invalid, stanza.where("current_key_id") + ": the key id is too long");
  return std::unique_ptr<Protector>(std::make_unique<StaticProtector>(
      std::move(current), std::move(previous), std::move(data_directory), random));
}

}  // namespace leasehold::seal
