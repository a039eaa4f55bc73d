#pragma once
// The keywords that a connection_url is known to have: libpq's own and those of pgx, lib/pq and
// JDBC. One table, so that what a write takes a read also shows. Other drivers' names are taken in
// any case; libpq's are libpq's only in lower case.
// Thread safety: functions of their arguments.

#include <cstdint>
#include <span>
#include <string_view>

namespace leasehold::postgresql {

struct Keyword {
  enum class Use : std::uint8_t {
    libpq,     // of libpq, or of a later one than this build's
    applied,   // what the operator's statements run with
    left_out,  // concerns other drivers, or is set by the vault
  };
  enum class Part : std::uint8_t {
    secret,  // not shown
    leads,   // has a part in where the manager's password is sent, as whom or how it is protected
    none,
  };
  std::string_view name;  // in lower case
  Use use = Use::libpq;
  Part part = Part::leads;
};

std::span<const Keyword> known_keywords();
// In any case; null: not known. A name in percent-encoding is not looked through.
const Keyword* find_keyword(std::string_view written);

}  // namespace leasehold::postgresql
