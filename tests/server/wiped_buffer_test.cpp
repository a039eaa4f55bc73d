#include "api/server/wiped_buffer.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>

using leasehold::server::WipedBuffer;

TEST_CASE(
    "wiped buffer: what is dropped piece by piece leaves the rest as it was, in little memory") {
  std::string text;
  for (int i = 0; i < 1000; ++i) text += std::to_string(i) + ",";
  WipedBuffer buffer;
  buffer.append(text);
  for (std::size_t at = 0; at < text.size(); at += 7) {
    CHECK(buffer.text() == text.substr(at));
    CHECK(buffer.capacity() <= 2 * buffer.size() + 1);
    buffer.drop_front(std::min<std::size_t>(7, buffer.size()));
  }
  CHECK(buffer.empty());
  CHECK(buffer.capacity() == 0);
}

TEST_CASE("wiped buffer: behind what was dropped it grows and shrinks") {
  WipedBuffer buffer;
  buffer.append("0123456789");
  buffer.drop_front(3);
  buffer.append("abcdefghij");
  CHECK(buffer.text() == "3456789abcdefghij");
  buffer.shorten(8);
  CHECK(buffer.text() == "3456789a");
  buffer.append("z");
  CHECK(buffer.text() == "3456789az");
}
