#include "backends/keyhost/pkcs11/token.h"

#include <p11-kit/p11-kit.h>

#include <charconv>

#include "vault/base/encoding.h"

namespace leasehold::keyhost::pkcs11 {
namespace {

constexpr std::size_t kSlotsMax = 256;
constexpr const char* kMayNotRead =
    "; is its configuration there, and may the user of the server read it? SoftHSM's is its "
    "group's: "
    "`usermod -aG softhsm USER`";

// Fixed-width fields are padded with blanks.
template <std::size_t N>
std::string trimmed(const unsigned char (&field)[N]) {
  const std::string text(reinterpret_cast<const char*>(field), N);
  return text.substr(0, text.find_last_not_of(std::string(" \0", 2)) + 1);
}

std::string path_of_module(const Settings& settings) {
  const std::string lib = setting(settings, "lib");
  return lib.empty() ? setting(settings, "module") : lib;
}

std::string words_for(const Settings& settings) {
  std::string words;
  for (const char* key : {"token_label", "serial", "slot"})
    if (const std::string value = setting(settings, key); !value.empty())
      words += (words.empty() ? "" : ", ") + std::string(key) + " \"" + value + "\"";
  return words.empty() ? "any label" : words;
}

Settings copy_of(const Settings& settings) {
  Settings copy;
  for (const seal::Setting& each : settings) copy.push_back({each.name, each.value.clone()});
  return copy;
}

// The id as configured: hexadecimal with or without 0x.
std::optional<Bytes> key_id_of(const std::string& text) {
  return from_hex(text.compare(0, 2, "0x") == 0 ? text.substr(2) : text);
}

// Closes a session when the operation is over.
class Session {
 public:
  explicit Session(CK_FUNCTION_LIST* p11) : p11_(p11) {}
  ~Session() {
    if (handle_ != CK_INVALID_HANDLE) p11_->C_CloseSession(handle_);
  }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  CK_SESSION_HANDLE* out() { return &handle_; }
  CK_SESSION_HANDLE get() const { return handle_; }

