#pragma once
// Appending JSON to a line under construction: no tree, no allocation beyond the line itself.
// Members with an empty value are left out, as Vault leaves them out. Texts are escaped by
// write_json_string.
//
//   Members members(out);            // appends '{'
//   members.text("path", "kv/a");
//   members.close();                 // appends '}'
//
// Thread safety: a value per line.

#include <charconv>
#include <span>
#include <string>
#include <string_view>

#include "vault/base/bytes.h"
#include "vault/base/clock.h"
#include "vault/base/json.h"
#include "vault/crypto/hash.h"

namespace leasehold::audit {

void append_hex(std::string& out, ByteView bytes);
void append_number(std::string& out, std::int64_t value);
// As rfc3339(), in quotes; the calendar is asked once a second only.
void append_time(std::string& out, WallTime time);
// "hmac-sha256:<hex>", with its quotes.
void append_hmac(std::string& out, ByteView value, const crypto::HmacKey& key);

class Members {
 public:
  explicit Members(std::string& out) : out_(out) { out_ += '{'; }

  // Begins a member whose value the caller appends; `name` needs no escape.
  std::string& member(std::string_view name);
  void text(std::string_view name, std::string_view value) {
    if (!value.empty()) write_json_string(member(name), value);
  }
  void texts(std::string_view name, std::span<const std::string> values);
  void number(std::string_view name, std::int64_t value) {
    if (value != 0) append_number(member(name), value);
  }
  void boolean(std::string_view name, bool value) { member(name) += value ? "true" : "false"; }
  void hex(std::string_view name, ByteView bytes) {
    member(name) += '"';
    append_hex(out_, bytes);
    out_ += '"';
  }
  void close() { out_ += '}'; }

 private:
  std::string& out_;
  bool first_ = true;
};

}  // namespace leasehold::audit
