#pragma once
// The path of a URL as clients and proxies normalise it: without empty, "." and ".." segments, and
// percent-encoded (RFC 3986). Thread safety: functions of their arguments.

#include <string>
#include <string_view>

namespace leasehold {

// "a//b/./../c" -> "a/c". A ".." goes no higher than the root; a slash at the end stays, since it
// names a folder. A slash at the beginning is dropped, so the result is never absolute.
std::string clean_path(std::string_view path);

// Everything but unreserved characters and those in `also`.
std::string percent_encoded(std::string_view text, std::string_view also);
// Slashes stay; `%` is escaped: a path is a name, not something already escaped.
std::string escape_path(std::string_view path);

}  // namespace leasehold
