// What a read shows of a connection_url.

#include "backends/target/postgresql_shown.h"

#include <doctest/doctest.h>
#include <libpq-fe.h>

#include "backends/target/postgresql.h"
#include "backends/target/postgresql_keywords.h"

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

TEST_CASE("database url: every keyword that is taken is shown, in each case it is taken in") {
  for (const Keyword& keyword : known_keywords()) {
    if (keyword.part == Keyword::Part::secret) continue;
    std::string upper(keyword.name);
    for (char& c : upper) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    for (const std::string& name : {std::string(keyword.name), upper}) {
      CAPTURE(name);
      for (const std::string& url :
           {"postgresql://{{username}}:{{password}}@db/app?sslmode=disable&" + name + "=some",
            "host=db " + name + "='some' user={{username}}"})
        CHECK(shown_url(url) == url);
    }
    if (keyword.use == Keyword::Use::libpq) continue;
    Json json = Json::object();
    json.set("connection_url", "postgresql://db/app?" + upper + "=some");
    SystemClock clock;
    SystemRandom random;
    CHECK(make_target(json, clock, random).ok());
  }
}

TEST_CASE("database url: every keyword that libpq takes is known, and its secrets as secrets") {
  PQconninfoOption* const all = PQconndefaults();
  for (const PQconninfoOption* one = all; one->keyword != nullptr; ++one) {
    const std::string name = one->keyword;
    CAPTURE(name);
    const Keyword* known = find_keyword(name);
    const bool is_file = name == "service" || name == "passfile" || name == "sslcert" ||
                         name == "sslkey" || name == "sslrootcert" || name == "sslcrl" ||
                         name == "sslcrldir";  // refused
    CHECK((known == nullptr) == is_file);
    if (known != nullptr)
      CHECK((known->part == Keyword::Part::secret) == (std::string(one->dispchar) == "*"));
  }
  PQconninfoFree(all);
}

TEST_CASE("database url: what a read hid is known by its mark, in each place it is hidden") {
  for (const char* url : {"postgresql://u:SECRET@db/app", "postgresql://db/app?password=a@b&user=u",
                          "postgresql://u?user=x:SECRET@db/app", "host=db password = 'a b' user=u",
                          "host=db SECRET", "postgresql://db/app?SECRET"}) {
    CAPTURE(url);
    CHECK_FALSE(is_as_shown(url));
    CHECK(is_as_shown(shown_url(url)));
  }
  for (const char* url : {"postgresql://xxxxx:{{password}}@db/xxxxx?application_name=xxxxx",
                          "host=xxxxx user=xxxxx", ""})
    CHECK_FALSE(is_as_shown(url));
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
