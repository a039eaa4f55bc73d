#pragma once
// The promise that a wrong PIN is tried once. Real tokens lock after a few wrong tries, and a
// service that restarts tries again and again: so the last login is remembered on disk.
//
//              before a try            the token accepted it
//    (no mark) ------------> asked ------------------------> good
//                              |  ^                            |
//        the token refused it  |  +----------------------------+  before the next try
//                              v
//                           refused    until the PIN is another, or the operator removes it
//
// `asked` alone is no refusal: the process was killed, the token was slow or answered with a device
// error. A PIN that the token had accepted before is then tried again, with growing pauses. One
// that it never accepted is not: the interrupted try may have been a wrong one, and was the one
// that it gets.
//
// The mark is the token's, whatever the stanza calls it. A PIN is known by its file's inode and
// time. The mark of a PIN that is not in a file says nothing about it: anything made from so short
// a secret would give it away. For such a PIN the token's own counter is believed: when it shows a
// wrong try, the PIN may be another than the accepted one. Of the last eight PINs that the token
// refused a slow hash is kept as well, until it accepts one: the same digits in another file are
// not tried again, also when wrong ones take turns (docs/decisions/120).
//
// Thread safety: none; the key host has one thread for a device.

#include <optional>
#include <vector>

#include "backends/keyhost/pin_source.h"

namespace leasehold::keyhost::pkcs11 {

class PinLatch {
 public:
  // Without a directory the mark lives as long as the process.
  explicit PinLatch(std::string directory);
  // Before anything else, once the token is found: by its maker and serial number.
  void name_token(std::string_view maker, std::string_view serial);

  // OK: `asked` is on disk. Code::denied: this PIN must not be tried until it is another.
  // Code::unavailable: not now, the message says when. `wrong_try_counted`: the token says that
  // there was one since the last login.
  Status before_try(const Pin& pin, bool wrong_try_counted, WallTime now);
  void accepted();
  void refused(const Pin& pin);
  // The token did not look at the PIN: as before the try.
  void not_looked_at();

 private:
  enum class State : std::uint8_t { asked, good, refused };
  struct Mark {
    State state = State::asked;
    std::string pin;        // inode and time of its file
    bool accepted = false;  // this PIN opened the token before
    unsigned asks = 0;      // without an answer
    WallTime last_ask;
    std::vector<std::string> refused;  // hashes of refused PINs, the newest first
  };

  Status may_try(const Mark& mark, bool from_file, bool wrong_try_counted, WallTime now) const;
  Error was_refused(bool from_file) const;
  Error refusal(const std::string& start, bool from_file) const;
  Result<std::optional<Mark>> read() const;
  Status write(const Mark& mark);
  void settle(State state);
  bool has_refused(const Pin& pin) const;
  void forget();

  const std::string directory_;
  std::string path_;
  std::optional<Mark> marked_;  // as written by this process
  std::optional<Mark> before_;  // what stood there before the try
};

}  // namespace leasehold::keyhost::pkcs11
