#pragma once
// A self-signed certificate, for 127.0.0.1 and "vault.test" unless told, in a folder of its own.

#include <doctest/doctest.h>

#include <cstdlib>
#include <string>

#include "tests/support/temporary_folder.h"

namespace leasehold::testing {

struct Certificate {
  explicit Certificate(const std::string& common_name = "vault.test",
                       const std::string& names = "DNS:vault.test,IP:127.0.0.1") {
    const std::string command =
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj "
        "/CN=" +
        common_name + " -addext 'subjectAltName=" + names + "' -keyout " + key() + " -out " +
        file() + " 2>/dev/null";
    REQUIRE(std::system(command.c_str()) == 0);
  }
  std::string file() const { return folder.path() + "/cert.pem"; }
  std::string key() const { return folder.path() + "/key.pem"; }
  TemporaryFolder folder;
};

}  // namespace leasehold::testing
