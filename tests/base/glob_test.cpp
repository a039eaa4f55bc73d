#include "vault/base/glob.h"

#include <doctest/doctest.h>

using leasehold::matches_glob;

TEST_CASE("glob: each * stands for any text, and everything else for itself") {
  for (const auto& [glob, text] : {std::pair{"", ""},
                                   {"a", "a"},
                                   {"*", ""},
                                   {"*", "any"},
                                   {"a*", "a"},
                                   {"a*", "abc"},
                                   {"*c", "abc"},
                                   {"a*c", "ac"},
                                   {"a*c", "abc"},
                                   {"a*b*c", "a-b-b-c"},
                                   {"**", "x"},
                                   {"*ab*ab", "abab"},
                                   {"team-*-ro", "team-x-y-ro"},
                                   {"a.c", "a.c"}}) {
    CAPTURE(glob);
    CAPTURE(text);
    CHECK(matches_glob(glob, text));
  }
  for (const auto& [glob, text] : {std::pair{"", "a"},
                                   {"a", ""},
                                   {"a", "ab"},
                                   {"a*", "ba"},
                                   {"*c", "cb"},
                                   {"a*a", "a"},
                                   {"a*c", "acb"},
                                   {"*ab*ab", "ab"},
                                   {"a.c", "abc"},
                                   {"a?c", "abc"},
                                   {"a*b*c", "a-c-b"}}) {
    CAPTURE(glob);
    CAPTURE(text);
    CHECK_FALSE(matches_glob(glob, text));
  }
}
