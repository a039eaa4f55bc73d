// What a read shows of a connection_url.

#include "backends/target/postgresql_shown.h"

#include <doctest/doctest.h>

namespace leasehold::postgresql {
namespace {

TEST_CASE("database url: what holds no password is shown as it is") {
  for (const char* url :
       {"", "postgresql://{{username}}:{{password}}@db.example:5432/app?sslmode=verify-full",
        "postgres://vault@[::1]:5432/app", "postgresql://[::1]:5432,db:5433/app",
        "postgresql://vault:@db/app", "postgresql:///app?host=/tmp&user=me@home&port=5432",
        "postgresql://db/app?password={{password}}", "host = db user={{username}}  dbname='my app'",
        "host=db password={{password}} sslmode=require "}) {
    CAPTURE(url);
    CHECK(shown_url(url) == url);
  }
}

TEST_CASE("database url: a password is not shown in any form libpq takes, nor a part of it") {
  for (const char* url : {
           "postgresql://u:SECRET@db/app",
           "postgresql://u:SECRET%40SECRET@db/app",
           "postgresql://u:SECRET@SECRET@db/app",
           "postgresql://u:SECRET/SECRET@db/app",
           "postgresql://u:1/SECRET@db/app?sslmode=disable",
           "postgresql://u:SECRET?SECRET@db/app",
           "postgresql://u?user=x:SECRET@db/app",
           "postgresql://u?e:user=SECRET@db/app",
           "postgresql://u:{{password}}SECRET@db/app",
           "postgresql://u:{{password}}@SECRET@db/app",
           "postgresql://u:p@db/app?password=SECRET",
           "postgresql://u:SECRET@db/app?application_name=a@b&sslmode=disable",
           "postgresql://db/app?user=u&pass%77ord=SECRET",
           "postgresql://db/app?application_name=password=&password=SECRET",
           "postgresql://db/app?sslpassword=SECRET&password=SECRET@SECRET",
           "postgresql://db/app?SECRET",
           "host=db user=u password=SECRET dbname=app",
           "host=db user=u password = SECRET",
           "host=db user=u password\t=\n'SECRET \\' SECRET' dbname=app",
           "host=db password=SECRET\\ SECRET user=u",
           "host='db'password=SECRET",
           "sslpassword=SECRET password=SECRET",
           "password='SECRET",
           "host=db SECRET",
           "host=db unknown=SECRET",
       }) {
    CAPTURE(url);
    CHECK(shown_url(url).find("SECRET") == std::string::npos);
  }
}

TEST_CASE("database url: what stands around a password is shown") {
  CHECK(shown_url("postgresql://vault:pa@ss@db/app?sslmode=require") ==
        "postgresql://vault:xxxxx@db/app?sslmode=require");
  CHECK(shown_url("postgresql://db/app?user=u&password=a@b&sslmode=require") ==
        "postgresql://db/app?user=u&password=xxxxx&sslmode=require");
  CHECK(shown_url("host=db  password = 'a b' user=u") == "host=db  password = xxxxx user=u");
}

}  // namespace
}  // namespace leasehold::postgresql
