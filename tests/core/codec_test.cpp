#include <doctest/doctest.h>

#include "vault/core/contract/codec.h"

using namespace leasehold;
using core::Decoder;
using core::Encoder;

namespace {

constexpr std::uint8_t kVersion = 1, kKnown = 1, kNewer = 2, kNewerCritical = 2 | kCritical;

struct Grown {
  std::string name;
  std::uint64_t known = 0;
  Bytes unknown;
  bool whole = false;
};

Grown read(ByteView bytes) {
  Decoder in(bytes, kVersion);
  Grown grown;
  grown.name = in.text();
  for (auto field = in.field(); field; field = in.field()) {
    if (field->tag == kKnown)
      grown.known = field->number();
    else
      in.keep(*field, grown.unknown);
  }
  grown.whole = in.whole();
  return grown;
}

Encoder fixed_part() {
  Encoder out(kVersion);
  out.text("a");
  return out;
}

}  // namespace

TEST_CASE("codec: a record without fields is its fixed part alone") {
  const Encoder record = fixed_part();
  const Grown grown = read(record.bytes());
  CHECK(grown.whole);
  CHECK(grown.name == "a");
  CHECK(grown.known == 0);
}

TEST_CASE("codec: a field of a newer version is kept and written back") {
  Encoder newer = fixed_part();
  newer.field(kKnown, std::uint64_t{7}).field(kNewer, std::string_view("later"));
  const Grown grown = read(newer.bytes());
  REQUIRE(grown.whole);
  CHECK(grown.known == 7);
  Encoder again = fixed_part();
  again.field(kKnown, grown.known).fixed(grown.unknown);
  CHECK(as_text(again.bytes()) == as_text(newer.bytes()));
}

TEST_CASE("codec: a critical field that is not known makes the record unreadable") {
  Encoder newer = fixed_part();
  newer.field(kNewerCritical, std::string_view("must be understood"));
  CHECK_FALSE(read(newer.bytes()).whole);
}

TEST_CASE("codec: a record that is cut anywhere in its fields is damaged, not shorter") {
  Encoder record = fixed_part();
  record.field(kKnown, std::uint64_t{7}).field(kNewer, std::string_view("later"));
  const ByteView bytes = record.bytes();
  const std::size_t fixed = fixed_part().bytes().size(), first = fixed + 5 + 8;
  for (std::size_t size = fixed + 1; size < bytes.size(); ++size)
    CHECK(read(bytes.first(size)).whole == (size == first));
}
