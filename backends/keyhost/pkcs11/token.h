#pragma once
// One token with one key on it: finds both, keeps logged in, and gives each operation a session of
// its own. Any failure drops the connection, and an operation on an old connection is tried once
// more on a new one: modules do not heal by themselves, and a token comes back as another slot.
//
//   Token token(settings, clock);
//   const bool done = token.operate({}, Token::Needs::key, [&](Token::Use& use) {
//     return use.check(use.p11->C_…, "…");
//   });
//   if (!done) return token.trouble();
//
// Thread safety: none; the key host has one thread for it.

#include <p11-kit/pkcs11.h>

#include <span>

#include "backends/keyhost/pkcs11/errors.h"
#include "backends/keyhost/pkcs11/pin.h"
#include "vault/base/function_ref.h"

namespace leasehold::keyhost::pkcs11 {

struct TokenIdentity {
  std::string serial, label, maker;
};

// A slot's number as configured: decimal, or hexadecimal behind 0x.
std::optional<CK_SLOT_ID> parse_slot(const std::string& text);

class Token {
 public:
  // Of an operation: a session alone, or the key as well.
  enum class Needs : std::uint8_t { session, key };

  // One operation: a session, the key, and where errors go.
  struct Use {
    Token& token;
    CK_FUNCTION_LIST* p11;
    CK_SESSION_HANDLE session;
    CK_OBJECT_HANDLE key;
    bool check(CK_RV rv, std::string_view doing) { return token.check(rv, doing); }
  };

  Token(const Settings& settings, Clock& clock);
  ~Token();
  Token(const Token&) = delete;
  Token& operator=(const Token&) = delete;

  // `serial` empty: any; else a token of another serial is trouble "replaced".
  bool operate(const std::string& serial, Needs needs, FunctionRef<bool(Use&)> what);
  // The same on the connection there is: never logs in. For a check.
  bool operate_on_connection(const std::string& serial, FunctionRef<bool(Use&)> what);
  bool logged_in() const { return anchor_ != CK_INVALID_HANDLE; }
  // Whether the wanted token is there and its PIN not locked. Does not log in.
  bool is_present(const std::string& serial);
  // The same, and that its PIN can be read and it has one of the mechanisms.
  bool is_fit(std::span<const CK_MECHANISM_TYPE> mechanisms);
  const DeviceAnswer& trouble() const { return trouble_; }
  const TokenIdentity& identity() const { return identity_; }
  bool check(CK_RV rv, std::string_view doing);
  bool fail(DeviceState state, std::string message);

 private:
  bool once(const std::string& serial, Needs needs, FunctionRef<bool(Use&)> what);
  bool connect(const std::string& serial);
  bool is_wanted(const std::string& serial);
  bool load();
  bool find_token(const std::string& serial);
  bool matches(CK_SLOT_ID slot, const CK_TOKEN_INFO& info) const;
  bool has_one_of(std::span<const CK_MECHANISM_TYPE> mechanisms);
  bool may_log_in(const CK_TOKEN_INFO& info);
  bool log_in(const CK_TOKEN_INFO& info);
  bool try_pin(const Pin& pin, bool wrong_try_counted);
  bool find_key(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE& key);
  void disconnect();

  Settings settings_;
  Clock& clock_;
  PinLatch latch_;
  CK_FUNCTION_LIST* p11_ = nullptr;
  bool initialized_ = false;
  CK_SLOT_ID slot_ = 0;
  CK_SESSION_HANDLE anchor_ = CK_INVALID_HANDLE;  // idle; while it is open the login lasts
  TokenIdentity identity_;
  DeviceAnswer trouble_{DeviceState::ok, {}, {}};
};

}  // namespace leasehold::keyhost::pkcs11
