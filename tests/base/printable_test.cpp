#include "vault/base/printable.h"

#include <doctest/doctest.h>

using leasehold::printable;

TEST_CASE("printable: what would move a cursor or begin a line is an escape") {
  CHECK(printable("plain \xE2\x88\x9E \xC3\xA9") == "plain \xE2\x88\x9E \xC3\xA9");
  CHECK(printable("a\nb\x1b[2J\r\x7f") == "a\\x0ab\\x1b[2J\\x0d\\x7f");
  CHECK(printable("a\nb\tc", "\n\t") == "a\nb\tc");
  CHECK(printable("\xC2\x9B"
                  "31m\xC2\xA0") == "\\xc2\\x9b31m\xC2\xA0");
  CHECK(printable(std::string_view("\0\xC2", 2)) == "\\x00\xC2");
}
