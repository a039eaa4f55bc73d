#include "vault/base/printable.h"

#include <doctest/doctest.h>

using leasehold::printable;
using leasehold::printable_json;

TEST_CASE("printable: what would move a cursor or begin a line is an escape") {
  CHECK(printable("plain \xE2\x88\x9E \xC3\xA9") == "plain \xE2\x88\x9E \xC3\xA9");
  CHECK(printable("a\nb\x1b[2J\r\x7f") == "a\\x0ab\\x1b[2J\\x0d\\x7f");
  CHECK(printable("a\nb\tc", "\n\t") == "a\nb\tc");
  CHECK(printable("\xC2\x9B"
                  "31m\xC2\xA0") == "\\xc2\\x9b31m\xC2\xA0");
  CHECK(printable(std::string_view("\0\xC2", 2)) == "\\x00\xC2");
  CHECK(printable("\x9b"
                  "31m\xe2\x9b") == "\\x9b31m\xe2\\x9b");  // no UTF-8
}

TEST_CASE("printable: text keeps its direction") {
  CHECK(printable("a\u202eb\u2066c\u200fd\u061ce") ==
        "a\\xe2\\x80\\xaeb\\xe2\\x81\\xa6c\\xe2\\x80\\x8fd\\xd8\\x9ce");
  const std::string hebrew = "\u05d0\u05d1 \u2029 \U0001f511";
  CHECK(printable(hebrew) == hebrew);
}

TEST_CASE("printable: JSON says the same with its own escapes") {
  CHECK(printable_json("{\"a\":\"\u009b31m\u202e\x7f\u00e9\\n\"}\n") ==
        "{\"a\":\"\\u009b31m\\u202e\\u007f\u00e9\\n\"}\n");
}
