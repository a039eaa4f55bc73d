#pragma once
// The head of an answer as it came. The library hands out the values of its fields percent-decoded,
// and what was "%3F", "%25" or "%0d%0a" cannot be told from them any more.
//
//   fields_named("HTTP/1.1 307 T\r\nLocation: /v1/a%20b\r\n\r\n", "location")  ->  {"/v1/a%20b"}
//
// Thread safety: a function of its arguments.

#include <string>
#include <string_view>
#include <vector>

namespace leasehold::client {

// The values of the fields of that name (in lower case), in their order. Of several heads, as
// behind "100 Continue", the last one counts.
std::vector<std::string> fields_named(std::string_view heads, std::string_view name);

}  // namespace leasehold::client