 private:
  CK_FUNCTION_LIST* const p11_;
  CK_SESSION_HANDLE handle_ = CK_INVALID_HANDLE;
};

}  // namespace

std::optional<CK_SLOT_ID> parse_slot(const std::string& text) {
  const bool in_hex = text.compare(0, 2, "0x") == 0 || text.compare(0, 2, "0X") == 0;
  const char* const begin = text.data() + (in_hex ? 2 : 0);
  const char* const end = text.data() + text.size();
  CK_SLOT_ID slot = 0;
  const auto read = std::from_chars(begin, end, slot, in_hex ? 16 : 10);
  if (read.ec != std::errc() || read.ptr != end) return std::nullopt;
  return slot;
}

Token::Token(const Settings& settings, Clock& clock)
    : settings_(copy_of(settings)), clock_(clock), latch_(setting(settings, "state_directory")) {}

Token::~Token() {
  disconnect();
  if (p11_ != nullptr) p11_kit_module_release(p11_);
}

bool Token::check(CK_RV rv, std::string_view doing) {
  if (rv == CKR_OK) return true;
  if (trouble_.state == DeviceState::ok) trouble_ = explain(rv, doing);
  return false;
}

bool Token::fail(DeviceState state, std::string message) {
  if (trouble_.state == DeviceState::ok) trouble_ = answer(state, std::move(message));
  return false;
}

bool Token::operate(const std::string& serial, Needs needs, FunctionRef<bool(Use&)> what) {
  const bool was_connected = logged_in();
  if (once(serial, needs, what)) return true;
  disconnect();
  if (!was_connected || trouble_.state == DeviceState::auth) return false;
  if (once(serial, needs, what)) return true;
  disconnect();
  return false;
}

bool Token::operate_on_connection(const std::string& serial, FunctionRef<bool(Use&)> what) {
  if (logged_in() && once(serial, Needs::key, what)) return true;
  disconnect();
  return false;
}

bool Token::is_present(const std::string& serial) {
  trouble_ = {DeviceState::ok, {}, {}};
  CK_TOKEN_INFO info{};
  const bool there = load() && find_token(serial) && is_wanted(serial) &&
                     check(p11_->C_GetTokenInfo(slot_, &info), "describe itself") &&
                     may_log_in(info);
  disconnect();  // a module looks for tokens when it starts
  return there;
}

bool Token::is_fit(std::span<const CK_MECHANISM_TYPE> mechanisms) {
  trouble_ = {DeviceState::ok, {}, {}};
  CK_TOKEN_INFO info{};
  bool fit = load() && find_token({}) &&
             check(p11_->C_GetTokenInfo(slot_, &info), "describe itself") && may_log_in(info) &&
             has_one_of(mechanisms);
  if (fit && (info.flags & CKF_LOGIN_REQUIRED) != 0)
    if (const auto pin = read_pin(settings_); !pin.ok())
      fit = fail(DeviceState::auth, pin.error().message);
  disconnect();
  return fit;
}

bool Token::has_one_of(std::span<const CK_MECHANISM_TYPE> mechanisms) {
  for (const CK_MECHANISM_TYPE mechanism : mechanisms) {
    CK_MECHANISM_INFO info{};
    if (p11_->C_GetMechanismInfo(slot_, mechanism, &info) == CKR_OK) return true;
  }
  return check(CKR_MECHANISM_INVALID, "offer the mechanism that its key is used with");
}

bool Token::once(const std::string& serial, Needs needs, FunctionRef<bool(Use&)> what) {
  trouble_ = {DeviceState::ok, {}, {}};
  if (!connect(serial)) return false;
  Session session(p11_);
  if (!check(p11_->C_OpenSession(slot_, CKF_SERIAL_SESSION, nullptr, nullptr, session.out()),
             "open a session"))
    return false;
  CK_OBJECT_HANDLE key = CK_INVALID_HANDLE;
  if (needs == Needs::key && !find_key(session.get(), key)) return false;
  Use use{*this, p11_, session.get(), key};
  return what(use);
}

bool Token::connect(const std::string& serial) {
  if (!logged_in()) {
    if (!load() || !find_token(serial)) return false;
    CK_TOKEN_INFO info{};
    if (!check(p11_->C_OpenSession(slot_, CKF_SERIAL_SESSION, nullptr, nullptr, &anchor_),
               "open a session") ||
        !check(p11_->C_GetTokenInfo(slot_, &info), "describe itself") || !is_wanted(serial) ||
        !log_in(info))
      return false;
  }
  return is_wanted(serial);
}

// Before the login: another token gets neither the PIN nor one of its few tries.
bool Token::is_wanted(const std::string& serial) {
  if (serial.empty() || serial == identity_.serial) return true;
  return fail(DeviceState::replaced, "the token \"" + identity_.label + "\" has serial " +
                                         identity_.serial + "; the slot was made with serial " +
                                         serial);
}

// Only this module is loaded and initialised, whatever else the system has configured.
bool Token::load() {
  const std::string path = path_of_module(settings_);
  if (p11_ == nullptr) p11_ = p11_kit_module_load(path.c_str(), P11_KIT_MODULE_CRITICAL);
  if (p11_ == nullptr) {
    const char* const why = p11_kit_message();
    trouble_ = answer(DeviceState::absent, "cannot load the PKCS#11 module " + path,
                      why == nullptr ? "" : why);
    return false;
  }
  if (!initialized_ && !check(p11_kit_module_initialize(p11_), "start its module")) {
    if (trouble_.state == DeviceState::failed) trouble_.message += kMayNotRead;
    return false;
  }
  initialized_ = true;
  return true;
}

bool Token::matches(CK_SLOT_ID slot, const CK_TOKEN_INFO& info) const {
  if ((info.flags & CKF_TOKEN_INITIALIZED) == 0) return false;
  const std::string label = setting(settings_, "token_label");
  const std::string serial = setting(settings_, "serial");
  const std::string number = setting(settings_, "slot");
  return (label.empty() || label == trimmed(info.label)) &&
         (serial.empty() || serial == trimmed(info.serialNumber)) &&
         (number.empty() || parse_slot(number) == slot);
}

// Exactly one. Of several with the wanted label, the one whose serial the slot remembers.
bool Token::find_token(const std::string& serial) {
  CK_SLOT_ID slots[kSlotsMax];
  CK_ULONG count = kSlotsMax;
  if (!check(p11_->C_GetSlotList(CK_TRUE, slots, &count), "be listed")) return false;
  unsigned found = 0;
  bool exact = false;
  for (CK_ULONG i = 0; i < count && !exact; ++i) {
    CK_TOKEN_INFO info{};
    if (p11_->C_GetTokenInfo(slots[i], &info) != CKR_OK || !matches(slots[i], info)) continue;
    ++found;
    exact = !serial.empty() && serial == trimmed(info.serialNumber);
    slot_ = slots[i];
    identity_ = {trimmed(info.serialNumber), trimmed(info.label), trimmed(info.manufacturerID)};
  }
  if (found == 0)
    return fail(DeviceState::absent, "no token with " + words_for(settings_) +
                                         " is there; is it plugged in, and initialised?");
  if (found > 1 && !exact)
    return fail(DeviceState::unsupported, std::to_string(found) + " tokens have " +
                                              words_for(settings_) +
                                              "; name the right one with serial");
  return true;
}

bool Token::may_log_in(const CK_TOKEN_INFO& info) {
  if ((info.flags & CKF_LOGIN_REQUIRED) == 0) return true;
  if ((info.flags & CKF_USER_PIN_LOCKED) != 0) return check(CKR_PIN_LOCKED, "log in");
  if ((info.flags & CKF_USER_PIN_FINAL_TRY) != 0)
    return fail(DeviceState::locked,
                "one more wrong PIN locks the token, so it is not tried; log in by hand once");
  return true;
}

bool Token::log_in(const CK_TOKEN_INFO& info) {
  if ((info.flags & CKF_LOGIN_REQUIRED) == 0) return true;
  if (!may_log_in(info)) return false;
  auto pin = read_pin(settings_);
  if (!pin.ok()) return fail(DeviceState::auth, pin.error().message);
  return try_pin(*pin, (info.flags & CKF_USER_PIN_COUNT_LOW) != 0);
}

bool Token::try_pin(const Pin& pin, bool wrong_try_counted) {
  latch_.name_token(identity_.maker, identity_.serial);
  const Status may = latch_.before_try(pin, wrong_try_counted, clock_.now());
  if (may.is(Code::unavailable)) return fail(DeviceState::failed, may.error().message);
  if (!may.ok()) return fail(DeviceState::auth, may.error().message);
  SecretBytes text = pin.text.clone();  // the module may write into it
  const CK_RV rv = p11_->C_Login(anchor_, CKU_USER, text.writable().data(), text.size());
  switch (verdict_of(rv)) {
    case PinVerdict::accepted:
      latch_.accepted();
      return true;
    case PinVerdict::refused:
      latch_.refused(pin);
      break;
    case PinVerdict::not_looked_at:
      latch_.not_looked_at();
      break;
    case PinVerdict::undecided:
      break;
  }
  return rv == CKR_USER_ALREADY_LOGGED_IN || check(rv, "log in");
}

bool Token::find_key(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE& key) {
  CK_OBJECT_CLASS kind = CKO_SECRET_KEY;
  std::string label = setting(settings_, "key_label");
  const std::string id_text = setting(settings_, "key_id");
  auto id = key_id_of(id_text);
  if (!id) return fail(DeviceState::unsupported, "key_id must be hexadecimal");
  std::vector<CK_ATTRIBUTE> wanted{{CKA_CLASS, &kind, sizeof kind}};
  if (!label.empty()) wanted.push_back({CKA_LABEL, label.data(), label.size()});
  if (!id->empty()) wanted.push_back({CKA_ID, id->data(), id->size()});
  if (!check(p11_->C_FindObjectsInit(session, wanted.data(), wanted.size()), "look for its key"))
    return false;
  CK_OBJECT_HANDLE found[3];
  CK_ULONG count = 0;
  const CK_RV rv = p11_->C_FindObjects(session, found, 3, &count);
  p11_->C_FindObjectsFinal(session);
  if (!check(rv, "look for its key")) return false;
  const std::string name = label.empty() ? "id " + id_text : "\"" + label + "\"";
  if (count == 0)
    return fail(DeviceState::absent, "the token \"" + identity_.label + "\" has no secret key " +
                                         name + "; create it there (pkcs11-tool --keygen)");
  if (count > 1)
    return fail(DeviceState::unsupported, "the token \"" + identity_.label +
                                              "\" has several keys " + name +
                                              "; name the right one with key_id");
  key = found[0];
  return true;
}

void Token::disconnect() {
  anchor_ = CK_INVALID_HANDLE;
  if (initialized_) p11_kit_module_finalize(p11_);
  initialized_ = false;
}

}  // namespace leasehold::keyhost::pkcs11
