// The bytes of a backup, version 1: they are kept for years. A test here is never changed, only
// added.
#include <doctest/doctest.h>

#include "vault/backup/format.h"
#include "vault/base/encoding.h"

using namespace leasehold;
using namespace leasehold::backup;

TEST_CASE("golden: header, record, end and chain of a backup, version 1") {
  Header header;
  header.store = {0x10};
  header.group = 7;
  header.index = 9;
  header.incarnation = {0x20};
  header.created = {0x0102030405060708};
  header.key = {0x30};
  CHECK(hex(header.serialize()) ==
        "01"
        "10000000000000000000000000000000"
        "0000000000000007"
        "0000000000000009"
        "20000000000000000000000000000000"
        "0102030405060708"
        "3000000000000000000000000000000000000000000000000000000000000000");
  const auto read = Header::deserialize(header.serialize());
  REQUIRE(read.ok());
  CHECK(read->serialize() == header.serialize());

  Bytes record;
  const Bytes key{0x10, 0x11}, value{0xaa};
  append_record(record, {key, value, 5});
  CHECK(hex(record) ==
        "02"
        "0000000000000005"
        "00000001"
        "1011"
        "aa");
  CHECK(hex(End{1, 2, {0x40}}.serialize()) ==
        "0000000000000001"
        "0000000000000002"
        "40" +
            std::string(126, '0'));
  CHECK(hex(End::message({0x10}, 1, 2, {0x50})) ==
        "6c65617365686f6c64206261636b757020763100"
        "10000000000000000000000000000000"
        "0000000000000001"
        "0000000000000002"
        "5000000000000000000000000000000000000000000000000000000000000000");
  CHECK(hex(chain_begin()) == hex(crypto::sha256(as_bytes("leasehold backup"))));
  CHECK(hex(chain_next({0x50}, record)) == hex(crypto::sha256(crypto::Digest{0x50}, record)));
}

TEST_CASE("golden: fields behind a header are passed over, unless they must be understood") {
  Bytes bytes = Header().serialize();
  append(bytes, *from_hex("05"
                          "00000001"
                          "61"));
  CHECK(Header::deserialize(bytes).ok());
  CHECK_FALSE(Header::deserialize(ByteView(bytes).first(bytes.size() - 1)).ok());
  bytes[bytes.size() - 6] = 0x85;
  CHECK(Header::deserialize(bytes).is(Code::unsupported));
}
